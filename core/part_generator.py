"""The generator of a painter, as it is asked while one paints.

It computes what `core.model.instant.Generator` does, in fewer and larger operations: on maps of 8
to 32 pixels a side, which is all of a small picture, every operation costs about the same. What
style and noise tell the levels does not depend on the layout, and is kept. Of the last level, half
of the work, only the part that is wanted is computed.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.embedding import Area
from core.model.instant import Generator, Telling, ToldBlock
from core.painting import Style
from core.part_decoder import SIDES, Known


class TellingLayout:
    """A level's telling, in two: what is said of the layout, and of style and noise."""

    def __init__(self, telling: Telling, labels: int) -> None:
        self._style, self._bias = telling.style, telling.layout.bias.detach()
        weight = telling.layout.weight.detach()
        self._of_layout, self._of_noise = (
            part.contiguous(memory_format=torch.channels_last)
            for part in (weight[:, :labels], weight[:, labels:])
        )

    def beside(self, style: Tensor, noise: Tensor) -> Tensor:
        """What there is beside the layout, `[1, H, h, w]`."""
        noise = noise.contiguous(memory_format=torch.channels_last)
        told = F.conv2d(noise, self._of_noise, self._bias, padding=1)
        return told + self._style(style)[:, :, None, None]

    def __call__(self, y: Tensor, beside: Tensor) -> Tensor:
        return F.silu(F.conv2d(y, self._of_layout, padding=1).add_(beside), inplace=True)


class LevelPart:
    """A level's blocks, with all that is read of its telling read at once."""

    def __init__(self, blocks: nn.ModuleList, before: nn.Conv2d | None) -> None:
        """before: what makes the first features of a telling; None where there are features."""
        reading = [block.modulation for block in blocks]
        reading += [before] if before is not None else []
        self._blocks = list(blocks)
        self._weight = torch.cat([conv.weight.detach() for conv in reading])
        self._bias = torch.cat([conv.bias.detach() for conv in reading])

    def __call__(self, x: Tensor | None, told: Tensor) -> Tensor:
        width = self._blocks[0].first.in_channels
        read = list(F.conv2d(told, self._weight, self._bias).split(width, dim=1))
        if x is None:
            x = read.pop()
        for number, block in enumerate(self._blocks):
            x = _block(block, x, *read[2 * number : 2 * number + 2])
        return x


def _block(block: ToldBlock, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    inner = F.silu(torch.addcmul(beta, block.norm(x), gamma), inplace=True)
    return block.last(F.silu(block.first(inner), inplace=True)).add_(x)


class Kept(NamedTuple):
    """What style and noise tell each level of a canvas, and which they are."""

    about: tuple
    beside: list[Tensor]


class PartGenerator:
    """A `Generator` that was trained. It is used by one thread at a time."""

    def __init__(self, generator: Generator) -> None:
        labels, first = generator.spec.label_channels, [generator.first]
        self._generator, self._kept = generator, Kept((), [])
        self._tellings = [TellingLayout(telling, labels) for telling in generator.told]
        befores = first + [None] * (len(generator.levels) - 1)
        self._levels = [LevelPart(*both) for both in zip(generator.levels, befores, strict=True)]

    @property
    def align(self) -> int:
        """Latent pixels of the coarsest level's."""
        return 2 ** (len(self._levels) - 1)

    def needs(self, wanted: Area, size: tuple[int, int]) -> Area:
        """The area whose layout has a say in an area of latents of `size`."""
        area = wanted.grown(self._generator.reach, size)
        return area.shrunk(self.align).enlarged(self.align)

    def paint(self, y: Known, style: Style, size: tuple[int, int], wanted: Area) -> Known:
        """Normalised latents of an area that holds `wanted`.

        y: shares of labels in the pixels that `needs` tells of.
        """
        last = wanted.grown(self._generator.last_reach, size).fitted(SIDES, y.area)
        layouts, x = self._pyramid(y), None
        beside = self._beside(style, size, y.x)
        for number, (layout, level) in enumerate(zip(layouts, self._levels, strict=True)):
            if number:
                x = self._generator.change[number - 1](x)
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            if number == len(self._levels) - 1:
                layout, x = Known(layout.cut(last), last), Known(x, layout.area).cut(last)
            told = beside[number][..., *layout.area.slices]
            x = level(x, self._tellings[number](layout.x, told))
        return Known(self._generator.out(x), last)

    def _pyramid(self, y: Known) -> list[Known]:
        """Shares of labels in the pixels of every level, the coarsest first."""
        layouts = [y]
        for _ in self._levels[1:]:
            x, area = layouts[0]
            layouts.insert(0, Known(F.avg_pool2d(x, 2), area.shrunk(2)))
        return layouts

    def _beside(self, style: Style, size: tuple[int, int], like: Tensor) -> list[Tensor]:
        """What style and noise tell each level of all latents of `size`; the last is kept."""
        about = style.vector.tobytes(), style.seed, size
        if self._kept.about != about:
            random = torch.Generator().manual_seed(style.seed)
            shapes = self._generator.noise_shapes(*size)
            noise = [torch.randn(1, *shape, generator=random).to(like) for shape in shapes]
            vector = torch.from_numpy(style.vector)[None].to(like)
            told = zip(self._tellings, noise, strict=True)
            self._kept = Kept(about, [telling.beside(vector, level) for telling, level in told])
        return self._kept.beside
