"""Which label becomes which: a table to look over before it is done."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel, QWheelEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.swatch import swatch_icon, swatch_pixmap
from core.conversion import Conversion
from core.palette import Palette

SWATCH = 18  # logical pixels
FIRST_ROWS, MORE_ROWS = 24, 12  # built at once, and in each turn of the event loop after
ID_ROLE = Qt.ItemDataRole.UserRole
HEADINGS = ("Label", "Share", "Becomes", "Matched by")


class ConversionDialog(QDialog):
    """confirmed(Conversion): every label of the scene has the place that a person agreed to."""

    confirmed = Signal(object)

    def __init__(
        self, parent: QWidget, conversion: Conversion, counts: np.ndarray, text: str, verb: str
    ) -> None:
        """counts: pixels of every id in the scene. text: what this is for. verb: on the button."""
        super().__init__(parent)
        self.setWindowTitle(f"{_title(conversion.source)} to {_title(conversion.target)}")
        self.setMinimumSize(560, 320)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._conversion, self._counts = conversion, counts
        used = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
        self._used = [i for i in used if i != conversion.source.erase_id]
        self._choices, self._widest = _choices(conversion.target), _widest(conversion.target)
        self.places: dict[int, QComboBox] = {}
        self._hows: dict[int, QLabel] = {}
        self.text = QLabel(text, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.summary = QLabel(wordWrap=True, objectName="heading")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, self)
        self.confirm = buttons.addButton(verb, QDialogButtonBox.ButtonRole.AcceptRole)
        self.confirm.setDefault(True)
        self.confirm.setObjectName("primary")
        buttons.accepted.connect(self._confirm)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(12)
        layout.addWidget(self.text)
        layout.addWidget(self._build_table(), 1)
        layout.addWidget(self.summary)
        layout.addWidget(buttons)
        self._show_summary()

    def _build_table(self) -> QScrollArea:
        """A grid rather than a table view: Tab goes from place to place, and the view follows."""
        area = QScrollArea(self, widgetResizable=True, frameShape=QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        # from the outside in: a widget that gets another parent is dressed anew with all in it
        table = QWidget(area.viewport())
        self._grid = QGridLayout(table)
        self._grid.setHorizontalSpacing(14)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        for column, heading in enumerate(HEADINGS, start=1):
            over_swatch = column == 1
            heading = QLabel(heading, table, objectName="faint")
            self._grid.addWidget(heading, 0, column - over_swatch, 1, 1 + over_swatch)
        self._grid.setRowStretch(len(self._used) + 1, 1)
        self._build_rows(table, FIRST_ROWS)
        area.setWidget(table)
        return area

    def _build_rows(self, table: QWidget, most: int) -> None:
        """The next rows; a palette's hundreds of labels would hold the window up otherwise."""
        built = len(self.places)
        for row, label in enumerate(self._used[built : built + most], start=built + 1):
            for column, widget in enumerate(self._build_row(table, label)):
                self._grid.addWidget(widget, row, column)
        if len(self.places) < len(self._used):
            QTimer.singleShot(0, table, lambda: self._build_rows(table, MORE_ROWS))

    def _build_row(self, table: QWidget, label: int) -> list[QWidget]:
        known = self._conversion.source[label]
        swatch = QLabel(table, pixmap=swatch_pixmap(known.color, SWATCH))
        share = QLabel(f"{self._share([label]):.1%}", table)
        share.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        place = _Place(table)
        place.setModel(self._choices)
        place.setIconSize(QSize(SWATCH, SWATCH))
        place.setSizeAdjustPolicy(_Place.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        place.setMinimumContentsLength(self._widest)
        place.setAccessibleName(f"What {known.name} becomes")
        place.setToolTip(f"What {known.name} becomes")
        place.setCurrentIndex(place.findData(self._conversion.matches[label].target))
        place.currentIndexChanged.connect(lambda: self._move(label, place.currentData()))
        self.places[label] = place
        self._hows[label] = QLabel(self._conversion.matches[label].how, table, objectName="faint")
        return [swatch, QLabel(known.name, table), share, place, self._hows[label]]

    def _move(self, label: int, target: int | None) -> None:
        self._conversion = self._conversion.moved(label, target)
        self._hows[label].setText(self._conversion.matches[label].how)
        self._show_summary()

    def _show_summary(self) -> None:
        lost = self._conversion.unplaced(self._used)
        nothing = self._conversion.target[self._conversion.target.erase_id].name
        self.summary.setText(
            f"{self._share(lost):.1%} of the scene has no place and becomes ‘{nothing}’."
            if lost
            else "Everything in the scene has a place."
        )

    def _share(self, labels: list[int]) -> float:
        return float(self._counts[labels].sum() / self._counts.sum())

    def _confirm(self) -> None:
        """What was shown is settled, as if chosen by hand: it is not asked about again."""
        for label in self._used:
            self._conversion = self._conversion.moved(label, self._conversion.matches[label].target)
        self.accept()
        self.confirmed.emit(self._conversion)


class _Place(QComboBox):
    """A list of labels that the wheel does not turn by accident on its way down the table."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


def _choices(palette: Palette) -> QStandardItemModel:
    """Nothing, then every label by name: one model for all lists of the table."""
    model = QStandardItemModel()
    nothing = QStandardItem("(nothing)")
    nothing.setData(None, ID_ROLE)
    model.appendRow(nothing)
    for label in sorted(palette.search(""), key=lambda c: c.name):
        item = QStandardItem(swatch_icon(label.color, SWATCH), label.name)
        item.setData(label.id, ID_ROLE)
        model.appendRow(item)
    return model


def _widest(palette: Palette) -> int:
    """Characters of the longest name: measured once, not by each list for itself."""
    return max(len(label.name) for label in palette.classes)


def _title(palette: Palette) -> str:
    return palette.title or palette.name
