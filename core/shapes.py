"""Shapes on label maps: rectangle, ellipse and polygon, exact to the pixel.

They paint in place on uint8 `[H, W]` and return the rectangle outside of which nothing was touched,
empty if the shape lies off the map. points: the corners, or two opposite ones, placed as in
`core.labelmap`. over: if given, only pixels with this label are painted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from core.labelmap import NO_BOX, Box, Point, around, between, centres


def rectangle(
    labels: np.ndarray, points: Sequence[Point], label: int, over: int | None = None
) -> Box:
    """Paint from the pixel under one point to the pixel under the other, both included."""
    box = span(*points).clip(labels.shape)
    return _paint(labels, box, np.ones((box.height, box.width), bool), label, over)


def ellipse(
    labels: np.ndarray, points: Sequence[Point], label: int, over: int | None = None
) -> Box:
    """Paint the pixels whose centre is in the ellipse that fills the rectangle of two points."""
    outer = span(*points)
    box = outer.clip(labels.shape)
    x, y = centres(box)
    # In halves of the axes from the middle.
    x = (2 * (x - outer.x) - outer.width) / outer.width
    y = (2 * (y - outer.y) - outer.height) / outer.height
    return _paint(labels, box, x * x + y * y <= 1, label, over)


def span(p0: Point, p1: Point) -> Box:
    """The box from the pixel under `p0` to the pixel under `p1`, both included; not clipped."""
    (left, right), (top, bottom) = (sorted(map(math.floor, pair)) for pair in zip(p0, p1))
    return between(left, top, right + 1, bottom + 1)


def polygon(
    labels: np.ndarray, points: Sequence[Point], label: int, over: int | None = None
) -> Box:
    """Paint the pixels whose centre is inside the closed polygon, by the even-odd rule.

    The last point is joined to the first. Two polygons that share an edge leave neither a gap nor
    an overlap along it.
    """
    box = around(points, 0, labels.shape) if len(points) > 2 else NO_BOX
    if box.empty:
        return NO_BOX
    x, y = centres(box)
    inside = np.zeros((box.height, box.width), bool)
    for ends in zip(points, [*points[1:], points[0]], strict=True):
        # Always from top to bottom, so that an edge rounds alike for the polygons on both sides.
        (ax, ay), (bx, by) = sorted(ends, key=lambda point: point[1])
        rows = np.flatnonzero((ay <= y[:, 0]) != (by <= y[:, 0]))
        crossing = ax + (y[rows] - ay) * ((bx - ax) / (by - ay or 1))
        inside[rows] ^= x < crossing
    return _paint(labels, box, inside, label, over)


def _paint(labels: np.ndarray, box: Box, mask: np.ndarray, label: int, over: int | None) -> Box:
    """mask: bool `[box.height, box.width]`."""
    if not box.empty:
        pixels = labels[box.slices]
        pixels[mask if over is None else mask & (pixels == over)] = label
    return box


SHAPES = {"rectangle": rectangle, "ellipse": ellipse, "polygon": polygon}
