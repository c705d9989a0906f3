"""Our metrics on random data beside those of the packages that people report with.

The stored figures came from pytorch-fid 0.3.0 and scikit-learn 1.9.1; where the extra `reference`
is installed, the packages are asked again. LPIPS has its own file.
"""

import numpy as np
import pytest

from core.agreement import class_iou, confusion, pixel_accuracy
from core.distances import frechet_distance, moments

FRECHET = {
    60: 12.260069030817,
    9: 63.302905854,
}  # by number of rows: more, and fewer, than features
CONFUSION = [
    [741, 49, 63, 59, 73],
    [27, 463, 28, 40, 51],
    [17, 19, 221, 21, 25],
    [0, 0, 0, 0, 0],
    [7, 3, 4, 7, 82],
]
IOU = [0.7152509652509652, 0.6808823529411765, 0.5552763819095478, 0.3253968253968254]
ACCURACY = 0.7535


def features(rows):
    """Two sets `[rows, 12]` and `[80, 12]` of mixed features."""
    rng = np.random.RandomState(3)
    mixing = rng.randn(12, 12)
    return rng.randn(rows, 12) @ mixing, rng.randn(80, 12) @ mixing + 0.3


def maps():
    """A painted map of five labels, of which one never occurs, and one found in it."""
    rng = np.random.RandomState(4)
    truth = rng.choice([0, 1, 2, 4], size=(40, 50), p=[0.5, 0.3, 0.15, 0.05]).astype(np.uint8)
    wrong = rng.rand(40, 50) < 0.3
    return truth, np.where(wrong, rng.randint(0, 5, (40, 50)), truth).astype(np.uint8)


@pytest.mark.parametrize("rows", [60, 9])
def test_frechet_is_that_of_pytorch_fid(rows):
    """Also where the covariance is singular; its matrix root is good to about six digits there."""
    a, b = features(rows)
    assert frechet_distance(*moments(a), *moments(b)) == pytest.approx(FRECHET[rows], rel=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("rows", [60, 9])
def test_the_stored_distance_is_the_package_s(rows):
    """`calculate_frechet_distance` on the same mean and covariance."""
    package = pytest.importorskip("pytorch_fid.fid_score")
    a, b = features(rows)
    found = package.calculate_frechet_distance(*moments(a), *moments(b))
    assert found == pytest.approx(FRECHET[rows], rel=1e-5)


def test_agreement_is_that_of_scikit_learn():
    """Confusion, accuracy and the Jaccard index; NaN for what was never painted."""
    truth, found = maps()
    counts = confusion(truth, found, 5)
    assert counts.tolist() == CONFUSION
    assert pixel_accuracy(counts) == pytest.approx(ACCURACY)
    iou = class_iou(counts)
    assert np.isnan(iou[3]) and iou[[0, 1, 2, 4]] == pytest.approx(IOU)


def test_the_stored_agreement_is_the_package_s():
    """It gives 0 for a label that is found and never painted."""
    package = pytest.importorskip("sklearn.metrics")
    truth, found = (labels.ravel() for labels in maps())
    assert package.confusion_matrix(truth, found, labels=range(5)).tolist() == CONFUSION
    assert package.accuracy_score(truth, found) == pytest.approx(ACCURACY)
    iou = package.jaccard_score(truth, found, labels=range(5), average=None)
    assert iou[3] == 0 and iou[[0, 1, 2, 4]] == pytest.approx(IOU)
