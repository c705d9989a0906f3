"""The scene: the label map being painted, and who hears of its changes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QObject, QRect, Signal

from app.guiding.wanted import Wanted
from app.label_controls import LabelControls
from app.patch import Patch, tiles, whole
from core import labelmap
from core.arranging import mirrored
from core.labelmap import Box, Point
from core.palette import Palette
from core.shapes import SHAPES


class Scene(QObject):
    """A label map with its palette. All painting goes through here.

    changed: a rectangle of pixels was written. replaced: another label map took the place of this
    one, perhaps of another size, perhaps of another palette. controls: how single labels are
    sampled. wanted: what its pictures should be like beside the layout.
    """

    changed = Signal(QRect)
    replaced = Signal()

    def __init__(self, labels: np.ndarray, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self.revision = 0
        self.labels = _own(labels)
        self.controls = LabelControls()
        self.controls.changed.connect(self._count)
        self.wanted = Wanted()
        self.wanted.changed.connect(self._count)
        self._before: dict[Box, np.ndarray] | None = None  # the tiles that the gesture touched

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width = self.labels.shape
        return width, height

    def holds(self, labels: np.ndarray, palette: Palette) -> bool:
        """Whether the scene is exactly this map in this palette."""
        return palette == self.palette and np.array_equal(labels, self.labels)

    def label_at(self, point: Point) -> int | None:
        """The id under `point`, or None outside the map."""
        x, y = (math.floor(part) for part in point)
        width, height = self.size
        return int(self.labels[y, x]) if 0 <= x < width and 0 <= y < height else None

    # -- painting ---------------------------------------------------------------------------------

    # `over`, if given, is the only label that may be painted over.

    def stroke(
        self,
        start: Point,
        end: Point,
        diameter: int,
        label: int,
        shape: str,
        over: int | None = None,
    ) -> None:
        """Drag a brush of `diameter` pixels from `start` to `end`, leaving `label`."""
        self._keep(labelmap.around((start, end), diameter / 2, self.labels.shape))
        self._report(labelmap.stroke(self.labels, start, end, diameter, label, shape, over))

    def draw(
        self, shape: str, points: Sequence[Point], label: int, over: int | None = None
    ) -> None:
        """Paint one of `SHAPES` through `points`: corners, or two opposite ones."""
        self._keep(labelmap.around(points, 1, self.labels.shape))
        self._report(SHAPES[shape](self.labels, points, label, over))

    def fill(self, point: Point, label: int, contiguous: bool, over: int | None = None) -> None:
        """Give `label` to the area around `point`, or to every pixel of the same id."""
        if over is None or self.label_at(point) == over:
            self._keep(whole(self.labels))
            self._report(labelmap.fill(self.labels, point, label, contiguous))

    def relabel(self, label: int, by: int) -> None:
        """Give every pixel of `label` another one."""
        self._keep(whole(self.labels))
        mask = self.labels == label
        self.labels[mask] = by
        self._report(whole(self.labels))

    def mirror(self) -> None:
        """Turn the map left to right; a second time turns it back."""
        self._keep(whole(self.labels))
        self.labels[:] = mirrored(self.labels, self.palette)
        self._report(whole(self.labels))

    def replace(self, labels: np.ndarray, palette: Palette | None = None) -> None:
        """Start over from another label map, and perhaps another palette.

        Raises ValueError, and changes nothing, for an id that the palette does not have.
        """
        palette = palette or self.palette
        check_ids(labels, palette)
        self.labels, self.palette = _own(labels), palette
        self._before = None
        self.revision += 1
        self.replaced.emit()

    # -- gestures ---------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start to remember what one gesture paints over."""
        self._before = {}

    def end(self) -> Patch | None:
        """What the gesture painted over; None if it left every pixel as it was."""
        pieces = [piece for tile in (self._before or {}) if (piece := self._changed_in(tile))]
        self._before = None
        return Patch(pieces) if pieces else None

    def swap(self, patch: Patch) -> Patch:
        """Put a patch into the map; what was there, to put it back."""
        before = Patch.of(self.labels, patch.boxes)
        patch.paste(self.labels)
        self._report(patch.box)
        return before

    def _keep(self, box: Box) -> None:
        """Remember the tiles around `box` before they are painted on for the first time."""
        if self._before is None or box.empty:
            return
        for tile in tiles(box, self.labels.shape):
            if tile not in self._before:
                self._before[tile] = self.labels[tile.slices].copy()

    def _changed_in(self, tile: Box) -> tuple[Box, np.ndarray] | None:
        """The smallest box around what the gesture changed in a tile, and what it held before."""
        before = self._before[tile]
        box = labelmap.changed_box(before, self.labels[tile.slices])
        return None if box.empty else (box.moved(tile.x, tile.y), before[box.slices])

    def _report(self, box: Box) -> None:
        if not box.empty:
            self._count()
            self.changed.emit(QRect(*box))

    def _count(self) -> None:
        self.revision += 1


def _own(labels: np.ndarray) -> np.ndarray:
    return np.array(labels, np.uint8, order="C")


def check_ids(labels: np.ndarray, palette: Palette) -> None:
    """Raise ValueError for an id that the palette does not have."""
    highest = int(labels.max())
    if highest >= len(palette):
        raise ValueError(f"the palette {palette.name!r} ends at {len(palette) - 1}, not {highest}")
