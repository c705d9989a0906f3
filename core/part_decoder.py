"""The decoder of a painter, for a box of the picture: every layer computes what the next one needs.

A label reaches far, but a pixel of the decoder sees little: for a tenth of a picture most of it
need not be computed. Each layer is given what the box needs of it. What the padding of its
convolutions spoils at the rim of that is not used, unless the picture ends there.

Areas have sides of few lengths: oneDNN compiles a convolution for every size that it has not met
yet, which takes as long as to compute it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.embedding import Area, Marks
from core.model.autoencoder import Finish, LayoutHint, Residual
from core.model.layers import Modulation

REACHES = {nn.Conv2d: 1, Residual: 2, Finish: 1}  # pixels around a place that a layer looks at
SIDES = 4  # sides of areas are multiples: of so many of their own pixels,
PICTURE_SIDES = 16  # and of so many pixels of the picture

Shares = Callable[[Marks, Area, int], Tensor]  # of labels in the cells of so many pixels of an area


class Level(NamedTuple):
    """A map of the picture: (height, width), and how many picture pixels one of its own is."""

    size: tuple[int, int]
    rate: int

    @property
    def coarser(self) -> Level:
        """The one of which each pixel becomes four."""
        return Level((self.size[0] // 2, self.size[1] // 2), 2 * self.rate)

    def fitted(self, area: Area, outer: Area) -> Area:
        """The area within `outer`, with sides of few lengths."""
        return area.fitted(max(SIDES, PICTURE_SIDES // self.rate), outer)


class Known(NamedTuple):
    """What was computed `[1, C, h, w]`, and which area of its level that is."""

    x: Tensor
    area: Area

    def cut(self, area: Area) -> Tensor:
        """A part of it."""
        return self.x if area == self.area else self.x[..., *area.within(self.area).slices]


class Stack:
    """Layers of one resolution, computed of one area."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        self._layers = layers
        self._reach = sum(REACHES[type(layer)] for layer in layers)

    def needs(self, wanted: Area, level: Level) -> Area:
        return wanted.grown(self._reach, level.size)

    def __call__(self, known: Known, wanted: Area, level: Level) -> Known:
        area = level.fitted(self.needs(wanted, level), known.area)
        x = known.cut(area)
        for layer in self._layers:
            x = _residual(layer, x) if isinstance(layer, Residual) else layer(x)
        return Known(x, area)


class ShuffledConv:
    """A 3x3 convolution and a pixel shuffle. Its channels are in an order that shuffles easily."""

    def __init__(self, conv: nn.Conv2d, lit: bool) -> None:
        weight, bias = (p.detach().unflatten(0, (-1, 4)) for p in (conv.weight, conv.bias))
        self._weight = _laid_out(weight.transpose(0, 1).flatten(0, 1))
        self._bias, self._lit = bias.T.flatten(), lit

    def needs(self, wanted: Area, level: Level) -> Area:
        return wanted.shrunk(2).grown(1, level.coarser.size)

    def __call__(self, known: Known, wanted: Area, level: Level) -> Known:
        area = level.coarser.fitted(self.needs(wanted, level), known.area)
        x = F.silu(known.cut(area)) if self._lit else known.cut(area)
        return Known(_shuffled(F.conv2d(x, self._weight, self._bias, padding=1)), area.enlarged(2))


