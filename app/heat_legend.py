"""What the colours of the heat-map mean: a ramp between two words."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.imaging import picture_image
from core.matching import DIMMED, heat_colors

LOW, HIGH = "as painted", "something else"
GREY, SHADES, GAP = 150 * DIMMED, 64, 8


class HeatLegend(QWidget):
    """One line under the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(f"Colours: grey is {LOW}, yellow is {HIGH}")
        self.setToolTip("Grey where the picture shows what was painted, yellow where it does not")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._ramp = picture_image(_ramp())

    def sizeHint(self) -> QSize:
        return QSize(200, self.fontMetrics().height() + 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, metrics = QPainter(self), self.fontMetrics()
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        side = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignLeft | side, LOW)
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignRight | side, HIGH)
        left = metrics.horizontalAdvance(LOW) + GAP
        right = metrics.horizontalAdvance(HIGH) + GAP
        painter.drawImage(self.rect().adjusted(left, 3, -right, -3), self._ramp)


def _ramp() -> np.ndarray:
    """uint8 `[1, SHADES, 3]`: the heat-map of a middling grey, from none to all."""
    colors, cover = heat_colors(np.linspace(0, 1, SHADES)[None])
    return np.rint(GREY + cover * (colors - GREY)).astype(np.uint8)
