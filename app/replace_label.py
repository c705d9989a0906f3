"""The question which label is to become which other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QWidget,
)

from app.forms import lay_out_form
from app.pen import Pen
from app.scene import Scene
from app.swatch import swatch_icon
from core.conversion import label_counts
from core.palette import Palette

SWATCH = 16  # logical pixels


class ReplaceLabelDialog(QDialog):
    """Offers the labels of the scene and, for them, all of the palette.

    chosen(label, by): the answer.
    """

    chosen = Signal(int, int)

    def __init__(self, parent: QWidget, scene: Scene, pen: Pen) -> None:
        super().__init__(parent)
        self.setWindowTitle("Replace a label")
        self._palette = scene.palette
        self._counts = label_counts(scene.labels)
        used = [int(label) for label in np.argsort(-self._counts) if self._counts[label]]
        self.old = _label_box("Replace", "The label to be replaced", self._palette, used)
        shown = [c.id for c in self._palette.classes if not c.hidden]
        self.new = _label_box("By", "What its pixels become", self._palette, shown)
        self.summary = QLabel(objectName="faint")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.replace = self.buttons.addButton("Replace", QDialogButtonBox.ButtonRole.AcceptRole)
        self._lay_out()
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.accepted.connect(lambda: self.chosen.emit(*self._answer()))
        for box in (self.old, self.new):
            box.currentIndexChanged.connect(self._show_summary)
        self._choose_first(used, pen)
        self._show_summary()

    def _lay_out(self) -> None:
        rows = (("Replace", self.old), ("by", self.new))
        lay_out_form(self, rows, (self.summary, self.buttons))
        self.setMinimumWidth(380)

    def _choose_first(self, used: list[int], pen: Pen) -> None:
        """The last label by the one in hand, or else the most frequent other one."""
        others = [label for label in (pen.previous_label, *used) if label != pen.label]
        old = next((label for label in others if label in used), used[0])
        self.old.setCurrentIndex(self.old.findData(old))
        self.new.setCurrentIndex(max(0, self.new.findData(pen.label)))  # it may be a hidden one

    def _answer(self) -> tuple[int, int]:
        return self.old.currentData(), self.new.currentData()

    def _show_summary(self) -> None:
        old, new = self._answer()
        count = int(self._counts[old])
        share = count / int(self._counts.sum())
        name = self._palette[new].name
        same = old == new
        self.summary.setText(
            "Choose two different labels."
            if same
            else f"{count:,} pixels ({share:.1%}) will become {name}."
        )
        self.replace.setEnabled(not same)


def _label_box(name: str, tip: str, palette: Palette, labels: Iterable[int]) -> QComboBox:
    box = QComboBox(accessibleName=name, toolTip=tip)
    for label in labels:
        box.addItem(swatch_icon(palette[label].color, SWATCH), palette[label].name, label)
    return box
