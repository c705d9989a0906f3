"""Changes of a whole label map: mirror it, exchange labels, give it another size."""

from __future__ import annotations

import math

import numpy as np

from core.labelmap import nearest_resize
from core.palette import Palette

Anchor = tuple[float, float]  # (x, y), 0 left or top, 0.5 middle, 1 right or bottom


def mirrored(labels: np.ndarray, palette: Palette) -> np.ndarray:
    """A copy of a label map, uint8 `[H, W]`, left to right; "left eye" becomes "right eye".

    Mirroring twice gives the same map again.
    """
    return palette.flip_ids[labels[:, ::-1]]


def resized(
    labels: np.ndarray, size: tuple[int, int], anchor: Anchor | None, label: int
) -> np.ndarray:
    """A copy of a label map at `size` (height, width).

    anchor: None scales the map, each pixel the nearest one. Otherwise pixels keep their size and
    this part of the map its place: what sticks out is cut off, what is new gets `label`.
    """
    if anchor is None:
        return nearest_resize(labels, size)
    out = np.full(size, label, np.uint8)
    (to_x, from_x), (to_y, from_y) = (
        _overlap(old, new, part)
        for old, new, part in zip(labels.shape[::-1], size[::-1], anchor, strict=True)
    )
    out[to_y, to_x] = labels[from_y, from_x]
    return out


def _overlap(old: int, new: int, part: float) -> tuple[slice, slice]:
    """Where a line of `old` pixels lies on one of `new`: the place on that, and which of them."""
    shift = math.floor((new - old) * part)
    start, stop = max(shift, 0), min(shift + old, new)
    return slice(start, stop), slice(start - shift, stop - shift)
