"""The steps of the last picture, as a slider under it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from app.tips import set_tip


class ScrubberBar(QWidget):
    """moved(step): the slider is there, also while it is dragged."""

    moved = Signal(int)

    def __init__(self, fork: QAction) -> None:
        super().__init__()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Steps of the picture")
        self.slider.setPageStep(5)
        set_tip(
            self.slider,
            "How the picture was made, step by step (Left, Right; from everywhere {earlier_step}, "
            "{later_step})",
        )
        self.slider.valueChanged.connect(self.moved)
        self.label = QLabel(objectName="faint")
        self.label.setMinimumWidth(self.label.fontMetrics().horizontalAdvance("step 250/250"))
        self.fork = QToolButton()
        self.fork.setDefaultAction(fork)
        self.fork.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.fork.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.slider, 1)
        row.addWidget(self.label)
        row.addWidget(self.fork)
        self.show_step(0, 0)

    def show_step(self, step: int, steps: int) -> None:
        """Show `step` of `steps` without reporting it back; 0 of 0 if there are none."""
        self.slider.blockSignals(True)
        self.slider.setRange(min(1, steps), steps)
        self.slider.setValue(step)
        self.slider.blockSignals(False)
        self.slider.setEnabled(steps > 1)
        self.label.setText(f"step {step}/{steps}" if steps else "no steps")
