"""Hatches and dots that tell labels apart where colours do not."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from app.color_sight import least_distances
from core.palette import Palette

SIDE = 16  # pixels of a tile
LIGHT, DARK = 1, 2  # a light ink for dark labels, a dark one for light labels
INKS = ((0, 0, 0, 0), (255, 255, 255, 120), (0, 0, 0, 110))  # RGBA of nothing, light, dark
FAR = 25.0  # Lab distance of colours that need no pattern to be told apart
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


Colors = tuple[tuple[int, int, int], ...]  # of all labels, by id


@lru_cache(maxsize=8)
def numbers(colors: Colors) -> tuple[int, ...]:
    """Which of `DRAWINGS` each label has.

    Two labels share one only where their colours can be told apart by every eye. So a label has
    the drawing of its id if that is free or far enough, else the one whose colours are farthest.
    """
    apart = least_distances(np.array(colors, np.uint8))
    chosen: list[int] = []
    for label in range(len(colors)):
        gaps = np.full(len(DRAWINGS), np.inf)
        np.minimum.at(gaps, np.array(chosen, int), apart[label, :label])
        own = label % len(DRAWINGS)
        chosen.append(own if gaps[own] >= FAR else int(gaps.argmax()))
    return tuple(chosen)


def numbers_of(palette: Palette) -> tuple[int, ...]:
    """The same for a palette."""
    return numbers(tuple(c.color for c in palette.classes))


def ink(color: tuple[int, int, int]) -> int:
    """`LIGHT` or `DARK`, whichever shows on a colour."""
    red, green, blue = color
    return DARK if 0.299 * red + 0.587 * green + 0.114 * blue >= BRIGHT else LIGHT


@lru_cache(maxsize=8)
def inked_patterns(colors: Colors) -> np.ndarray:
    """uint8 `[256 * SIDE * SIDE]`: for every id, the ink (0 for none) of each pixel of its tile."""
    tiles = np.zeros((256, SIDE, SIDE), np.uint8)
    for label, (color, number) in enumerate(zip(colors, numbers(colors), strict=True)):
        tiles[label] = DRAWINGS[number] * ink(color)
    return tiles.ravel()


@lru_cache(maxsize=8)
def inks(colors: Colors) -> np.ndarray:
    """uint8 `[256]`: the ink that shows on each label."""
    found = np.zeros(256, np.uint8)
    found[: len(colors)] = [ink(color) for color in colors]
    return found
