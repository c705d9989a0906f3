"""`python -m core.evaluate`: do pictures agree with their layouts, and how much do they vary?

Agreement (as in SDM, arXiv 2207.00050, section 4): an off-the-shelf segmenter labels each picture,
and its labels are compared with the painted ones. Diversity: the LPIPS distance between pictures of
one layout. A metric is one plain function below; docs/evaluate.md says how to read the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

from core.command import DONE, exit_status, progress_bar, say
from core.dataset import Pair, Sample, find_pairs, read_pair
from core.errors import InputError, OutputError
from core.files import atomic_path
from core.palette import Palette
from core.request import Engine, Layout, SampleRequest
from core.sample import add_sampling_options, open_engine, results, template_request
from core.segmenter import Segmenter
from core.sheets import sheet

SHEET_COLUMNS = 8  # pictures beside each other on a sheet, at most
RARE = 0.001  # share of the layouts' pixels below which a label is listed but not averaged

# Labels that a segmenter cannot tell apart, by palette: the first counts as the second.
MERGES: dict[str, dict[str, str]] = {
    "landscape": {
        "snow": "mountain",
        "cloud": "sky",
        "hill": "mountain",
        "bush": "tree",
        "field": "grass",
        "sea": "water",
        "waterfall": "water",
    },
}

Segment = Callable[[np.ndarray, tuple[int, int]], np.ndarray]
Distance = Callable[[Sequence[np.ndarray]], list[float]]


# -- metrics: one function each -------------------------------------------------------------------


def confusion(truth: np.ndarray, found: np.ndarray, labels: int) -> np.ndarray:
    """Pixel counts int64 `[labels, labels]`: row = painted id, column = found id. They add up."""
    places = truth.astype(np.int64).ravel() * labels + found.ravel()
    return np.bincount(places, minlength=labels**2).reshape(labels, labels)


def pixel_accuracy(counts: np.ndarray) -> float:
    """Share of pixels, 0..1, whose found label is the painted one."""
    return float(np.trace(counts) / max(1, counts.sum()))


def class_iou(counts: np.ndarray) -> np.ndarray:
    """Intersection over union, float64 `[labels]` in 0..1; NaN for a label never painted."""
    both, painted, found = np.diag(counts), counts.sum(1), counts.sum(0)
    iou = both / np.maximum(1, painted + found - both)
    return np.where(painted > 0, iou, np.nan)


def mean_iou(counts: np.ndarray, rare: float = RARE) -> float:
    """Mean `class_iou` over the labels that cover at least the share `rare` of the painted pixels.

    A handful of pixels of one label in one photo would otherwise weigh as much as the sky.
    """
    shares = painted_shares(counts)
    chosen = (shares >= rare) & (shares > 0)
    return float(class_iou(counts)[chosen].mean()) if chosen.any() else float("nan")


def painted_shares(counts: np.ndarray) -> np.ndarray:
    """Share of the painted pixels that each label covers, float64 `[labels]`, sum 1."""
    return counts.sum(1) / max(1, counts.sum())


def diversity(distances: Sequence[Sequence[float]]) -> float:
    """Mean over layouts of the mean distance between the pictures of a layout."""
    return float(np.mean([np.mean(of_layout) for of_layout in distances]))


# -- measuring ------------------------------------------------------------------------------------


@dataclass(eq=False)
class Tally:
    """What is kept while pictures stream by: counts, distances, the first few rows of a sheet."""

    labels: int
    counts: np.ndarray = field(init=False)
    photo_counts: np.ndarray = field(init=False)
    distances: list[list[float]] = field(default_factory=list)
    rows: list[list[np.ndarray]] = field(default_factory=list)
    pictures: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.counts = np.zeros((self.labels, self.labels), np.int64)
        self.photo_counts = self.counts.copy()

    def heads(self) -> list[str]:
        """What is in each column of `rows`."""
        photos = ["photo"] if self.photo_counts.any() else []
        samples = len(self.rows[0]) - 1 - len(photos)
        return ["layout", *(f"sample {i + 1}" for i in range(samples)), *photos]


@dataclass(frozen=True, eq=False)
class Measures:
    """What to measure with. segment: (image, size) -> ids. merged: uint8 `[labels]`, id → id."""

    segment: Segment
    merged: np.ndarray
    distance: Distance | None = None
    photos: bool = False
    sheet_rows: int = 0


def measure(
    pairs: Sequence[Pair],
    palette: Palette,
    measures: Measures,
    engine: Engine | None = None,
    template: SampleRequest | None = None,
) -> Tally:
    """Go through `pairs` one layout at a time; memory does not grow with their number.

    With `engine` and `template`, `template.count` pictures of each layout are sampled. Layout i
    uses the seeds from `template.seed + i * template.count`: no two pictures share their noise.
    Raises `InputError` for a pair that cannot be read or a sample that fails.
    """
    tally = Tally(len(palette))
    with progress_bar(len(pairs), "Measuring") as bar:
        for index, pair in enumerate(pairs):
            sample = read_pair(pair, palette)
            pictures: list[np.ndarray] = []
            if engine is not None and template is not None:
                layout = Layout(sample.labels, palette, sample.instances)
                seed = template.seed + index * template.count
                start = time.perf_counter()
                request = replace(template, layout=layout, seed=seed)
                pictures = [result.image for result in results(engine, request, bar)]
                tally.seconds += time.perf_counter() - start
            _count(tally, sample, pictures, palette, measures)
            bar.update(index + 1 - bar.n)
    return tally


def _count(
    tally: Tally, sample: Sample, pictures: list[np.ndarray], palette: Palette, measures: Measures
) -> None:
    truth = measures.merged[sample.labels]

    def agreement(image: np.ndarray) -> np.ndarray:
        found = measures.merged[measures.segment(image, truth.shape)]
        return confusion(truth, found, tally.labels)

    for picture in pictures:
        tally.counts += agreement(picture)
    if measures.photos:
        tally.photo_counts += agreement(sample.image)
    if measures.distance and len(pictures) > 1:
        tally.distances.append(measures.distance(pictures))
    if len(tally.rows) < measures.sheet_rows:
        photo = [sample.image] if measures.photos else []
        tally.rows.append([palette.colors[sample.labels], *pictures, *photo])
    tally.pictures += len(pictures)


def lpips_distance(path: Path) -> Distance:
    """The LPIPS distances of all pairs of some pictures, with the network of `path`."""
    import torch

    from core.perceptual import LPIPS

    network = LPIPS(path).eval()

    def distances(images: Sequence[np.ndarray]) -> list[float]:
        batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.inference_mode():
            pairs = combinations(batch.split(1), 2)
            return [float(network(a, b)) for a, b in pairs]

    return distances


def merge_table(palette: Palette, merges: Mapping[str, str]) -> np.ndarray:
    """uint8 `[labels]`: the id that each id counts as.

    Raises `InputError` for a name that the palette does not have, or if a label that others count
    as is merged itself.
    """
    table = np.arange(len(palette), dtype=np.uint8)
    for name, target in merges.items():
        ids = [palette.find(word) for word in (name, target)]
        if None in ids:
            unknown = (name, target)[ids.index(None)]
            raise InputError(f"Palette {palette.name!r} has no label {unknown!r} to merge.")
        table[ids[0]] = ids[1]
    chained = [palette[i].name for i in set(table.tolist()) if table[i] != i]
    if chained:
        raise InputError(f"Label {chained[0]!r} is merged, and others are merged into it.")
    return table


# -- reporting ------------------------------------------------------------------------------------


def summary(tally: Tally, palette: Palette) -> dict:
    """The figures as plain data: `pictures` and `photos`, where measured, and label `shares`."""
    kinds = {"pictures": tally.counts, "photos": tally.photo_counts}
    measured = {kind: counts for kind, counts in kinds.items() if counts.any()}
    figures: dict = {kind: _agreement(counts, palette) for kind, counts in measured.items()}
    if tally.distances:
        figures["pictures"]["lpips_diversity"] = diversity(tally.distances)
    if tally.pictures:
        figures["seconds_per_picture"] = tally.seconds / tally.pictures
    shares = painted_shares(next(iter(measured.values())))
    figures["shares"] = {c.name: float(shares[c.id]) for c in palette.classes if shares[c.id]}
    return figures


def _agreement(counts: np.ndarray, palette: Palette) -> dict:
    iou = class_iou(counts)
    return {
        "pixel_accuracy": pixel_accuracy(counts),
        "mean_iou": mean_iou(counts),
        "iou": {c.name: float(iou[c.id]) for c in palette.classes if not np.isnan(iou[c.id])},
    }


def report(figures: dict) -> str:
    """The figures of `summary` as a table for a terminal."""
    kinds = [kind for kind in ("pictures", "photos") if kind in figures]
    shares = figures["shares"]
    averaged = sum(share >= RARE for share in shares.values())
    totals = {
        "pixel accuracy": "pixel_accuracy",
        f"mean IoU of {averaged}": "mean_iou",
        "LPIPS diversity": "lpips_diversity",
    }
    lines = [_line("", "", kinds)]
    for title, key in totals.items():
        values = [figures[kind].get(key) for kind in kinds]
        if any(value is not None for value in values):
            lines.append(_line(title, "", values))
    lines += ["", _line("label", "share", ["IoU"] * len(kinds))]
    for name, share in sorted(shares.items(), key=lambda item: -item[1]):
        title = name if share >= RARE else f"{name} (rare)"
        values = [figures[kind]["iou"].get(name) for kind in kinds]
        lines.append(_line(title, f"{share:.1%}", values))
    return "\n".join(lines)


def _line(title: str, share: str, values: Sequence[str | float | None]) -> str:
    cells = (v if isinstance(v, str) else "–" if v is None else f"{v:.3f}" for v in values)
    return f"{title:<18}{share:>7}" + "".join(f"{cell:>10}" for cell in cells)


def folded(rows: Sequence[list[np.ndarray]], per_row: int) -> list[list[np.ndarray]]:
    """Rows side by side, `per_row` of them at a time: sixteen pairs are no tall tower."""
    starts = range(0, len(rows), per_row)
    return [[image for row in rows[i : i + per_row] for image in row] for i in starts]


def _write(out: Path, figures: dict, tally: Tally) -> None:
    """Write metrics.json and, if rows were kept, sheet.png. Raises `OutputError`."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with atomic_path(out / "metrics.json") as part:
            part.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        if tally.rows:
            per_row = max(1, SHEET_COLUMNS // len(tally.rows[0]))
            image = sheet(folded(tally.rows, per_row), [tally.heads() * per_row])
            with atomic_path(out / "sheet.png") as part:
                Image.fromarray(image).save(part, format="PNG")
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror or error}.") from error


