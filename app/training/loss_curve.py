"""How the loss of a run went down: a small drawing."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

Point = tuple[int, float]  # step and loss
CALM = 0.85  # how much of the smooth line is kept at each point
MARGIN = 6  # logical pixels
HINT = "The loss will be drawn here."


def read_losses(log: Path) -> list[Point]:
    """Steps and losses of a run's log.csv; what cannot be read is left out."""
    try:
        with open(log, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return []
    points = []
    for row in rows:
        try:
            step, loss = int(float(row["step"])), float(row["loss"])
        except (KeyError, TypeError, ValueError, OverflowError):  # a line that is being written
            continue
        if isfinite(loss):
            points.append((step, loss))
    return points


def smoothed(points: Sequence[Point], keep: float = CALM) -> list[Point]:
    """The running mean: batches differ more among themselves than training changes in a while."""
    found, mean, weight = [], 0.0, 0.0
    for step, loss in points:
        mean, weight = keep * mean + (1 - keep) * loss, keep * weight + 1 - keep
        found.append((step, mean / weight))
    return found


class LossCurve(QWidget):
    """Single values faint, their running mean in front; both axes begin at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.points: list[Point] = []
        self._steps = 1
        self.setMinimumHeight(84)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleName("Loss")
        self.setToolTip("The loss at each step, and its running mean: lower is better")

    def sizeHint(self) -> QSize:
        return QSize(360, 110)

    def show_losses(self, points: Sequence[Point], steps: int) -> None:
        """steps: of the whole run, the width of the drawing."""
        self.points = list(points)
        self._steps = max([steps, 1, *(step for step, _ in points)])
        told = f"Loss {smoothed(points)[-1][1]:.3g} at step {points[-1][0]}" if points else HINT
        self.setAccessibleDescription(told)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colors = QPainter(self), self.palette()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), colors.color(QPalette.ColorRole.Base))
        faint = colors.color(QPalette.ColorRole.PlaceholderText)
        painter.setPen(faint)
        if not self.points:
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, HINT)
            return
        line = smoothed(self.points)
        top = 1.15 * max(loss for _, loss in line)
        room = QRectF(self.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        painter.setClipRect(room)
        painter.setOpacity(0.45)
        painter.drawPolyline(self._shape(self.points, top, room))
        painter.setOpacity(1.0)
        painter.setPen(QPen(colors.color(QPalette.ColorRole.Highlight), 2))
        painter.drawPolyline(self._shape(line, top, room))
        painter.setPen(colors.color(QPalette.ColorRole.Text))
        corner = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight
        painter.drawText(room, corner, f"loss {line[-1][1]:.3g}")

    def _shape(self, points: Sequence[Point], top: float, room: QRectF) -> QPolygonF:
        across, up = room.width() / self._steps, room.height() / (top or 1.0)
        return QPolygonF(
            [QPointF(room.left() + s * across, room.bottom() - v * up) for s, v in points]
        )
