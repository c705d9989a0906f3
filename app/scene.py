"""The scene: the label map being painted, and who hears of its changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QObject, QRect, Signal

from core import labelmap
from core.labelmap import NO_BOX, Box, Point
from core.palette import Palette


@dataclass(frozen=True, eq=False)
class Change:
    """What one gesture did: the pixels of `box` before and after it."""

    box: Box
    before: np.ndarray
    after: np.ndarray


class Scene(QObject):
    """A label map with its palette. All painting goes through here.

    changed: a rectangle of pixels was written. replaced: another label map took the place of this
    one, perhaps of another size.
    """

    changed = Signal(QRect)
    replaced = Signal()

    def __init__(self, labels: np.ndarray, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self.revision = 0
        self.labels = _own(labels)
        self._before: np.ndarray | None = None
        self._touched = NO_BOX

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width = self.labels.shape
        return width, height

    def label_at(self, point: Point) -> int | None:
        """The id under `point`, or None outside the map."""
        x, y = (math.floor(part) for part in point)
        width, height = self.size
        return int(self.labels[y, x]) if 0 <= x < width and 0 <= y < height else None

    # -- painting ---------------------------------------------------------------------------------

    def write(self, box: Box, pixels: np.ndarray) -> None:
        """Put `pixels`, uint8 `[box.height, box.width]`, into the map."""
        self.labels[box.slices] = pixels
        self._report(box)

    def stroke(self, start: Point, end: Point, diameter: int, label: int, shape: str) -> None:
        """Drag a brush of `diameter` pixels from `start` to `end`, leaving `label`."""
        self._report(labelmap.stroke(self.labels, start, end, diameter, label, shape))

    def fill(self, point: Point, label: int, contiguous: bool) -> None:
        """Give `label` to the area around `point`, or to every pixel of the same id."""
        self._report(labelmap.fill(self.labels, point, label, contiguous))

    def replace(self, labels: np.ndarray) -> None:
        """Start over from another label map."""
        self.labels = _own(labels)
        self._before, self._touched = None, NO_BOX
        self.revision += 1
        self.replaced.emit()

    # -- gestures ---------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start to collect what one gesture changes."""
        self._before, self._touched = self.labels.copy(), NO_BOX

    def end(self) -> Change | None:
        """Stop collecting. None if the gesture left every pixel as it was."""
        before, box = self._before, self._touched
        self._before = None
        if before is None or box.empty:
            return None
        old, new = before[box.slices].copy(), self.labels[box.slices].copy()
        return None if np.array_equal(old, new) else Change(box, old, new)

    def _report(self, box: Box) -> None:
        if box.empty:
            return
        self.revision += 1
        self._touched = self._touched.union(box)
        self.changed.emit(QRect(*box))


def _own(labels: np.ndarray) -> np.ndarray:
    return np.array(labels, np.uint8, order="C")
