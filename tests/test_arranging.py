"""Whole maps: mirrored, counted, given another size."""

from __future__ import annotations

import numpy as np
import pytest

from core import conversion
from core.arranging import mirrored, resized
from core.conversion import label_counts
from core.palette import Palette


def noise(height: int = 7, width: int = 9, highest: int = 19) -> np.ndarray:
    return np.random.default_rng(0).integers(0, highest, (height, width), np.uint8)


def test_a_mirrored_face_has_its_eyes_exchanged():
    """Left eye becomes right eye; what has no partner only moves."""
    palette = Palette.load("celebamask_hq")
    pair = next(c for c in palette.classes if c.flip)
    left, right = pair.id, palette.find(pair.flip)
    labels = np.array([[left, 0, 1]], np.uint8)
    assert mirrored(labels, palette).tolist() == [[1, 0, right]]


def test_mirroring_twice_changes_nothing():
    """Also with labels that have a partner."""
    palette = Palette.load("celebamask_hq")
    labels = noise()
    assert (mirrored(mirrored(labels, palette), palette) == labels).all()


def test_counts_are_exact(monkeypatch):
    """Every pixel counts once, however the map is cut."""
    monkeypatch.setattr(conversion, "STRIP", 10)
    labels = noise()
    counts = label_counts(labels)
    assert counts.sum() == labels.size and counts[3] == (labels == 3).sum()


@pytest.mark.parametrize(
    ("anchor", "corner"), [((0, 0), (0, 0)), ((0.5, 0.5), (2, 1)), ((1, 1), (4, 3))]
)
def test_a_larger_canvas_keeps_the_map_at_its_anchor(anchor, corner):
    """The map is all there, in its place, and the rest is the given label."""
    labels = noise(7, 9)
    x, y = corner
    out = resized(labels, (10, 13), anchor, 18)
    assert (out[y : y + 7, x : x + 9] == labels).all()
    out[y : y + 7, x : x + 9] = 18
    assert (out == 18).all()


def test_a_smaller_canvas_cuts_on_the_other_side():
    """What the anchor holds stays; one side may grow while the other shrinks."""
    labels = noise(7, 9)
    assert (resized(labels, (5, 9), (0, 1), 0) == labels[2:]).all()
    out = resized(labels, (9, 4), (1, 0), 5)
    assert (out[:7] == labels[:, 5:]).all() and (out[7:] == 5).all()


def test_scaling_makes_no_new_label():
    """Without an anchor the map is scaled, nearest pixel by pixel."""
    out = resized(noise(8, 8, 3), (16, 24), None, 9)
    assert out.shape == (16, 24) and (out[::2, ::3] == noise(8, 8, 3)).all()