class UpConv:
    """Nearest upsampling by two and a 3x3 convolution, as four 2x2 ones of the smaller map.

    Of the nine pixels that a pixel sees, those that lie in one cell are equal, so their weights are
    summed beforehand: four ninths of the multiplications.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        rows = _halves(conv.weight.detach().float(), 2)
        quarters = torch.cat([part for row in rows for part in _halves(row, 3)])
        self._weight = _laid_out(quarters.to(conv.weight.dtype))
        self._bias = conv.bias.detach().repeat(4)

    def needs(self, wanted: Area, level: Level) -> Area:
        return wanted.grown(1, level.size).shrunk(2)

    def __call__(self, known: Known, wanted: Area, level: Level) -> Known:
        """The four pixels around a corner of cells come from one place, and lie in four cells: one
        too many at every side."""
        area = level.coarser.fitted(self.needs(wanted, level), known.area)
        x = F.conv2d(known.cut(area), self._weight, self._bias, padding=1)
        return Known(_shuffled(x)[..., 1:-1, 1:-1], area.enlarged(2))


class Hint:
    """x (1 + gamma) + beta, as `core.model.autoencoder.LayoutHint`."""

    def __init__(self, hint: LayoutHint, shares: Shares) -> None:
        self._hint, self._shares = hint, shares
        table = F.silu(hint.shared.weight.detach()[:, :, 0, 0].T + hint.shared.bias.detach())
        self._table = table.contiguous()  # else every pixel's row is gathered number by number

    def __call__(self, known: Known, wanted: Area, level: Level, marks: Marks) -> Known:
        area = level.fitted(wanted, known.area)
        return Known(self._hint(known.cut(area), self._modulation(marks, area, level)), area)

    def _modulation(self, marks: Marks, area: Area, level: Level) -> Modulation:
        around = area.grown(1, level.size)
        pixels = around.enlarged(level.rate)
        if level.rate > 1 or marks.edges is not None:
            modulation = self._hint.modulate(self._shares(marks, pixels, level.rate))
        else:
            modulation = self._hint.spread(self._looked_up(marks.labels[pixels.slices]))
        return tuple(Known(part, around).cut(area) for part in modulation)

    def _looked_up(self, labels: np.ndarray) -> Tensor:
        """A pixel has one label: what the first convolution makes of it stands in the table."""
        ids = torch.from_numpy(labels.astype(np.int32))  # int64 is slow
        return F.embedding(ids.to(self._table.device), self._table).permute(2, 0, 1)[None]


Layer = Stack | ShuffledConv | UpConv


class Step(NamedTuple):
    """Layers of the decoder, how many picture pixels one that they make is, and their hint."""

    layer: Layer
    rate: int
    hint: Hint | None

    def level(self, canvas: tuple[int, int]) -> Level:
        return Level((canvas[0] // self.rate, canvas[1] // self.rate), self.rate)


class PartDecoder:
    """The layers of `core.model.autoencoder.make_decoder`, and the hints that modulate some."""

    def __init__(self, decoder: nn.Sequential, hints: nn.ModuleDict, shares: Shares) -> None:
        self._steps = list(_steps(decoder, hints, shares))

    def needs(self, box: Area, canvas: tuple[int, int]) -> list[Area]:
        """What each step has to be given for a box of the picture, the first one of the latents;
        then the box."""
        areas = [box]
        for step in reversed(self._steps):
            areas.append(step.layer.needs(areas[-1], step.level(canvas)))
        return areas[::-1]

    def paint(self, latents: Known, marks: Marks, areas: Sequence[Area]) -> Tensor:
        """A box of the picture `[1, 3, h, w]` of unnormalised latents.

        areas: what the box needs, of which the latents hold the first.
        """
        canvas, known = marks.labels.shape, latents
        for step, wanted in zip(self._steps, areas[1:], strict=True):
            known = step.layer(known, wanted, step.level(canvas))
            if step.hint is not None:
                known = step.hint(known, wanted, step.level(canvas), marks)
        return known.cut(areas[-1])


def _steps(decoder: nn.Sequential, hints: nn.ModuleDict, shares: Shares) -> Iterator[Step]:
    """The layers, those taken together that belong together."""
    layers, number = list(decoder), 0
    rate = 2 ** sum(isinstance(layer, nn.Upsample | nn.PixelShuffle) for layer in layers)
    while number < len(layers):
        part, count = _part(layers[number:])
        number += count
        rate //= 1 if isinstance(part, Stack) else 2
        key = str(number - 1)
        yield Step(part, rate, Hint(hints[key], shares) if key in hints else None)


def _part(layers: list[nn.Module]) -> tuple[Layer, int]:
    """What the first of the layers become together, and how many these are."""
    match layers:
        case [nn.Upsample(), conv, *_]:
            return UpConv(conv), 2
        case [nn.SiLU(), conv, nn.PixelShuffle(), *_]:
            return ShuffledConv(conv, lit=True), 3
        case [conv, nn.PixelShuffle(), *_]:
            return ShuffledConv(conv, lit=False), 2
    stack = [layers[0]]
    for layer, after in pairwise([*layers[1:], None]):
        if type(layer) not in REACHES or isinstance(after, nn.PixelShuffle):
            break
        stack.append(layer)
    return Stack(stack), len(stack)


def _residual(residual: Residual, x: Tensor) -> Tensor:
    """The same as the module, with no more memory than is needed."""
    _, first, _, last = residual.body
    inner = F.silu(first(F.silu(x)), inplace=True)
    return last(inner).add_(x)


def _shuffled(x: Tensor) -> Tensor:
    """`[N, 4 C, h, w]` as `[N, C, 2h, 2w]`: each quarter of the channels is one pixel of four.

    So pixels are moved, where `nn.PixelShuffle` moves number by number.
    """
    pixels = x.permute(0, 2, 3, 1).unflatten(3, (2, 2, -1))
    return pixels.transpose(2, 3).flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)


def _halves(weight: Tensor, side: int) -> list[Tensor]:
    """Three weights along a side as two, for the pixel before a corner of cells and that behind."""
    first, middle, last = weight.unbind(side)
    return [torch.stack(two, side) for two in ((first + middle, last), (first, middle + last))]


def _laid_out(weight: Tensor) -> Tensor:
    return weight.contiguous(memory_format=torch.channels_last)
