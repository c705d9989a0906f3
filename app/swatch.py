"""A label's colour as a small rounded square."""

from __future__ import annotations

from functools import cache, lru_cache

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QIcon, QPainter, QPen, QPixmap

from app.imaging import ink_image
from app.patterns import DRAWINGS, INKS, ink

SCALE = 3  # drawn this much larger than shown, for dense screens
Color = tuple[int, int, int]


@lru_cache(maxsize=512)  # of a large palette, plain and patterned; 8 KB each
def swatch_pixmap(color: Color, side: int, patterned: int | None = None) -> QPixmap:
    """A square of `side` logical pixels; the faint rim keeps white apart from a white window.

    patterned: the number of the pattern that lies over it, as on the canvas; None for the colour
    alone.
    """
    pixmap = QPixmap(side * SCALE, side * SCALE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.fillRect(pixmap.rect(), QColor(*color))
    if patterned is not None:
        painter.scale(SCALE, SCALE)
        painter.fillRect(QRectF(0, 0, side, side), _pattern_brush(color, patterned))
        painter.resetTransform()
    fill, rim = _outline(side)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_DestinationIn)
    painter.drawPixmap(0, 0, fill)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
    painter.drawPixmap(0, 0, rim)
    painter.end()
    pixmap.setDevicePixelRatio(SCALE)
    return pixmap


@cache
def _outline(side: int) -> tuple[QPixmap, QPixmap]:
    """What is inside, and the rim. Drawn once: round corners take most of a swatch's time, and a
    palette has nearly two hundred of them."""
    rim = QPen(QColor(128, 128, 128, 140), 1)
    layers = []
    for pen, brush in ((Qt.PenStyle.NoPen, Qt.GlobalColor.black), (rim, Qt.BrushStyle.NoBrush)):
        layer = QPixmap(side * SCALE, side * SCALE)
        layer.fill(Qt.GlobalColor.transparent)
        painter = QPainter(layer)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(SCALE, SCALE)
        painter.setPen(pen)
        painter.setBrush(brush)
        painter.drawRoundedRect(QRectF(0.5, 0.5, side - 1, side - 1), side / 5, side / 5)
        painter.end()
        layers.append(layer)
    return layers[0], layers[1]


def swatch_icon(color: Color, side: int, patterned: int | None = None) -> QIcon:
    """The same as an icon that looks alike in a selected row."""
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        icon.addPixmap(swatch_pixmap(color, side, patterned), mode)
    return icon


def _pattern_brush(color: Color, patterned: int) -> QBrush:
    tile = DRAWINGS[patterned] * ink(color)
    return QBrush(ink_image(tile, INKS).copy())  # the view would outlive its array
