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
    scaled = images.float().clamp(-1, 1).add(1).mul(127.5).round()
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).cpu().contiguous().numpy()


def sound_pixels(images: Tensor) -> np.ndarray:
    """The same of pictures that somebody waits for. Raises `NotAPicture` for NaN or infinity."""
    if not images.isfinite().all():
        raise NotAPicture()
    return to_pixels(images)
