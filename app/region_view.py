"""What a local edit would touch, drawn over the canvas: a tint for what is marked or was repainted,
a line around what is denoised, a broken line around what is blended."""

from __future__ import annotations

import cv2
import numpy as np
from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from app.imaging import ink_image

TINT = (255, 40, 160, 90)  # seldom in a landscape; the lines show on any picture
INKS = ((0, 0, 0, 0), TINT)
# White inside black, as for every line over the map; colour and breadth in widget pixels.
UNDER, OVER = (QColor(0, 0, 0, 170), 3.0), (QColor("white"), 1.4)
BROKEN = (4.0, 3.0)  # dash and gap, in breadths of the line
CENTRE = 0.5  # contours go through the middles of pixels


class RegionView(QObject):
    """Holds what is drawn; changed: it is to be drawn again."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._tinted: np.ndarray | None = None
        self._denoised = self._blended = QPainterPath()
        self._size = 1, 1

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return self._tinted is None and self._denoised.isEmpty() and self._blended.isEmpty()

    def show(
        self,
        tinted: np.ndarray | None = None,
        denoised: np.ndarray | None = None,
        blended: np.ndarray | None = None,
    ) -> None:
        """tinted: uint8 `[H, W]` of 0 and 1 over the map, drawn as it is at each repaint. denoised,
        blended: bool `[h, w]`, of any size. None for nothing."""
        self._tinted = tinted
        self._denoised, self._blended = outline(denoised), outline(blended)
        found = next((mask for mask in (denoised, blended) if mask is not None), None)
        self._size = (1, 1) if found is None else found.shape[::-1]
        self.changed.emit()

    def draw(self, painter: QPainter, size: tuple[int, int]) -> None:
        """Draw with a painter that is scaled to the pixels of a map of `size` (width, height)."""
        width, height = size
        if self._tinted is not None:
            painter.drawImage(QRectF(0, 0, width, height), ink_image(self._tinted, INKS))
        painter.save()
        painter.scale(width / self._size[0], height / self._size[1])
        for path, dashes in ((self._denoised, ()), (self._blended, BROKEN)):
            _draw_line(painter, path, dashes)
        painter.restore()


def outline(mask: np.ndarray | None) -> QPainterPath:
    """The lines around a mask, bool `[h, w]`, and around the holes in it."""
    path = QPainterPath()
    if mask is None:
        return path
    found = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]
    for contour in found:
        corners = (contour[:, 0, :] + CENTRE).tolist()
        path.addPolygon(QPolygonF([QPointF(x, y) for x, y in corners]))
        path.closeSubpath()
    return path


def _draw_line(painter: QPainter, path: QPainterPath, dashes: tuple[float, ...]) -> None:
    for color, breadth in (UNDER, OVER):
        line = QPen(color, breadth)
        line.setCosmetic(True)
        line.setCapStyle(Qt.PenCapStyle.FlatCap)
        if dashes:  # Qt counts them in breadths
            line.setDashPattern([part * OVER[1] / breadth * 2 for part in dashes])
        painter.strokePath(path, line)
