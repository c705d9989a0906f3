"""From what was measured to plain data, tables for a terminal, and files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from core.agreement import (
    RARE,
    agreement_intervals,
    class_iou,
    mean_interval,
    mean_iou,
    painted_shares,
    pixel_accuracy,
)
from core.distances import diversity
from core.files import atomic_path, writing
from core.measure import Series
from core.palette import Palette
from core.sheets import sheet

SHEET_COLUMNS = 8  # pictures beside each other on a sheet, at most

# Title, key and decimals of every figure that a table can have, in order.
ROWS = (
    ("pixel accuracy", "pixel_accuracy", 3),
    ("mean IoU", "mean_iou", 3),
    ("LPIPS diversity", "lpips_diversity", 3),
    ("FID", "fid", 2),
    ("KID", "kid", 5),
    ("FD-Places", "fd_places", 2),
    ("KD-Places", "kd_places", 5),
    ("PSNR", "psnr", 2),
    ("LPIPS", "lpips", 4),
)
TIME = ("seconds a picture", "seconds_per_picture", 3)
KINDS = ("pictures", "photos", "reconstructions", "reference_split")
OTHER_DISTANCES = {"fd": 3, "kd": 5}  # decimals; their keys are fd_NETWORK and kd_NETWORK
TITLES = {"reference_split": "split", "reconstructions": "rebuilt"}
WIDTH = 15  # characters of a column


def summary(series: Mapping[str, Series], palette: Palette) -> dict:
    """The figures of each kind (`pictures`, `photos`, …) as plain data, and label `shares`."""
    figures: dict = {kind: series_figures(one, palette) for kind, one in series.items()}
    pictures = series.get("pictures")
    if pictures and pictures.pictures:
        figures["seconds_per_picture"] = pictures.seconds / pictures.pictures
    painted = next(iter(series.values())).painted
    shares = painted / max(1, painted.sum())
    figures["shares"] = {c.name: float(shares[c.id]) for c in palette.classes if shares[c.id]}
    return figures


def series_figures(series: Series, palette: Palette) -> dict:
    """Agreement and diversity of one series, with their 95 % intervals, where measured."""
    figures: dict = {"count": series.pictures}
    intervals: dict = {}
    if series.margins:
        figures |= {"segmented": series.segmented} | _agreement(series.counts, palette)
        intervals |= agreement_intervals(series.margins)
    if series.distances:
        figures["lpips_diversity"] = diversity(series.distances)
        means = [float(np.mean(of_layout)) for of_layout in series.distances]
        intervals["lpips_diversity"] = mean_interval(means)
    if intervals:
        figures["intervals"] = {name: list(ends) for name, ends in intervals.items()}
    return figures


def _agreement(counts: np.ndarray, palette: Palette) -> dict:
    iou = class_iou(counts)
    return {
        "pixel_accuracy": pixel_accuracy(counts),
        "mean_iou": mean_iou(counts),
        "iou": {c.name: float(iou[c.id]) for c in palette.classes if not np.isnan(iou[c.id])},
        "averaged": int((painted_shares(counts) >= RARE).sum()),
    }


# -- tables ---------------------------------------------------------------------------------------


def report(figures: dict) -> str:
    """The figures of one run as a table for a terminal: a column for each kind."""
    kinds = kinds_of(figures)
    columns = [figures[kind] for kind in kinds]
    lines = [_line("", "", [TITLES.get(kind, kind) for kind in kinds])]
    for title, key, decimals in rows_of(columns):
        if any(key in column for column in columns):
            lines.append(_line(title, "", [_number(c.get(key), decimals) for c in columns]))
        if any(key in column.get("intervals", {}) for column in columns):
            lines.append(_line("  95 % interval", "", [_interval(c, key) for c in columns]))
        if any(f"{key}_deviation" in column for column in columns):
            deviations = [_number(c.get(f"{key}_deviation"), decimals) for c in columns]
            lines.append(_line("  deviation", "", deviations))
    if any("iou" in column for column in columns):
        lines += ["", *_labels(figures["shares"], columns)]
    return "\n".join(lines)


def kinds_of(figures: dict) -> list[str]:
    """The columns of a table, in order."""
    return [kind for kind in KINDS if kind in figures]


def rows_of(columns: Sequence[Mapping]) -> list[tuple[str, str, int]]:
    """The `ROWS` that any column has, and those of distances on other networks."""
    rows = [row for row in ROWS if any(row[1] in column for column in columns)]
    known = {key for _, key, _ in ROWS}
    keys = dict.fromkeys(key for column in columns for key in column)
    for key in keys:
        kind, _, name = key.partition("_")
        if kind in OTHER_DISTANCES and key not in known and not key.endswith("_deviation"):
            rows.append((f"{kind.upper()}-{name}", key, OTHER_DISTANCES[kind]))
    return rows


def _labels(shares: dict[str, float], columns: Sequence[dict]) -> list[str]:
    lines = [_line("label", "share", ["IoU" if "iou" in column else "" for column in columns])]
    for name, share in sorted(shares.items(), key=lambda item: -item[1]):
        title = name if share >= RARE else f"{name} (rare)"
        values = [_number(column.get("iou", {}).get(name), 3) for column in columns]
        lines.append(_line(title, f"{share:.1%}", values))
    return lines


def sweep_report(runs: Sequence[dict]) -> str:
    """One table of several runs that differ in their guidance scale."""
    pictures = [run["pictures"] for run in runs]
    rows = rows_of(pictures)
    scales = [f"{run['sampling']['guidance_scale']:g}" for run in runs]
    lines = [_line("guidance", "", [title for title, _, _ in rows])]
    for scale, column in zip(scales, pictures, strict=True):
        values = [_number(column.get(key), decimals) for _, key, decimals in rows]
        lines.append(_line(scale, "", values))
    return "\n".join(lines)


def compared(runs: Sequence[dict]) -> list[list[str]]:
    """Head and rows of one table of runs that differ in what made their pictures."""
    columns = [run["pictures"] | {TIME[1]: run.get(TIME[1])} for run in runs]
    rows = [["", *(run["contender"] for run in runs)]]
    for title, key, decimals in (*rows_of(columns), TIME):
        rows.append([title, *(_number(column.get(key), decimals) for column in columns)])
    return rows


def label_report(labels: dict[str, dict]) -> str:
    """How each rare label's big regions were answered."""
    lines = [_line("big region of", "", ["IoU", "merged IoU", "counts as"])]
    for name, entry in labels.items():
        values = [_number(entry.get(key), 3) for key in ("iou", "iou_merged")]
        lines.append(_line(name, "", [*values, entry.get("counts_as", "–")]))
    return "\n".join(lines)


