"""Pixels of a layout with the same surroundings have the same gamma and beta: computed once.

SPADE's two convolutions of the layout see 5x5 of its pixels. Inside a region, and along a straight
border, those are the same again and again; so training computes each kind of place once and deals
the result out. Exact, and on a CPU most of a step is saved by it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WORTH_IT = 0.7  # share of the pixels that may have surroundings of their own
OUTSIDE = 0x5851F42D4C957F2D  # what lies beyond the edge of a picture, among the codes of pixels


class Surroundings:
    """A layout y `[N, C, H, W]` by the kinds of places that it has.

    kinds: `[N, H, W]`, the kind of each pixel, of as many as there are different 5x5 around pixels.
    """

    def __init__(self, y: Tensor, kinds: Tensor, middles: Tensor) -> None:
        n, channels, height, width = y.shape
        codes = _codes(y)
        inner, firsts = _distinct(_mixed(codes, 1))
        self.kinds = kinds
        self.patches = _around(F.pad(y, (1, 1, 1, 1)).permute(0, 2, 3, 1), firsts, (height, width))
        self.patches = self.patches.flatten(1)  # [kinds of 3x3, 9 * C]
        nowhere = len(firsts)  # a row of zeros: the second convolution pads with them
        padded = F.pad(inner, (1, 1, 1, 1), value=nowhere)[..., None]
        self.windows = _around(padded, middles, (height, width))[..., 0]  # [kinds, 9]

    @classmethod
    def of(cls, y: Tensor) -> Surroundings | None:
        """None where too few places are alike to gain by it."""
        kinds, middles = _distinct(_mixed(_codes(y), 2))
        return cls(y, kinds, middles) if len(middles) < WORTH_IT * kinds.numel() else None

    def modulation(
        self, shared: nn.Conv2d, gamma: nn.Conv2d, beta: nn.Conv2d
    ) -> tuple[Tensor, Tensor]:
        """gamma and beta `[N, C', H, W]`: two convolutions of 3x3 with a ReLU between them."""
        hidden = F.relu(self.patches @ _matrix(shared) + shared.bias)
        hidden = torch.cat([hidden, hidden.new_zeros(1, hidden.shape[1])])
        windows = F.embedding(self.windows, hidden).flatten(1)
        both = windows @ torch.cat([_matrix(gamma), _matrix(beta)], dim=1)
        both = both + torch.cat([gamma.bias, beta.bias])
        dealt = (F.embedding(self.kinds, part) for part in both.chunk(2, dim=1))
        return tuple(part.permute(0, 3, 1, 2) for part in dealt)


def _matrix(conv: nn.Conv2d) -> Tensor:
    """The weights of a convolution of 3x3 as `[9 * in, out]`, places before channels."""
    return conv.weight.permute(2, 3, 1, 0).flatten(0, 2)


def _codes(y: Tensor) -> Tensor:
    """int64 `[N, H, W]`: the same number where the channels are the same.

    Sums with random weights in float64. Others have the same with a chance of about 2 ** -50.
    """
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(y.shape[1], generator=generator, dtype=torch.float64) + 1
    return torch.einsum("nchw,c->nhw", y.double(), weights).view(torch.int64)


def _mixed(codes: Tensor, reach: int) -> Tensor:
    """int64 `[N, H, W]`: the same number where all within `reach` pixels are the same."""
    generator = torch.Generator().manual_seed(reach)
    factors = torch.randint(-(2**63), 2**63 - 1, (2, 2 * reach + 1), generator=generator) | 1
    mixed = F.pad(codes, (reach,) * 4, value=OUTSIDE)
    height, width = codes.shape[1:]
    mixed = sum(mixed[:, :, k : k + width] * f for k, f in enumerate(factors[0]))
    mixed = (mixed ^ (mixed >> 29)) * 0x1B873593CC9E2D51  # so that rows do not simply add up
    return sum(mixed[:, k : k + height] * f for k, f in enumerate(factors[1]))


def _distinct(codes: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers from 0 for the distinct codes `[N, H, W]`, and one pixel of each, as an index."""
    distinct, numbers = torch.unique(codes, return_inverse=True)
    pixels = torch.arange(codes.numel(), device=codes.device)
    firsts = pixels.new_empty(len(distinct)).scatter_(0, numbers.flatten(), pixels)
    return numbers, firsts


def _around(padded: Tensor, pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """`[len(pixels), 9, ...]` of maps `[N, H + 2, W + 2, ...]`: the 3x3 around pixels of `size`."""
    height, width = size
    n, rest = pixels // (height * width), pixels % (height * width)
    rows, columns = rest // width, rest % width
    places = [padded[n, rows + dy, columns + dx] for dy in range(3) for dx in range(3)]
    return torch.stack(places, dim=1)
