"""The conversion in a process of its own: its memory goes with it, and it can be ended at once."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import NamedTuple

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal

from app.children import import_path, last_error
from core.errors import OutputError
from core.files import ABANDONED, unwritable, writing

COMMAND = (sys.executable, "-m", "core.convert")
UNFINISHED = ".importing-"  # before the name of the folder that a file is made in


class Order(NamedTuple):
    """What to convert. encoder: the style encoder that belongs to a SPADE, or None."""

    source: Path
    palette: str
    out: Path
    store: str
    encoder: Path | None = None

    def words(self, out: Path) -> list[str]:
        """The command line that writes `out`."""
        words = [str(self.source), "--palette", self.palette, "-o", str(out), "--lines"]
        words += ["--store", self.store]
        return words + (["--encoder", str(self.encoder)] if self.encoder else [])


class Conversion(QObject):
    """One conversion at a time.

    progressed(percent). finished(path): the file is there. failed(sentence). Whatever happens,
    `out` is whole or not there, and nothing else is left in its folder.
    """

    progressed = Signal(int)
    finished = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject, command: Sequence[str] | None = None) -> None:
        super().__init__(parent)
        self.command = list(command or COMMAND)
        self._order: Order | None = None
        self._folder = Path()  # of the unfinished file
        self._process: QProcess | None = None

    @property
    def running(self) -> bool:
        """Whether a file is being made."""
        return self._process is not None

    def start(self, order: Order) -> None:
        """Begin. Raises `OutputError` if the folder cannot be written or the file exists."""
        if order.out.exists():
            raise OutputError(f"There is a model {order.out.stem!r} already. Choose another name.")
        with writing(order.out):
            order.out.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(order.out.parent)
            self._folder = Path(mkdtemp(prefix=UNFINISHED, dir=order.out.parent))
        self._order = order
        process = self._process = QProcess(self)
        process.setProcessEnvironment(_environment())
        process.readyReadStandardOutput.connect(self._hear)
        process.finished.connect(self._end)
        process.errorOccurred.connect(self._on_error)
        program, *words = [*self.command, *order.words(self._unfinished)]
        process.start(program, words)

    def cancel(self) -> None:
        """End it now, and leave nothing behind."""
        if self._process is not None:
            process = self._let_go()
            process.kill()
            process.waitForFinished()
            rmtree(self._folder, ignore_errors=True)

    @property
    def _unfinished(self) -> Path:
        return self._folder / self._order.out.name

    def _hear(self) -> None:
        lines = bytes(self._process.readAllStandardOutput()).split()
        if lines:
            self.progressed.emit(int(lines[-1]))

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:  # any other is followed by the end
            reason = self._let_go().errorString()
            rmtree(self._folder, ignore_errors=True)
            self.failed.emit(f"The conversion cannot be started: {reason}")

    def _end(self, code: int) -> None:
        said = bytes(self._process.readAllStandardError()).decode(errors="replace")
        order, made = self._order, self._unfinished
        self._let_go()
        sentence = ""
        if code or not made.is_file():
            sentence = _sentence(said, code)
        else:
            try:
                os.replace(made, order.out)
            except OSError as error:
                sentence = unwritable(order.out, error)
        rmtree(self._folder, ignore_errors=True)
        if sentence:
            self.failed.emit(sentence)
        else:
            self.finished.emit(order.out)

    def _let_go(self) -> QProcess:
        """The process, of which nothing more will be heard."""
        process, self._process = self._process, None
        for signal in (process.readyReadStandardOutput, process.finished, process.errorOccurred):
            signal.disconnect()
        process.deleteLater()
        return process


def _remove_abandoned(folder: Path) -> None:
    """Take away what a killed program left of an import, an hour after it was last written."""
    for left in folder.glob(f"{UNFINISHED}*"):
        with suppress(OSError):
            newest = max(path.stat().st_mtime for path in [left, *left.iterdir()])
            if time.time() - newest > ABANDONED:
                rmtree(left, ignore_errors=True)


def _environment() -> QProcessEnvironment:
    """Ours, and the program is found in it wherever it was started from."""
    environment = QProcessEnvironment.systemEnvironment()
    environment.insert("PYTHONPATH", import_path(environment.value("PYTHONPATH")))
    return environment


def _sentence(said: str, code: int) -> str:
    """What the command said of its end, or that it said nothing."""
    return last_error(said.splitlines()) or (
        f"The conversion ended unexpectedly (exit status {code}). Perhaps there is not enough "
        "memory: close other programs, and try again."
    )
