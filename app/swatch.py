"""A label's colour as a small rounded square."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap

SCALE = 3  # drawn this much larger than shown, for dense screens


def swatch_pixmap(color: tuple[int, int, int], side: int) -> QPixmap:
    """A square of `side` logical pixels; the faint rim keeps white apart from a white window."""
    pixmap = QPixmap(side * SCALE, side * SCALE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(SCALE, SCALE)
    painter.setPen(QPen(QColor(128, 128, 128, 140), 1))
    painter.setBrush(QColor(*color))
    painter.drawRoundedRect(QRectF(0.5, 0.5, side - 1, side - 1), side / 5, side / 5)
    painter.end()
    pixmap.setDevicePixelRatio(SCALE)
    return pixmap


def swatch_icon(color: tuple[int, int, int], side: int) -> QIcon:
    """The same as an icon that looks alike in a selected row."""
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        icon.addPixmap(swatch_pixmap(color, side), mode)
    return icon
