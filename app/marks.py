"""The marked region: what of the picture is to be made anew, painted with the tools of the map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.patch import whole
from app.pen import Pen
from app.scene import Point, Scene
from app.tools import Easel
from core import labelmap
from core.palette import LabelClass, Palette

PLAIN, MARKED = 0, 1
KINDS = (LabelClass(PLAIN, "as it is", (0, 0, 0)), LabelClass(MARKED, "anew", (255, 255, 255)))
PALETTE = Palette("marks", KINDS, unlabeled=PLAIN)


class Marks(Scene):
    """A map of two values over the painted scene, of the same size: every tool works on it, and
    its gestures are steps of the same undo. A map of another size takes the marks away.
    """

    def __init__(self, scene: Scene) -> None:
        super().__init__(np.zeros(scene.labels.shape, np.uint8), PALETTE)
        self._painted = scene
        scene.replaced.connect(self._follow)

    @property
    def region(self) -> np.ndarray:
        """bool `[H, W]`: what is marked."""
        return self.labels == MARKED

    def _follow(self) -> None:
        if self.labels.shape != self._painted.labels.shape:
            self.reset()

    def reset(self) -> None:
        """Nothing is marked, on a map as large as the scene's."""
        self.replace(np.zeros(self._painted.labels.shape, np.uint8))

    def mark_only(self, region: np.ndarray) -> None:
        """Mark this, bool `[H, W]`, and nothing else."""
        self._keep(whole(self.labels))
        self.labels[:] = np.where(region, MARKED, PLAIN)
        self._report(whole(self.labels))

    def fill(self, point: Point, label: int, contiguous: bool, over: int | None = None) -> None:
        """Mark what has the label of the scene under `point`: the area there, or every pixel."""
        own = self._painted.label_at(point)
        if own is None:
            return
        area = self._painted.labels.copy()
        box = labelmap.fill(area, point, (own + 1) % 256, contiguous)
        self._keep(box)
        filled = area[box.slices] != self._painted.labels[box.slices]
        self.labels[box.slices][filled] = label
        self._report(box)


class MarkingPen:
    """The painter's pen while it marks: its brush as ever, but no label in it."""

    label = MARKED

    def __init__(self, pen: Pen) -> None:
        self._pen = pen

    @property
    def shape(self) -> str:
        """Of the brush."""
        return self._pen.shape

    @property
    def contiguous(self) -> bool:
        """Fill the touching area only."""
        return self._pen.contiguous

    @property
    def last_point(self) -> Point | None:
        """Where a straight line would start."""
        return self._pen.last_point

    @last_point.setter
    def last_point(self, point: Point | None) -> None:
        self._pen.last_point = point

    def diameter_at(self, pressure: float) -> int:
        """The brush in pixels under a pen pressed with 0..1."""
        return self._pen.diameter_at(pressure)

    def may_cover(self, label: int) -> None:
        """Marks cover everything."""

    def choose(self, label: int) -> None:
        """There is nothing to pick from marks."""


class MarkingEasel:
    """What a tool can reach while it marks: the marks for the scene, the rest as on the canvas."""

    def __init__(self, easel: Easel, marks: Marks) -> None:
        self.scene, self.pen = marks, MarkingPen(easel.pen)
        self._easel = easel

    def pan(self, dx: float, dy: float) -> None:
        """Move the view by widget pixels."""
        self._easel.pan(dx, dy)

    def sketch(self, shape: str, points: Sequence[Point]) -> None:
        """Show an outline over the map."""
        self._easel.sketch(shape, points)
