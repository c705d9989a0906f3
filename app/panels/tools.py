"""The strip of tools at the left edge."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QToolBar


class ToolStrip(QToolBar):
    """One button per tool, then what they work on, undo and redo."""

    def __init__(self, tools: Iterable[QAction], others: Iterable[QAction]) -> None:
        super().__init__("Tools", objectName="tools")
        self.setMovable(False)
        self.setOrientation(Qt.Orientation.Vertical)
        self.setIconSize(QSize(20, 20))
        self.addActions(list(tools))
        self.addSeparator()
        self.addActions(list(others))
