"""The canvas: shows the scene and the picture over each other, and feeds the tools."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QImage,
    QInputDevice,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPalette,
    QPointingDevice,
    QRegion,
    QResizeEvent,
    QSinglePointEvent,
    QTabletEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.commands import UndoStack
from app.gestures import Gestures
from app.imaging import label_image, picture_image
from app.key_pointer import ARROWS, KeyPointer
from app.label_view import LabelView
from app.overlay import (
    brush_path,
    cross_path,
    draw_path,
    draw_ring,
    path_rect,
    sketch_path,
)
from app.pen import Pen
from app.region_view import RegionView
from app.scene import Scene
from app.tools import BRUSHES, Easel, Pointer
from app.viewport import Viewport
from core.labelmap import Point

MARGIN = 20  # widget pixels around a fitted map
NOTCH = 120  # angleDelta of one notch of a wheel
PAN = 48  # widget pixels that an arrow key moves the view
CROSS = 12  # widget pixels from the middle of the keyboard's pointer to its ends
NO_MODIFIER = Qt.KeyboardModifier.NoModifier
BY_TAB = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
GESTURE_KEYS = {
    Qt.Key.Key_Return: "close",
    Qt.Key.Key_Enter: "close",
    Qt.Key.Key_Backspace: "back",
    Qt.Key.Key_Escape: "drop",
}


class Canvas(QWidget):
    """Zoom, pan, cursor, and the way from pointer events to tools.

    painting: a gesture began (True) or ended (False). hovered: the map pixel under the pointer, or
    None. zoomed: pixels of the screen per pixel of the map. blended: the layout's opacity, 0..1.
    """

    painting = Signal(bool)
    hovered = Signal(object)
    zoomed = Signal(float)
    blended = Signal(float)

    def __init__(self, scene: Scene, pen: Pen, undo_stack: UndoStack) -> None:
        super().__init__()
        self.scene, self.pen = scene, pen
        self.opacity = 1.0
        self.view = Viewport()
        self.label_view = LabelView()
        self.region_view = RegionView()
        self.gestures = Gestures(self, undo_stack)
        self.keys = KeyPointer(scene, self.gestures)
        self._picture: QImage | None = None
        self._fitted = True
        self._shown_size = (0, 0)
        self._space = self._shift = False  # held
        self._ringed = False  # whether it shows that it has the keys
        self._cursor_at: QPointF | None = None
        self._sketch = QPainterPath()  # of a tool that does not paint yet
        self._overlay_drawn = QRect()
        self._opacity_before_toggle = 1.0
        self._configure()
        undo_stack.cleared.connect(self.fit)
        self._show_scene()

    def _configure(self) -> None:
        self.setObjectName("canvas")
        self.setAccessibleName("Canvas")
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 200)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.scene.changed.connect(self.repaint_map)
        self.scene.replaced.connect(self._show_scene)
        self.pen.changed.connect(self._show_pen)
        self.label_view.changed.connect(self._show_labels)
        self.region_view.changed.connect(self.update)
        self.gestures.painting.connect(self.painting)
        self.gestures.held.connect(self._show_cursor_shape)
        self.keys.moved.connect(self._follow_keys)

    @property
    def busy(self) -> bool:
        """Whether a gesture is under way."""
        return self.gestures.busy

    def work_on(self, easel: Easel | None) -> None:
        """Let the tools paint on another easel than the canvas itself; None for itself again."""
        self.gestures.drop()
        self.pen.last_point = None
        self.gestures.easel = easel or self

    # -- what is shown ----------------------------------------------------------------------------

    def show_picture(self, picture: np.ndarray | None) -> None:
        """Lay a picture, uint8 `[h, w, 3]` of any size, under the layout; None for none."""
        self._picture = None if picture is None else picture_image(picture)
        if self.opacity < 1.0:
            self.update(self._map_rect())

    def set_opacity(self, opacity: float) -> None:
        """The layout's opacity: 1 shows the layout alone, 0 the picture alone."""
        opacity = max(0.0, min(1.0, opacity))
        if opacity != self.opacity:
            self.opacity = opacity
            self.update(self._map_rect())
            self.blended.emit(opacity)

    def toggle_layout(self) -> None:
        """From the layout to the picture and back."""
        if self.opacity > 0:
            self._opacity_before_toggle = self.opacity
            self.set_opacity(0.0)
        else:
            self.set_opacity(self._opacity_before_toggle)

    def _show_scene(self) -> None:
        self.gestures.drop()
        self.pen.last_point = None
        if self._shown_size != self.scene.size:
            self._shown_size = self.scene.size
            self.fit()
        self._show_labels()

    def _show_labels(self) -> None:
        colors = self.label_view.colors(self.scene.palette)
        self._labels = label_image(self.scene.labels, colors)
        self.update()

    def repaint_map(self, rect: QRect) -> None:
        """Draw a rectangle of the map again."""
        self.update(self._widget_rect(rect))

    def _show_pen(self) -> None:
        self.gestures.settle(self.pen.tool)
        self._show_cursor_shape()
        self._redraw_overlay()

    def sketch(self, shape: str, points: Sequence[Point]) -> None:
        """Show an outline over the map: "line" or one of `core.shapes.SHAPES`; no points, none."""
        self._sketch = sketch_path(shape, points)
        self._redraw_overlay()

    # -- view -------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Show the whole map, and keep it whole while the window changes size."""
        room = (self.width(), self.height())
        self._look(Viewport.fitting(self.scene.size, room, MARGIN), fitted=True)

    def actual_size(self) -> None:
        """One pixel of the map on one pixel of the screen."""
        room = (self.width(), self.height())
        scale = 1 / self.devicePixelRatioF()
        self._look(self.view.centred(self.scene.size, room, scale))

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Scale the view by `factor`, keeping the point `at` (or the middle) in its place."""
        if at is None and self.keys.at is not None:
            at = QPointF(*self.view.to_widget(*self.keys.at))
        at = at or QPointF(self.width() / 2, self.height() / 2)
        self._look(self.view.zoomed(factor, at.x(), at.y()))

    def pan(self, dx: float, dy: float) -> None:
        """Move the view by widget pixels."""
        self._look(self.view.moved(dx, dy))

    def _look(self, view: Viewport, fitted: bool = False) -> None:
        self.view, self._fitted = view, fitted
        self.keys.look(view)
        self.update()
        self.zoomed.emit(view.scale * self.devicePixelRatioF())

    def _map_rect(self) -> QRect:
        return self._widget_rect(QRect(0, 0, *self.scene.size))

    def _widget_rect(self, rect: QRect) -> QRect:
        """The widget pixels that show `rect` of the map, and one more all round."""
        x0, y0 = self.view.to_widget(rect.x(), rect.y())
        x1, y1 = self.view.to_widget(rect.x() + rect.width(), rect.y() + rect.height())
        left, top = math.floor(x0) - 1, math.floor(y0) - 1
        return QRect(left, top, math.ceil(x1) + 1 - left, math.ceil(y1) + 1 - top)

    # -- painting ---------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), self.palette().color(QPalette.ColorRole.Dark))
        self._draw_map(painter)
        self.label_view.draw(painter, event.rect(), self.view, self.scene, self.opacity)
        self._draw_overlay(painter)
        if self._ringed:
            draw_ring(painter, self.rect(), self.palette().color(QPalette.ColorRole.Highlight))

    def _draw_map(self, painter: QPainter) -> None:
        width, height = self.scene.size
        painter.save()
        painter.translate(self.view.x, self.view.y)
        painter.scale(self.view.scale, self.view.scale)
        if self._picture is not None and self.opacity < 1:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(QRectF(0, 0, width, height), self._picture)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
            painter.setOpacity(self.opacity)
        if painter.opacity() > 0:
            painter.drawImage(QPointF(0, 0), self._labels)
        painter.restore()

    # -- lines over the map -----------------------------------------------------------------------

    def _overlay(self) -> QPainterPath:
        """What the tools draw over the map, in map pixels."""
        path, pen, at = QPainterPath(self._sketch), self.pen, self._pointed_at()
        if self.keys.at is not None:
            path.addPath(cross_path(at, CROSS / self.view.scale))
        if at is None or pen.tool not in BRUSHES or self._space:
            return path
        path.addPath(brush_path(pen.diameter_at(self.gestures.pressure), pen.shape, at))
        if self._shift and pen.last_point and not self.busy:
            path.addPath(sketch_path("line", (pen.last_point, at)))
        return path

    def _pointed_at(self) -> Point | None:
        """What the keys or the pointer point at on the map."""
        if self.keys.at is None and self._cursor_at is not None:
            return self.view.to_map(*self._cursor_at.toTuple())
        return self.keys.at

    def _draw_overlay(self, painter: QPainter) -> None:
        path = self._overlay()
        painter.translate(self.view.x, self.view.y)
        painter.scale(self.view.scale, self.view.scale)
        self.region_view.draw(painter, self.scene.size)
        draw_path(painter, path)
        self._overlay_drawn = self._overlay_rect(path)

    def _overlay_rect(self, path: QPainterPath) -> QRect:
        if path.isEmpty():
            return QRect()
        return self._widget_rect(path_rect(path)).adjusted(-2, -2, 2, 2)  # the line's breadth

    def _redraw_overlay(self) -> None:
        self.update(QRegion(self._overlay_drawn) | QRegion(self._overlay_rect(self._overlay())))

    def _show_cursor_shape(self) -> None:
        shape = Qt.CursorShape.CrossCursor
        if self._space or self.pen.tool == "pan":
            shape = Qt.CursorShape.OpenHandCursor
        if self.gestures.panning:
            shape = Qt.CursorShape.ClosedHandCursor
        self.setCursor(shape)

    # -- pointer ----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.gestures.release(self._pointer(event, released=True), event.button())

    def tabletEvent(self, event: QTabletEvent) -> None:
        if event.type() == QEvent.Type.TabletPress:
            self._press(event)
        elif event.type() == QEvent.Type.TabletMove:
            self._move(event)
        elif event.type() == QEvent.Type.TabletRelease:
            self.gestures.release(self._pointer(event, released=True), event.button())
        event.accept()  # else Qt sends a mouse event too

    def _press(self, event: QSinglePointEvent) -> None:
        if event.button() not in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            return
        if self.keys.down:
            return  # a hand that brushes the mouse does not take the tool away
        self.keys.hide()
        double = event.type() == QEvent.Type.MouseButtonDblClick
        pointer = self._pointer(event, pressed=True, double=double)
        self.gestures.press(self._tool_for(event), pointer, event.button())

    def _tool_for(self, event: QSinglePointEvent) -> str:
        if event.button() == Qt.MouseButton.MiddleButton or self._space:
            return "pan"
        if event.modifiers() & Qt.KeyboardModifier.AltModifier:
            return "pick"
        turned = event.pointerType() == QPointingDevice.PointerType.Eraser
        return "eraser" if turned else self.pen.tool

    def _move(self, event: QSinglePointEvent) -> None:
        if self.keys.down:
            return
        self._cursor_at = event.position()
        self.keys.hide()
        pointer = self._pointer(event)
        self._shift = pointer.straight
        self.gestures.move(pointer, event.buttons())
        self._redraw_overlay()
        self.hovered.emit(pointer.point)

    def _pointer(self, event: QSinglePointEvent, **what: bool) -> Pointer:
        x, y = event.position().toTuple()
        straight = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        point = self.view.to_map(x, y)
        return Pointer(point, (x, y), straight, pressure=_pressure(event), **what)

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = event.angleDelta().y() / NOTCH
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.pen.grow(round(notches) or (1 if notches > 0 else -1))
        elif notches:
            self.zoom(2 ** (notches / 3), event.position())
        event.accept()

    # -- the rest ---------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and self._gesture_key(event):
            event.accept()  # for the gesture, not for who has it as a shortcut
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            self._hold(space=True)
        elif event.key() == Qt.Key.Key_Shift:
            self._hold(shift=True)
        elif self._point_by_key(event):
            return
        elif wish := self._gesture_key(event):
            self.gestures.wish(wish)
        else:
            super().keyPressEvent(event)

    def _point_by_key(self, event: QKeyEvent) -> bool:
        """Arrows move the keyboard's pointer, or the view; Enter puts the tool down or lifts it."""
        panning = self._space or (self.pen.tool == "pan" and not self.busy)
        if panning and event.key() in ARROWS:
            dx, dy = ARROWS[event.key()]
            self.pan(-PAN * dx, -PAN * dy)
            return True
        middle = self.view.to_map(self.width() / 2, self.height() / 2)
        start = self._pointed_at() or middle
        if self.keys.step(event, start):
            way = self.keys.way_back((self.width(), self.height()))
            if any(way):
                self.pan(*way)
            return True
        return not panning and self.keys.act(event, self.pen.tool, start)

    def _follow_keys(self) -> None:
        self._redraw_overlay()
        self.hovered.emit(self.keys.at)
        label = self.scene.label_at(self.keys.at) if self.keys.at else None
        if label is not None:
            x, y = (math.floor(part) for part in self.keys.at)
            self.setAccessibleDescription(f"{x}, {y}, {self.scene.palette[label].name}")

    def _gesture_key(self, event: QKeyEvent) -> str:
        """What a key asks of the gesture under way; "" for nothing."""
        plain = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier == NO_MODIFIER
        return GESTURE_KEYS.get(event.key(), "") if self.busy and plain else ""

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._hold(space=False)
        elif event.key() == Qt.Key.Key_Shift:
            self._hold(shift=False)
        else:
            super().keyReleaseEvent(event)

    def _hold(self, space: bool | None = None, shift: bool | None = None) -> None:
        self._space = self._space if space is None else space
        self._shift = self._shift if shift is None else shift
        self._show_cursor_shape()
        self._redraw_overlay()

    def leaveEvent(self, event: QEvent) -> None:
        self._cursor_at = None
        self._redraw_overlay()
        self.hovered.emit(None)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring(event.reason() in BY_TAB)
        super().focusInEvent(event)

    def _ring(self, shown: bool) -> None:
        if shown != self._ringed:
            self._ringed = shown
            self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._hold(False, False)  # their release will go to another widget
        self.keys.lift()
        self._ring(False)
        super().focusOutEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        if self._fitted:
            self.fit()


def _pressure(event: QSinglePointEvent) -> float:
    """How hard the pen is pressed, 0..1; 1 for a mouse and for a pen that cannot tell."""
    able = event.device().capabilities() & QInputDevice.Capability.Pressure
    return event.pressure() if isinstance(event, QTabletEvent) and able else 1.0
