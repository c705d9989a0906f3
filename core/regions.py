"""Masks of a local edit: what to repaint, how far around it, and how it blends with the rest.

A region is bool `[H, W]` in pixels of the picture. What is denoised (grown) and what is blended
(feathered) are two things: the first gives the model room, the second hides the seam. Radii are
automatic unless given.
"""

from __future__ import annotations

import cv2
import numpy as np

from core.palette import Palette

GROW = (0.08, 8, 32)  # share of the region's size, at least and at most so many pixels
FEATHER = (0.06, 8, 24)


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """bool `[H, W]`: where two label maps of one shape differ."""
    return before != after


def grow(region: np.ndarray, radius: float) -> np.ndarray:
    """All pixels within `radius` pixels of the region; a radius below 1 adds none."""
    if not region.any():
        return region.copy()
    return _distance(region) <= radius


def feather(region: np.ndarray, radius: float) -> np.ndarray:
    """float32 `[H, W]`: 1 in the region, a smooth fall outside, exactly 0 from `radius` on.

    The fall lies outside because both pictures are nearly the same there: inside, the old content
    would shine through.
    """
    if not region.any():
        return np.zeros(region.shape, np.float32)
    share = np.clip(1 - _distance(region) / max(radius, 1.0), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def grow_radius(region: np.ndarray) -> int:
    """How far an edit of this region influences its surroundings, in pixels."""
    return _radius(region, *GROW)


def feather_radius(region: np.ndarray) -> int:
    """How wide the blend around this region should be, in pixels."""
    return _radius(region, *FEATHER)


def _radius(region: np.ndarray, share: float, low: int, high: int) -> int:
    """A share of the side of a square with the region's area."""
    return round(float(np.clip(share * np.sqrt(np.count_nonzero(region)), low, high)))


def _distance(region: np.ndarray) -> np.ndarray:
    """float32 `[H, W]`: pixels from each pixel to the nearest one of the region."""
    return cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


# -- how much of the old picture an edit has to forget --------------------------------------------

ANEW = 0.96  # the region was erased, something else is wanted: 0.9 % of the signal, 0.6 % at 1
OTHER = 0.8  # a label of another group, sky for grass: 4 % of the old signal is left there
KIN = 0.6  # a label of the same group, bush for tree: 16 %


def automatic_strength(
    before: np.ndarray, after: np.ndarray, region: np.ndarray, palette: Palette
) -> float:
    """The strength of an edit from the labels, uint8 `[H, W]`, of the old and the new layout.

    `ANEW` if nothing changed in the region. Otherwise between `KIN` and `OTHER`, by the share of
    the changed pixels whose label moved to another group of the palette.
    """
    moved = changed(before, after) & region
    if not moved.any():
        return ANEW
    groups = _groups(palette)
    share = float(np.mean(groups[before[moved]] != groups[after[moved]]))
    return round(KIN + share * (OTHER - KIN), 3)


def _groups(palette: Palette) -> np.ndarray:
    """A number for each id's group, int `[256]`; a label without a group is its own."""
    names = [label.group or f"only {label.id}" for label in palette.classes]
    numbers = np.unique(names, return_inverse=True)[1]
    return np.pad(numbers, (0, 256 - len(numbers)))


# -- the outcome ----------------------------------------------------------------------------------


def composite(old: np.ndarray, new: np.ndarray, blend: np.ndarray) -> np.ndarray:
    """Two pictures uint8 `[H, W, 3]` mixed: `new` by its share, `old` untouched where that is 0."""
    share = blend[..., None]
    mixed = np.rint(old + share * (new.astype(np.float32) - old)).astype(np.uint8)
    return np.where(share > 0, mixed, old)
