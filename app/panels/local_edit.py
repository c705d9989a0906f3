"""The controls of a local edit: how far it reaches and how much of the old picture survives."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.edit_plan import MAX_RADIUS, MAX_WALKS, EditSettings, Plan
from app.tips import set_tip

PERCENT = 100  # slider positions per unit of strength
MIN_STRENGTH = 5  # per cent
VALUE_WIDTH = 44  # logical pixels: "100 %"
TIPS = {
    "grow": "How far around the region the picture is denoised with it, to fit in",
    "feather": "Over how many pixels the new and the old picture are blended",
    "strength": "How much of the old picture is forgotten; less keeps its colours and shapes",
    "walks": "How often each stretch of steps is walked: more hides seams and takes longer",
    "retrace": (
        "Find out first how a photo, or a picture from disk, would have been sampled:\n"
        "slower, and keeps more of it where the strength is low"
    ),
}


class Measure(QWidget):
    """One number that is automatic until it is set: a slider, its value, a box for "automatic".

    edited(value or None): it was moved, or given back to the program.
    """

    edited = Signal(object)

    def __init__(self, name: str, low: int, high: int, unit: str, tip: str) -> None:
        super().__init__()
        self._unit = unit
        self.slider = QSlider(Qt.Orientation.Horizontal, minimum=low, maximum=high)
        self.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.slider.setAccessibleName(name)
        self.slider.setToolTip(tip)
        self.slider.valueChanged.connect(self._on_moved)
        self.value = QLabel(alignment=Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.value.setFixedWidth(VALUE_WIDTH)
        self.automatic = QCheckBox("Auto", checked=True)
        self.automatic.setAccessibleName(f"{name}: automatic")
        self.automatic.setToolTip("Let the size and the kind of the change decide")
        self.automatic.toggled.connect(self._on_toggled)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.slider, 1)
        row.addWidget(self.value)
        row.addWidget(self.automatic)

    def show_value(self, wanted: int | None, automatic: int | None) -> None:
        """Show what was set, or else what the program would take; None for not known yet."""
        value = automatic if wanted is None else wanted
        for widget in (self.slider, self.automatic):
            widget.blockSignals(True)
        self.automatic.setChecked(wanted is None)
        if value is not None:
            self.slider.setValue(value)
        for widget in (self.slider, self.automatic):
            widget.blockSignals(False)
        self.value.setText("–" if value is None else f"{value} {self._unit}")

    def _on_moved(self, value: int) -> None:
        self.edited.emit(value)

    def _on_toggled(self, automatic: bool) -> None:
        self.edited.emit(None if automatic else self.slider.value())


class LocalEditPanel(QWidget):
    """edited(EditSettings): a control was moved. mark_wanted(on), update_wanted, repaint_wanted: a
    button. region_wanted(shown): a box. opened: it became visible."""

    edited = Signal(object)
    mark_wanted = Signal(bool)
    update_wanted = Signal()
    repaint_wanted = Signal()
    region_wanted = Signal(bool)
    opened = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._shown = EditSettings()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 10, 8)
        layout.setSpacing(8)
        layout.addLayout(self._build_form())
        layout.addLayout(self._build_buttons())
        layout.addStretch(1)
        self.show_edit(self._shown, None)
        self.show_photo("", False)

    def sizeHint(self) -> QSize:
        return QSize(400, 210)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.opened.emit()

    # -- building ---------------------------------------------------------------------------------

    def _build_form(self) -> QLayout:
        self.grow = Measure("Surroundings", 0, MAX_RADIUS, "px", TIPS["grow"])
        self.feather = Measure("Blend", 1, MAX_RADIUS, "px", TIPS["feather"])
        self.strength = Measure("Strength", MIN_STRENGTH, PERCENT, "%", TIPS["strength"])
        self.grow.edited.connect(lambda value: self._edit(grow=value))
        self.feather.edited.connect(lambda value: self._edit(feather=value))
        self.strength.edited.connect(
            lambda value: self._edit(strength=None if value is None else value / PERCENT)
        )
        form = QGridLayout()
        form.setHorizontalSpacing(10)
        form.setVerticalSpacing(6)
        form.setColumnStretch(1, 1)
        form.addWidget(QLabel("Edit"), 0, 0)
        form.addLayout(self._build_source(), 0, 1)
        for row, measure in enumerate((self.grow, self.feather, self.strength), start=1):
            form.addWidget(QLabel(measure.slider.accessibleName()), row, 0)
            form.addWidget(measure, row, 1)
        form.addWidget(QLabel("Walks"), 4, 0)
        form.addLayout(self._build_way(), 4, 1)
        return form

    def _build_way(self) -> QLayout:
        self.walks = QSpinBox(minimum=1, maximum=MAX_WALKS, suffix=" ×")
        self.walks.setAccessibleName("Walks")
        self.walks.setToolTip(TIPS["walks"])
        self.walks.setFixedWidth(70)
        self.walks.valueChanged.connect(lambda value: self._edit(walks=value))
        self.retrace = QCheckBox("Retrace a photo first")
        self.retrace.setToolTip(TIPS["retrace"])
        self.retrace.toggled.connect(lambda on: self._edit(retrace=on))
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.walks)
        row.addStretch(1)
        row.addWidget(self.retrace)
        return row

    def _build_source(self) -> QLayout:
        self.source = QComboBox()
        self.source.addItems(["the last picture", "the photo"])
        self.source.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.source.setAccessibleName("What is edited")
        self.source.setToolTip("A photo to trace can be edited as a picture of our own is")
        self.source.currentIndexChanged.connect(lambda index: self._edit(photo=index == 1))
        self.region = QCheckBox("Show the region")
        set_tip(
            self.region,
            "A line around what is denoised, a broken one around what is blended ({show_region})",
        )
        self.region.toggled.connect(self.region_wanted)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.source, 1)
        row.addWidget(self.region)
        return row

    def _build_buttons(self) -> QLayout:
        self.mark = QPushButton("Mark a region", checkable=True)
        self.update_button = QPushButton("Update")
        self.repaint_button = QPushButton("Repaint region")
        set_tip(self.mark, "Brush, shapes and fill mark what is to be made anew ({mark})")
        set_tip(self.update_button, "Make anew what changed and what is marked ({update})")
        set_tip(self.repaint_button, "Make anew what is marked, and only that ({repaint})")
        self.mark.clicked.connect(self.mark_wanted)
        self.update_button.clicked.connect(self.update_wanted)
        self.repaint_button.clicked.connect(self.repaint_wanted)
        row = QHBoxLayout()
        row.setSpacing(6)
        for button in (self.mark, self.update_button, self.repaint_button):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            row.addWidget(button, 1)
        return row

    # -- showing ----------------------------------------------------------------------------------

    def show_edit(self, settings: EditSettings, plan: Plan | None) -> None:
        """Show the settings, and where they are automatic what the program would do."""
        self._shown = settings
        strength, planned = settings.strength, plan and round(plan.strength * PERCENT)
        self.grow.show_value(settings.grow, plan and plan.grow)
        self.feather.show_value(settings.feather, plan and plan.feather)
        self.strength.show_value(None if strength is None else round(strength * PERCENT), planned)
        for widget, show, value in (
            (self.walks, self.walks.setValue, settings.walks),
            (self.retrace, self.retrace.setChecked, settings.retrace),
        ):
            widget.blockSignals(True)
            show(value)
            widget.blockSignals(False)

    def show_photo(self, name: str, edited: bool) -> None:
        """Show whether a photo can be edited, "" for none, and whether it is."""
        self.source.blockSignals(True)
        self.source.setItemText(1, f"the photo {name}".strip())
        self.source.setCurrentIndex(int(edited))
        self.source.setEnabled(bool(name))
        self.source.blockSignals(False)

    def show_marking(self, marking: bool, marked: bool, able: bool) -> None:
        """Show whether regions are being marked, whether there is one, and whether there is a
        model to repaint it."""
        self.mark.setChecked(marking)
        self.update_button.setEnabled(able)
        self.repaint_button.setEnabled(able and marked)

    def show_region(self, shown: bool) -> None:
        """Show whether the lines around the region are drawn."""
        self.region.setChecked(shown)

    def _edit(self, **changes: object) -> None:
        self._shown = replace(self._shown, **changes)
        self.edited.emit(self._shown)
