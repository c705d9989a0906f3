"""The features of a folder's photos, kept in files: to draw them takes longer than all the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from core.archive import read_array, write_array
from core.data_trees import IMAGE_SUFFIXES
from core.dataset import read_photo
from core.errors import InputError
from core.features import BATCH, FeatureNetwork
from core.files import reason

SHARD = 256  # photos in one file of the cache: what a run that is stopped can lose


def find_photos(folder: Path) -> list[Path]:
    """The pictures in `folder`/images, or in `folder` itself, by name. Raises `InputError`."""
    inside = folder / "images"
    place = inside if inside.is_dir() else folder
    files = sorted(place.iterdir()) if place.is_dir() else []
    photos = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    if not photos:
        raise InputError(f"{place} has no pictures. --reference needs a folder of photos.")
    return photos


def photo_features(
    network: FeatureNetwork,
    photos: Sequence[Path],
    cache: Path | None = None,
    advance: Callable[[int], object] = lambda photos: None,
    numbers: Iterable[int] | None = None,
) -> np.ndarray:
    """Features of files, float32 `[N, D]`, from the folder `cache` where it has them.

    `advance` is told of every few photos that are done. numbers: of the shards, ascending; None for
    all. Raises `InputError` for a photo that cannot be read or a cache that cannot be written.
    """
    parts = []
    for number in range(shard_count(photos)) if numbers is None else numbers:
        shard = photos[number * SHARD : (number + 1) * SHARD]
        kept = cache and cache / f"{network.name}-{_shard_key(network, shard)}.npz"
        features = _load(kept, len(shard)) if kept else None
        if features is None:
            features = _computed(network, shard, advance)
            if kept:
                _save(kept, features)
        else:
            advance(len(shard))
        parts.append(features)
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def shard_count(photos: Sequence[Path]) -> int:
    """The number of files that their features take."""
    return -(-len(photos) // SHARD)


def _computed(
    network: FeatureNetwork, photos: Sequence[Path], advance: Callable[[int], object]
) -> np.ndarray:
    parts = []
    for start in range(0, len(photos), BATCH):
        images = [read_photo(path) for path in photos[start : start + BATCH]]
        parts.append(network(images))
        advance(len(images))
    return np.concatenate(parts)


def _shard_key(network: FeatureNetwork, photos: Sequence[Path]) -> str:
    """Changes with the network, and with the name, length and time of any file."""
    try:
        stats = [(path.name, path.stat()) for path in photos]
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {reason(error)}.") from error
    lines = [network.identity, *(f"{n} {s.st_size} {s.st_mtime_ns}" for n, s in stats)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _load(path: Path, rows: int) -> np.ndarray | None:
    """What the cache has, or None: a file that is missing or damaged is made again."""
    features = read_array(path, "features")
    return features if features is not None and features.shape[:1] == (rows,) else None


def _save(path: Path, features: np.ndarray) -> None:
    write_array(path, "features", features)