# -- the command ----------------------------------------------------------------------------------


def main(
    argv: list[str] | None = None,
    open_engine: Callable[[Path], Engine] = open_engine,
    open_segmenter: Callable[[Path, Path, Palette, int], Segment] = Segmenter.open,
) -> int:
    """Run the command and return its exit status: 0, 2 (bad input) or 130 (stopped)."""
    args = _parser().parse_args(argv)
    return exit_status(lambda: _run(args, open_engine, open_segmenter))


def _run(args: argparse.Namespace, open_engine: Callable, open_segmenter: Callable) -> int:
    _check(args)
    pairs = _pairs(args.data, args.limit)
    engine = open_engine(args.weights) if args.weights else None
    palette = engine.info.palette if engine else Palette.load(args.palette)
    template = template_request(args, args.guidance, palette) if engine else None
    measures = Measures(
        segment=open_segmenter(args.segmenter, args.segmenter_classes, palette, args.threads),
        merged=merge_table(palette, _merges(args.merge, palette)),
        distance=lpips_distance(args.lpips) if args.lpips else None,
        photos=args.real,
        sheet_rows=args.sheet,
    )
    tally = measure(pairs, palette, measures, engine, template)
    figures = _about(args, len(pairs), engine, template) | summary(tally, palette)
    print(report(figures))
    if args.out:
        _write(args.out, figures, tally)
    return DONE


