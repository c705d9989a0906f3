"""How far pictures are from photos as a set: FID, KID, the same on Places features, the nearest.

The photos are a reference folder, as a rule those that the model was trained on. Beside each figure
stands what real photos get, because no distance is 0 for a finite number of pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from core import distributed
from core.command import progress_bar
from core.dataset import read_photo
from core.distances import frechet_distance, kernel_distance, moments, nearest
from core.feature_cache import find_photos, photo_features, shard_count
from core.features import FeatureNetwork
from core.sheets import sheet

# The names of the Fréchet and the kernel distance on a network's features, where not fd_NAME.
DISTANCES = {"inception": ("fid", "kid"), "places": ("fd_places", "kd_places")}
NEAR = (
    0.05  # the quantile of the photos' distances under which a picture counts as suspiciously near
)
NEAREST_NETWORK = "places"
PAIRS_A_ROW = 4  # on the sheet of nearest photos


@dataclass(frozen=True, eq=False)
class Reference:
    """Photos to compare with: their features by network's name, float32 `[N, D]` each."""

    folder: str
    photos: Sequence[Path]
    features: dict[str, np.ndarray] = field(repr=False)

    @classmethod
    def open(
        cls, folder: Path, networks: Sequence[FeatureNetwork], cache: Path | None = None
    ) -> Reference:
        """Draw the features of a folder's photos, or find them in `cache`. Raises `InputError`.

        Several processes share the work by means of `cache`, which they need then.
        """
        photos, features = find_photos(folder), {}
        for network in networks:
            title, silent = f"Reference, {network.name}", distributed.rank() > 0
            with progress_bar(len(photos), title, silent) as bar:
                mine = distributed.shared_range(shard_count(photos))
                features[network.name] = photo_features(network, photos, cache, bar.update, mine)
            if distributed.world() > 1:
                features[network.name] = photo_features(network, photos, cache)
        return cls(folder.resolve().name, photos, features)

    def __len__(self) -> int:
        return len(self.photos)

    @cached_property
    def moments(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Mean and covariance by network: the same for every set that is compared."""
        return {name: moments(rows) for name, rows in self.features.items()}


def distances(features: dict[str, np.ndarray], reference: Reference) -> dict[str, float]:
    """The figures of one set of pictures against the reference, by name."""
    figures: dict[str, float] = {}
    for name, rows in features.items():
        figures |= _figures(name, rows, reference.features[name], reference.moments[name])
    return figures


def split_distances(reference: Reference, count: int, seed: int = 0) -> dict[str, float]:
    """Some `count` photos of the reference, drawn at random, against the rest of it.

    At most half of them. What is left of a distance when both sides are real: its bias for this
    number of pictures.
    """
    total = len(reference.photos)
    order = np.random.default_rng(seed).permutation(total)
    few, rest = np.split(order, [min(count, total // 2)])
    figures: dict[str, float] = {"photos": len(few)}
    for name, rows in reference.features.items():
        figures |= _figures(name, rows[few], rows[rest], moments(rows[rest]))
    return figures


def _figures(
    network: str,
    rows: np.ndarray,
    others: np.ndarray,
    other_moments: tuple[np.ndarray, np.ndarray],
) -> dict[str, float]:
    frechet, kernel = DISTANCES.get(network, (f"fd_{network}", f"kd_{network}"))
    mean, deviation = kernel_distance(rows, others)
    return {
        frechet: frechet_distance(*other_moments, *moments(rows)),
        kernel: mean,
        f"{kernel}_deviation": deviation,
    }


# -- memorising -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Nearest:
    """Pictures beside the reference photo that is nearest to each, nearest pair first."""

    names: list[str]
    pictures: list[np.ndarray]
    photos: list[Path]
    distances: np.ndarray


def evenly(total: int, count: int) -> frozenset[int]:
    """`count` of the numbers 0..total - 1, spread evenly; all of them if there are fewer."""
    return frozenset(np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist())


def nearest_photos(
    named: Sequence[tuple[str, np.ndarray]], network: FeatureNetwork, reference: Reference
) -> Nearest:
    """For each named picture the nearest photo of `reference`, by Euclidean feature distance.

    The picture's mirror image counts too: training mirrors the photos.
    """
    names, pictures = [name for name, _ in named], [picture for _, picture in named]
    others = reference.features[network.name]
    either = [nearest(network(images), others) for images in (pictures, _mirrored(pictures))]
    indices, lengths = (np.stack(part) for part in zip(*either, strict=True))
    side = lengths.argmin(0)
    columns = np.arange(len(pictures))
    found, length = indices[side, columns], lengths[side, columns]
    order = np.argsort(length, kind="stable")
    return Nearest(
        [names[i] for i in order],
        [pictures[i] for i in order],
        [reference.photos[found[i]] for i in order],
        length[order],
    )


def _mirrored(pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]


def nearest_figures(pictures: Nearest, real: Nearest) -> dict:
    """Both distributions of distances, and how many pictures are nearer than nearly all photos.

    A model that has learned and not memorised keeps about the photos' distance: `nearer_share` is
    then near `NEAR` or below.
    """
    limit = np.quantile(real.distances, NEAR)
    return {
        "pictures": _distribution(pictures.distances),
        "photos": _distribution(real.distances),
        "nearer_than": float(limit),
        "nearer_share": float(np.mean(pictures.distances < limit)),
        "pairs": [
            {"layout": name, "photo": photo.name, "distance": float(distance)}
            for name, photo, distance in zip(
                pictures.names, pictures.photos, pictures.distances, strict=True
            )
        ],
    }


def _distribution(values: np.ndarray) -> dict[str, float]:
    quantiles = {"least": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95}
    spread = {name: float(np.quantile(values, q)) for name, q in quantiles.items()}
    return {"count": len(values), **spread, "mean": float(values.mean())}


def nearest_sheet(found: Nearest) -> np.ndarray:
    """Each picture beside its nearest photo, with names and distance; nearest first."""
    pairs = [
        ((picture, read_photo(photo)), (f"of {name}", f"{photo.stem}: {distance:.2f}"))
        for name, picture, photo, distance in zip(
            found.names, found.pictures, found.photos, found.distances, strict=True
        )
    ]
    starts = range(0, len(pairs), PAIRS_A_ROW)
    lines = [pairs[i : i + PAIRS_A_ROW] for i in starts]
    rows = [[image for images, _ in line for image in images] for line in lines]
    captions = [[text for _, texts in line for text in texts] for line in lines]
    return sheet(rows, captions)
