"""What differs from place to place within a picture: its guidance scale, the seed of its noise."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from core.request import SampleRequest
from core.sampling import Noise, SeedNoise


def scale_map(
    request: SampleRequest, size: tuple[int, int], device: torch.device | str = "cpu"
) -> Tensor | None:
    """The request's guidance map `[1, 1, h, w]` at the size of x: the mean over each of its cells.

    None if the request has none.
    """
    if request.guidance_map is None:
        return None
    height, width = size
    resized = cv2.resize(request.guidance_map, (width, height), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(resized)[None, None].to(device)


def noise_of(
    request: SampleRequest, shape: Sequence[int], device: torch.device | str = "cpu"
) -> Noise:
    """The request's noise, `[N, *shape]` a draw: of the pictures' seeds, or from place to place of
    the seeds in its map. shape: (C, h, w) of x."""
    noise = SeedNoise(request.seeds, shape, device)
    if request.seed_map is None:
        return noise
    return AreaNoise(noise, middles(request.seed_map, tuple(shape[-2:])))


def middles(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`[H, W]` at a smaller `size`: what stands in the middle of each cell."""
    rows, columns = (
        ((np.arange(out) + 0.5) * (full / out)).astype(np.intp)
        for full, out in zip(values.shape, size, strict=True)
    )
    return values[rows[:, None], columns]


class AreaNoise:
    """The noise of several seeds, each in its own area, as one.

    Every pixel is taken whole from one stream, so its variance is exactly 1, and an area has the
    noise that a whole picture of its seed would have there. Noise has no neighbours: where two
    seeds meet there is no border to feather. seeds: int `[h, w]`; -1 leaves the pixel to `noise`.
    """

    def __init__(self, noise: SeedNoise, seeds: np.ndarray) -> None:
        own = [int(seed) for seed in np.unique(seeds) if seed >= 0]
        self._noise = noise
        self._streams = SeedNoise(own, noise.shape, noise.device)
        self._areas = [torch.from_numpy(seeds == seed).to(noise.device) for seed in own]

    def __call__(self) -> Tensor:
        drawn = self._noise()
        if not self._areas:
            return drawn
        for area, own in zip(self._areas, self._streams(), strict=True):
            drawn = torch.where(area, own, drawn)
        return drawn