def _about(
    args: argparse.Namespace, layouts: int, engine: Engine | None, template: SampleRequest | None
) -> dict:
    """What was measured, for the head of metrics.json."""
    about: dict = {"data": args.data.name, "layouts": layouts}
    if engine and template:
        recipe = template.recipe(engine.info.name) | {"pictures_per_layout": template.count}
        if template.size is None:  # then each picture has the size of its own layout
            recipe = {k: v for k, v in recipe.items() if k not in ("width", "height")}
        about["sampling"] = recipe
    return about


def _check(args: argparse.Namespace) -> None:
    """Refuse arguments that contradict each other. Raises `InputError`."""
    problems = (
        (not (args.weights or args.real), "Give --weights for a model, --real for the photos."),
        (args.lpips and not args.weights, "--lpips compares samples: give --weights too."),
        (args.lpips and args.count < 2, "--lpips compares samples: it needs --seeds 2 or more."),
        (args.sheet and not args.out, "--sheet needs a folder to write to: give --out too."),
        (args.limit is not None and args.limit < 1, "--limit must be 1 or more."),
        (args.threads < 1, "--threads must be 1 or more."),
    )
    for wrong, sentence in problems:
        if wrong:
            raise InputError(sentence)


def _pairs(data: Path, limit: int | None) -> list[Pair]:
    """The pairs of the folder, by name; what has no partner is told on stderr."""
    pairs, problems = find_pairs(data)
    for problem in problems:
        say(f"note: {problem}")
    return pairs[:limit]


def _merges(given: Sequence[str] | None, palette: Palette) -> dict[str, str]:
    """The table of `--merge A=B …`, or the one for the palette. Raises `InputError`."""
    if given is None:
        return MERGES.get(palette.name, {})
    for text in given:
        if text.count("=") != 1:
            raise InputError(f"--merge {text!r} is not of the form LABEL=LABEL.")
    return dict(text.split("=") for text in given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m core.evaluate",
        description="Measure how pictures agree with their layouts and how much they vary.",
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with images/ and labels/")
    add("--weights", type=Path, help="checkpoint to measure")
    add("--real", action="store_true", help="measure the photos themselves: the ceiling")
    add("--segmenter", type=Path, required=True, help=".tflite network that labels pictures")
    add("--segmenter-classes", type=Path, required=True, help=".csv: its class → our label")
    add("--merge", nargs="*", metavar="A=B", help="labels to count as one (as docs/evaluate.md)")
    add("--palette", default="landscape", help="palette of the labels if no --weights (landscape)")
    add("--lpips", type=Path, help="LPIPS network (.safetensors) for the diversity of --seeds")
    add("--seeds", type=int, default=1, dest="count", help="pictures per layout (1)")
    add("--limit", type=int, help="the first so many layouts only")
    add("--threads", type=int, default=1, help="threads of the segmenter (1)")
    add("--out", type=Path, help="folder for metrics.json and sheet.png")
    add("--sheet", type=int, default=0, help="layouts to show beside their pictures (0)")
    add_sampling_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
