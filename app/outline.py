"""The outline of a brush, traced from the pixels that the brush really paints."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QPolygonF

from core import labelmap

FINE, COARSE = 256, 4  # positions within a pixel that are told apart, along each axis
LARGE = 64  # pixels; from here a brush that is a fraction of a pixel off looks the same


def brush_outline(diameter: int, shape: str, x: float, y: float) -> QPolygonF:
    """The closed outline, in map pixels, of a dab at (x, y)."""
    column, row = math.floor(x), math.floor(y)
    steps = COARSE if diameter > LARGE else FINE
    parts = (
        (math.floor((at - whole) * steps) + 0.5) / steps for at, whole in ((x, column), (y, row))
    )
    return _outline(diameter, shape, *parts).translated(column, row)


@lru_cache(maxsize=64)
def _outline(diameter: int, shape: str, x_part: float, y_part: float) -> QPolygonF:
    """The same for a dab within the pixel (0, 0), at parts of 0..1 of it."""
    middle = diameter + 1
    x, y = middle + x_part, middle + y_part
    dab = np.zeros((2 * middle + 1, 2 * middle + 1), np.uint8)
    labelmap.stroke(dab, (x, y), (x, y), diameter, 1, shape)
    rows = np.flatnonzero(dab.any(axis=1))
    left = dab[rows].argmax(axis=1)
    right = dab.shape[1] - dab[rows, ::-1].argmax(axis=1)
    # Every row of a dab is one run of pixels: down along the right ends, back up along the left.
    edges = np.stack([rows, rows + 1], axis=1).ravel()
    down = zip(np.repeat(right, 2).tolist(), edges.tolist(), strict=True)
    up = zip(np.repeat(left, 2)[::-1].tolist(), edges[::-1].tolist(), strict=True)
    return QPolygonF([QPointF(px - middle, py - middle) for px, py in (*down, *up)])
