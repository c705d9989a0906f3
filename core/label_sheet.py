"""Does the brush answer? A big region of each rare label, and what becomes of it.

Figures over a whole set say little of a label that hardly occurs. So the layouts where it is
largest are sampled, and where there are too few of those it is painted into others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from core.agreement import class_iou, confusion
from core.command import progress_bar
from core.data_trees import Pair
from core.dataset import read_pair
from core.errors import InputError
from core.kept_pictures import KeptPictures
from core.measure import Segment
from core.palette import Palette
from core.request import Engine, Layout, SampleRequest
from core.sample import results
from core.sheets import sheet

# Labels that are rare in the data that the bundled models learn from, by palette.
RARE_LABELS = {"landscape": ("flower", "waterfall", "hill", "road", "bush", "snow")}
LAYOUTS = 4  # of each label
BIG = 0.05  # share of a layout from which a region counts as big
CENTRE, AXES = (0.5, 0.7), (0.35, 0.22)  # of the painted ellipse, as shares of width and height


@dataclass(eq=False)
class LabelRow:
    """One label's layouts, uint8 `[H, W]`, with their pictures and what the segmenter found."""

    label: int
    layouts: list[np.ndarray]
    painted: int  # how many of them are painted, not found; they come last
    pictures: list[np.ndarray] = field(default_factory=list)
    found: list[np.ndarray] = field(default_factory=list)


def label_ids(names: Sequence[str], palette: Palette) -> list[int]:
    """Ids of the named labels, or of the palette's rare ones. Raises `InputError`."""
    chosen = names or RARE_LABELS.get(palette.name, ())
    if not chosen:
        raise InputError(f"For palette {palette.name!r}, name the labels after --labels-sheet.")
    ids = [palette.find(name) for name in chosen]
    if None in ids:
        raise InputError(f"Palette {palette.name!r} has no label {chosen[ids.index(None)]!r}.")
    return ids


def big_regions(pairs: Sequence[Pair], palette: Palette, labels: Sequence[int]) -> list[LabelRow]:
    """`LAYOUTS` layouts for each of `labels`: those with most of it, then painted ones.

    At least one is painted, to show the label in a place that its photos did not choose.
    """
    maps = [read_pair(pair, palette).labels for pair in pairs]
    shares = np.stack([np.bincount(m.ravel(), minlength=len(palette)) / m.size for m in maps])
    rows = []
    for label in labels:
        order = np.argsort(-shares[:, label], kind="stable")[: LAYOUTS - 1]
        found = [maps[i] for i in order if shares[i, label] >= BIG]
        others = [i for i in range(len(maps)) if shares[i, label] < BIG] or [0]
        missing = LAYOUTS - len(found)
        picks = np.linspace(0, len(others) - 1, missing + 2)[1:-1].round().astype(int)
        painted = [with_region(maps[others[i]], label) for i in picks]
        rows.append(LabelRow(label, found + painted, missing))
    return rows


def with_region(labels: np.ndarray, label: int) -> np.ndarray:
    """A copy of the label map with a plain ellipse of `label` in its lower half."""
    height, width = labels.shape
    centre, axes = ((round(x * width), round(y * height)) for x, y in (CENTRE, AXES))
    return cv2.ellipse(labels.copy(), centre, axes, 0, 0, 360, label, thickness=-1)


def sample_rows(
    rows: Sequence[LabelRow],
    engine: Engine,
    template: SampleRequest,
    segment: Segment | None,
    kept: KeptPictures,
) -> None:
    """One picture of each layout, and its labels where there is a segmenter, into `rows`."""
    template = replace(template, count=1)
    with progress_bar(sum(len(row.layouts) for row in rows), "Rare labels") as bar:
        for row in rows:
            for number, labels in enumerate(row.layouts):
                request = replace(template, layout=Layout(labels, template.layout.palette))
                name = f"label{row.label}-{number}"
                row.pictures += kept.of(name, request, lambda r: results(engine, r, bar))[0]
                if segment:
                    row.found.append(segment(row.pictures[-1], labels.shape))


def label_figures(
    rows: Sequence[LabelRow], palette: Palette, merged: np.ndarray, segment: Segment | None
) -> dict[str, dict]:
    """By label: `iou` of the label alone, where the segmenter has it, and `iou_merged`.

    iou_merged: of the label that it counts as, given by `counts_as`.
    """
    tells = getattr(segment, "tells", range(len(palette)))
    figures: dict[str, dict] = {}
    for row in rows:
        entry: dict = {"layouts": len(row.layouts), "painted": row.painted}
        if row.found:
            own = _iou(row, np.arange(len(palette)), row.label)
            target = int(merged[row.label])
            entry["iou"] = own if row.label in tells else None
            entry["counts_as"] = palette[target].name
            entry["iou_merged"] = _iou(row, merged, target)
        figures[palette[row.label].name] = entry
    return figures


def _iou(row: LabelRow, merged: np.ndarray, label: int) -> float:
    pairs = zip(row.layouts, row.found, strict=True)
    counts = sum(confusion(merged[a], merged[b], len(merged)) for a, b in pairs)
    return float(class_iou(counts)[label])


def label_sheet(rows: Sequence[LabelRow], palette: Palette) -> np.ndarray:
    """A row for each label: its layouts, each beside its picture."""
    pictures = [list(_side_by_side(row, palette)) for row in rows]
    return sheet(pictures, [list(_captions(row, palette)) for row in rows])


def _side_by_side(row: LabelRow, palette: Palette) -> Iterator[np.ndarray]:
    for labels, picture in zip(row.layouts, row.pictures, strict=True):
        yield palette.colors[labels]
        yield picture


def _captions(row: LabelRow, palette: Palette) -> Iterator[str]:
    first_painted = len(row.layouts) - row.painted
    for index in range(len(row.layouts)):
        name = palette[row.label].name
        yield name if index < first_painted else f"{name}, painted"
        yield ""
