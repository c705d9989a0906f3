"""Going through a data set once: pictures stream by, and only counts and features are kept.

Pictures of a model, photos and reconstructions are measured by the same loop; they differ in their
source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from core import distributed
from core.agreement import confusion, margins
from core.command import Progress, progress_bar
from core.data_trees import Pair
from core.dataset import Sample, read_pair
from core.findings import Findings
from core.kept_pictures import KeptPictures
from core.palette import Palette
from core.request import Engine, Layout, SampleRequest
from core.sample import results

Segment = Callable[[np.ndarray, tuple[int, int]], np.ndarray]
Distance = Callable[[Sequence[np.ndarray]], list[float]]


class Source(Protocol):
    """Where pictures come from: those of layout number `index`, and the seconds they took."""

    def __call__(
        self, index: int, pair: Pair, sample: Sample, bar: Progress
    ) -> tuple[list[np.ndarray], float]: ...


class Network(Protocol):
    """What features are drawn with; see `core.features.FeatureNetwork`."""

    name: str
    identity: str

    def __call__(self, images: Sequence[np.ndarray]) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Measures:
    """What to measure with.

    segment: (image, size) -> ids. merged: uint8 `[labels]`, id -> id. sheet_rows: layouts to keep
    for a sheet; photos: with the photo at the end of each row. keep: numbers of the pictures to
    keep as they are. segmented: pictures of each layout that are segmented, None for all. findings:
    what was measured before.

    Segmenters and distances with an `identity` are kept in `findings`; see `Findings.of`.
    """

    merged: np.ndarray
    segment: Segment | None = None
    distance: Distance | None = None
    networks: Sequence[Network] = ()
    photos: bool = False
    sheet_rows: int = 0
    keep: frozenset[int] = frozenset()
    segmented: int | None = None
    findings: Findings = field(default_factory=Findings)

    def counts(self, truth: np.ndarray, pictures: Sequence[np.ndarray], labels: int) -> np.ndarray:
        """Confusion of the merged layout uint8 `[H, W]` and what is found in the pictures."""
        some = pictures[: self.segmented]

        def find() -> np.ndarray:
            found = (self.merged[self.segment(picture, truth.shape)] for picture in some)
            return sum(confusion(truth, f, labels) for f in found)

        return self.findings.of(identity(self.segment), [self.merged, truth, *some], find)

    def distances(self, pictures: Sequence[np.ndarray]) -> list[float]:
        """Of every two pictures."""

        def find() -> np.ndarray:
            return np.array(self.distance(pictures))

        return self.findings.of(identity(self.distance), pictures, find).tolist()

    def features(self, network: Network, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """float32 `[pictures, D]`."""
        return self.findings.of(network.identity, pictures, lambda: network(pictures))


def identity(measure: object) -> str:
    """What the results of a measure depend on, or nothing if it does not say."""
    return getattr(measure, "identity", "")


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
    segmented: int = 0  # of the pictures
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
    numbers: Iterable[int] | None = None,
) -> Series:
    """Measure the pictures of `source`, one layout at a time; memory grows by features alone.

    numbers: of the layouts to measure, ascending; None for all. Raises `InputError` for a pair that
    cannot be read or a sample that fails.
    """
    series = Series(len(palette))
    with progress_bar(len(pairs), title, silent=distributed.rank() > 0) as bar:
        for index in range(len(pairs)) if numbers is None else numbers:
            bar.update(index - bar.n)  # other processes have those between
            sample = read_pair(pairs[index], palette)
            pictures, seconds = source(index, pairs[index], sample, bar)
            series.seconds += seconds
            _count(series, pairs[index], sample, pictures, palette, measures)
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
        counts = measures.counts(truth, pictures, series.labels)
        series.counts += counts
        series.margins.append(margins(counts))
        series.segmented += len(pictures[: measures.segmented])
    if measures.distance and len(pictures) > 1:
        series.distances.append(measures.distances(pictures))
    for network in measures.networks:
        features = measures.features(network, pictures)
        series.parts.setdefault(network.name, []).append(features)
    if len(series.rows) < measures.sheet_rows:
        photo = [sample.image] if measures.photos else []
        series.rows.append([palette.colors[sample.labels], *pictures, *photo])
    for number, picture in enumerate(pictures, start=series.pictures):
        if number in measures.keep:
            series.kept[number] = (pair.name, picture)
    series.pictures += len(pictures)


# -- sources --------------------------------------------------------------------------------------


def photos(index: int, pair: Pair, sample: Sample, bar: Progress) -> tuple[list[np.ndarray], float]:
    """The source of real pictures."""
    return [sample.image], 0.0


def sampled(engine: Engine, template: SampleRequest, kept: KeptPictures) -> Source:
    """`template.count` pictures of each layout, in one request, where `kept` has none yet.

    Layout i uses the seeds from `template.seed + i * template.count`: no two pictures share their
    noise.
    """

    def source(
        index: int, pair: Pair, sample: Sample, bar: Progress
    ) -> tuple[list[np.ndarray], float]:
        layout = Layout(sample.labels, template.layout.palette, sample.instances)
        seed = template.seed + index * template.count
        request = replace(template, layout=layout, seed=seed)
        return kept.of(pair.name, request, lambda missing: results(engine, missing, bar))

    return source
