"""Files are read in threads of their own: the window lives on, and a dialog says why it waits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TypeVar

from PySide6.QtCore import QEventLoop, QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

PATIENCE = 250  # ms without a word: what is read sooner needs no dialog
Found = TypeVar("Found")


class Cancelled(Exception):
    """The user did not want to wait for a file any longer."""


class Reader(QObject):
    """Waits for work that takes its time, as a question waits for its answer: the window draws and
    its timers run, but nobody can change the document meanwhile."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._tasks: set[_Task] = set()  # those that were given up go on until their end

    def read(self, path: Path, work: Callable[[], Found]) -> Found:
        """What `work` returns or raises. It runs in another thread, so it must touch nothing that
        the window changes.

        Raises `Cancelled` if the user gives up; then nobody will hear of what comes of it.
        """
        task = _Task(work)
        self._tasks.add(task)
        task.ended.connect(self._forget)
        self._begin(task, path.name)
        self._wait_on(task, path.name)
        if not task.found.done():
            raise Cancelled
        return task.found.result()

    def _begin(self, task: _Task, name: str) -> None:
        """Start, and wait a moment. Keys and clicks are kept for afterwards."""
        loop = QEventLoop()
        task.ended.connect(loop.quit)
        QTimer.singleShot(PATIENCE, loop, loop.quit)
        Thread(target=task.run, name=f"reading {name}", daemon=True).start()
        loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)

    def _wait_on(self, task: _Task, name: str) -> None:
        """Wait until the end, and say so; or until the user has enough."""
        dialog = ReadingDialog(name, self._window)
        task.ended.connect(dialog.accept)
        if not task.found.done():  # else that was told before the dialog could hear it
            dialog.exec()
        dialog.deleteLater()

    def _forget(self, task: _Task) -> None:
        self._tasks.discard(task)


class _Task(QObject):
    """One piece of work. ended(self): it is over, well or badly."""

    ended = Signal(object)

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__()
        self.found: Future = Future()
        self._work = work

    def run(self) -> None:
        """Do the work, in the thread that calls."""
        try:
            self.found.set_result(self._work())
        except BaseException as error:
            self.found.set_exception(error)
        with suppress(RuntimeError):  # the window is gone, and with it all who waited
            self.ended.emit(self)


class ReadingDialog(QDialog):
    """Says that a file is being read, until it is or the user has enough."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Reading")
        self.setWindowModality(Qt.WindowModality.ApplicationModal)
        text = QLabel(f"Reading {name}…", textFormat=Qt.TextFormat.PlainText, wordWrap=True)
        bar = QProgressBar(minimum=0, maximum=0, textVisible=False)  # nobody knows how long
        bar.setAccessibleName("Progress")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.cancel = buttons.button(QDialogButtonBox.StandardButton.Cancel)
        self.cancel.setToolTip("Leave the scene as it is (Esc)")
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(12)
        for part in (text, bar, buttons):
            layout.addWidget(part)
        self.setMinimumWidth(360)
