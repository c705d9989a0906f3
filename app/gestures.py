"""From pointer events to tools, and from what a tool has painted to a step of undo."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, Qt, Signal

from app.commands import Edit, UndoStack
from app.patch import Patch
from app.tools import TOOLS, Easel, Gesture, Pointer, pan

NO_BUTTON = Qt.MouseButton.NoButton
BY_KEY = Qt.MouseButton.ExtraButton24  # stands for a key that holds a tool down: no mouse has it


class Gestures(QObject):
    """Runs one tool at a time; the view can be moved at any time, also in the middle of a gesture.

    easel: what the tools paint on; another one is taken between gestures only.
    painting: a gesture began (True) or ended (False). held: the view was taken in the hand (True),
    or let go.
    """

    painting = Signal(bool)
    held = Signal(bool)

    def __init__(self, easel: Easel, undo_stack: UndoStack) -> None:
        super().__init__()
        self.easel = easel
        self._undo_stack = undo_stack
        self._gesture: Gesture | None = None
        self._tool = ""
        self._pan: Gesture | None = None
        self._button = self._pan_button = NO_BUTTON  # those that the two wait for
        self._last: Pointer | None = None

    @property
    def busy(self) -> bool:
        """Whether a gesture that may paint is under way."""
        return self._gesture is not None

    @property
    def button(self) -> Qt.MouseButton:
        """What holds the tool down; `NO_BUTTON` while nothing does."""
        return self._button

    @property
    def panning(self) -> bool:
        """Whether the view is being moved."""
        return self._pan is not None

    @property
    def pressure(self) -> float:
        """How hard the pen of the gesture is pressed, 0..1; 1 without one."""
        return self._last.pressure if self.busy else 1.0

    # -- events -----------------------------------------------------------------------------------

    def press(self, tool: str, pointer: Pointer, button: Qt.MouseButton) -> None:
        """A button went down; `tool` is what it starts where no gesture goes on."""
        if self.panning or self._button not in (NO_BUTTON, button):
            return  # one button at a time
        if tool == "pan":
            self._pan, self._pan_button = pan(self.easel, pointer), button
            next(self._pan)
            self.held.emit(True)
        elif self.busy:
            self._button = button
            self._send(pointer)
        else:
            self._button = button
            self._start(tool, replace(pointer, double=False))

    def move(self, pointer: Pointer, buttons: Qt.MouseButton) -> None:
        """The pointer is elsewhere."""
        if self.panning and not buttons & self._pan_button:
            self._let_go()  # the release went to another window
        elif self.panning:
            self._pan.send(pointer)
        elif self._button != NO_BUTTON and not buttons & self._button:
            self._button = NO_BUTTON  # that one too: paint nothing more than was there
            if self.busy:
                self._send(replace(self._last, released=True, pressed=False))
        elif self.busy:
            self._send(pointer)

    def release(self, pointer: Pointer, button: Qt.MouseButton) -> None:
        """A button went up."""
        if self.panning and button == self._pan_button:
            self._let_go()
        elif button == self._button:
            self._button = NO_BUTTON
            if self.busy:
                self._send(pointer)

    def wish(self, wish: str) -> None:
        """What a key asks of the gesture: "close", "back" or "drop"."""
        if wish == "drop":
            self.drop()
        elif self.busy:
            self._send(replace(self._last, wish=wish, pressed=False, double=False, released=False))

    # -- ends -------------------------------------------------------------------------------------

    def settle(self, tool: str) -> None:
        """Close what goes on without a button if `tool` is another one: nothing drawn is lost."""
        if self.busy and self._button == NO_BUTTON and tool != self._tool:
            self.wish("close")

    def drop(self) -> None:
        """Give the gesture up, and take back what it painted."""
        if not self.busy:
            return
        before = self._end()
        if before is not None:
            self.easel.scene.swap(before)
        self.painting.emit(False)

    def _start(self, tool: str, pointer: Pointer) -> None:
        self._tool, self._last = tool, pointer
        self.easel.scene.begin()
        self._gesture = TOOLS[tool](self.easel, pointer)
        self.painting.emit(True)
        self._send(None)

    def _send(self, pointer: Pointer | None) -> None:
        """Give the tool its next event; None starts it."""
        self._last = pointer or self._last
        try:
            self._gesture.send(pointer)
        except StopIteration:
            self._finish()
        except BaseException:
            self._finish()  # a tool's mistake must not leave the canvas busy for ever
            raise

    def _finish(self) -> None:
        before = self._end()
        if before is not None:
            self._undo_stack.push(Edit(self.easel.scene, before, self._tool))
        self.painting.emit(False)

    def _end(self) -> Patch | None:
        self._gesture.close()
        self._gesture = None
        if self._button == BY_KEY:
            self._button = NO_BUTTON  # a key that ends a gesture is not released afterwards
        self.easel.sketch("line", [])
        return self.easel.scene.end()

    def _let_go(self) -> None:
        self._pan.close()
        self._pan = None
        self.held.emit(False)
