"""The part of a canvas that is sampled: all of it, or a region with context, so that cost follows.

A crop begins on a latent pixel and has sides that the network can halve. Noise, layout and picture
are those of the whole canvas, cut; what is made lands where it was cut out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from core.labelmap import Box, mask_box
from core.repaint import Inpaint

EVEN = 2  # of the multiple: an odd innermost side is slower than the next even one
CONTEXT = 24  # pixels around a region that the model sees; docs/decisions/014 has the measurements

Cells = TypeVar("Cells")  # an array or a tensor


@dataclass(frozen=True)
class Crop:
    """A box of a canvas. canvas: (height, width) in pixels. factor: pixels per latent pixel."""

    canvas: tuple[int, int]
    box: Box
    factor: int

    @classmethod
    def whole(cls, canvas: tuple[int, int], factor: int) -> Crop:
        """All of the canvas."""
        height, width = canvas
        return cls(canvas, Box(0, 0, width, height), factor)

    @classmethod
    def of(
        cls, inpaint: Inpaint | None, canvas: tuple[int, int], factor: int, multiple: int
    ) -> Crop:
        """What must be sampled: the region with its context, or without an edit the whole canvas.

        multiple: sides of a canvas are multiples of so many pixels; those of a crop of twice as
        many, or as long as the canvas.
        """
        if inpaint is None:
            return cls.whole(canvas, factor)
        room = room_of(inpaint.region, inpaint.blend, canvas)
        return cls.around(room, canvas, factor, multiple)

    @classmethod
    def around(cls, room: Box, canvas: tuple[int, int], factor: int, multiple: int) -> Crop:
        """The smallest crop that holds `room`, a box of pixels."""
        left, width = _fitted(room.x, room.width, canvas[1], factor, EVEN * multiple)
        top, height = _fitted(room.y, room.height, canvas[0], factor, EVEN * multiple)
        return cls(canvas, Box(left, top, width, height), factor)

    @property
    def is_whole(self) -> bool:
        """True if nothing of the canvas is left out."""
        return (self.box.height, self.box.width) == self.canvas

    @property
    def latent_size(self) -> tuple[int, int]:
        """(height, width) of x, in latent pixels."""
        return self.box.height // self.factor, self.box.width // self.factor

    @property
    def latent_canvas(self) -> tuple[int, int]:
        """(height, width) of the whole canvas in latent pixels."""
        return self.canvas[0] // self.factor, self.canvas[1] // self.factor

    def pixels(self, array: np.ndarray) -> np.ndarray:
        """The crop of an array `[H, W, ...]` of the canvas; a view."""
        return array[self.box.slices]

    def cells(self, x: Cells) -> Cells:
        """The crop of latents `[..., h, w]` of the canvas; a view."""
        top, left = self.box.y // self.factor, self.box.x // self.factor
        height, width = self.latent_size
        return x[..., top : top + height, left : left + width]

    def cells_touched(self, mask: np.ndarray) -> np.ndarray:
        """bool `[h, w]`: the crop's latent pixels in which any pixel of the canvas' mask is set."""
        height, width = self.latent_size
        tiles = self.pixels(mask).reshape(height, self.factor, width, self.factor)
        return tiles.any(axis=(1, 3))


def room_of(region: np.ndarray, blend: np.ndarray, canvas: tuple[int, int]) -> Box:
    """The pixels that an edit needs: its region (bool `[H, W]`) with context, and its blend."""
    x, y, width, height = mask_box(region)
    room = Box(x - CONTEXT, y - CONTEXT, width + 2 * CONTEXT, height + 2 * CONTEXT)
    return room.union(mask_box(blend > 0)).clip(canvas)


def _fitted(start: int, length: int, side: int, factor: int, multiple: int) -> tuple[int, int]:
    """(start, length) of the shortest stretch of a side that a crop can have and that holds it."""
    stop, start = start + length, start // factor * factor
    length = min(side, -(-(stop - start) // multiple) * multiple)
    return min(start, side - length), length
