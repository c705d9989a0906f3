"""How far apart colours are to eyes that lack a kind of cone."""

from __future__ import annotations

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


TO_XYZ = np.array(  # of linear sRGB, IEC 61966-2-1
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = TO_XYZ.sum(1)  # D65


def least_distances(colors: np.ndarray) -> np.ndarray:
    """float32 `[n, n]`: how far apart colours, uint8 `[n, 3]`, look to the eye that sees the least.

    Distances are those of CIE Lab: 2 can just be told, 100 lies between black and white.
    """
    linear = _linear(colors / 255)
    return np.min([_distances(linear @ sight.T) for sight in SIGHTS], axis=0)


def _distances(linear: np.ndarray) -> np.ndarray:
    lab = _lab(linear.clip(0, 1))
    return np.linalg.norm(lab[:, None] - lab[None], axis=2)


def _lab(linear: np.ndarray) -> np.ndarray:
    """CIE Lab of linear sRGB. OpenCV's own way to it builds tables for a tenth of a second first,
    and that would hold up the window."""
    x, y, z = (linear @ TO_XYZ.T / WHITE).T
    x, y, z = (np.where(v > 216 / 24389, np.cbrt(v), v * 841 / 108 + 4 / 29) for v in (x, y, z))
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1).astype(np.float32)


def _linear(coded: np.ndarray) -> np.ndarray:
    """sRGB values 0..1 as amounts of light."""
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
