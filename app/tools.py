"""The tools. Each is a generator: its first part is the press, each `yield` the next pointer event.

A gesture ends with its generator. To add a tool, write one generator and name it in `TOOLS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.pen import Pen
from app.scene import Point, Scene

SAME_SPOT = 8  # widget pixels; a click this near the first corner closes a polygon
LASSO_STEP = 2  # widget pixels between the corners of a lasso


@dataclass(frozen=True)
class Pointer:
    """One event of a gesture.

    pressed, released: a button went down or up; a second press of a double click is `double`.
    wish: "close" or "back", what a key asks of a gesture that goes on without a button.
    """

    point: Point  # label-map pixels
    screen: tuple[float, float]  # widget pixels
    straight: bool = False  # Shift is held
    released: bool = False
    pressed: bool = False
    double: bool = False
    pressure: float = 1.0  # of a tablet pen, 0..1
    wish: str = ""


class Easel(Protocol):
    """What a tool can reach; the canvas is one."""

    scene: Scene
    pen: Pen

    def pan(self, dx: float, dy: float) -> None:
        """Move the view by widget pixels."""

    def sketch(self, shape: str, points: Sequence[Point]) -> None:
        """Show an outline over the map: "line" or one of `SHAPES`; no points for none."""


Gesture = Generator[None, Pointer, None]
Tool = Callable[[Easel, Pointer], Gesture]


# -- brushes --------------------------------------------------------------------------------------


def brush(easel: Easel, press: Pointer) -> Gesture:
    """Paint the current label along the pointer's way."""
    yield from _drag_brush(easel, press, easel.pen.label)


def eraser(easel: Easel, press: Pointer) -> Gesture:
    """Paint the label that means "nothing said here"."""
    yield from _drag_brush(easel, press, easel.scene.palette.erase_id)


def _drag_brush(easel: Easel, press: Pointer, label: int) -> Gesture:
    pen, over = easel.pen, easel.pen.may_cover(label)
    here = pen.last_point if press.straight and pen.last_point else press.point
    pointer = press
    while True:
        if pointer.pressure > 0:  # a pen that is lifted reports 0
            diameter = pen.diameter_at(pointer.pressure)
            easel.scene.stroke(here, pointer.point, diameter, label, pen.shape, over)
            here = pen.last_point = pointer.point
        if pointer.released:
            return
        pointer = yield


# -- shapes ---------------------------------------------------------------------------------------


def rectangle(easel: Easel, press: Pointer) -> Gesture:
    """Paint a rectangle from the press to the release; a square with Shift."""
    yield from _drag_shape(easel, press, "rectangle")


def ellipse(easel: Easel, press: Pointer) -> Gesture:
    """Paint an ellipse into such a rectangle; a circle with Shift."""
    yield from _drag_shape(easel, press, "ellipse")


def _drag_shape(easel: Easel, press: Pointer, shape: str) -> Gesture:
    pointer = press
    while not pointer.released:
        easel.sketch(shape, _ends(press, pointer))
        pointer = yield
    _draw(easel, shape, _ends(press, pointer))


def _ends(press: Pointer, pointer: Pointer) -> list[Point]:
    """Two opposite corners, in the middle of their pixels."""
    (x0, y0), (x1, y1) = ([math.floor(v) + 0.5 for v in p.point] for p in (press, pointer))
    if pointer.straight:
        side = max(abs(x1 - x0), abs(y1 - y0))
        x1, y1 = x0 + math.copysign(side, x1 - x0), y0 + math.copysign(side, y1 - y0)
    return [(x0, y0), (x1, y1)]


def lasso(easel: Easel, press: Pointer) -> Gesture:
    """Paint what the pointer's way goes round."""
    points, corner, pointer = [press.point], press, press
    while not pointer.released:
        pointer = yield
        if math.dist(pointer.screen, corner.screen) >= LASSO_STEP or pointer.released:
            corner = pointer
            points.append(pointer.point)
            easel.sketch("polygon", points)
    _draw(easel, "polygon", points)


def polygon(easel: Easel, press: Pointer) -> Gesture:
    """Paint a polygon through the clicked corners.

    A double click, a click on the first corner or the wish "close" ends it; "back" takes the last
    corner away, and with the first one the polygon.
    """
    corners, pointer = [press], press
    while not _closes(pointer, corners):
        if pointer.wish == "back":
            corners.pop()
        elif pointer.pressed and pointer is not press:
            corners.append(pointer)
        if not corners:
            return
        easel.sketch("polygon", [*(corner.point for corner in corners), pointer.point])
        pointer = yield
    _draw(easel, "polygon", [corner.point for corner in corners])


def _closes(pointer: Pointer, corners: Sequence[Pointer]) -> bool:
    first = corners[0]
    near = math.dist(pointer.screen, first.screen) <= SAME_SPOT
    again = pointer.pressed and len(corners) > 2 and near
    return pointer.wish == "close" or pointer.double or again


def _draw(easel: Easel, shape: str, points: Sequence[Point]) -> None:
    label = easel.pen.label
    easel.scene.draw(shape, points, label, easel.pen.may_cover(label))


# -- the rest -------------------------------------------------------------------------------------


def fill(easel: Easel, press: Pointer) -> Gesture:
    """Give the current label to the area under the press."""
    pen = easel.pen
    easel.scene.fill(press.point, pen.label, pen.contiguous, pen.may_cover(pen.label))
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


BRUSHES = ("brush", "eraser")
PAINTERS = ("brush", "fill", "rectangle", "ellipse", "polygon", "lasso")  # of the label in hand
CLICKED = ("fill", "polygon", "pick")  # those that need no drag: a press does it, or sets a corner
TOOLS: dict[str, Tool] = {
    "brush": brush,
    "eraser": eraser,
    "fill": fill,
    "rectangle": rectangle,
    "ellipse": ellipse,
    "polygon": polygon,
    "lasso": lasso,
    "pick": pick,
    "pan": pan,
}
