"""Agreement: figures checked by hand, and intervals that are as wide as they should be."""

import numpy as np
import pytest

from core.agreement import (
    MERGES,
    agreement_intervals,
    class_iou,
    confusion,
    margins,
    mean_interval,
    mean_iou,
    merge_table,
    pixel_accuracy,
)
from core.errors import InputError
from core.palette import LabelClass, Palette

LANDSCAPE = Palette.load("landscape")
COLORS = {"sky": (0, 0, 255), "sea": (0, 255, 255), "sand": (255, 255, 0)}
PALETTE = Palette("tiny", tuple(LabelClass(i, *item) for i, item in enumerate(COLORS.items())))


def test_confusion_counts_painted_by_found():
    """Rows are what was painted, columns what was found."""
    truth, found = np.uint8([[0, 0], [1, 2]]), np.uint8([[0, 1], [1, 1]])
    assert confusion(truth, found, 3).tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]


def test_figures_of_a_small_confusion():
    """Accuracy 5/8; IoU 3/5, 2/5 and 0/1, worked out by hand; a label never painted has none."""
    counts = np.array([[3, 1, 0, 0], [1, 2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    assert pixel_accuracy(counts) == 5 / 8
    assert class_iou(counts) == pytest.approx([3 / 5, 2 / 5, 0, np.nan], nan_ok=True)
    assert mean_iou(counts) == pytest.approx((3 / 5 + 2 / 5 + 0) / 3)


def test_a_rare_label_is_not_averaged():
    """A few wrong pixels of a label that hardly occurs leave the mean alone."""
    counts = np.array([[99_900, 50, 0], [0, 49_000, 0], [5, 0, 0]])
    both = [99_900 / 99_955, 49_000 / 49_050]
    assert mean_iou(counts) == pytest.approx(np.mean(both))
    assert mean_iou(counts, rare=0) == pytest.approx(np.mean([*both, 0]))


def test_merging_the_landscape_leaves_twelve_labels():
    """Seven labels count as another one; the rest count as themselves."""
    table = merge_table(LANDSCAPE, MERGES["landscape"])
    assert len(set(table.tolist())) == 12
    assert table[LANDSCAPE.find("snow")] == LANDSCAPE.find("mountain")
    assert table[LANDSCAPE.find("rock")] == LANDSCAPE.find("rock")


@pytest.mark.parametrize("merges", [{"sea": "lava"}, {"sky": "sea", "sea": "sand"}])
def test_a_merge_that_makes_no_sense_is_refused(merges):
    """Unknown labels and chains are told, not guessed."""
    with pytest.raises(InputError, match="lava|'sea' is merged"):
        merge_table(PALETTE, merges)


def test_margins_are_all_that_accuracy_and_iou_need():
    """Found and painted so, painted so, found so, of each label."""
    counts = np.array([[3, 1], [2, 4]])
    assert margins(counts).tolist() == [[3, 4], [4, 6], [5, 5]]


def test_layouts_that_agree_alike_leave_no_doubt():
    """Whichever are drawn, the figures are the same."""
    one = margins(np.array([[8, 2], [1, 9]]))
    intervals = agreement_intervals([one] * 7)
    assert intervals["pixel_accuracy"] == pytest.approx((0.85, 0.85))
    assert intervals["mean_iou"] == pytest.approx(((8 / 11 + 9 / 12) / 2,) * 2)


def test_an_interval_is_as_wide_as_the_normal_law_says():
    """1.96 standard errors to either side of the mean, for many values of any kind."""
    values = np.random.default_rng(3).exponential(size=400)
    low, high = mean_interval(list(values))
    error = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.25 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.25 * error)


def test_a_label_that_a_draw_lacks_is_left_out_of_its_mean():
    """One layout has all of the sea: many draws have none of it, and none of them is NaN."""
    sky, sea = (margins(np.diag(row)) for row in ([100, 0], [0, 100]))
    low, high = agreement_intervals([sky] * 9 + [sea])["mean_iou"]
    assert (low, high) == (1.0, 1.0)
