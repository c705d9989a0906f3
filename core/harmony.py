"""An edit in the light of its surroundings: what is missed of the known part tells it."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from core.inpainting import Original
from core.sampling import Denoise
from core.schedule import Prediction

REACH = 32  # pixels over which light and colours are taken up
FADE = 0.03  # of the known part's weight: where less of it is near, little is carried there


class Harmonised:
    """`denoise`, whose x0 in the region is shifted by what it gets wrong around it.

    Early on a network hardly sees what is known: it takes the light and the colours of a scene from
    its noise, and a region would keep those. What it predicts for the known part shows how far off
    it is; that difference, smoothed over `reach` cells, is carried into the region and fades there.
    """

    def __init__(self, denoise: Denoise, original: Original, region: Tensor, reach: float) -> None:
        self.denoise, self.original, self.reach = denoise, original, reach
        self.region = region.to(original.x0.dtype)
        self.around = smooth((1 - self.region)[None, None], reach)

    def __call__(self, x: Tensor, t: int) -> Prediction:
        prediction = self.denoise(x, t)
        missed = (self.original.expected(t) - prediction.x0) * (1 - self.region)
        carried = smooth(missed, self.reach) / (self.around + FADE)
        x0 = prediction.x0 + carried * self.region
        return Prediction(self.original.schedule.eps_from_x0(x, t, x0), x0, prediction.v)


def smooth(x: Tensor, sigma: float) -> Tensor:
    """x `[N, C, h, w]` under a Gaussian, with zeros around it.

    As a product with one matrix a side: a map of latents is small, and a convolution of so many
    taps takes sixteen times as long.
    """
    rows, columns = (_bells(side, sigma).to(x) for side in x.shape[-2:])
    return rows @ x @ columns


@lru_cache(maxsize=16)
def _bells(side: int, sigma: float) -> Tensor:
    """`[side, side]`: the Gaussian around each place; its sum is 1 far from the borders."""
    radius = math.ceil(3 * sigma)
    steps = torch.arange(side).float()
    away = (steps[:, None] - steps).abs()
    whole = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2).sum()
    return torch.exp(-0.5 * (away / sigma) ** 2).masked_fill(away > radius, 0) / whole
