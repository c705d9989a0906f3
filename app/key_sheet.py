"""The sheet of all keys (F1)."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app import actions

COLUMNS = 3
HEAD = 2  # what a heading takes, in rows
Section = tuple[str, list[tuple[str, str]]]
SECTIONS = (
    ("Tools", actions.TOOLS),
    ("Labels and brush", actions.LABELS + actions.CONTROLS),
    ("View", actions.VIEW + actions.LABEL_VIEW),
    (
        "Picture",
        actions.PICTURE
        + actions.GUIDING
        + actions.LIVE
        + actions.STYLE
        + actions.STEPS
        + actions.MATCH
        + actions.HISTORY,
    ),
    ("Local edits", actions.LOCAL),
    ("File and edit", actions.FILE + actions.EDIT + actions.MAP),
)


class KeySheet(QDialog):
    """Reads the same tables as the menus and the present keys: it cannot tell anything else."""

    def __init__(self, parent: QWidget, keys: Mapping[str, str]) -> None:
        """keys: of each wish, as people read them; those without are left out."""
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sections = [
            (title, [(keys[w.name], w.text.rstrip("…")) for w in wishes if keys[w.name]])
            for title, wishes in SECTIONS
        ]
        sections.append(("On the canvas", list(actions.BY_POINTER)))
        row = QHBoxLayout(self)
        row.setContentsMargins(24, 20, 24, 20)
        row.setSpacing(40)
        for column in _columns(sections):
            layout = QVBoxLayout()
            layout.setSpacing(20)
            for title, rows in column:
                layout.addLayout(_section(title, rows))
            layout.addStretch(1)
            row.addLayout(layout)


def _columns(sections: list[Section]) -> list[list[Section]]:
    """The sections in order, in `COLUMNS` columns of about the same height."""
    total = sum(len(rows) + HEAD for _, rows in sections)
    columns: list[list[Section]] = [[] for _ in range(COLUMNS)]
    above = 0
    for title, rows in sections:
        middle = above + (len(rows) + HEAD) / 2
        columns[min(COLUMNS - 1, int(COLUMNS * middle / total))].append((title, rows))
        above += len(rows) + HEAD
    return columns


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
