"""Hatches and dots that tell labels apart where colours do not."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

SIDE = 16  # pixels of a tile
LIGHT, DARK = 1, 2  # a light ink for dark labels, a dark one for light labels
INKS = ((0, 0, 0, 0), (255, 255, 255, 120), (0, 0, 0, 110))  # RGBA of nothing, light, dark
BRIGHT = 110  # luma, 0..255, from which a colour takes the dark ink


def _draw() -> np.ndarray:
    """uint8 0 or 1 `[24, SIDE, SIDE]`: twelve drawings, then the same twice as large."""
    y, x = np.mgrid[0:8, 0:8]
    rising, falling = (x + y) % 8, (x - y) % 8
    drawings = (
        rising == 0,
        falling == 0,
        y == 0,
        x == 0,
        (x % 4 < 2) & (y % 4 < 2) & ((x < 4) == (y < 4)),  # dots
        (x == 0) | (y == 0),
        (rising == 0) | (falling == 0),
        rising < 3,
        falling < 3,
        ((y == 0) & (x < 4)) | ((y == 4) & (x >= 4)),  # bricks' joints
        (x < 4) == (y < 4),  # checks
        abs(x - 4) == y % 4,  # zigzag
    )
    small = [np.tile(drawing, (2, 2)) for drawing in drawings]
    large = [drawing.repeat(2, axis=0).repeat(2, axis=1) for drawing in drawings]
    return np.stack(small + large).astype(np.uint8)


DRAWINGS = _draw()


def pattern(label: int) -> np.ndarray:
    """The pattern of an id, uint8 0 or 1 `[SIDE, SIDE]`; it repeats in both directions."""
    return DRAWINGS[label % len(DRAWINGS)]


def ink(color: tuple[int, int, int]) -> int:
    """`LIGHT` or `DARK`, whichever shows on a colour."""
    red, green, blue = color
    return DARK if 0.299 * red + 0.587 * green + 0.114 * blue >= BRIGHT else LIGHT


@lru_cache(maxsize=8)
def inked_patterns(colors: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    """uint8 `[256 * SIDE * SIDE]`: for every id, the ink (0 for none) of each pixel of its tile."""
    tiles = np.zeros((256, SIDE, SIDE), np.uint8)
    for label, color in enumerate(colors):
        tiles[label] = pattern(label) * ink(color)
    return tiles.ravel()


@lru_cache(maxsize=8)
def inks(colors: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    """uint8 `[256]`: the ink that shows on each label."""
    found = np.zeros(256, np.uint8)
    found[: len(colors)] = [ink(color) for color in colors]
    return found
