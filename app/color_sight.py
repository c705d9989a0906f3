"""How far apart colours are to eyes that lack a kind of cone."""

from __future__ import annotations

import cv2
import numpy as np

# Linear sRGB as it looks with all cones, without the long ones and without the middle ones: Viénot,
# Brettel and Mollon, "Digital video colourmaps for checking the legibility of displays by
# dichromats", 1999. One man in fifty lacks one of the two.
SIGHTS = np.array(
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
        [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    ]
)


def least_distances(colors: np.ndarray) -> np.ndarray:
    """float32 `[n, n]`: how far apart colours, uint8 `[n, 3]`, look to the eye that sees the least.

    Distances are those of CIE Lab: 2 can just be told, 100 lies between black and white.
    """
    linear = _linear(colors / 255)
    return np.min([_distances(_coded(linear @ sight.T)) for sight in SIGHTS], axis=0)


def _distances(colors: np.ndarray) -> np.ndarray:
    lab = cv2.cvtColor(colors.astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0]
    return np.linalg.norm(lab[:, None] - lab[None], axis=2)


def _linear(coded: np.ndarray) -> np.ndarray:
    """sRGB values 0..1 as amounts of light."""
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)


def _coded(linear: np.ndarray) -> np.ndarray:
    """The inverse of `_linear`."""
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
