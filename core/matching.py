"""Does a picture show what was painted? From a segmenter's probabilities to a map and to scores.

A place agrees as far as the label that was painted there is as likely as the most likely one: 1
where they are the same, towards 0 where something else is plain to see. So a segmenter that
hesitates between two labels reports little, and one that is sure reports much.

A segmenter is no perfect judge: some labels it hardly knows on real photos. So each label
is measured by its ceiling, what real photos of it reach: at 1, a picture is as plain as those.
Plain numpy, for both floors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from core.palette import Palette
from core.request import Layout

FACTOR = 4  # pixels of a comparison per pixel of the probabilities, in each direction
DISAGREES = 0.5  # from here on a place counts as something else
LOWEST_CEILING = 0.1  # of a label that the segmenter knows so badly nothing can be said


@dataclass(frozen=True)
class LabelMatch:
    """How one painted label came out.

    agreement: 0..1; real photos of it reach 1 on average. share: of the layout, 0..1. instead: the
    label that its disagreeing pixels look like most, or None where there are none to speak of.
    """

    label: int
    agreement: float
    share: float
    instead: int | None = None


@dataclass(frozen=True, eq=False)
class Match:
    """A picture beside its layout.

    disagreement: float32 `[h, w]` in 0..1, of the picture's proportions but a size of its own.
    labels: those that are painted, the worst first. agreement: the mean likeness of all places,
    0..1. ceiling: what real photos with these labels reach; a picture may pass it. palette: what
    the labels mean.
    """

    disagreement: np.ndarray = field(repr=False)
    labels: tuple[LabelMatch, ...]
    agreement: float
    ceiling: float
    palette: Palette

    def of(self, label: int) -> LabelMatch | None:
        """What is known of one label; None if it is not painted."""
        return next((one for one in self.labels if one.label == label), None)


def compare(
    layout: Layout, probabilities: np.ndarray, ceiling: Sequence[float] | None = None
) -> Match:
    """probabilities: float32 `[labels, h, w]`, ids of the layout's palette. ceiling: the mean
    `likeness` of real photos where they show each label, 0..1; None for 1."""
    painted, found, likeness = seen_beside(layout.labels, probabilities)
    ceilings = np.ones(len(layout.palette)) if ceiling is None else np.array(ceiling)
    ceilings = np.clip(ceilings, LOWEST_CEILING, 1).astype(np.float32)
    disagreement = 1 - np.minimum(1, likeness / ceilings[painted])
    labels: list[LabelMatch] = []
    for label in np.unique(painted).tolist():
        mine = painted == label
        others = found[mine & (disagreement > DISAGREES)]
        instead = int(np.bincount(others).argmax()) if others.size else None
        agreement = min(1.0, float(likeness[mine].mean() / ceilings[label]))
        labels.append(LabelMatch(label, agreement, float(mine.mean()), instead))
    labels.sort(key=lambda one: one.agreement)
    whole, reached = float(likeness.mean()), float(ceilings[painted].mean())
    return Match(disagreement, tuple(labels), whole, reached, layout.palette)


def seen_beside(
    labels: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A label map uint8 `[H, W]` beside what is seen, at `FACTOR` times the size of the latter.

    Gives the painted labels, the most likely ones, and their likeness float32 `[h, w]` in 0..1: how
    likely the painted label is beside the most likely one.
    """
    height, width = (FACTOR * side for side in probabilities.shape[1:])
    painted = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    # One label after the other: all of them at this size would take hundreds of megabytes.
    mine = np.zeros((height, width), np.float32)
    most, found = np.full_like(mine, -np.inf), np.zeros((height, width), np.uint8)
    for label, plane in enumerate(probabilities):
        share = cv2.resize(plane, (width, height))
        np.copyto(mine, share, where=painted == label)
        np.copyto(found, np.uint8(label), where=share > most)
        np.maximum(most, share, out=most)
    return painted, found, mine / most