def nearest_report(figures: dict) -> str:
    """Distances to the nearest reference photo, of pictures and of real photos."""
    kinds = ("pictures", "photos")
    lines = [_line("nearest photo", "", kinds)]
    for row in ("least", "5 %", "median", "95 %"):
        lines.append(_line(row, "", [_number(figures[kind][row], 2) for kind in kinds]))
    share, limit = figures["nearer_share"], figures["nearer_than"]
    return "\n".join([*lines, f"{share:.0%} of the pictures are nearer than {limit:.2f}."])


def autoencoder_report(figures: dict) -> str:
    """What `table` has no room for: grid, flat areas, time."""
    grid = ", ".join(f"{p} px {ratio:.2f}" for p, ratio in figures.get("grid", {}).items())
    lines = [f"grid energy by period (1 = none): {grid or '–'}"]
    if "flat_rms" in figures:
        blocks, rms = figures["flat_blocks"], figures["flat_rms"]
        lines.append(f"error in {blocks} flat blocks: {rms:.2f} of 255 levels")
    lines.append(
        f"decoder: {figures['decoder_ms']:.1f} ms for 256x256, a new layout "
        f"{figures['layout_ms']:.1f} ms ({figures['precision']}, {figures['threads']} threads)"
    )
    return "\n".join(lines)


def _line(title: str, share: str, values: Sequence[str]) -> str:
    return (f"{title:<18}{share:>7}" + "".join(f"{value:>{WIDTH}}" for value in values)).rstrip()


def _number(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"


def _interval(column: dict, key: str) -> str:
    ends = column.get("intervals", {}).get(key)
    return f"{ends[0]:.3f}–{ends[1]:.3f}" if ends else "–"


# -- files ----------------------------------------------------------------------------------------


def folded(rows: Sequence[list[np.ndarray]], per_row: int) -> list[list[np.ndarray]]:
    """Rows side by side, `per_row` of them at a time: sixteen pairs are no tall tower."""
    starts = range(0, len(rows), per_row)
    return [[image for row in rows[i : i + per_row] for image in row] for i in starts]


def series_sheet(rows: Sequence[list[np.ndarray]], heads: Sequence[str]) -> np.ndarray:
    """The first layouts beside what was made of them; `heads` names the columns."""
    per_row = max(1, SHEET_COLUMNS // len(rows[0]))
    return sheet(folded(rows, per_row), [list(heads) * per_row])


def write_json(path: Path, figures: dict | list) -> None:
    """Raises `OutputError` if the file cannot be written."""
    text = json.dumps(figures, indent=1) + "\n"
    _write(path, lambda part: part.write_text(text, encoding="utf-8"))


def write_sheet(path: Path, image: np.ndarray) -> None:
    """A picture as a PNG. Raises `OutputError` if the file cannot be written."""
    _write(path, lambda part: Image.fromarray(image).save(part, format="PNG"))


def _write(path: Path, write: Callable[[Path], object]) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            write(part)
