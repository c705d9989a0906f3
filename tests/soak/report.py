"""The rows of a run as CSV, its figures as JSON, its curves as SVG, and all that in the docs.

`python -m tests.soak.report FOLDER docs/reliability.md` puts the run in FOLDER into the page,
between the two marks there, and its curves beside it.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence
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
BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"
SHOWN = 5  # of the longest absences
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


def _fit(rows: Sequence[Sample], x: Callable, y: Callable) -> str:
    """The fitted line, through the middle of what it was fitted to."""
    times, memory = [row.seconds for row in rows], [row.memory for row in rows]
    rise = slope(times, memory)
    level = sorted(m - rise * t for t, m in zip(times, memory, strict=True))[len(rows) // 2]
    ends = [(x(t / 60), y(level + rise * t)) for t in (times[0], times[-1])]
    path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in ends)
    return f'<path d="{path}" stroke="{INK}" stroke-dasharray="5 4"/>'


# -- in the docs ----------------------------------------------------------------------------------


def into(page: str, told: dict, picture: str) -> str:
    """The page with the figures of a run between the marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, *_lines(told, picture), END + after])


def _lines(told: dict, picture: str) -> list[str]:
    rows = (
        ("run", f"{told['minutes']} min, {told['acts']} acts, engine {told['engine']}"),
        ("memory after the warm-up (median, resident)", f"{told['memory_mib']:.0f} MiB"),
        ("growth of memory (fitted, warm-up to end)", f"{told['growth_percent']} %"),
        ("threads left over", told["threads_leaked"]),
        ("files left open", told["files_leaked"]),
        ("widgets left over", told["widgets_leaked"]),
        ("longest stall, processor", f"{told['longest_stall_processor_ms']} ms"),
        ("longest stall, clock", f"{told['longest_stall_clock_ms']} ms"),
        ("verdict", told["failed"] or "held"),
    )
    worst = [f"{a['act']} {a['processor']} ms" for a in told["worst"][:SHOWN]]
    return [
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows),
        "",
        f"The longest stalls of the processor, warm-up included: {', '.join(worst)}.",
        "",
        f"![Memory, threads, files and stalls over the run]({picture})",
    ]


def main(folder: Path, page: Path) -> None:
    """Put a run into a page."""
    told = json.loads((folder / "soak.json").read_text("utf-8"))
    picture = page.with_name("soak.svg")
    picture.write_text((folder / "soak.svg").read_text("utf-8"), "utf-8")
    page.write_text(into(page.read_text("utf-8"), told, picture.name), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
