"""Distances of sets: closed forms, and implementations that share nothing with ours."""

from itertools import product

import numpy as np
import pytest

from core.distances import diversity, frechet_distance, kernel_distance, moments, nearest


def features(rows, columns, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(columns, columns))
    return (rng.normal(size=(rows, columns)) @ mixing + shift).astype(np.float32)


def test_moments_are_those_of_numpy():
    """Mean, and covariance divided by one less than the number of rows."""
    rows = features(20, 5, 0)
    mean, covariance = moments(rows)
    assert mean == pytest.approx(rows.astype(float).mean(0))
    assert covariance == pytest.approx(np.cov(rows.astype(float), rowvar=False))


def test_gaussians_of_one_covariance_are_as_far_apart_as_their_means():
    """Then the trace term is 0, singular covariance or not."""
    for rows in (100, 4):
        _, covariance = moments(features(rows, 12, 1))
        mean = np.arange(12.0)
        distance = frechet_distance(mean, covariance, mean + 2, covariance)
        assert distance == pytest.approx(12 * 4, abs=1e-5)


def test_independent_features_have_a_closed_form():
    """The sum of (sigma1 - sigma2)^2."""
    a, b = np.array([1.0, 4.0, 0.0, 9.0]), np.array([4.0, 1.0, 1.0, 9.0])
    zero = np.zeros(4)
    assert frechet_distance(zero, np.diag(a), zero, np.diag(b)) == pytest.approx(1 + 1 + 1 + 0)


@pytest.mark.parametrize("rows", [60, 9])
def test_frechet_is_the_root_of_the_product(rows):
    """The eigenvalues of C1 C2 itself, a general matrix, give the same trace."""
    (mean1, cov1), (mean2, cov2) = moments(features(rows, 16, 2)), moments(features(50, 16, 3, 1))
    roots = np.sqrt(np.linalg.eigvals(cov1 @ cov2).astype(complex)).real.sum()
    naive = ((mean1 - mean2) ** 2).sum() + np.trace(cov1 + cov2) - 2 * roots
    assert frechet_distance(mean1, cov1, mean2, cov2) == pytest.approx(naive, rel=1e-6)
    assert frechet_distance(mean2, cov2, mean1, cov1) == pytest.approx(naive, rel=1e-6)


def naive_kernel_distance(a, b):
    """The unbiased estimate as the paper writes it, pair by pair."""

    def mean(pairs):
        return np.mean([(x.astype(float) @ y / a.shape[1] + 1) ** 3 for x, y in pairs])

    within = (
        mean((s[i], s[j]) for i, j in product(range(len(s)), repeat=2) if i != j) for s in (a, b)
    )
    return sum(within) - 2 * mean(product(a, b))


def test_one_subset_of_everything_is_the_plain_estimate():
    """No row beside itself, and the cross term has all pairs."""
    a, b = features(7, 3, 4), features(7, 3, 5, 0.5)
    mean, deviation = kernel_distance(a, b, subsets=1, size=7)
    assert mean == pytest.approx(naive_kernel_distance(a, b), rel=1e-9) and deviation == 0


def test_subsets_scatter_around_the_distance():
    """Near 0 for two halves of one set, far from it for a shifted one; a matter of the seed."""
    rows = features(400, 4, 6)
    same = kernel_distance(rows[:200], rows[200:], subsets=40, size=50)
    other = kernel_distance(rows[:200], rows[200:] + 3, subsets=40, size=50)
    assert abs(same[0]) < 3 * same[1] and other[0] > 3 * other[1]
    assert kernel_distance(rows[:200], rows[200:], 40, 50) == same
    assert kernel_distance(rows[:200], rows[200:], 40, 50, seed=1) != same


def test_the_nearest_row_is_found():
    """As by comparing every two; a row that is there is at distance 0 exactly."""
    a, b = features(300, 6, 7), features(50, 6, 8)
    a[290] = b[17]
    index, distance = nearest(a, b)
    table = np.linalg.norm(a[:, None].astype(float) - b, axis=2)
    assert index.tolist() == table.argmin(1).tolist()
    assert distance == pytest.approx(table.min(1)) and distance[290] == 0


def test_diversity_weighs_layouts_alike():
    """The mean over layouts of each layout's own mean."""
    assert diversity([[0.2, 0.4], [0.6]]) == pytest.approx(0.45)
