"""The outline of a brush, traced from the pixels that the brush really paints."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QPolygonF

from core import labelmap

FRACTIONS = 4  # positions within a pixel that are told apart, along each axis


def brush_outline(diameter: int, shape: str, x: float, y: float) -> QPolygonF:
    """The closed outline, in map pixels, of a dab at (x, y)."""
    column, row = math.floor(x), math.floor(y)
    part = (math.floor((at - whole) * FRACTIONS) for at, whole in ((x, column), (y, row)))
    return _outline(diameter, shape, *part).translated(column, row)


@lru_cache(maxsize=64)
def _outline(diameter: int, shape: str, x_part: int, y_part: int) -> QPolygonF:
    """The same for a dab within the pixel (0, 0)."""
    middle = diameter + 1
    x, y = (middle + (part + 0.5) / FRACTIONS for part in (x_part, y_part))
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
