"""Going through a data set once: pictures stream by, and only counts and features are kept.

Pictures of a model, photos and reconstructions are measured by the same loop; they differ in their
source.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Protocol

import numpy as np

from core.agreement import confusion, margins
from core.command import Progress, progress_bar
from core.data_trees import Pair
from core.dataset import Sample, read_pair
from core.palette import Palette
from core.request import Engine, Layout, SampleRequest
from core.sample import results

Segment = Callable[[np.ndarray, tuple[int, int]], np.ndarray]
Distance = Callable[[Sequence[np.ndarray]], list[float]]
# (number of the layout, its pair, the bar to move) -> the pictures of this layout
Source = Callable[[int, Sample, Progress], list[np.ndarray]]


class Network(Protocol):
    """What features are drawn with; see `core.features.FeatureNetwork`."""

    name: str

    def __call__(self, images: Sequence[np.ndarray]) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Measures:
    """What to measure with.

    segment: (image, size) -> ids. merged: uint8 `[labels]`, id -> id. sheet_rows: layouts to keep
    for a sheet; photos: with the photo at the end of each row. keep: numbers of the pictures to
    keep as they are.
    """

    merged: np.ndarray
    segment: Segment | None = None
    distance: Distance | None = None
    networks: Sequence[Network] = ()
    photos: bool = False
    sheet_rows: int = 0
    keep: frozenset[int] = frozenset()


@dataclass(eq=False)
class Series:
    """What is left of pictures that streamed by."""

    labels: int
    counts: np.ndarray = field(init=False)  # confusion of all
    margins: list[np.ndarray] = field(default_factory=list)  # of each layout
    painted: np.ndarray = field(init=False)  # pixels of each label in the layouts
    distances: list[list[float]] = field(default_factory=list)  # of each layout
    parts: dict[str, list[np.ndarray]] = field(default_factory=dict)  # features by network
    rows: list[list[np.ndarray]] = field(default_factory=list)  # of the sheet
    kept: dict[int, tuple[str, np.ndarray]] = field(default_factory=dict)  # layout's name, picture
    pictures: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.counts = np.zeros((self.labels, self.labels), np.int64)
        self.painted = np.zeros(self.labels, np.int64)

    def features(self, network: str) -> np.ndarray:
        """float32 `[pictures, D]`."""
        return np.concatenate(self.parts[network])


def measure(
    pairs: Sequence[Pair],
    palette: Palette,
    measures: Measures,
    source: Source,
    title: str = "Measuring",
) -> Series:
    """Measure the pictures of `source`, one layout at a time; memory grows by features alone.

    Raises `InputError` for a pair that cannot be read or a sample that fails.
    """
    series = Series(len(palette))
    with progress_bar(len(pairs), title) as bar:
        for index, pair in enumerate(pairs):
            sample = read_pair(pair, palette)
            start = time.perf_counter()
            pictures = source(index, sample, bar)
            series.seconds += time.perf_counter() - start
            _count(series, pair, sample, pictures, palette, measures)
            bar.update(index + 1 - bar.n)
    return series


def _count(
    series: Series,
    pair: Pair,
    sample: Sample,
    pictures: list[np.ndarray],
    palette: Palette,
    measures: Measures,
) -> None:
    truth = measures.merged[sample.labels]
    series.painted += np.bincount(truth.ravel(), minlength=series.labels)
    if measures.segment:
        found = [measures.merged[measures.segment(p, truth.shape)] for p in pictures]
        counts = sum(confusion(truth, f, series.labels) for f in found)
        series.counts += counts
        series.margins.append(margins(counts))
    if measures.distance and len(pictures) > 1:
        series.distances.append(measures.distance(pictures))
    for network in measures.networks:
        series.parts.setdefault(network.name, []).append(network(pictures))
    if len(series.rows) < measures.sheet_rows:
        photo = [sample.image] if measures.photos else []
        series.rows.append([palette.colors[sample.labels], *pictures, *photo])
    for number, picture in enumerate(pictures, start=series.pictures):
        if number in measures.keep:
            series.kept[number] = (pair.name, picture)
    series.pictures += len(pictures)


# -- sources --------------------------------------------------------------------------------------


def photos(index: int, sample: Sample, bar: Progress) -> list[np.ndarray]:
    """The source of real pictures."""
    return [sample.image]


def sampled(engine: Engine, template: SampleRequest) -> Source:
    """`template.count` pictures of each layout, in one request.

    Layout i uses the seeds from `template.seed + i * template.count`: no two pictures share their
    noise.
    """

    def source(index: int, sample: Sample, bar: Progress) -> list[np.ndarray]:
        layout = Layout(sample.labels, template.layout.palette, sample.instances)
        seed = template.seed + index * template.count
        request = replace(template, layout=layout, seed=seed)
        return [result.image for result in results(engine, request, bar)]

    return source


def lpips_distance(path: Path) -> Distance:
    """The LPIPS distances of all pairs of some pictures, with the network of `path`."""
    import torch

    from core.perceptual import LPIPS
    from core.pixels import from_pixels

    network = LPIPS(path).eval()

    def distances(images: Sequence[np.ndarray]) -> list[float]:
        batch = from_pixels(np.stack(images))
        with torch.inference_mode():
            pairs = combinations(batch.split(1), 2)
            return [float(network(a, b)) for a, b in pairs]

    return distances
