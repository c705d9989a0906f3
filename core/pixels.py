"""Between the networks' pictures and those that people see."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from core.errors import NotAPicture


def from_pixels(images: np.ndarray) -> Tensor:
    """Pictures uint8 `[N, H, W, 3]` as float32 `[N, 3, H, W]` in [-1, 1]: what networks read."""
    pictures = torch.from_numpy(np.ascontiguousarray(images))
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pixels(images: Tensor) -> np.ndarray:
    """Pictures `[N, 3, H, W]` in [-1, 1] as uint8 `[N, H, W, 3]`, clipped."""
    return _pixels(_scaled(images))


def sound_pixels(images: Tensor) -> np.ndarray:
    """The same of pictures that somebody waits for. Raises `NotAPicture` for NaN or infinity."""
    scaled = _scaled(images)
    if not all(end.isfinite() for end in scaled.aminmax()):
        raise NotAPicture()
    return _pixels(scaled)


def _scaled(images: Tensor) -> Tensor:
    """A copy `[N, H, W, 3]` in [0, 255], not clipped."""
    scaled = torch.empty((len(images), *images.shape[2:], 3), device=images.device)
    return scaled.copy_(images.permute(0, 2, 3, 1)).add_(1).mul_(127.5)


def _pixels(scaled: Tensor) -> np.ndarray:
    return scaled.clamp_(0, 255).round_().to(torch.uint8).cpu().numpy()
