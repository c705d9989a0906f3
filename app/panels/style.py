"""The style of the instant painter, and how much of its picture a sample forgets."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QSlider, QToolButton, QWidget

from app.tips import set_tip

WHOLE = 100  # positions of the slider
STYLE_TIP = (
    "The style of the instant painter: any, one of a seed, or read from a picture.\n"
    "Another one: {another_style}; of a picture: {style_from}"
)
STRENGTH_TIP = (
    "How much of the instant picture the model forgets: 100 % begins with noise alone,\n"
    "less keeps its light and composition, 0 % keeps the instant picture as it is.\n"
    "With words or references a picture begins with noise"
)
LONGEST = 16  # letters of a style's name that are shown


class StyleRow(QWidget):
    """A button with the ways to a style, a dice, and a slider. strength_moved(strength): 0..1."""

    strength_moved = Signal(float)

    def __init__(self, ways: list[QAction], dice: QAction) -> None:
        super().__init__()
        self.button = QPushButton(objectName="quiet")
        menu = QMenu(self.button)
        menu.addActions(ways)
        self.button.setMenu(menu)
        self.button.setAccessibleName("Style")
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        set_tip(self.button, STYLE_TIP)
        self.dice = QToolButton()
        self.dice.setDefaultAction(dice)
        self.dice.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self.dice.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.strength = QSlider(Qt.Orientation.Horizontal, minimum=0, maximum=WHOLE, singleStep=5)
        self.strength.setPageStep(10)
        self.strength.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.strength.setAccessibleName("How much of the instant picture is forgotten")
        self.strength.setToolTip(STRENGTH_TIP)
        self.strength.valueChanged.connect(self._move)
        self.value = QLabel(alignment=Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.value.setFixedWidth(self.fontMetrics().horizontalAdvance("100 %") + 4)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for widget in (self.button, self.dice, self.strength, self.value):
            row.addWidget(widget, int(widget is self.strength))

    def show_style(self, name: str, strength: float) -> None:
        """Show the style's name, and the strength, 0..1, without reporting it back."""
        short = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
        self.button.setText(short)
        whole = name.replace("{", "{{").replace("}", "}}")
        set_tip(self.button, f"{whole}\n{STYLE_TIP}" if short != name else STYLE_TIP)
        self.strength.blockSignals(True)
        self.strength.setValue(round(strength * WHOLE))
        self.strength.blockSignals(False)
        self.value.setText(f"{strength:.0%}".replace("%", " %"))

    def _move(self, position: int) -> None:
        self.value.setText(f"{position} %")
        self.strength_moved.emit(position / WHOLE)
