"""A small network that says which label each part of a picture looks like.

A U-Net of plain residual convolutions: nearly all its work is done at 1/8 and 1/16 of the picture,
where a landscape's parts are told apart by texture and place; 1/4, where its answer stands, only
sharpens the borders. Normed place by place: group norm takes half of a step's time on a CPU, and
batch norm would let a picture's labels depend on its batch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.model.spec import SegmenterSpec


def _conv(inner: int, outer: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, 3, stride, padding=1)


class PlaceNorm(nn.LayerNorm):
    """Layer norm over the channels of each place of `[N, C, H, W]`."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """x + f(x), with f zero at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        last = _conv(width, width)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.body = nn.Sequential(PlaceNorm(width), _conv(width, width), nn.SiLU(), last)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Whole(nn.Module):
    """Every place learns what the whole picture holds: a flat blue is sea under a beach."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(width, width)
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(self.mix.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(F.silu(x.mean((2, 3))))[:, :, None, None]


class LabelNet(nn.Module):
    """Pictures `[N, 3, H, W]` in [-1, 1] to logits `[N, labels, H/4, W/4]`.

    H and W are multiples of `spec.multiple`. ceiling: `[labels]`, how plain each label is to it on
    real photos (`core.matching`); it does not enter the logits.
    """

    ceiling: Tensor

    def __init__(self, spec: SegmenterSpec) -> None:
        super().__init__()
        self.spec = spec
        first, *_, last = spec.widths
        self.stem = nn.Sequential(nn.PixelUnshuffle(4), _conv(48, first))
        self.levels = nn.ModuleList(
            nn.Sequential(*(Block(w) for _ in range(n)))
            for w, n in zip(spec.widths, spec.blocks, strict=True)
        )
        self.down = nn.ModuleList(
            _conv(a, b, stride=2) for a, b in zip(spec.widths, spec.widths[1:])
        )
        self.whole = Whole(last)
        self.across = nn.ModuleList(nn.Conv2d(w, spec.head, 1) for w in spec.widths)
        # None at 1/4: a block there would cost as much as all the others.
        self.up = nn.ModuleList(Block(spec.head) for _ in spec.widths[2:])
        self.register_buffer("ceiling", torch.ones(spec.labels))
        self.out = nn.Sequential(PlaceNorm(spec.head), nn.SiLU(), _conv(spec.head, spec.labels))

    def forward(self, picture: Tensor) -> Tensor:
        x, kept = self.stem(picture), []
        for index, level in enumerate(self.levels):
            x = level(self.down[index - 1](x) if index else x)
            kept.append(x)
        kept[-1] = self.whole(kept[-1])
        x = self.across[-1](kept[-1])
        for index in reversed(range(len(self.down))):
            x = F.interpolate(x, scale_factor=2, mode="nearest") + self.across[index](kept[index])
            x = self.up[index - 1](x) if index else x
        return self.out(x)
