"""Shapes: exact pixels, on the map and off it."""

from __future__ import annotations

import numpy as np
import pytest

from core.labelmap import NO_BOX, Box
from core.shapes import ellipse, polygon, rectangle


def blank(height: int = 40, width: int = 50) -> np.ndarray:
    return np.zeros((height, width), np.uint8)


@pytest.mark.parametrize("ends", [((3.2, 4.9), (12.7, 8.1)), ((12.7, 4.9), (3.2, 8.1))])
def test_a_rectangle_holds_both_corner_pixels(ends):
    """It goes from pixel to pixel, whichever corner comes first."""
    labels = blank()
    assert rectangle(labels, ends, 2) == Box(3, 4, 10, 5)
    assert (labels == 2).sum() == 50 and (labels[4:9, 3:13] == 2).all()


def test_a_rectangle_may_leave_the_map():
    """It is clipped to the map; one beside it paints nothing."""
    labels = blank()
    rectangle(labels, [(45, 30), (99, 99)], 1)
    assert labels.sum() == 50
    assert rectangle(labels, [(60, 1), (70, 9)], 2) == NO_BOX


@pytest.mark.parametrize(
    ("shape", "points"),
    [
        (rectangle, [(0, 0), (49, 39)]),
        (ellipse, [(0, 0), (49, 39)]),
        (polygon, [(0, 0), (50, 0), (50, 40), (0, 40)]),
    ],
)
def test_shapes_can_spare_other_labels(shape, points):
    """With `over`, only pixels of that label are painted."""
    labels = blank()
    labels[:, :10] = 3
    shape(labels, points, 2, 0)
    assert (labels[:, :10] == 3).all() and (labels[:, 10:] == 2).sum() > 900


def test_an_ellipse_is_round_and_fills_its_box():
    """It touches all four sides, is symmetric, and has the area of an ellipse."""
    labels = blank()
    box = ellipse(labels, [(5, 3), (44, 32)], 1)
    inside = labels[box.slices]
    assert box == Box(5, 3, 40, 30)
    assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()
    assert (inside == inside[::-1]).all() and (inside == inside[:, ::-1]).all()
    assert inside.sum() == pytest.approx(np.pi * 20 * 15, rel=0.01)


def test_an_ellipse_off_the_map_keeps_its_middle():
    """A clipped ellipse is the part of the whole one that lies on the map."""
    large, small = blank(80, 80), blank(40, 40)
    ellipse(large, [(20, 20), (69, 59)], 1)
    ellipse(small, [(20, 20), (69, 59)], 1)
    assert (large[:40, :40] == small).all() and small.any()


@pytest.mark.parametrize("end", [(3.9, 4.9), (3.1, 9.9), (4.2, 4.2)])
def test_the_smallest_ellipses_are_full(end):
    """Up to two pixels wide an ellipse is its box: a click paints one pixel."""
    labels = blank()
    box = ellipse(labels, [(3.5, 4.5), end], 1)
    assert labels.sum() == box.width * box.height > 0


def test_a_polygon_paints_the_centres_inside():
    """A rectangle given by its corners has exactly its area, whichever way round it goes."""
    corners = [(3, 4), (13, 4), (13, 9), (3, 9)]
    for points in (corners, corners[::-1]):
        labels = blank()
        assert polygon(labels, points, 2) == Box(3, 4, 10, 5)
        assert (labels == 2).sum() == 50 and (labels[4:9, 3:13] == 2).all()


def test_neighbouring_polygons_meet_exactly():
    """Two polygons with a common edge leave no gap and no overlap."""
    a, b, c, d = (2.2, 1.7), (41.3, 7.9), (35.1, 33.3), (5.6, 38.8)
    left, right, both = blank(), blank(), blank()
    polygon(left, [a, b, d], 1)
    polygon(right, [d, b, c], 1)
    polygon(both, [a, b, c, d], 1)
    assert (left + right == both).all() and both.any()


def test_a_polygon_may_leave_the_map_and_be_nothing():
    """A polygon is clipped to the map; one without an inside paints nothing."""
    labels = blank()
    polygon(labels, [(-10, -10), (99, -10), (99, 99), (-10, 99)], 1)
    assert labels.all()
    assert polygon(labels, [(1, 1), (5, 5)], 2) == polygon(labels, [], 2) == NO_BOX
    assert polygon(labels, [(60, 1), (70, 1), (70, 9)], 2) == NO_BOX
    assert labels.min() == labels.max() == 1
