"""A pointer that the arrow keys move: everything on the canvas can be done without a mouse."""

from __future__ import annotations

import math

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent

from app.gestures import BY_KEY, NO_BUTTON, Gestures
from app.scene import Scene
from app.tools import CLICKED, Pointer
from app.viewport import Viewport
from core.labelmap import Point

STEP = 16  # widget pixels that an arrow key moves; with Ctrl it is one pixel of the map
ROOM = 32  # widget pixels that stay visible around the pointer
ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
CTRL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)


class KeyPointer(QObject):
    """Where it is, whether it is in use, and what Enter does there.

    at: the middle of a pixel of the map, or None while the mouse points. moved: it is elsewhere, or
    came, or went.
    """

    moved = Signal()

    def __init__(self, scene: Scene, gestures: Gestures) -> None:
        super().__init__()
        self._scene, self._gestures = scene, gestures
        self._view = Viewport()
        self._fresh = True  # whether it moved since Enter
        self.at: Point | None = None
        scene.replaced.connect(self._stay)

    @property
    def down(self) -> bool:
        """Whether it holds the tool down."""
        return self._gestures.busy and self._gestures.button == BY_KEY

    def look(self, view: Viewport) -> None:
        """The map is seen so now."""
        self._view = view

    def hide(self) -> None:
        """The mouse points now."""
        if self.at is not None:
            self.at = None
            self.moved.emit()

    def _stay(self) -> None:
        """The map is another: stay on it."""
        if self.at is not None:
            self.at = self._on_map(*self.at)
            self.moved.emit()

    # -- keys -------------------------------------------------------------------------------------

    def step(self, event: QKeyEvent, start: Point) -> bool:
        """Move, if it is an arrow key. start: where it begins when it was not in use."""
        if event.key() not in ARROWS or event.modifiers() & ALT:
            return False
        fine = event.modifiers() & CTRL
        length = 1 if fine else max(1, round(STEP / self._view.scale))
        x, y = self.at or start
        dx, dy = ARROWS[event.key()]
        self.at = self._on_map(x + dx * length, y + dy * length)
        self._fresh = True
        buttons = BY_KEY if self.down else NO_BUTTON
        self._gestures.move(self._pointer(event), buttons)
        self.moved.emit()
        return True

    def act(self, event: QKeyEvent, tool: str, start: Point) -> bool:
        """Put the tool down, or lift it, if it is Enter; False if that means something else.

        When it was not in use Enter only shows where it is. Where corners are set, Enter at the
        last one closes the shape, as a double click does.
        """
        if event.key() not in ENTER or event.modifiers() & CTRL:
            return False
        if self.at is None and self._gestures.busy:
            return False
        if event.isAutoRepeat():
            return True
        if self.at is None:
            self.at = self._on_map(*start)
        elif self.down:
            self._gestures.release(self._pointer(event, released=True), BY_KEY)
        elif self._gestures.busy and not self._fresh:
            self._gestures.wish("close")
        else:
            self._press(event, tool)
        self.moved.emit()
        return True

    def lift(self) -> None:
        """End what it paints, where it is."""
        if self.down:
            screen = self._view.to_widget(*self.at)
            self._gestures.release(Pointer(self.at, screen, released=True), BY_KEY)

    def _press(self, event: QKeyEvent, tool: str) -> None:
        tool = "pick" if event.modifiers() & ALT else tool
        self._fresh = False
        self._gestures.press(tool, self._pointer(event, pressed=True), BY_KEY)
        if tool in CLICKED:
            self._gestures.release(self._pointer(event, released=True), BY_KEY)

    def _pointer(self, event: QKeyEvent, **what: bool) -> Pointer:
        straight = bool(event.modifiers() & SHIFT)
        return Pointer(self.at, self._view.to_widget(*self.at), straight, **what)

    def _on_map(self, x: float, y: float) -> Point:
        """The middle of the nearest pixel of the map."""
        parts = zip((x, y), self._scene.size, strict=True)
        return tuple(min(max(math.floor(part), 0), side - 1) + 0.5 for part, side in parts)

    # -- view -------------------------------------------------------------------------------------

    def way_back(self, room: tuple[int, int]) -> tuple[float, float]:
        """How far a widget of size `room` must pan its view to show it."""
        places = zip(self._view.to_widget(*self.at), room, strict=True)
        return tuple(max(ROOM - at, min(0, side - ROOM - at)) for at, side in places)
