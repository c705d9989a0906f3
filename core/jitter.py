"""Photos as a segmenter should learn them: from nearer, in other light, soft or grainy.

Pictures of a model are softer than photos and their colours bolder; a segmenter that has seen only
sharp photos would call their water sky. Plain functions on numpy arrays.
"""

from __future__ import annotations

import cv2
import numpy as np

from core.dataset import Sample, cut

SMALLEST = 0.45  # side of a crop, as a share of the photo's
STRETCH = 1.25  # how much wider than high a crop may become, or the other way round
SOFT, GRAIN = 0.35, 0.3  # share of the photos that are blurred, and that are made grainy
SOFTEST, COARSEST = 1.8, 14.0  # deviation of the blur in pixels, of the grain in levels of 255


def random_crop(sample: Sample, size: tuple[int, int], rng: np.random.Generator) -> Sample:
    """A window of the photo, of any scale and a little stretched, at `size` (height, width)."""
    height, width = sample.labels.shape
    share = rng.uniform(SMALLEST, 1.0)
    stretch = STRETCH ** rng.uniform(-0.5, 0.5)
    window = (
        min(height, round(share * height * stretch)),
        min(width, round(share * width / stretch)),
    )
    top, left = (int(rng.integers(have - want + 1)) for have, want in zip((height, width), window))
    part = cut(sample, top, left, window)
    shrinks = window[0] > size[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    image = cv2.resize(part.image, size[::-1], interpolation=how)
    labels = cv2.resize(part.labels, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return Sample(image, labels)


def relight(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other light, uint8 `[H, W, 3]`: gamma, contrast, saturation and tint.

    Mild, because snow and cloud are told from mountain and sky by their brightness.
    """
    pixels = (image / np.float32(255)) ** np.float32(2 ** rng.uniform(-0.4, 0.4))
    grey = pixels.mean(axis=2, keepdims=True)
    pixels = grey + (pixels - grey) * np.float32(rng.uniform(0.6, 1.5))
    mean = pixels.mean()
    pixels = mean + (pixels - mean) * np.float32(rng.uniform(0.8, 1.2))
    pixels *= rng.uniform(0.93, 1.07, 3).astype(np.float32)
    return _bytes(pixels * 255)


def roughen(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Softer, grainier, both or neither, uint8 `[H, W, 3]`: as a model's pictures can be."""
    if rng.random() < SOFT:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, SOFTEST))
    if rng.random() < GRAIN:
        grain = rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(2, COARSEST))
        image = _bytes(image + grain)
    return image


def _bytes(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
