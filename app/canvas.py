"""The canvas: shows the scene and the picture over each other, and feeds the tools."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.commands import Edit, UndoStack
from app.imaging import label_image, picture_image
from app.outline import brush_outline
from app.pen import Pen
from app.scene import Scene
from app.tools import TOOLS, Gesture, Pointer, pan, pick
from app.viewport import Viewport

MARGIN = 20  # widget pixels around a fitted map
NOTCH = 120  # angleDelta of one notch of a wheel
BRUSHES = ("brush", "eraser")


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
        self._undo_stack = undo_stack
        self._picture: QImage | None = None
        self._fitted = True
        self._shown_size = (0, 0)
        self._gesture: Gesture | None = None
        self._button = Qt.MouseButton.NoButton
        self._space = self._panning = False
        self._cursor_at: QPointF | None = None
        self._cursor_drawn = QRect()
        self._opacity_before_toggle = 1.0
        self._configure()
        self._show_scene()

    def _configure(self) -> None:
        self.setObjectName("canvas")
        self.setAccessibleName("Canvas")
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 200)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.scene.changed.connect(self._repaint_map)
        self.scene.replaced.connect(self._show_scene)
        self.pen.changed.connect(self._show_pen)

    @property
    def busy(self) -> bool:
        """Whether a gesture is under way."""
        return self._gesture is not None

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
        if self.busy:
            self._finish()
        self.pen.last_point = None
        self._labels = label_image(self.scene.labels, self.scene.palette.colors)
        if self._shown_size != self.scene.size:
            self._shown_size = self.scene.size
            self.fit()
        self.update()

    def _repaint_map(self, rect: QRect) -> None:
        self.update(self._widget_rect(rect))

    def _show_pen(self) -> None:
        self._show_cursor_shape()
        self._redraw_cursor()

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
        at = at or QPointF(self.width() / 2, self.height() / 2)
        self._look(self.view.zoomed(factor, at.x(), at.y()))

    def pan(self, dx: float, dy: float) -> None:
        """Move the view by widget pixels."""
        self._look(self.view.moved(dx, dy))

    def _look(self, view: Viewport, fitted: bool = False) -> None:
        self.view, self._fitted = view, fitted
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
        self._draw_cursor(painter)

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

    def _draw_cursor(self, painter: QPainter) -> None:
        self._cursor_drawn = QRect()
        if self._cursor_at is None or self.pen.tool not in BRUSHES or self._space:
            return
        at = self.view.to_map(self._cursor_at.x(), self._cursor_at.y())
        outline = brush_outline(self.pen.diameter, self.pen.shape, *at)
        painter.save()
        painter.translate(self.view.x, self.view.y)
        painter.scale(self.view.scale, self.view.scale)
        # White inside black: one of the two shows on any label.
        for color, breadth in ((QColor(0, 0, 0, 150), 3), (QColor("white"), 1)):
            line = QPen(color, breadth)
            line.setCosmetic(True)
            painter.setPen(line)
            painter.drawPolygon(outline)
        painter.restore()
        self._cursor_drawn = self._cursor_rect()

    def _cursor_rect(self) -> QRect:
        if self._cursor_at is None:
            return QRect()
        x, y = self.view.to_map(self._cursor_at.x(), self._cursor_at.y())
        reach = self.pen.diameter // 2 + 1
        side = 2 * reach + 1
        return self._widget_rect(QRect(math.floor(x) - reach, math.floor(y) - reach, side, side))

    def _redraw_cursor(self) -> None:
        self.update(self._cursor_drawn.united(self._cursor_rect()))

    def _show_cursor_shape(self) -> None:
        shape = Qt.CursorShape.CrossCursor
        if self._space or self.pen.tool == "pan":
            shape = Qt.CursorShape.OpenHandCursor
        if self.busy and self._panning:
            shape = Qt.CursorShape.ClosedHandCursor
        self.setCursor(shape)

    # -- pointer ----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        left, middle = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton
        if self.busy or event.button() not in (left, middle):
            return
        tool = TOOLS[self.pen.tool]
        if event.button() == middle or self._space:
            tool = pan
        elif event.modifiers() & Qt.KeyboardModifier.AltModifier:
            tool = pick
        self._button, self._panning = event.button(), tool is pan
        self.scene.begin()
        self._gesture = tool(self, self._pointer(event))
        self._advance(None)
        self._show_cursor_shape()
        self.painting.emit(True)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._cursor_at = event.position()
        self._redraw_cursor()
        pointer = self._pointer(event)
        self.hovered.emit(pointer.point)
        if self.busy and not event.buttons() & self._button:
            self._finish()  # the release went to another window
        elif self.busy:
            self._advance(pointer)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.busy and event.button() == self._button:
            self._advance(self._pointer(event, released=True))
            self._finish()

    def _pointer(self, event: QMouseEvent, released: bool = False) -> Pointer:
        at = event.position()
        straight = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        return Pointer(self.view.to_map(at.x(), at.y()), at.toTuple(), straight, released)

    def _advance(self, pointer: Pointer | None) -> None:
        """Give the tool its next event; None starts it."""
        try:
            self._gesture.send(pointer)
        except StopIteration:
            pass  # a tool may be done before the button is up

    def _finish(self) -> None:
        self._gesture = None
        before = self.scene.end()
        if before is not None:
            self._undo_stack.push(Edit(self.scene, before, self.pen.tool))
        self._show_cursor_shape()
        self.painting.emit(False)

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = event.angleDelta().y() / NOTCH
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.pen.grow(round(notches) or (1 if notches > 0 else -1))
        elif notches:
            self.zoom(2 ** (notches / 3), event.position())
        event.accept()

    # -- the rest ---------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            self._hold_space(True)
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._hold_space(False)
        else:
            super().keyReleaseEvent(event)

    def _hold_space(self, held: bool) -> None:
        self._space = held
        self._show_pen()

    def leaveEvent(self, event: QEvent) -> None:
        self._cursor_at = None
        self.update(self._cursor_drawn)
        self.hovered.emit(None)

    def focusOutEvent(self, event: QEvent) -> None:
        self._hold_space(False)  # its release will go to another widget
        super().focusOutEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        if self._fitted:
            self.fit()
