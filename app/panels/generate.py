"""The controls that make a picture."""

from __future__ import annotations

import random
from dataclasses import replace

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QProgressBar,
    QPushButton,
    QSlider,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.icons import set_icon
from app.settings import MAX_GUIDANCE, MAX_STEPS, MIN_GUIDANCE, MIN_START, GenerateSettings
from app.tips import set_tip
from core.request import MAX_SEED, SAMPLER_NAMES

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
TENTHS = 10  # slider positions per unit of guidance
SAMPLER_TITLES = {
    "dpmpp_2m": "DPM-Solver++ 2M",
    "ddim": "DDIM",
    "ddpm": "DDPM",
}


class GeneratePanel(QWidget):
    """generate_wanted, update_wanted, cancel_wanted: a button. edited(GenerateSettings): a control
    was moved. guidance_moved(scale): that one was, after `edited`."""

    generate_wanted = Signal()
    update_wanted = Signal()
    cancel_wanted = Signal()
    edited = Signal(object)
    guidance_moved = Signal(float)

    def __init__(self, settings: GenerateSettings, live: QAction, style: QWidget) -> None:
        """style: a row that is shown where there is an instant painter."""
        super().__init__()
        self._live, self.style_row, self._style_name = live, style, QLabel("Style")
        self._shown = settings
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 10, 8)
        layout.setSpacing(10)
        layout.addLayout(self._build_form())
        layout.addLayout(self._build_buttons())
        layout.addLayout(self._build_progress())
        layout.addStretch(1)
        self.show_settings(settings)

    def sizeHint(self) -> QSize:
        return QSize(400, 210)

    # -- building ---------------------------------------------------------------------------------

    def _build_form(self) -> QLayout:
        form = QGridLayout()
        form.setHorizontalSpacing(10)
        form.setVerticalSpacing(8)
        form.setColumnStretch(1, 1)
        rows = (
            ("Sampler", self._build_sampler()),
            ("Guidance", self._build_guidance()),
            ("Seed", self._build_seed()),
        )
        for row, (name, parts) in enumerate(rows):
            form.addWidget(QLabel(name), row, 0)
            form.addLayout(parts, row, 1)
        form.addWidget(self._style_name, len(rows), 0)
        form.addWidget(self.style_row, len(rows), 1)
        self.show_painter(False)
        return form

    def _build_sampler(self) -> QLayout:
        self.sampler = QComboBox()
        self.sampler.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.sampler.setToolTip("How each step moves; DPM-Solver++ needs the fewest steps")
        for name in SAMPLER_NAMES:
            self.sampler.addItem(SAMPLER_TITLES.get(name, name), name)
        self.sampler.currentIndexChanged.connect(
            lambda: self._edit(sampler=self.sampler.currentData())
        )
        self.steps = QSpinBox(minimum=1, maximum=MAX_STEPS, suffix=" steps")
        self.sampler.setAccessibleName("Sampler")
        self.steps.setAccessibleName("Steps")
        self.steps.setFixedWidth(104)
        self.steps.setToolTip("More steps take longer and show finer detail")
        self.steps.valueChanged.connect(lambda value: self._edit(steps=value))
        return _row(self.sampler, self.steps, stretch=(1, 0))

    def _build_guidance(self) -> QLayout:
        low, high = (round(limit * TENTHS) for limit in (MIN_GUIDANCE, MAX_GUIDANCE))
        self.guidance = QSlider(Qt.Orientation.Horizontal, minimum=low, maximum=high)
        self.guidance.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.guidance.setToolTip(
            "How closely the picture follows the layout; acts on a running sample too.\n"
            "1.0 is off and twice as fast."
        )
        self.guidance.setAccessibleName("Guidance")
        self.guidance.valueChanged.connect(self._move_guidance)
        self.guidance_value = QLabel(alignment=RIGHT)
        self.guidance_value.setFixedWidth(30)
        self.start = QSpinBox(minimum=round(MIN_START * 100), maximum=100, singleStep=5)
        self.start.setPrefix("below ")
        self.start.setSuffix(" %")
        self.start.setFixedWidth(104)
        self.start.setAccessibleName("Guidance below this share of the noise")
        self.start.setToolTip(
            "How noisy the picture may be for guidance to act; 100 % is from the first step.\n"
            "Later is faster, and pictures of different seeds differ more."
        )
        self.start.valueChanged.connect(lambda value: self._edit(guidance_start=value / 100))
        return _row(self.guidance, self.guidance_value, self.start, stretch=(1, 0, 0))

    def _build_seed(self) -> QLayout:
        self.seed = QSpinBox(minimum=0, maximum=MAX_SEED)
        self.seed.setToolTip(
            "The same seed, layout and settings give the same picture; a seed set here is kept"
        )
        self.seed.setAccessibleName("Seed")
        self.seed.valueChanged.connect(lambda value: self._edit(seed=value, seed_locked=True))
        self.lock = QToolButton(checkable=True)
        set_icon(self.lock, "unlock/lock")
        self.lock.setAccessibleName("Keep the seed")
        self.lock.setToolTip("Keep the seed; unlocked, every picture draws a new one")
        self.lock.toggled.connect(lambda locked: self._edit(seed_locked=locked))
        self.dice = QToolButton(toolTip="Another seed, and keep it")
        self.dice.setAccessibleName("Another seed")
        set_icon(self.dice, "dice")
        self.dice.clicked.connect(self._roll)
        return _row(self.seed, self.lock, self.dice, stretch=(1, 0, 0))

    def _build_buttons(self) -> QLayout:
        self.generate = QPushButton("Generate", objectName="primary")
        self.update_button = QPushButton("Update", objectName="quiet")
        self.cancel = QPushButton("Cancel", objectName="quiet", enabled=False)
        set_tip(self.generate, "Make a picture of the scene ({generate})")
        set_tip(self.update_button, "Make only what changed since the last picture ({update})")
        set_tip(self.cancel, "Stop, and show the last picture again ({cancel})")
        buttons = self.generate, self.update_button, self.cancel
        for button in buttons:
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.generate.clicked.connect(self.generate_wanted)
        self.update_button.clicked.connect(self.update_wanted)
        self.cancel.clicked.connect(self.cancel_wanted)
        self.live = QToolButton(objectName="live")
        self.live.setDefaultAction(self._live)
        self.live.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.live.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return _row(*buttons, self.live, stretch=(2, 1, 1, 0))

    def _build_progress(self) -> QLayout:
        self.progress = QProgressBar(textVisible=False)
        self.progress_text = QLabel(objectName="faint")
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addWidget(self.progress)
        column.addWidget(self.progress_text)
        return column

    # -- showing ----------------------------------------------------------------------------------

    def show_settings(self, settings: GenerateSettings) -> None:
        """Show settings without reporting them back."""
        self._shown = settings
        values = (
            (self.steps.setValue, settings.steps),
            (self.sampler.setCurrentIndex, SAMPLER_NAMES.index(settings.sampler)),
            (self.guidance.setValue, round(settings.guidance_scale * TENTHS)),
            (self.start.setValue, round(settings.guidance_start * 100)),
            (self.seed.setValue, settings.seed),
            (self.lock.setChecked, settings.seed_locked),
        )
        self.blockSignals(True)  # the controls' own signals still run, ours stay in
        for show, value in values:
            show(value)
        self.blockSignals(False)
        self._shown = settings
        self.guidance_value.setText(f"{settings.guidance_scale:.1f}")

    def show_progress(self, step: int, steps: int, text: str) -> None:
        """Show `step` of `steps` (0 of 0 for none) and a line about it."""
        self.progress.setRange(0, max(1, steps))
        self.progress.setValue(step)
        self.progress_text.setText(text)

    def show_painter(self, known: bool) -> None:
        """Whether there is an instant painter, whose style can be chosen."""
        self._style_name.setVisible(known)
        self.style_row.setVisible(known)

    def show_abilities(self, can_generate: bool, can_cancel: bool) -> None:
        """Which of the buttons can be pressed."""
        self.generate.setEnabled(can_generate)
        self.update_button.setEnabled(can_generate)
        self.cancel.setEnabled(can_cancel)

    # -- reporting --------------------------------------------------------------------------------

    def _edit(self, **changes: object) -> None:
        self._shown = replace(self._shown, **changes)
        self.edited.emit(self._shown)

    def _move_guidance(self, tick: int) -> None:
        self._edit(guidance_scale=tick / TENTHS)
        self.guidance_moved.emit(tick / TENTHS)

    def _roll(self) -> None:
        self._edit(seed=random.randint(0, MAX_SEED), seed_locked=True)


def _row(*widgets: QWidget, stretch: tuple[int, ...]) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(6)
    for widget, share in zip(widgets, stretch, strict=True):
        row.addWidget(widget, share)
    return row
