"""Agreement of label maps: confusion, accuracy, intersection over union, and how sure they are.

Plain functions on numpy arrays. Labels that a segmenter cannot tell apart are merged before they
are counted; docs/evaluate.md says how to read the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core.errors import InputError
from core.palette import Palette

RARE = 0.001  # share of the layouts' pixels below which a label is listed but not averaged
RESAMPLES = 1000  # of the bootstrap
COVERAGE = 0.95  # of its intervals

# Labels that a segmenter cannot tell apart, by palette: the first counts as the second.
MERGES: dict[str, dict[str, str]] = {
    "landscape": {
        "snow": "mountain",
        "cloud": "sky",
        "hill": "mountain",
        "bush": "tree",
        "field": "grass",
        "sea": "water",
        "waterfall": "water",
    },
}

Interval = tuple[float, float]


def confusion(truth: np.ndarray, found: np.ndarray, labels: int) -> np.ndarray:
    """Pixel counts int64 `[labels, labels]`: row = painted id, column = found id. They add up."""
    places = truth.astype(np.int64).ravel() * labels + found.ravel()
    return np.bincount(places, minlength=labels**2).reshape(labels, labels)


def margins(counts: np.ndarray) -> np.ndarray:
    """int64 `[3, labels]`: pixels that are painted and found so, painted so, found so.

    All that accuracy and IoU depend on, at a hundredth of a confusion's size; they add up too.
    """
    return np.stack([np.diag(counts), counts.sum(1), counts.sum(0)])


def pixel_accuracy(counts: np.ndarray) -> float:
    """Share of pixels, 0..1, whose found label is the painted one."""
    return _accuracy(margins(counts))


def class_iou(counts: np.ndarray) -> np.ndarray:
    """Intersection over union, float64 `[labels]` in 0..1; NaN for a label never painted."""
    return _iou(margins(counts))


def mean_iou(counts: np.ndarray, rare: float = RARE) -> float:
    """Mean `class_iou` over the labels that cover at least the share `rare` of the painted pixels.

    A handful of pixels of one label in one photo would otherwise weigh as much as the sky.
    """
    chosen = averaged(painted_shares(counts), rare)
    return float(class_iou(counts)[chosen].mean()) if chosen.any() else float("nan")


def painted_shares(counts: np.ndarray) -> np.ndarray:
    """Share of the painted pixels that each label covers, float64 `[labels]`, sum 1."""
    return counts.sum(1) / max(1, counts.sum())


def averaged(shares: np.ndarray, rare: float = RARE) -> np.ndarray:
    """Which labels the mean IoU takes in, bool `[labels]`."""
    return (shares >= rare) & (shares > 0)


def _accuracy(sums: np.ndarray) -> float:
    both, painted, _ = sums
    return float(both.sum() / max(1, painted.sum()))


def _iou(sums: np.ndarray) -> np.ndarray:
    both, painted, found = sums
    return np.where(painted > 0, both / np.maximum(1, painted + found - both), np.nan)


# -- intervals ------------------------------------------------------------------------------------


def agreement_intervals(per_layout: Sequence[np.ndarray], seed: int = 0) -> dict[str, Interval]:
    """95 % bootstrap intervals of `pixel_accuracy` and `mean_iou`.

    per_layout: `margins` of each layout. Layouts are drawn again, with replacement; the pictures of
    a layout stay together, for they succeed or fail together. The labels that are averaged are
    those of the whole set, so that every draw measures the same thing.
    """
    sums = np.stack(per_layout)
    whole = sums.sum(0)
    chosen = averaged(whole[1] / max(1, whole[1].sum()))
    drawn = (_times(weights, sums) for weights in _draws(len(sums), seed))
    accuracy, iou = [], []
    for draw in drawn:
        values = _iou(draw)[chosen]
        accuracy.append(_accuracy(draw))
        iou.append(values[~np.isnan(values)].mean() if (draw[1][chosen] > 0).any() else np.nan)
    return {"pixel_accuracy": _middle(accuracy), "mean_iou": _middle(iou)}


def mean_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """95 % bootstrap interval of the mean of `values`, one of each layout."""
    given = np.asarray(values, np.float64)
    return _middle([weights @ given / len(given) for weights in _draws(len(given), seed)])


def _draws(layouts: int, seed: int) -> np.ndarray:
    """int64 `[RESAMPLES, layouts]`: how often each layout is drawn."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(layouts, np.full(layouts, 1 / layouts), size=RESAMPLES)


def _times(weights: np.ndarray, sums: np.ndarray) -> np.ndarray:
    return (weights @ sums.reshape(len(sums), -1)).reshape(sums.shape[1:])


def _middle(values: Sequence[float]) -> Interval:
    tail = (1 - COVERAGE) / 2
    low, high = np.nanquantile(values, (tail, 1 - tail))
    return float(low), float(high)


# -- merging --------------------------------------------------------------------------------------


def merge_table(palette: Palette, merges: Mapping[str, str]) -> np.ndarray:
    """uint8 `[labels]`: the id that each id counts as.

    Raises `InputError` for a name that the palette does not have, or if a label that others count
    as is merged itself.
    """
    table = np.arange(len(palette), dtype=np.uint8)
    for name, target in merges.items():
        ids = [palette.find(word) for word in (name, target)]
        if None in ids:
            unknown = (name, target)[ids.index(None)]
            raise InputError(f"Palette {palette.name!r} has no label {unknown!r} to merge.")
        table[ids[0]] = ids[1]
    chained = [palette[i].name for i in set(table.tolist()) if table[i] != i]
    if chained:
        raise InputError(f"Label {chained[0]!r} is merged, and others are merged into it.")
    return table
