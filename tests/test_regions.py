"""Masks of local edits, in exact pixels."""

import numpy as np
import pytest

from core.palette import Palette
from core.regions import (
    ANEW,
    KIN,
    OTHER,
    automatic_strength,
    changed,
    composite,
    feather,
    feather_radius,
    grow,
    grow_radius,
)


@pytest.fixture
def region():
    """A square of 10x10 in the middle of 40x50."""
    mask = np.zeros((40, 50), bool)
    mask[15:25, 20:30] = True
    return mask


def test_what_changed_is_the_region():
    """Exactly the pixels with another label."""
    before = np.zeros((4, 5), np.uint8)
    after = before.copy()
    after[1, 2:4] = 3
    assert np.argwhere(changed(before, after)).tolist() == [[1, 2], [1, 3]]


def test_growing_adds_all_within_the_radius(region):
    """A disc around every pixel: 3 to each side, and round corners."""
    grown = grow(region, 3)
    assert grown[15:25, 17:33].all() and grown[12:28, 20:30].all()
    assert not grown[12, 17] and not grown[15:25, 16].any() and not grown[11].any()
    assert grown.sum() == 100 + 4 * 30 + 4 * 4  # four sides, and 4 pixels in each corner
    assert np.array_equal(grow(region, 0), region)


def test_an_empty_region_stays_empty(region):
    """No distance exists to a region that is not there."""
    empty = np.zeros_like(region)
    assert not grow(empty, 9).any() and not feather(empty, 9).any()


def test_a_feather_falls_outside_and_ends(region):
    """1 inside, falling, exactly 0 from the radius on."""
    blend = feather(region, 8)
    assert blend.dtype == np.float32 and (blend[region] == 1).all()
    row = blend[20, 29:40]
    assert row[0] == 1 and (np.diff(row[:9]) < 0).all() and (row[8:] == 0).all()
    assert np.array_equal(feather(region, 0), region.astype(np.float32))


def test_radii_follow_the_size():
    """A speck still gets room, a whole sky does not get a hundred pixels."""
    sizes = [np.zeros((512, 512), bool) for _ in range(3)]
    for mask, side in zip(sizes, (4, 200, 512), strict=True):
        mask[:side, :side] = True
    assert [grow_radius(m) for m in sizes] == [8, 16, 32]
    assert [feather_radius(m) for m in sizes] == [8, 12, 24]


def test_strength_follows_the_labels():
    """Kin keep more of the picture than strangers; what was erased is made anew."""
    palette = Palette.load("landscape")
    ids = {label.name: label.id for label in palette.classes}
    everywhere = np.ones((10, 10), bool)

    def strength(old, new):
        after = np.full((10, 10), ids[old], np.uint8)
        before = after.copy()
        after[:5] = ids[new]
        return automatic_strength(before, after, everywhere, palette)

    assert strength("tree", "bush") == KIN
    assert strength("tree", "sky") == OTHER
    assert strength("tree", "tree") == ANEW


def test_without_a_share_the_old_pixel_stays():
    """Where the blend is 0 even a rounding cannot touch it; where it is 1 it is the new one."""
    rng = np.random.default_rng(0)
    old, new = rng.integers(0, 256, (2, 20, 30, 3)).astype(np.uint8)
    blend = rng.random((20, 30)).astype(np.float32)
    blend[:5], blend[5:10] = 0, 1
    mixed = composite(old, new, blend)
    assert mixed.dtype == np.uint8
    assert np.array_equal(mixed[:5], old[:5]) and np.array_equal(mixed[5:10], new[5:10])
    between = np.minimum(old, new) <= mixed
    assert between.all() and (mixed <= np.maximum(old, new)).all()
