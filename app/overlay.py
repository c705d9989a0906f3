"""Lines over the map: the brush at its true size, and shapes that are not painted yet."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from app.outline import brush_outline
from core.labelmap import Point
from core.shapes import span

# White inside black: one of the two shows on any label.
LINES = ((QColor(0, 0, 0, 150), 3), (QColor("white"), 1))  # colour and breadth in widget pixels


def brush_path(diameter: int, shape: str, at: Point) -> QPainterPath:
    """The outline, in map pixels, of what a brush would paint at a point."""
    path = QPainterPath()
    path.addPolygon(brush_outline(diameter, shape, *at))
    path.closeSubpath()
    return path


def sketch_path(shape: str, points: Sequence[Point]) -> QPainterPath:
    """The outline, in map pixels, of "line" or of one of `core.shapes.SHAPES`."""
    path = QPainterPath()
    if not points:
        return path
    if shape == "rectangle":
        path.addRect(QRectF(*span(*points)))
    elif shape == "ellipse":
        path.addEllipse(QRectF(*span(*points)))
    else:
        path.addPolygon(QPolygonF([QPointF(x, y) for x, y in points]))
        if shape == "polygon" and len(points) > 2:
            path.closeSubpath()
    return path


def cross_path(at: Point, reach: float) -> QPainterPath:
    """A cross with a hole in its middle, `reach` map pixels to each side of a point."""
    path, (x, y) = QPainterPath(), at
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        path.moveTo(x + dx * reach / 3, y + dy * reach / 3)
        path.lineTo(x + dx * reach, y + dy * reach)
    return path


def draw_path(painter: QPainter, path: QPainterPath) -> None:
    """Draw the outline with a painter that is scaled to map pixels."""
    for color, breadth in LINES:
        line = QPen(color, breadth)
        line.setCosmetic(True)
        painter.strokePath(path, line)


def draw_ring(painter: QPainter, place: QRect, color: QColor) -> None:
    """Draw the frame of a widget that has the keys, inside its edge."""
    painter.resetTransform()
    painter.setPen(QPen(color, 2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(place.adjusted(1, 1, -1, -1))


def path_rect(path: QPainterPath) -> QRect:
    """The whole map pixels around the outline."""
    return path.controlPointRect().toAlignedRect()
