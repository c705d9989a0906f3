"""Pairs of photo and label map: finding and checking them, and the order to learn them in.

Which folders hold what says `core.data_trees`; the quirks of a dataset's numbers are entries of its
Palette, never an `if` here.

Every sample of a run has a seed that follows from the run's seed and the sample's place in the run.
So step k sees the same pictures, crops and noise whether the run was resumed or not, and on however
many processes it is spread.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from core.data_index import Checked, indexed
from core.data_trees import BY_NAME, TRAIN, DatasetError, Pair, recognise
from core.errors import brief
from core.labelmap import MAX_PIXELS, layout_edges, nearest_resize
from core.palette import Palette
from core.part_masks import merged_parts
from core.pixels import from_pixels
from core.png_chunks import SIGNATURE, lengths_fit


@dataclass(frozen=True, eq=False)
class Sample:
    """One pair: image uint8 `[H, W, 3]`, labels uint8 `[H, W]`, instances int32 or None."""

    image: np.ndarray
    labels: np.ndarray
    instances: np.ndarray | None = None


def find_pairs(
    root: str | Path, split: str = TRAIN, tree: str | None = None
) -> tuple[list[Pair], list[str]]:
    """Pairs of a split under `root`, by name, and a sentence for each file without a partner.

    tree: the name of one of `TREES`; None recognises it. Raises `DatasetError` if the folder holds
    none, or no pair at all.
    """
    root = Path(root)
    found = indexed(root, BY_NAME[tree] if tree else recognise(root, split), split)
    return found.pairs(root), found.problems


def read_pair(pair: Pair, palette: Palette) -> Sample:
    """Read and check one pair. Raises `DatasetError` naming the file and what is wrong with it."""
    image = read_photo(pair.image)
    if pair.parts:
        read = partial(_read, flags=cv2.IMREAD_UNCHANGED)
        ids = _enlarged(pair, merged_parts(pair, palette, read), image)
    else:
        ids = _ids(pair, palette, image)
    instances = None
    if palette.instance_edges and pair.instances:
        instances = _read(pair.instances, cv2.IMREAD_UNCHANGED, indexed=True).astype(np.int32)
    return Sample(image, ids.astype(np.uint8), instances)


def _ids(pair: Pair, palette: Palette, image: np.ndarray) -> np.ndarray:
    """The ids of a label map, which must be as large as its photo."""
    raw = _read(pair.labels, cv2.IMREAD_UNCHANGED, indexed=True)
    if raw.shape != image.shape[:2]:
        raise DatasetError(
            f"{pair.labels} is {_size(raw)}, but its photo {pair.image.name} is {_size(image)}. "
            "Both must have the same size."
        )
    if raw.dtype == np.uint8:
        ids = palette.raw_to_id[raw]
    else:  # one bit, or 16
        inside = (raw >= 0) & (raw < len(palette.raw_to_id))
        ids = np.where(inside, palette.raw_to_id[np.where(inside, raw, 0).astype(np.uint8)], -1)
    if ids.min() < 0:
        raise DatasetError(
            f"{pair.labels} has the value {int(raw[ids < 0].min())}, which is no id of palette "
            f"{palette.name!r}."
        )
    return ids


def _enlarged(pair: Pair, labels: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Merged masks at their photo's size: they may be smaller, but of the same proportions."""
    (height, width), (tall, wide) = labels.shape, image.shape[:2]
    if height * wide != width * tall:
        raise DatasetError(
            f"{pair.part_file(pair.parts[0])} is {_size(labels)}, but its photo {pair.image.name} "
            f"is {_size(image)}. Both must have the same proportions."
        )
    return nearest_resize(labels, (tall, wide))


def read_photo(path: Path) -> np.ndarray:
    """One photo, uint8 `[H, W, 3]`, RGB. Raises `DatasetError` naming the file."""
    return np.ascontiguousarray(_read(path, cv2.IMREAD_COLOR)[..., ::-1])


