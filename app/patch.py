"""Pieces of a label map, kept small: what a step needs to be taken back."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from core.labelmap import NO_BOX, Box

TILE = 256  # side of the squares that a map is remembered in
WORTH_PACKING = 256  # bytes; less is not made smaller

Content = int | np.ndarray | bytes  # one label all over, uint8 [h, w], or that compressed


class Patch:
    """Pixels of some boxes of a label map. A box of one label costs nothing but its number."""

    def __init__(self, pieces: Iterable[tuple[Box, np.ndarray]]) -> None:
        """pieces: boxes with their pixels, uint8 `[height, width]`, which are copied."""
        self._hold([(box, _content(pixels)) for box, pixels in pieces])

    @classmethod
    def of(cls, labels: np.ndarray, boxes: Iterable[Box] | None = None) -> Patch:
        """What `boxes` of a label map hold now; without boxes, all of the map."""
        boxes = tiles(whole(labels), labels.shape) if boxes is None else boxes
        return cls((box, labels[box.slices]) for box in boxes)

    @property
    def boxes(self) -> list[Box]:
        """Where the pieces lie."""
        return [box for box, _ in self._pieces]

    @property
    def box(self) -> Box:
        """The smallest box around all pieces."""
        around = NO_BOX
        for box in self.boxes:
            around = around.union(box)
        return around

    def pack(self) -> None:
        """Compress what is worth it; the patch can do all that it could before."""
        if not self._is_packed:
            self._hold([(box, _packed(content)) for box, content in self._pieces])
            self._is_packed = True

    def _hold(self, pieces: list[tuple[Box, Content]]) -> None:
        self._pieces, self._is_packed = pieces, False
        self.nbytes = sum(_size(content) for _, content in pieces)  # memory that the pixels take

    def paste(self, labels: np.ndarray) -> None:
        """Put the pixels into a label map, uint8 `[H, W]`."""
        for box, content in self._pieces:
            labels[box.slices] = _pixels(box, content)


def whole(labels: np.ndarray) -> Box:
    """The box of all pixels of a label map."""
    height, width = labels.shape
    return Box(0, 0, width, height)


def tiles(box: Box, shape: Sequence[int]) -> Iterator[Box]:
    """The squares of a grid over a map of `shape` (H, W) that `box` touches; smaller at the rim."""
    for y in range(box.y // TILE * TILE, box.y + box.height, TILE):
        for x in range(box.x // TILE * TILE, box.x + box.width, TILE):
            yield Box(x, y, TILE, TILE).clip(shape)


def _content(pixels: np.ndarray) -> Content:
    first = int(pixels[0, 0])
    return first if (pixels == first).all() else pixels.copy()


def _size(content: Content) -> int:
    if isinstance(content, int):
        return 0
    return len(content) if isinstance(content, bytes) else content.nbytes


def _packed(content: Content) -> Content:
    if isinstance(content, np.ndarray) and content.nbytes >= WORTH_PACKING:
        return zlib.compress(content, level=1)
    return content


def _pixels(box: Box, content: Content) -> int | np.ndarray:
    if not isinstance(content, bytes):
        return content
    return np.frombuffer(zlib.decompress(content), np.uint8).reshape(box.height, box.width)
