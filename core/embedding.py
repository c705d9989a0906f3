"""The layout's embedding, kept from sample to sample: only what was painted is computed again.

gamma and beta of a pixel come from two 3x3 convolutions of the layout, so a change of the labels
reaches two pixels beyond its rectangle and no further; one pixel in a decoder that reads layouts.
Every value is computed from the labels, never from an older value: nothing adds up. The numbers are
those of the same convolutions over the whole map: equal to the bit in bfloat16 (which rounds away
in what order sums were added), within a few units in the last place in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from core.device import physical_memory
from core.model.layers import Modulation, resize_layout
from core.onehot import one_hot

HALO = 2  # pixels, of at most two 3x3 convolutions
WORTH = 0.5  # share of the map above which it is quicker to compute all of it
MAX_KEPT = 2**28  # bytes of gamma and beta: pictures up to about 1800 squared
# Bytes that each branch of one walk holds on a CPU: all of the papers' networks at 256x256 in
# bfloat16, which is 972 MB, and twice that in float32 with 16 GB and more. What is beyond is
# computed again in every step.
MAX_HELD = max(2**30, physical_memory() // 8)


class Marks(NamedTuple):
    """What networks are shown of a layout: labels uint8 `[H, W]`, instance edges bool or None."""

    labels: np.ndarray
    edges: np.ndarray | None

    def one_hot(self, num_labels: int, device: torch.device, part: Area | None = None) -> Tensor:
        """y `[1, num_labels (+ 1), H, W]`, of a part of the map if one is given."""
        cut = part.slices if part else (slice(None), slice(None))
        labels, edges = (
            None if a is None else torch.from_numpy(np.ascontiguousarray(a[cut]))[None].to(device)
            for a in self
        )
        return one_hot(labels, num_labels, edges)


class Area(NamedTuple):
    """Rows top..bottom and columns left..right of a map, the ends not included."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.bottom - self.top, self.right - self.left

    @property
    def pixels(self) -> int:
        return self.size[0] * self.size[1]

    def shrunk(self, factor: int) -> Area:
        """The pixels, each `factor` squared, that this area touches."""
        return Area(
            self.top // factor,
            self.left // factor,
            -(-self.bottom // factor),
            -(-self.right // factor),
        )

    def enlarged(self, factor: int) -> Area:
        """The same area in pixels `factor` times as fine."""
        return Area(*(side * factor for side in self))

    def grown(self, by: int, size: tuple[int, int]) -> Area:
        """`by` pixels more on every side, but not beyond a map of `size`."""
        return Area(
            max(0, self.top - by),
            max(0, self.left - by),
            min(size[0], self.bottom + by),
            min(size[1], self.right + by),
        )

    def fitted(self, step: int, outer: Area) -> Area:
        """With sides that are multiples of `step`, or all of `outer`, in which it must lie."""
        height, width = (
            min(-(-side // step) * step, most)
            for side, most in zip(self.size, outer.size, strict=True)
        )
        top = self.top - (height - self.size[0]) // 2
        left = self.left - (width - self.size[1]) // 2
        top = max(outer.top, min(top, outer.bottom - height))
        left = max(outer.left, min(left, outer.right - width))
        return Area(top, left, top + height, left + width)

    def within(self, outer: Area) -> Area:
        """This area as the pixels of `outer` count it."""
        top, left = outer.top, outer.left
        return Area(self.top - top, self.left - left, self.bottom - top, self.right - left)


class Reader(Protocol):
    """A network that layouts modulate: an `SDMUNet`, or an `Autoencoder` whose decoder reads."""

    layout_resize: str
    device: torch.device

    def layout_sites(self, size: tuple[int, int]) -> Iterator[tuple[nn.Module, tuple[int, int]]]:
        """Each place, which has `modulate(y)`, with the (height, width) of its y."""

    def scaled_layouts(self, y: Tensor, size: tuple[int, int]) -> dict[tuple[int, int], Tensor]:
        """y at each such (height, width)."""

    def embed_scaled(
        self, scaled: dict[tuple[int, int], Tensor], size: tuple[int, int]
    ) -> list[Modulation | Tensor]:
        """What every place makes of them; y itself where there is no memory to hold that."""

    def embed_layout(self, y: Tensor | None, size: tuple[int, int]) -> list[Modulation | Tensor]:
        """Both at once; None for the null layout."""


class KeptEmbedding:
    """gamma and beta of the layout that one network saw last, and of the null layout."""

    def __init__(self, reader: Reader, num_labels: int) -> None:
        self.reader, self.num_labels = reader, num_labels
        self._marks: Marks | None = None
        self._size = self._null_size = (0, 0)
        self._exact = False  # whether all of it was computed at once
        self._scaled: dict[tuple[int, int], Tensor] = {}
        self._embedding: list[Modulation | Tensor] = []
        self._null: list[Modulation | Tensor] = []

    def of(
        self, marks: Marks, size: tuple[int, int], exact: bool = True
    ) -> list[Modulation | Tensor]:
        """The embedding for x of `size` (height, width); valid until the next call.

        exact: the bits must not depend on what was painted before. Otherwise only the changed
        rectangle and its halo are computed.
        """
        area = self._changed(marks, size)
        stale, self._marks = self._marks is None or (exact and not self._exact), None
        if stale or area.pixels > WORTH * marks.labels.size or (exact and area.pixels):
            self._compute(marks, size)
        elif area.pixels:
            self._update(marks, area)
        if _may_be_kept(self._embedding):
            self._marks = marks
            return self._embedding
        embedding, self._embedding, self._scaled = self._embedding, [], {}
        return embedding

    def null(self, size: tuple[int, int]) -> list[Modulation | Tensor]:
        """The embedding of the layout without labels, for x of `size`."""
        if size == self._null_size:
            return self._null
        null = self.reader.embed_layout(None, size)
        if _may_be_kept(null):
            self._null, self._null_size = null, size
        return null

    def _changed(self, marks: Marks, size: tuple[int, int]) -> Area:
        """Where `marks` differ from those that were seen last; all of the map if they cannot."""
        old, shape = self._marks, marks.labels.shape
        if old is None or self._size != size or old.labels.shape != shape:
            self._marks = None
            return Area(0, 0, *shape)
        differs = old.labels != marks.labels
        if marks.edges is not None:
            differs |= old.edges != marks.edges
        return _bounds(differs)

    def _compute(self, marks: Marks, size: tuple[int, int]) -> None:
        y = marks.one_hot(self.num_labels, self.reader.device)
        self._scaled = self.reader.scaled_layouts(y, size)
        self._embedding = self.reader.embed_scaled(self._scaled, size)
        self._size, self._exact = size, True

    def _update(self, marks: Marks, area: Area) -> None:
        height = marks.labels.shape[0]
        touched = {}
        for size, y in self._scaled.items():
            factor = height // size[0]
            touched[size] = part = area.shrunk(factor)
            fine = marks.one_hot(self.num_labels, y.device, part.enlarged(factor))
            shape = part.bottom - part.top, part.right - part.left
            y[..., *part.slices] = resize_layout(fine, shape, self.reader.layout_resize)
        for (site, size), modulation in zip(
            self.reader.layout_sites(self._size), self._embedding, strict=True
        ):
            _renew(site, modulation, self._scaled[size], touched[size], size)
        self._exact = False


def _renew(
    site: nn.Module, modulation: Modulation, y: Tensor, touched: Area, size: tuple[int, int]
) -> None:
    """Compute gamma and beta again where they see the touched pixels of y, in place."""
    reached = touched.grown(HALO, size)
    seen = reached.grown(HALO, size)  # what the reached pixels look at
    inner = reached.within(seen)
    for kept, part in zip(modulation, site.modulate(y[..., *seen.slices]), strict=True):
        kept[..., *reached.slices] = part[..., *inner.slices]


def _bounds(mask: np.ndarray) -> Area:
    """The smallest area around the True pixels; an empty one if there are none."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    if not len(rows):
        return Area(0, 0, 0, 0)
    return Area(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _may_be_kept(embedding: list[Modulation | Tensor]) -> bool:
    """Whether all of it is there, and not too large to stay after the walk."""
    if not all(isinstance(modulation, tuple) for modulation in embedding):
        return False
    return sum(part.nbytes for modulation in embedding for part in modulation) <= MAX_KEPT


def held_bytes(device: torch.device) -> int:
    """How much of gamma and beta one branch of a walk may hold: `MAX_HELD`, or what a GPU has."""
    if device.type == "cuda":
        return max(MAX_HELD, torch.cuda.mem_get_info(device)[0] // 4)
    return MAX_HELD