def _read(path: Path, flags: int, indexed: bool = False) -> np.ndarray:
    try:
        _check_size(path)
        pixels = _read_indexed(path) if indexed else _decoded(path, flags)
    except Image.UnidentifiedImageError:
        pixels = None
    except Exception as error:  # decoders raise nearly anything on a damaged file
        raise DatasetError(f"{path} cannot be read: {brief(error)}.") from error
    if pixels is None:
        raise DatasetError(f"{path} is not a picture, or it is damaged.")
    return pixels


def _check_size(path: Path) -> None:
    """Refuse, before a pixel is decoded, what would fill the memory; its header tells."""
    try:
        with Image.open(path) as picture:
            width, height = picture.size
    except Image.DecompressionBombError:
        width = height = MAX_PIXELS
    if width * height > MAX_PIXELS:
        raise ValueError(f"it has more than {MAX_PIXELS:,} pixels")


def _decoded(path: Path, flags: int) -> np.ndarray | None:
    data = np.fromfile(path, np.uint8)
    if data[:8].tobytes() == SIGNATURE and not lengths_fit(memoryview(data)):
        return None
    return cv2.imdecode(data, flags)


def _read_indexed(path: Path) -> np.ndarray:
    """Values of a label PNG: palette indices stay indices (OpenCV would turn them into colours)."""
    with Image.open(path) as picture:
        values = np.array(picture)
    if values.ndim != 2:
        raise ValueError("a label map has one channel, this has colours")
    return values


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]}x{array.shape[0]}"


def check_pairs(
    pairs: list[Pair],
    palette: Palette,
    progress: Callable[[Iterator], Iterator] = iter,
    known: Checked | None = None,
) -> tuple[list[Pair], list[str]]:
    """Read every pair once: those that can be used, and a sentence for each of the others.

    known: which have been read before; they are not read again.
    """

    def problem(pair: Pair) -> str | None:
        if known and known.is_good(pair):
            return None
        try:
            read_pair(pair, palette)
        except DatasetError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(2) as pool:
        problems = list(progress(pool.map(problem, pairs)))
    good = [pair for pair, bad in zip(pairs, problems, strict=True) if bad is None]
    if known:
        known.remember(good)
    return good, [bad for bad in problems if bad]


class PairDataset(Dataset):
    """Pairs as training samples. An item is asked for by `(index, seed)`.

    The seed decides crop and mirroring. Gives `image` float32 `[3, S, S]` in [-1, 1], `labels`
    uint8 `[S, S]`, `seed`, and where the palette has instances `edges` float32 `[S, S]`. Photos are
    scaled so that the shorter side is `scale` (None: left alone) and cropped to `size`; with a
    `scale` of (smallest, largest) the seed chooses between them for each sample.
    """

    def __init__(
        self,
        pairs: list[Pair],
        palette: Palette,
        size: tuple[int, int],
        scale: int | tuple[int, int] | None = None,
        cache_bytes: int = 0,
    ) -> None:
        self.pairs, self.palette, self.size = pairs, palette, size
        self.scales = scale if isinstance(scale, tuple) else (scale, scale)
        self._room = cache_bytes
        self._cache: dict[int, Sample] = {}

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, item: tuple[int, int]) -> dict[str, Tensor | int]:
        index, seed = item
        rng = np.random.default_rng(seed)
        sample = _crop(self._scaled_by(rng, index), self.size, rng)
        if rng.random() < 0.5:
            sample = mirror(sample, self.palette)
        return to_tensors(sample, self.palette, seed)

    def sample(self, index: int) -> Sample:
        """The whole pair, at the smallest scale."""
        smallest, largest = self.scales
        if smallest != largest:
            return _scaled(self._kept(index, None), smallest, self.size)
        return self._kept(index, smallest)

    def _scaled_by(self, rng: np.random.Generator, index: int) -> Sample:
        """The whole pair, at the one scale there is or at one that is drawn."""
        smallest, largest = self.scales
        if smallest == largest:
            return self.sample(index)
        drawn = int(rng.integers(smallest, largest + 1))
        return _scaled(self._kept(index, None), drawn, self.size)

    def _kept(self, index: int, scale: int | None) -> Sample:
        """The whole pair at `scale`, from memory if there is room for it."""
        if index in self._cache:
            return self._cache[index]
        sample = _scaled(read_pair(self.pairs[index], self.palette), scale, self.size)
        cost = sample.image.nbytes + sample.labels.nbytes
        if cost <= self._room:
            self._room -= cost
            self._cache[index] = sample
        return sample


