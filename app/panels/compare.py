"""Two pictures against each other: wiped, blinking or side by side."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.imaging import picture_image

MODES = (  # name, text, key, tooltip
    ("wipe", "Wipe", "W", "A divider to drag; the arrow keys move it"),
    ("blink", "Blink", "B", "One in place of the other; Space swaps, T lets a timer swap"),
    ("side", "Side by side", "S", "Both at once"),
)
BLINK = 600  # ms
NUDGE = 0.02  # of the width: what an arrow key moves the divider
MAX_ZOOM = 32.0
MARGIN = 8  # logical pixels around a picture
Key = Qt.Key


class CompareView(QWidget):
    """Draws the pair. changed: the mode or the timer changed by a key.

    zoom: 1 shows all of a picture. divider: 0..1 of the width.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.mode, self.zoom, self.divider = "wipe", 1.0, 0.5
        self.second_shown = False  # which one blinks up now
        self._pan = QPointF()
        self._images: tuple[QImage, QImage] | None = None
        self._names = ("", "")
        self._dragged_from: QPointF | None = None
        self._timer = QTimer(self, interval=BLINK)
        self._timer.timeout.connect(self.swap)
        self.setAccessibleName("Comparison")
        self.setToolTip("Wheel zooms, 0 fits, dragging moves (with the middle button while wiping)")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(320, 240)

    def sizeHint(self) -> QSize:
        return QSize(860, 640)

    # -- wishes -----------------------------------------------------------------------------------

    def show_pair(self, first: QImage, second: QImage, names: tuple[str, str]) -> None:
        """Compare two pictures of any sizes; each is fitted into the same room."""
        self._images, self._names = (first, second), names
        self.fit()

    def set_mode(self, mode: str) -> None:
        """Compare in one of `MODES`."""
        self.mode, self.second_shown = mode, False
        self._timer.stop()
        self._refresh()

    @property
    def blinking(self) -> bool:
        """Whether the timer swaps the pictures."""
        return self._timer.isActive()

    def set_blinking(self, blinking: bool) -> None:
        """Let the timer swap the pictures, or stop it."""
        if blinking:
            self.set_mode("blink")
            self._timer.start()
        else:
            self._timer.stop()
        self._refresh()

    def swap(self) -> None:
        """Show the other one."""
        self.second_shown = not self.second_shown
        self.update()

    def fit(self) -> None:
        """Show all of both."""
        self.zoom, self._pan = 1.0, QPointF()
        self.update()

    def magnify(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom about a point of the widget, or about the middle."""
        zoom = min(MAX_ZOOM, max(1.0, self.zoom * factor))
        away = at - self._room_at(at).center() if at else QPointF()
        self._pan = away + (self._pan - away) * (zoom / self.zoom) if zoom > 1 else QPointF()
        self.zoom = zoom
        self.update()

    def move_divider(self, divider: float) -> None:
        """Put the divider at a share of the width."""
        self.divider = min(1.0, max(0.0, divider))
        self.update()

    def _refresh(self) -> None:
        self.update()
        self.changed.emit()

    # -- painting ---------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Dark))
        if self._images is None:
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.zoom < 4)
        match self.mode:
            case "wipe":
                self._draw_wipe(painter)
            case "side":
                for number, room in enumerate(self._rooms()):
                    self._draw(painter, number, room, room)
            case _:
                room = self._rooms()[0]
                self._draw(painter, int(self.second_shown), room, room)

    def _draw_wipe(self, painter: QPainter) -> None:
        room = self._rooms()[0]
        x = room.left() + room.width() * self.divider
        left, right = QRectF(room), QRectF(room)
        left.setRight(x)
        right.setLeft(x)
        self._draw(painter, 0, room, left)
        self._draw(painter, 1, room, right, Qt.AlignmentFlag.AlignRight)
        for color, breadth in ((QColor(0, 0, 0, 150), 4), (QColor("white"), 2)):
            painter.setPen(QPen(color, breadth))
            painter.drawLine(QPointF(x, room.top()), QPointF(x, room.bottom()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(QColor("white"))
        painter.setPen(QPen(QColor(0, 0, 0, 150), 1))
        painter.drawEllipse(QPointF(x, room.center().y()), 7, 7)

    def _draw(
        self,
        painter: QPainter,
        number: int,
        room: QRectF,
        shown: QRectF,
        side: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
    ) -> None:
        """One picture, fitted into `room`, where `shown` lets it through, and its name."""
        painter.save()
        painter.setClipRect(shown)
        image = self._place(self._images[number], room)
        painter.drawImage(image, self._images[number])
        corner = image.intersected(room).adjusted(12, 8, -12, -10).toRect()
        align = side | Qt.AlignmentFlag.AlignBottom
        place = painter.boundingRect(corner, align, self._names[number])
        painter.fillRect(place.adjusted(-6, -3, 6, 3), QColor(0, 0, 0, 150))
        painter.setPen(QColor("white"))
        painter.drawText(place, align, self._names[number])
        painter.restore()

    def _rooms(self) -> list[QRectF]:
        whole = QRect(self.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        if self.mode != "side":
            return [QRectF(whole)]
        half = (whole.width() - MARGIN) / 2
        left = QRectF(whole.x(), whole.y(), half, whole.height())
        return [left, left.translated(half + MARGIN, 0)]

    def _room_at(self, point: QPointF) -> QRectF:
        rooms = self._rooms()
        return rooms[-1] if point.x() >= rooms[-1].left() else rooms[0]

    def _place(self, image: QImage, room: QRectF) -> QRectF:
        size = image.size().toSizeF()
        size.scale(room.size() * self.zoom, Qt.AspectRatioMode.KeepAspectRatio)
        place = QRectF(QPointF(), size)
        place.moveCenter(room.center() + self._pan)
        return place

    # -- hand and keys ----------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._wipes(event):
            self._wipe_to(event.position())
        else:
            self._dragged_from = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged_from is not None:
            self._pan += event.position() - self._dragged_from
            self._dragged_from = event.position()
            self.update()
        elif self._wipes(event):
            self._wipe_to(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._dragged_from = None

    def _wipes(self, event: QMouseEvent) -> bool:
        return self.mode == "wipe" and bool(event.buttons() & Qt.MouseButton.LeftButton)

    def _wipe_to(self, point: QPointF) -> None:
        room = self._rooms()[0]
        self.move_divider((point.x() - room.left()) / room.width())

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.magnify(2 ** (event.angleDelta().y() / 360), event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        modes = {getattr(Key, f"Key_{key}"): name for name, _, key, _ in MODES}
        match event.key():
            case key if key in modes:
                self.set_mode(modes[key])
            case Key.Key_T:
                self.set_blinking(not self.blinking)
            case Key.Key_Space if self.mode == "blink":
                self._timer.stop()
                self.swap()
                self.changed.emit()
            case Key.Key_Left | Key.Key_Right if self.mode == "wipe":
                step = NUDGE if event.key() == Key.Key_Right else -NUDGE
                self.move_divider(self.divider + step)
            case Key.Key_Plus | Key.Key_Equal:
                self.magnify(2**0.5)
            case Key.Key_Minus:
                self.magnify(2**-0.5)
            case Key.Key_0:
                self.fit()
            case _:
                super().keyPressEvent(event)


class ComparePanel(QWidget):
    """A window of its own with the pair and its modes. photo_wanted: compare with a photo."""

    photo_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setWindowTitle("Compare")
        self.view = CompareView()
        self.view.changed.connect(self._show_mode)
        self._group = QButtonGroup(self)
        row = QHBoxLayout()
        self.buttons = {name: self._mode_button(*mode) for name, *mode in MODES}
        for name, button in self.buttons.items():
            button.clicked.connect(lambda _=False, name=name: self.view.set_mode(name))
            row.addWidget(button)
        row.addSpacing(12)
        self.timer = _button("Timer", "T", "Let a timer swap the two", checkable=True)
        self.timer.clicked.connect(self.view.set_blinking)
        self.photo = _button("Photo…", "", "Compare with a picture or photo from a file")
        self.photo.clicked.connect(self.photo_wanted)
        row.addWidget(self.timer)
        row.addStretch(1)
        row.addWidget(self.photo)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addLayout(row)
        layout.addWidget(self.view, 1)
        self._show_mode()

    def _mode_button(self, text: str, key: str, tip: str) -> QPushButton:
        button = _button(text, key, tip, checkable=True)
        self._group.addButton(button)
        return button

    def compare(self, first: np.ndarray, second: np.ndarray, names: tuple[str, str]) -> None:
        """Show two pictures, uint8 `[H, W, 3]` of any sizes, and give the view the keys."""
        self.view.show_pair(picture_image(first), picture_image(second), names)
        self.show()
        self.activateWindow()
        self.view.setFocus()

    def _show_mode(self) -> None:
        self.buttons[self.view.mode].setChecked(True)
        self.timer.setChecked(self.view.blinking)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Key.Key_Escape:
            self.close()
        else:
            super().keyPressEvent(event)

    def hideEvent(self, event) -> None:
        self.view.set_blinking(False)
        super().hideEvent(event)


def _button(text: str, key: str, tip: str, checkable: bool = False) -> QPushButton:
    button = QPushButton(text, checkable=checkable)
    button.setToolTip(f"{tip} ({key})" if key else tip)
    button.setAccessibleName(text.rstrip("…"))
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
