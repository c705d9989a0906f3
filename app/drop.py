"""Files that are dropped anywhere on the window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, QTimer
from PySide6.QtWidgets import QWidget


class DropArea(QObject):
    """Takes the files, one after the other, once the drag is over.

    A dialog inside the drop itself would hold up the program that the file came from.
    """

    def __init__(self, widget: QWidget, take: Callable[[Path], None]) -> None:
        super().__init__(widget)
        self._take = take
        self._waiting: list[Path] = []
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def eventFilter(self, widget: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind in (QEvent.Type.DragEnter, QEvent.Type.DragMove) and files(event.mimeData()):
            event.acceptProposedAction()
            return True
        if kind == QEvent.Type.Drop and files(event.mimeData()):
            self._waiting += files(event.mimeData())
            event.acceptProposedAction()
            QTimer.singleShot(0, self, self._take_all)
            return True
        return False

    def _take_all(self) -> None:
        while self._waiting:
            self._take(self._waiting.pop(0))


def files(data: QMimeData) -> list[Path]:
    """The files on this machine that a drag holds."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
