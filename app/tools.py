"""The tools. Each is a generator: its first part is the press, each `yield` the next pointer event.

To add a tool, write one generator and name it in `TOOLS`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

from app.pen import Pen
from app.scene import Point, Scene


@dataclass(frozen=True)
class Pointer:
    """One pointer event."""

    point: Point  # label-map pixels
    screen: tuple[float, float]  # widget pixels
    straight: bool = False  # Shift is held
    released: bool = False  # the last event of the gesture


class Easel(Protocol):
    """What a tool can reach; the canvas is one."""

    scene: Scene
    pen: Pen

    def pan(self, dx: float, dy: float) -> None:
        """Move the view by widget pixels."""


Gesture = Generator[None, Pointer, None]
Tool = Callable[[Easel, Pointer], Gesture]


def brush(easel: Easel, press: Pointer) -> Gesture:
    """Paint the current label along the pointer's way."""
    yield from _drag_brush(easel, press, easel.pen.label)


def eraser(easel: Easel, press: Pointer) -> Gesture:
    """Paint the label that means "nothing said here"."""
    yield from _drag_brush(easel, press, easel.scene.palette.erase_id)


def _drag_brush(easel: Easel, press: Pointer, label: int) -> Gesture:
    pen = easel.pen
    here = pen.last_point if press.straight and pen.last_point else press.point
    pointer = press
    while True:
        easel.scene.stroke(here, pointer.point, pen.diameter, label, pen.shape)
        here = pen.last_point = pointer.point
        if pointer.released:
            return
        pointer = yield


def fill(easel: Easel, press: Pointer) -> Gesture:
    """Give the current label to the area under the press."""
    easel.scene.fill(press.point, easel.pen.label, easel.pen.contiguous)
    yield from _until_release()


def pick(easel: Easel, press: Pointer) -> Gesture:
    """Take the label under the pointer, following it until the release."""
    pointer = press
    while True:
        label = easel.scene.label_at(pointer.point)
        if label is not None and label != easel.pen.label:
            easel.pen.choose(label)
        if pointer.released:
            return
        pointer = yield


def pan(easel: Easel, press: Pointer) -> Gesture:
    """Move the view with the pointer."""
    x, y = press.screen
    while not (pointer := (yield)).released:
        easel.pan(pointer.screen[0] - x, pointer.screen[1] - y)
        x, y = pointer.screen


def _until_release() -> Gesture:
    while not (yield).released:
        pass


TOOLS: dict[str, Tool] = {
    "brush": brush,
    "eraser": eraser,
    "fill": fill,
    "pick": pick,
    "pan": pan,
}