def _scaled(sample: Sample, scale: int | None, size: tuple[int, int]) -> Sample:
    """Shorter side to `scale`, or up to what a crop of `size` needs."""
    height, width = sample.labels.shape
    factor = (scale / min(height, width)) if scale else 1.0
    factor = max(factor, size[0] / height, size[1] / width)
    if factor == 1.0:
        return sample
    target = (max(size[1], round(width * factor)), max(size[0], round(height * factor)))
    shrink = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    nearest = [
        None if a is None else cv2.resize(a, target, interpolation=cv2.INTER_NEAREST_EXACT)
        for a in (sample.labels, sample.instances)
    ]
    return Sample(cv2.resize(sample.image, target, interpolation=shrink), *nearest)


def _crop(sample: Sample, size: tuple[int, int], rng: np.random.Generator) -> Sample:
    height, width = sample.labels.shape
    top = int(rng.integers(height - size[0] + 1))
    left = int(rng.integers(width - size[1] + 1))
    return cut(sample, top, left, size)


def cut(sample: Sample, top: int, left: int, size: tuple[int, int]) -> Sample:
    """The window of `size` (height, width) whose corner is at `top`, `left`; views, no copies."""
    window = np.s_[top : top + size[0], left : left + size[1]]
    instances = None if sample.instances is None else sample.instances[window]
    return Sample(sample.image[window], sample.labels[window], instances)


def mirror(sample: Sample, palette: Palette) -> Sample:
    """Left becomes right, in the picture and in the names (a left eye becomes a right eye)."""
    instances = None if sample.instances is None else sample.instances[:, ::-1]
    return Sample(sample.image[:, ::-1], palette.flip_ids[sample.labels[:, ::-1]], instances)


def to_tensors(sample: Sample, palette: Palette, seed: int = 0) -> dict[str, Tensor | int]:
    """The sample as training reads it; see `PairDataset`."""
    image = from_pixels(sample.image[None])[0]
    return {"image": image, **layout_tensors(sample, palette), "seed": seed}


def layout_tensors(sample: Sample, palette: Palette) -> dict[str, Tensor]:
    """Its `labels`, and `edges` where the palette has instances."""
    layout = {"labels": torch.from_numpy(np.ascontiguousarray(sample.labels))}
    if palette.instance_edges:
        edges = layout_edges(sample.labels, sample.instances)
        layout["edges"] = torch.from_numpy(edges).float()
    return layout


def sample_seed(seed: int, place: int) -> int:
    """The seed of the sample at `place` in a run: 63 bits that depend on the two alone."""
    return int(
        np.random.SeedSequence([seed, place]).generate_state(2, np.uint32).view(np.uint64)[0] >> 1
    )


class StepSampler(Sampler):
    """Batches of `(index, seed)`, one for each step from `first_step` to `last_step`.

    `batch` counts all processes together; process `rank` of `world` takes every world-th sample.
    Each pass over the data has its own permutation.
    """

    def __init__(
        self,
        length: int,
        batch: int,
        seed: int,
        first_step: int,
        last_step: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.length, self.batch, self.seed = length, batch, seed
        self.steps = range(first_step, last_step)
        self.rank, self.world = rank, world
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0))

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for step in self.steps:
            places = range(step * self.batch + self.rank, (step + 1) * self.batch, self.world)
            yield [(self._index(place), sample_seed(self.seed, place)) for place in places]

    def _index(self, place: int) -> int:
        epoch, position = divmod(place, self.length)
        if self._order[0] != epoch:
            rng = np.random.default_rng([self.seed, zlib.crc32(b"order"), epoch])
            self._order = (epoch, rng.permutation(self.length))
        return int(self._order[1][position])


def label_shares(data: PairDataset) -> Tensor:
    """Share of all pixels that each label covers, float32 `[n]`."""
    n = len(data.palette)
    counts = [np.bincount(data.sample(i).labels.ravel(), minlength=n) for i in range(len(data))]
    total = torch.from_numpy(np.sum(counts, axis=0)).float()
    return total / total.sum()
