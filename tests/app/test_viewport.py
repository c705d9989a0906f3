"""The arithmetic of the view, and the outline of the brush."""

import numpy as np
import pytest

from app.outline import brush_outline
from app.viewport import MAX_SCALE, Viewport
from core import labelmap


def test_there_and_back():
    """A point of the map comes back from the widget."""
    view = Viewport(3.5, -20, 8)
    assert view.to_map(*view.to_widget(12.5, 7)) == pytest.approx((12.5, 7))


@pytest.mark.parametrize("size", [(64, 64), (2000, 30), (3, 900)])
def test_fitting_shows_all(size):
    """A fitted map lies inside the widget, in its middle."""
    view = Viewport.fitting(size, (600, 400), 20)
    left, top = view.to_widget(0, 0)
    right, bottom = view.to_widget(*size)
    assert left >= 19 and top >= 19 and right <= 581 and bottom <= 381
    assert left + right == pytest.approx(600, abs=1.5)


def test_zoom_has_limits_and_stays_in_place():
    """At the limit, zooming moves nothing."""
    view = Viewport().zoomed(1e9, 50, 60)
    assert view.scale == MAX_SCALE
    assert view.zoomed(2, 10, 10) == view


@pytest.mark.parametrize("shape", ["round", "square"])
@pytest.mark.parametrize("diameter", [1, 2, 7, 16, 45])
def test_the_outline_is_the_dab(qapp, diameter, shape):
    """The outline encloses exactly as many pixels as a click paints."""
    labels = np.zeros((100, 100), np.uint8)
    at = (50.125, 49.625)
    labelmap.stroke(labels, at, at, diameter, 1, shape)
    outline = brush_outline(diameter, shape, *at)
    points = [(p.x(), p.y()) for p in outline]
    turns = zip(points, points[1:] + points[:1], strict=True)
    area = abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in turns)) / 2
    assert area == labels.sum()
