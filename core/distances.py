"""How far two sets of pictures are apart, as plain functions on arrays of features.

Features are float `[N, D]`, one row a picture. Everything is computed in float64; nothing here
knows a network or a file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SUBSETS, SUBSET_SIZE = 100, 500  # of the kernel distance
ROWS = 256  # rows of a distance table at a time


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean `[D]` and covariance `[D, D]` (divided by N - 1) of two or more rows."""
    exact = features.astype(np.float64)
    mean = exact.mean(0)
    centred = exact - mean
    return mean, centred.T @ centred / (len(exact) - 1)


def frechet_distance(
    mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray
) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), the square of the Fréchet distance: FID.

    The trace of (C1 C2)^(1/2) is the sum of the roots of the eigenvalues of the symmetric matrix
    C1^(1/2) C2 C1^(1/2). A general matrix root of C1 C2, as the first implementations have it,
    drifts into complex numbers where there are fewer pictures than features.
    """
    root = _square_root(cov1)
    cross = _eigenvalues(root @ cov2 @ root)
    apart = mean1 - mean2
    return float(apart @ apart + np.trace(cov1) + np.trace(cov2) - 2 * np.sqrt(cross).sum())


def _square_root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(_symmetric(matrix))
    return (vectors * np.sqrt(_without_noise(values))) @ vectors.T


def _eigenvalues(matrix: np.ndarray) -> np.ndarray:
    return _without_noise(np.linalg.eigvalsh(_symmetric(matrix)))


def _symmetric(matrix: np.ndarray) -> np.ndarray:
    return (matrix + matrix.T) / 2


def _without_noise(values: np.ndarray) -> np.ndarray:
    """Eigenvalues that rounding alone can make, negative ones too, set to 0.

    The root would blow them up: of 1e-15 it is 3e-8, and there are thousands.
    """
    least = np.abs(values).max(initial=0.0) * len(values) * np.finfo(np.float64).eps
    return np.where(values > least, values, 0.0)


def kernel_distance(
    a: np.ndarray, b: np.ndarray, subsets: int = SUBSETS, size: int = SUBSET_SIZE, seed: int = 0
) -> tuple[float, float]:
    """KID (Bińkowski et al., arXiv 1801.01401): mean and standard deviation over random subsets.

    Of each subset of `size` rows of either set (fewer if a set is smaller): the unbiased estimate
    of the squared maximum mean discrepancy with the kernel (x · y / D + 1)^3. Unlike the Fréchet
    distance its mean does not depend on the number of pictures; it can come out just below 0.
    """
    rng = np.random.default_rng(seed)
    size = min(size, len(a), len(b))
    estimates = [_discrepancy(_some(a, size, rng), _some(b, size, rng)) for _ in range(subsets)]
    return float(np.mean(estimates)), float(np.std(estimates))


def _some(rows: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    return rows[rng.choice(len(rows), size, replace=False)].astype(np.float64)


def _discrepancy(a: np.ndarray, b: np.ndarray) -> float:
    """Two sets of the same size n; a row is never compared with itself."""
    n = len(a)
    within = sum(kernel.sum() - np.trace(kernel) for kernel in (_kernel(a, a), _kernel(b, b)))
    return within / (n * (n - 1)) - 2 * _kernel(a, b).mean()


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a @ b.T / a.shape[1] + 1) ** 3


def nearest(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row of `a` the index of the nearest row of `b`, and the Euclidean distance to it."""
    index, distance = np.empty(len(a), np.int64), np.empty(len(a))
    b = b.astype(np.float64)
    for start in range(0, len(a), ROWS):
        rows = a[start : start + ROWS].astype(np.float64)
        squares = (rows**2).sum(1)[:, None] + (b**2).sum(1) - 2 * rows @ b.T
        best = squares.argmin(1)
        index[start : start + ROWS] = best
        # The difference itself for the one that was found: squares cancel where rows are equal.
        distance[start : start + ROWS] = np.linalg.norm(rows - b[best], axis=1)
    return index, distance


def diversity(distances: Sequence[Sequence[float]]) -> float:
    """Mean over layouts of the mean distance between the pictures of a layout."""
    return float(np.mean([np.mean(of_layout) for of_layout in distances]))
