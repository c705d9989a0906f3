"""Does a picture show what was painted: scores, regions, labels of a photo."""

import numpy as np
import pytest

from core.matching import (
    compare,
    heat_picture,
    label_map,
    majority,
    recognised,
    without_specks,
    wrong_region,
)
from core.request import Layout


@pytest.fixture
def layout(palette):
    """Sky (1) over ground (0), 32x32."""
    labels = np.zeros((32, 32), np.uint8)
    labels[:16] = 1
    return Layout(labels, palette)


def seen(*rows):
    """Probabilities [3, 8, 8] of a sure segmenter: the label of each row of eight places."""
    labels = np.repeat(np.array(rows)[:, None], 8, 1)
    return np.where(np.arange(3)[:, None, None] == labels, 0.98, 0.01).astype(np.float32)


AS_PAINTED = (1,) * 4 + (0,) * 4


def test_a_picture_as_painted_agrees(layout):
    """Nothing disagrees but the pixels along the border, where the answer is coarser."""
    match = compare(layout, seen(*AS_PAINTED))
    assert match.agreement > 0.97 and [one.label for one in match.labels] == [0, 1]
    assert all(one.agreement > 0.96 and one.share == 0.5 for one in match.labels)


def test_the_worst_label_comes_first_and_says_what_it_looks_like(layout):
    """Half of the ground came out as water."""
    match = compare(layout, seen(1, 1, 1, 1, 0, 0, 2, 2))
    worst = match.labels[0]
    assert worst.label == 0 and worst.instead == 2
    assert worst.agreement == pytest.approx(0.5, abs=0.07)
    assert match.of(1).agreement > 0.96 and match.of(2) is None
    assert match.agreement == pytest.approx(0.75, abs=0.05)
    assert match.disagreement[-4:].min() > 0.95 and match.disagreement[:10].max() < 0.05


def test_a_hesitant_segmenter_reports_little(layout):
    """Sky at 0.45 beside water at 0.5 is no fault to speak of."""
    found = seen(*AS_PAINTED)
    found[:, :4] = np.array([0.05, 0.45, 0.5], np.float32)[:, None, None]
    sky = compare(layout, found).of(1)
    assert sky.agreement == pytest.approx(0.9, abs=0.02) and sky.instead in (None, 0)


def test_a_label_is_measured_by_what_photos_of_it_reach(layout):
    """A segmenter that takes some ground for water in every photo finds that much less wrong."""
    found = seen(1, 1, 1, 1, 0, 0, 2, 2)
    plain, fair = compare(layout, found), compare(layout, found, (0.8, 1.0, 1.0))
    assert fair.of(0).agreement == pytest.approx(plain.of(0).agreement / 0.8)
    assert fair.agreement == plain.agreement and fair.ceiling == pytest.approx(0.9)
    assert compare(layout, found, (0.2, 1.0, 1.0)).of(0).agreement == 1
    assert fair.of(1) == plain.of(1)
    assert fair.disagreement[-4:].min() > 0.9  # the places are still those that look different


def test_the_region_to_fix_lies_within_the_label(layout):
    """Only where ground is painted and something else is to be seen, at the picture's size."""
    match = compare(layout, seen(2, 1, 1, 1, 0, 0, 2, 2))
    region = wrong_region(match, layout, 0, (64, 64))
    assert region.shape == (64, 64) and region.dtype == bool
    assert region[52:].all() and not region[:44].any()
    assert not wrong_region(compare(layout, seen(*AS_PAINTED)), layout, 0, (64, 64)).any()


# -- labels from a photo --------------------------------------------------------------------------


def test_labels_of_a_photo_have_the_canvas_size():
    """The most likely label of each pixel, outlines smooth."""
    labels = label_map(seen(1, 1, 1, 1, 0, 0, 0, 2), (48, 96))
    assert labels.shape == (48, 96) and labels.dtype == np.uint8
    assert (labels[:22] == 1).all() and (labels[26:40] == 0).all() and (labels[45:] == 2).all()


def test_smoothing_takes_specks_away():
    """A single place of another label is gone, the large regions stay."""
    found = seen(*AS_PAINTED)
    found[:, 1, 1] = 0.01, 0.01, 0.98
    assert (label_map(found, (32, 32)) == 2).any()
    smooth = label_map(found, (32, 32), 0.2)
    assert (
        set(np.unique(smooth)) == {0, 1} and (smooth[:14] == 1).all() and (smooth[18:] == 0).all()
    )


def test_the_majority_wins_and_a_tie_stays():
    """A line of one pixel goes, the straight border between two halves does not move."""
    labels = np.zeros((20, 20), np.uint8)
    labels[:, 10:] = 1
    assert np.array_equal(majority(labels, 5), labels)
    lined = labels.copy()
    lined[:, 3] = 2
    assert np.array_equal(majority(lined, 5), labels)


def test_a_speck_takes_the_label_of_its_surroundings():
    """Small pieces go to the nearest large one; a map of specks alone is left."""
    labels = np.zeros((20, 20), np.uint8)
    labels[12:, :] = 1
    labels[2:4, 2:4], labels[16:18, 10:12] = 2, 2
    clean = without_specks(labels, 9)
    assert (clean[:12] == 0).all() and (clean[12:] == 1).all()
    tiny = np.arange(4, dtype=np.uint8).reshape(2, 2)
    assert np.array_equal(without_specks(tiny, 9), tiny)


def test_shares_are_told_largest_first(palette):
    labels = np.array([[1, 1, 1, 0]], np.uint8)
    assert recognised(labels, palette) == [(1, 0.75), (0, 0.25)]


# -- the map to look at ---------------------------------------------------------------------------


def test_the_heat_map_is_grey_where_all_is_well():
    """Yellow where something else is to be seen, grey elsewhere; faults are lighter, too."""
    picture = np.full((16, 16, 3), 120, np.uint8)
    wrong = np.zeros((16, 16), np.float32)
    wrong[:8] = 1
    shown = heat_picture(picture, wrong)
    fine, bad = shown[12, 3].astype(int), shown[3, 3].astype(int)
    assert np.ptp(fine) == 0 and bad[0] > bad[2] + 100 and bad.sum() > fine.sum() + 200
