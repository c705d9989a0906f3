"""The bar above the canvas: the brush at the left, the view at the right."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QLabel,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QToolBar,
    QToolButton,
    QWidget,
)

from app.icons import set_icon
from app.pen import MAX_DIAMETER, SHAPES, Pen
from app.tips import set_tip
from app.tools import BRUSHES, PAINTERS

TICKS = 100  # positions of the size slider: the square root of the size, for fine small brushes


class OptionsBar(QToolBar):
    """resized(diameter in pixels). reshaped(shape). pressure(does it set the size?).
    contiguity(touching area only?). blended(opacity of the layout, 0..1)."""

    resized = Signal(int)
    reshaped = Signal(str)
    pressure = Signal(bool)
    contiguity = Signal(bool)
    blended = Signal(float)

    def __init__(self, preserve: QAction, view_actions: list[QAction]) -> None:
        super().__init__("Brush and view", objectName="options")
        self.setMovable(False)
        self.setIconSize(QSize(20, 20))
        self._brush_parts = [self._add(w) for w in self._build_brush()]
        self.touching = QCheckBox("Touching area only")
        self.touching.setStyleSheet("margin-left: 8px")
        self.touching.setToolTip("Off: fill every pixel that has the label under the pointer")
        self.touching.toggled.connect(self.contiguity)
        self._fill_part = self._add(self.touching)
        self._preserve = preserve
        self.addAction(preserve)
        button = self.widgetForAction(preserve)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._add(_spring())
        for widget in self._build_blend():
            self._add(widget)
        self.addSeparator()
        self.addActions(view_actions)

    def _build_brush(self) -> list[QWidget]:
        self.size_slider = _slider(150, "Brush size ({smaller} and {larger}, or Ctrl+wheel)")
        self.size_slider.valueChanged.connect(lambda tick: self.resized.emit(_diameter(tick)))
        self.size_box = QSpinBox(minimum=1, maximum=MAX_DIAMETER, suffix=" px")
        self.size_box.setToolTip("Diameter of the brush in pixels of the map")
        self.size_box.setFixedWidth(84)
        self.size_box.setAccessibleName("Brush size")
        self.size_box.valueChanged.connect(self.resized)
        self._shapes = {shape: _shape_button(shape) for shape in SHAPES}
        group = QButtonGroup(self)
        for shape, button in self._shapes.items():
            group.addButton(button)
            button.clicked.connect(lambda _=False, s=shape: self.reshaped.emit(s))
        self.by_pressure = QCheckBox("Pressure")
        self.by_pressure.setStyleSheet("margin: 0px 8px")
        self.by_pressure.setToolTip("A tablet pen's pressure sets the size of the brush")
        self.by_pressure.toggled.connect(self.pressure)
        shapes = self._shapes.values()
        return [_label("Size"), self.size_slider, self.size_box, *shapes, self.by_pressure]

    def _build_blend(self) -> list[QWidget]:
        self.blend = _slider(
            130, "What the canvas shows, from the picture to the layout ({toggle_layout})"
        )
        self.blend.valueChanged.connect(lambda tick: self.blended.emit(tick / TICKS))
        return [_label("Picture"), self.blend, _label("Layout")]

    def _add(self, widget: QWidget) -> QAction:
        return self.addWidget(widget)

    def show_pen(self, pen: Pen) -> None:
        """Show the brush, or the option of the fill tool."""
        shown = {self.size_slider: _tick(pen.diameter), self.size_box: pen.diameter}
        for widget, value in shown.items():
            widget.blockSignals(True)
            widget.setValue(value)
            widget.blockSignals(False)
        self._shapes[pen.shape].setChecked(True)
        self.touching.setChecked(pen.contiguous)
        self.by_pressure.setChecked(pen.pressure)
        self._preserve.setChecked(pen.preserve)
        self._preserve.setVisible(pen.tool in (*PAINTERS, *BRUSHES))
        for part in self._brush_parts:
            part.setVisible(pen.tool in BRUSHES)
        self._fill_part.setVisible(pen.tool == "fill")

    def show_blend(self, opacity: float) -> None:
        """Show the opacity of the layout, 0..1."""
        self.blend.setValue(round(opacity * TICKS))


def _slider(width: int, tip: str) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal, minimum=0, maximum=TICKS)
    slider.setFixedWidth(width)
    slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    set_tip(slider, tip)
    slider.setAccessibleName(tip.split(" (")[0])
    return slider


def _label(text: str) -> QLabel:
    label = QLabel(text, objectName="faint")
    label.setContentsMargins(8, 0, 8, 0)
    return label


def _shape_button(shape: str) -> QToolButton:
    button = QToolButton(checkable=True, toolTip=f"{shape.capitalize()} brush")
    button.setAccessibleName(f"{shape.capitalize()} brush")
    set_icon(button, shape)
    return button


def _spring() -> QWidget:
    widget = QWidget()
    widget.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    return widget


def _diameter(tick: int) -> int:
    return max(1, round(MAX_DIAMETER * (tick / TICKS) ** 2))


def _tick(diameter: int) -> int:
    return round(TICKS * (diameter / MAX_DIAMETER) ** 0.5)
