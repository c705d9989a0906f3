"""The sheet of all keys (F1)."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QWidget

from app import actions

COLUMNS = (
    ("Tools", actions.TOOLS),
    ("Labels and brush", actions.LABELS),
    ("Picture and view", actions.PICTURE + actions.VIEW),
    ("File and edit", actions.FILE + actions.EDIT + actions.MAP),
)


class KeySheet(QDialog):
    """Reads the same tables as the menus and the present keys: it cannot tell anything else."""

    def __init__(self, parent: QWidget, keys: Mapping[str, str]) -> None:
        """keys: of each wish, as people read them; those without are left out."""
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        grid = QGridLayout(self)
        grid.setContentsMargins(24, 20, 24, 20)
        grid.setHorizontalSpacing(40)
        grid.setVerticalSpacing(20)
        for index, (title, wishes) in enumerate(COLUMNS):
            rows = [(keys[w.name], w.text.rstrip("…")) for w in wishes if keys[w.name]]
            grid.addLayout(_section(title, rows), index // 2, index % 2)
        grid.addLayout(_section("On the canvas", list(actions.BY_POINTER)), 2, 0, 1, 2)


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
