"""The sheet of all keys (F1)."""

from __future__ import annotations

from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QWidget

from app import actions

COLUMNS = (
    ("Tools", actions.TOOLS),
    ("Labels and brush", actions.LABELS),
    ("Picture and view", actions.PICTURE + actions.VIEW),
    ("File and edit", actions.FILE + actions.EDIT + actions.MAP),
)


class KeySheet(QDialog):
    """Reads the same table as the menus, so it cannot tell anything else."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        grid = QGridLayout(self)
        grid.setContentsMargins(24, 20, 24, 20)
        grid.setHorizontalSpacing(40)
        grid.setVerticalSpacing(20)
        for index, (title, wishes) in enumerate(COLUMNS):
            rows = [(_keys(wish), wish.text.rstrip("…")) for wish in wishes if wish.keys]
            grid.addLayout(_section(title, rows), index // 2, index % 2)
        grid.addLayout(_section("On the canvas", list(actions.BY_POINTER)), 2, 0, 1, 2)


def _keys(wish: actions.Wish) -> str:
    return QKeySequence(wish.keys[0]).toString(QKeySequence.SequenceFormat.NativeText)


def _section(title: str, rows: list[tuple[str, str]]) -> QGridLayout:
    section = QGridLayout()
    section.setHorizontalSpacing(16)
    section.setVerticalSpacing(5)
    section.setColumnStretch(1, 1)
    section.addWidget(QLabel(title, objectName="heading"), 0, 0, 1, 2)
    for row, (keys, text) in enumerate(rows, start=1):
        section.addWidget(QLabel(keys, objectName="faint"), row, 0)
        section.addWidget(QLabel(text), row, 1)
    section.setRowStretch(len(rows) + 1, 1)
    return section
