"""How one label is sampled: lock, strength, guidance, seed. What is set here holds at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QSlider,
    QSpinBox,
    QToolButton,
    QWidget,
)

from app.forms import lay_out_form
from app.icons import set_icon
from app.label_controls import FRESH, MAX_FACTOR, MIN_STRENGTH, LabelControl
from app.swatch import swatch_pixmap
from app.tips import set_tip
from core.palette import LabelClass
from core.request import MAX_SEED

SWATCH, VALUE_WIDTH = 22, 48  # logical pixels
PERCENT, TENTHS = 100, 10  # slider positions per unit of strength and of guidance
HINT = (
    "Lock and strength hold on to the last picture, guidance and seed act on every picture. "
    "Undo takes each change back."
)


class ControlDialog(QDialog):
    """Stays open beside the painting, for one label at a time.

    changed(id, LabelControl): a control was moved. new_seed_wanted(id): the label's area is to be
    made anew from another seed.
    """

    changed = Signal(int, object)
    new_seed_wanted = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Label controls")
        self._label = -1
        self._control = FRESH
        self._swatch = QLabel()
        self.name = QLabel(objectName="heading")
        rows = (
            ("Label", _row(self._swatch, self.name, stretch=1)),
            ("Lock", self._build_lock()),
            ("Strength", self._build_strength()),
            ("Guidance", self._build_guidance()),
            ("Seed", self._build_seed()),
        )
        lay_out_form(self, rows, (self._build_hint(), self._build_buttons()))
        self.setMinimumWidth(420)

    # -- building ---------------------------------------------------------------------------------

    def _build_lock(self) -> QWidget:
        self.lock = QCheckBox("Keep its pixels as they are")
        self.lock.setAccessibleName("Lock")
        set_tip(self.lock, "Where the label was in the last picture too ({lock_label})")
        self.lock.toggled.connect(lambda on: self._edit(locked=on))
        return self.lock

    def _build_strength(self) -> QWidget:
        self.strength = _slider("Strength", round(MIN_STRENGTH * PERCENT), PERCENT, 5)
        self.strength.setToolTip("How much of the last picture its area forgets; 100 % is all")
        self.strength.valueChanged.connect(lambda v: self._edit(strength=v / PERCENT))
        self.strength_value = _value(self.strength, lambda v: f"{v} %")
        return _row(self.strength, self.strength_value, stretch=0)

    def _build_guidance(self) -> QWidget:
        self.guidance = _slider("Guidance", 0, round(MAX_FACTOR * TENTHS), 1)
        self.guidance.setToolTip("The guidance of the picture is multiplied by this in its area")
        self.guidance.valueChanged.connect(lambda v: self._edit(guidance=v / TENTHS))
        self.guidance_value = _value(self.guidance, lambda v: f"× {v / TENTHS:.1f}")
        return _row(self.guidance, self.guidance_value, stretch=0)

    def _build_seed(self) -> QWidget:
        self.own_seed = QCheckBox("Its own")
        self.own_seed.setAccessibleName("Its own seed")
        self.own_seed.setToolTip("The noise in its area comes from a seed of its own")
        self.own_seed.toggled.connect(self._own)
        self.seed = QSpinBox(maximum=MAX_SEED, keyboardTracking=False)
        self.seed.setAccessibleName("Seed of the label")
        self.seed.setToolTip("Seed of the noise in the label's area")
        self.seed.valueChanged.connect(lambda value: self._edit(seed=value))
        self.dice = QToolButton(toolTip="Another seed for the label")
        self.dice.setAccessibleName("Another seed for the label")
        self.dice.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        set_icon(self.dice, "dice")
        self.dice.clicked.connect(lambda: self._edit(seed=random_seed()))
        return _row(self.own_seed, self.seed, self.dice, stretch=1)

    def _build_hint(self) -> QLabel:
        return QLabel(HINT, objectName="faint", wordWrap=True)

    def _build_buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        role = QDialogButtonBox.ButtonRole
        self.new_seed = buttons.addButton("New seed", role.ActionRole)
        set_tip(self.new_seed, "Make this label's area anew, and only that ({new_label_seed})")
        self.new_seed.clicked.connect(lambda: self.new_seed_wanted.emit(self._label))
        self.reset = buttons.addButton("Reset", role.ResetRole)
        self.reset.setToolTip("Sample this label like the rest")
        self.reset.clicked.connect(lambda: self.changed.emit(self._label, FRESH))
        buttons.rejected.connect(self.close)
        for button in buttons.buttons():
            button.setAutoDefault(False)  # Enter in the seed's field ends the number, no more
        return buttons

    # -- showing ----------------------------------------------------------------------------------

    def show_control(self, label: LabelClass, control: LabelControl) -> None:
        """Show a label and how it is sampled, without reporting it back."""
        self._label, self._control = label.id, control
        self._swatch.setPixmap(swatch_pixmap(label.color, SWATCH))
        self.name.setText(label.name)
        values = (
            (self.lock.setChecked, control.locked),
            (self.strength.setValue, round(control.strength * PERCENT)),
            (self.guidance.setValue, round(control.guidance * TENTHS)),
            (self.own_seed.setChecked, control.seed is not None),
            (self.seed.setValue, control.seed or 0),
        )
        self.blockSignals(True)  # the controls' own signals still run, ours stay in
        for show, value in values:
            show(value)
        self.blockSignals(False)
        self._control = control
        for widget in (self.seed, self.dice):
            widget.setEnabled(control.seed is not None)
        self.reset.setEnabled(control != FRESH)

    # -- reporting --------------------------------------------------------------------------------

    def _own(self, own: bool) -> None:
        self._edit(seed=random_seed() if own else None)

    def _edit(self, **changes: object) -> None:
        if not self.signalsBlocked():
            self._control = replace(self._control, **changes)
            self.changed.emit(self._label, self._control)


def random_seed() -> int:
    """Any seed."""
    return random.randint(0, MAX_SEED)


def _slider(name: str, low: int, high: int, step: int) -> QSlider:
    """One that tells where it was let go: a drag is one step of the undo."""
    slider = QSlider(Qt.Orientation.Horizontal, minimum=low, maximum=high)
    slider.setSingleStep(step)
    slider.setPageStep(5 * step)
    slider.setTracking(False)
    slider.setAccessibleName(name)
    return slider


def _value(slider: QSlider, text: Callable[[int], str]) -> QLabel:
    """The number beside a slider, also while that is dragged."""
    label = QLabel(alignment=Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    label.setMinimumWidth(VALUE_WIDTH)
    for moved in (slider.valueChanged, slider.sliderMoved):
        moved.connect(lambda value: label.setText(text(value)))
    label.setText(text(slider.value()))
    return label


def _row(*widgets: QWidget, stretch: int) -> QWidget:
    """Widgets side by side; the one at `stretch` takes the room."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(8)
    for place, widget in enumerate(widgets):
        layout.addWidget(widget, int(place == stretch))
    return row
