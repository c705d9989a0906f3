"""The question how large the canvas is to be, and what becomes of the map."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QRadioButton,
    QSpinBox,
    QWidget,
)

from app.forms import lay_out_form
from core.arranging import Anchor

MIN_SIDE, MAX_SIDE = 64, 4096  # pixels
MULTIPLE = 8  # sides that every model can make without rounding
PLACES = (
    ("Top left", "Top", "Top right"),
    ("Left", "Middle", "Right"),
    ("Bottom left", "Bottom", "Bottom right"),
)


@dataclass(frozen=True)
class NewSize:
    """width, height: pixels. anchor: None scales the map, else the part that keeps its place."""

    width: int
    height: int
    anchor: Anchor | None


class CanvasSizeDialog(QDialog):
    """chosen(NewSize): the answer."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget, size: tuple[int, int]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Canvas size")
        self._size = size
        self.width_box, self.height_box = (
            _side_box(name, side) for name, side in zip(("Width", "Height"), size, strict=True)
        )
        self.crop = QRadioButton("Crop or extend")
        self.crop.setToolTip("Labels keep their size; new pixels are unlabeled")
        self.scale = QRadioButton("Scale")
        self.scale.setToolTip("The map is stretched, nearest pixel by pixel")
        self.keep_shape = QCheckBox("Keep proportions")
        self.keep_shape.setToolTip("Width and height change together")
        self.anchor = AnchorGrid()
        self.hint = QLabel(objectName="faint")
        self.crop.setChecked(True)
        self._lay_out()
        self._connect()
        self._show_choice()
        self.width_box.selectAll()

    def _lay_out(self) -> None:
        rows = (
            ("Width", self.width_box),
            ("Height", self.height_box),
            ("Map", self.crop),
            ("", self.anchor),
            ("", self.scale),
            ("", self.keep_shape),
        )
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(buttons.Ok | buttons.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        lay_out_form(self, rows, (self.hint, self.buttons))
        self.setMinimumWidth(300)

    def _connect(self) -> None:
        self.accepted.connect(lambda: self.chosen.emit(self._answer()))
        self.scale.toggled.connect(self._show_choice)
        self.keep_shape.toggled.connect(self._follow_width)
        self.width_box.valueChanged.connect(self._follow_width)
        self.height_box.valueChanged.connect(self._follow_height)

    def _answer(self) -> NewSize:
        anchor = None if self.scale.isChecked() else self.anchor.anchor
        return NewSize(self.width_box.value(), self.height_box.value(), anchor)

    def _follow_width(self) -> None:
        width, height = self._size
        self._follow(self.height_box, round(self.width_box.value() * height / width))

    def _follow_height(self) -> None:
        width, height = self._size
        self._follow(self.width_box, round(self.height_box.value() * width / height))

    def _follow(self, box: QSpinBox, side: int) -> None:
        if self.scale.isChecked() and self.keep_shape.isChecked():
            box.blockSignals(True)
            box.setValue(side)
            box.blockSignals(False)
        self._show_choice()

    def _show_choice(self) -> None:
        self.anchor.setEnabled(self.crop.isChecked())
        self.keep_shape.setEnabled(self.scale.isChecked())
        odd = any(box.value() % MULTIPLE for box in (self.width_box, self.height_box))
        advice = f"Multiples of {MULTIPLE} suit every model best."
        self.hint.setText(advice if odd else f"{MIN_SIDE} to {MAX_SIDE} pixels a side.")


class AnchorGrid(QWidget):
    """Three by three places: the part of the map that stays put. Arrow keys move the choice."""

    def __init__(self) -> None:
        super().__init__()
        self._group = QButtonGroup(self)
        grid = QGridLayout(self)
        grid.setContentsMargins(24, 0, 0, 4)  # under the words of its choice
        grid.setSpacing(3)
        grid.setAlignment(Qt.AlignmentFlag.AlignLeft)
        for y, names in enumerate(PLACES):
            for x, name in enumerate(names):
                button = self._build_button(name)
                self._group.addButton(button, 3 * y + x)
                grid.addWidget(button, y, x)
        self.choose((0.5, 0.5))

    @property
    def anchor(self) -> Anchor:
        """The choice, (x, y) of 0, 0.5 or 1."""
        y, x = divmod(self._group.checkedId(), 3)
        return x / 2, y / 2

    def choose(self, anchor: Anchor) -> None:
        """Choose a place."""
        x, y = (round(2 * part) for part in anchor)
        self._group.button(3 * y + x).setChecked(True)

    def _build_button(self, name: str) -> QRadioButton:
        button = QRadioButton()
        button.setAccessibleName(f"Keep in place: {name.lower()}")
        button.setToolTip(f"{name} stays in its place")
        return button


def _side_box(name: str, side: int) -> QSpinBox:
    box = QSpinBox(minimum=MIN_SIDE, maximum=MAX_SIDE, singleStep=MULTIPLE, value=side)
    box.setSuffix(" px")
    box.lineEdit().setTextMargins(4, 0, 0, 0)  # a style sheet does not reach this one
    box.setAccessibleName(name)
    box.setToolTip(f"{name} of the canvas in pixels")
    return box
