"""A table of labels and how much of a map each covers."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from app.swatch import swatch_icon
from core.palette import Palette

SWATCH = 14  # logical pixels


class ShareTable(QTableWidget):
    """Two columns: label and share."""

    def __init__(self) -> None:
        super().__init__(0, 2)
        self.setAccessibleName("Labels found")
        self.setToolTip("The labels that were found, and their share of the map")
        self.setHorizontalHeaderLabels(["Label", "Share"])
        self.verticalHeader().hide()
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.horizontalHeaderItem(0).setTextAlignment(Qt.AlignmentFlag.AlignLeft)
        self.horizontalHeaderItem(1).setTextAlignment(Qt.AlignmentFlag.AlignRight)
        header = self.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)

    def show_shares(self, shares: Iterable[tuple[int, float]], palette: Palette) -> None:
        """shares: (label, its share 0..1), as they are to be listed."""
        self.setRowCount(0)
        for row, (label, share) in enumerate(shares):
            self.insertRow(row)
            found = palette[label]
            name = QTableWidgetItem(swatch_icon(found.color, SWATCH), found.name)
            number = QTableWidgetItem(f"{share:.1%}" if share >= 0.0005 else "< 0.1%")
            number.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.setItem(row, 0, name)
            self.setItem(row, 1, number)
