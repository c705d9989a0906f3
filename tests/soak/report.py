"""The rows of a run as CSV, its figures as JSON, its curves as SVG."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from tests.soak.meter import Absence, Sample
from tests.soak.verdict import slope, warm

WIDTH, HEIGHT, LEFT, GAP = 760, 110, 64, 34  # of one curve, in pixels
CURVES = (
    ("memory", "memory, MiB", "#2f7fb8"),
    ("threads", "threads", "#7a5fb0"),
    ("files", "open files", "#3a8f5c"),
    ("processor", "longest stall, ms of the processor", "#c0703a"),
)
INK, FAINT = "#606870", "#c8ccd0"  # to be read on light and on dark pages


def write(
    folder: Path,
    samples: Sequence[Sample],
    verdict: dict,
    worst: Sequence[Absence],
    about: dict,
) -> None:
    """Write `soak.csv`, `soak.json` and `soak.svg` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "soak.csv", "w", newline="") as file:
        rows = csv.DictWriter(file, [field.name for field in fields(Sample)])
        rows.writeheader()
        rows.writerows(asdict(sample) for sample in samples)
    told = {**about, **verdict, "worst": [asdict(absence) for absence in worst]}
    (folder / "soak.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    (folder / "soak.svg").write_text(plot(samples), encoding="utf-8")


def plot(samples: Sequence[Sample]) -> str:
    """The curves over the minutes, one above the other; the fitted line over that of memory."""
    parts = [_curve(samples, *curve, top=i * (HEIGHT + GAP)) for i, curve in enumerate(CURVES)]
    height = len(CURVES) * (HEIGHT + GAP) + 8
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    style = f"text {{ font: 12px sans-serif; fill: {INK} }}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{style}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _curve(samples: Sequence[Sample], name: str, title: str, color: str, top: int) -> str:
    values = [getattr(sample, name) for sample in samples]
    times = [sample.seconds / 60 for sample in samples]
    most = 1.15 * max(values) or 1
    bottom = top + GAP + HEIGHT - 14

    def x(minutes: float) -> float:
        return LEFT + (WIDTH - LEFT - 12) * minutes / times[-1]

    def y(value: float) -> float:
        return bottom - (HEIGHT - 14) * value / most

    points = " ".join(f"{x(t):.1f},{y(v):.1f}" for t, v in zip(times, values, strict=True))
    parts = [
        f'<text x="{LEFT}" y="{top + GAP - 8}">{title}</text>',
        f'<path d="M{LEFT} {bottom}H{WIDTH - 12}" stroke="{FAINT}"/>',
        f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>',
        f'<text x="{LEFT - 8}" y="{bottom + 4}" text-anchor="end">0</text>',
        f'<text x="{LEFT - 8}" y="{y(max(values)) + 4:.0f}" text-anchor="end">'
        f"{max(values):.0f}</text>",
        f'<text x="{WIDTH - 12}" y="{bottom + 15}" text-anchor="end">{times[-1]:.0f} min</text>',
    ]
    if name == "memory":
        rows = warm(samples)
        parts.append(_fit(rows, x, y))
    return "\n".join(parts)


def _fit(rows: Sequence[Sample], x, y) -> str:
    """The fitted line, through the middle of what it was fitted to."""
    times, memory = [row.seconds for row in rows], [row.memory for row in rows]
    rise = slope(times, memory)
    level = sorted(m - rise * t for t, m in zip(times, memory, strict=True))[len(rows) // 2]
    ends = [(x(t / 60), y(level + rise * t)) for t in (times[0], times[-1])]
    path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in ends)
    return f'<path d="{path}" stroke="{INK}" stroke-dasharray="5 4"/>'
