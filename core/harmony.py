"""An edit in the light of its surroundings: what is missed of the known part tells it."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d

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
    """x `[N, C, h, w]` under a Gaussian, with zeros around it."""
    radius, channels = math.ceil(3 * sigma), x.shape[1]
    places = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    bell = torch.exp(-0.5 * (places / sigma) ** 2)
    bell = (bell / bell.sum()).expand(channels, 1, -1)
    x = conv2d(x, bell[:, :, None], padding=(0, radius), groups=channels)
    return conv2d(x, bell[..., None], padding=(radius, 0), groups=channels)
