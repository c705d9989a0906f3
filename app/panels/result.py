"""The picture, as large as the dock allows, and how it was made."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, QVariantAnimation
from PySide6.QtGui import QAction, QImage, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app import motion
from app.heat_legend import HeatLegend
from app.imaging import picture_image

HINT = (
    "Your picture will appear here.\n\n"
    "Take a label from the palette, paint the scene,\n"
    "then press Generate."
)
MARGIN = 8  # logical pixels around the picture
FADE = 150  # ms in which one picture becomes the next, where that is asked for


class PictureView(QWidget):
    """Draws one picture, smooth and whole, or a hint while there is none."""

    def __init__(self) -> None:
        super().__init__()
        self._picture: QImage | None = None
        self._instead: QImage | None = None
        self._before: QImage | None = None  # what the picture fades in over
        self._array: np.ndarray | None = None
        self._fading = False  # whether the next picture fades in
        self._fade = QVariantAnimation(self, startValue=0.0, endValue=1.0, duration=FADE)
        self._fade.valueChanged.connect(lambda _: self.update())
        self._fade.finished.connect(self._end_fade)
        self.setMinimumSize(160, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Picture")

    def show_picture(self, picture: np.ndarray | None) -> None:
        """uint8 `[H, W, 3]`, or None."""
        if self._fading and picture is not self._array:
            self._begin_fade(picture)
        self._array = picture
        self._picture = None if picture is None else picture_image(picture)
        self.update()

    def fade_next(self) -> None:
        """Let the next picture that is another one appear little by little."""
        self._fading = True

    def _begin_fade(self, picture: np.ndarray | None) -> None:
        self._fading, self._before = False, None
        if picture is not None and motion.is_wanted() and self.isVisible():
            self._before = self._picture
            self._fade.stop()
            self._fade.start()

    def _end_fade(self) -> None:
        self._before = None
        self.update()

    def show_instead(self, picture: np.ndarray | None) -> None:
        """Show this in place of the picture, at its place, until None is given."""
        self._instead = None if picture is None else picture_image(picture)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Dark))
        if self._picture is None:
            painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, HINT)
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self._before is not None and self._instead is None:
            painter.drawImage(self._place(), self._before)
            painter.setOpacity(self._fade.currentValue())
        painter.drawImage(self._place(), self._instead or self._picture)

    def _place(self) -> QRectF:
        room = self.rect().adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        size = self._picture.size().scaled(room.size(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRectF(0, 0, size.width(), size.height())
        place.moveCenter(QRectF(room).center())
        return place


class ResultPanel(QWidget):
    """The picture above a line with its caption, a switch for its heat-map and a button that saves
    it.

    below: what stands between picture and caption.
    """

    def __init__(self, save: QAction, differences: QAction, below: QWidget) -> None:
        super().__init__()
        self.view = PictureView()
        self.legend = HeatLegend()
        self.legend.hide()
        self.caption = QLabel(objectName="faint")
        self.caption.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.match, saving = QToolButton(), QToolButton()
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.caption, 1)
        for button, action in ((self.match, differences), (saving, save)):
            button.setDefaultAction(action)
            row.addWidget(button)
        self.match.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 10, 0)
        layout.setSpacing(2)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.legend)
        layout.addWidget(below)
        layout.addLayout(row)

    def sizeHint(self) -> QSize:
        return QSize(400, 400)

    def show_picture(self, picture: np.ndarray | None, caption: str) -> None:
        """uint8 `[H, W, 3]` and a line about it; None for no picture."""
        self.view.show_picture(picture)
        self.caption.setText(caption)
        self.caption.setToolTip(caption)

    def show_match(self, known: bool) -> None:
        """Whether there is a figure for the switch of the heat-map to say."""
        self.match.setVisible(known)

    def show_heat(self, picture: np.ndarray | None) -> None:
        """Show the heat-map, uint8 `[H, W, 3]`, in place of the picture; None for the picture."""
        self.view.show_instead(picture)
        self.legend.setVisible(picture is not None)