def resize_shares(shares: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Shares float32 `[labels, h, w]` at another (height, width), smoothly: outlines, no stairs."""
    return np.stack([cv2.resize(plane, size[::-1]) for plane in shares])  # cv2 takes few channels


# -- a region to make anew ------------------------------------------------------------------------


def wrong_region(match: Match, layout: Layout, label: int, size: tuple[int, int]) -> np.ndarray:
    """bool `[H, W]` of `size`: where `label` is painted and something else is to be seen.

    Specks are left out; empty if nothing is left.
    """
    disagreement = cv2.resize(match.disagreement, size[::-1])
    painted = cv2.resize(layout.labels, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    region = ((painted == label) & (disagreement > DISAGREES)).astype(np.uint8)
    kernel = np.ones((3, 3), np.uint8)
    return cv2.morphologyEx(region, cv2.MORPH_OPEN, kernel).astype(bool)


# -- labels from a photo --------------------------------------------------------------------------


def label_map(probabilities: np.ndarray, size: tuple[int, int], smooth: float = 0.0) -> np.ndarray:
    """The most likely labels as a label map to paint on, uint8 `[height, width]` = `size`.

    smooth: side of the window of the majority filter that takes specks away, as a share of the
    shorter side; 0 keeps every pixel. What is left of a label in pieces smaller than the window
    goes to its surroundings.
    """
    found = np.zeros(size, np.uint8)
    best = np.full(size, -1, np.float32)
    for label, plane in enumerate(probabilities):  # one by one: a canvas may be large
        share = cv2.resize(plane, size[::-1])
        better = share > best
        found[better], best[better] = label, share[better]
    window = round(smooth * min(size)) // 2 * 2 + 1
    return without_specks(majority(found, window), window**2) if window > 1 else found


def majority(labels: np.ndarray, window: int) -> np.ndarray:
    """Each pixel takes the most frequent label of the `window` × `window` pixels around it.

    Where two are as frequent, the one that is there stays.
    """
    counts = np.full(labels.shape, -1, np.float32)
    result = labels.copy()
    for label in np.unique(labels):
        mine = labels == label
        count = cv2.blur(mine.astype(np.float32), (window, window), borderType=cv2.BORDER_REFLECT)
        count += mine * np.float32(0.5 / window**2)
        better = count > counts
        result[better], counts[better] = label, count[better]
    return result


def without_specks(labels: np.ndarray, pixels: int) -> np.ndarray:
    """Pieces of fewer than `pixels` pixels take the label of the nearest larger piece."""
    speck = np.zeros(labels.shape, bool)
    for label in np.unique(labels):
        _, numbers, stats, _ = cv2.connectedComponentsWithStats(
            (labels == label).astype(np.uint8), connectivity=4
        )
        small = stats[:, cv2.CC_STAT_AREA] < pixels
        small[0] = False  # everything else
        speck |= small[numbers]
    if not speck.any() or speck.all():
        return labels.copy()
    _, nearest = cv2.distanceTransformWithLabels(
        speck.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    owners = np.zeros(nearest.max() + 1, np.uint8)
    owners[nearest[~speck]] = labels[~speck]
    return owners[nearest]


def recognised(labels: np.ndarray, palette: Palette) -> list[tuple[int, float]]:
    """(label, its share 0..1) of a label map, the largest first."""
    shares = np.bincount(labels.ravel(), minlength=len(palette)) / labels.size
    order = np.argsort(-shares, kind="stable")
    return [(int(label), float(shares[label])) for label in order if shares[label]]


# -- the map to look at ---------------------------------------------------------------------------

# Grey where the picture is as painted, then vermilion, then yellow: of the colours of Okabe and Ito
# (2008) that all eyes tell apart, and ever lighter, so that they can be told without colour too.
RAMP = ((0.0, (213, 94, 0), 0.0), (0.5, (213, 94, 0), 0.8), (1.0, (240, 228, 66), 0.9))
DIMMED = 0.55  # brightness of the grey picture beneath


def heat_colors(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 colours `[..., 3]` in 0..255 and coverage `[..., 1]` in 0..1 of disagreements."""
    places = [place for place, _, _ in RAMP]
    parts = [np.interp(levels, places, [color[i] for _, color, _ in RAMP]) for i in range(3)]
    cover = np.interp(levels, places, [c for _, _, c in RAMP])
    return np.stack(parts, -1).astype(np.float32), cover[..., None].astype(np.float32)


def heat_picture(picture: np.ndarray, disagreement: np.ndarray) -> np.ndarray:
    """The picture uint8 `[H, W, 3]` in grey, with colour where it disagrees with the layout."""
    height, width = picture.shape[:2]
    levels = np.clip(cv2.resize(disagreement, (width, height)), 0, 1)
    grey = picture.mean(2, dtype=np.float32)[..., None] * DIMMED
    colors, cover = heat_colors(levels)
    return np.rint(grey + cover * (colors - grey)).astype(np.uint8)
