"""docs/performance.md, from saved runs: the tables, the curves, and what is worst."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.bench.curves import STRAIGHT, Curve
from core.bench.figures import Figure, Run, figure_table
from core.bench.machine import in_words
from core.bench.plot import draw
from core.files import atomic_path, writing

HEAD = """# How fast it is

Written by `python -m core.bench --write docs`; do not edit. How it is measured, and what was tried:
[024](decisions/024-how-speed-is-measured.md).

*Plain* is the procedure of the papers as `tests/reference` has it: two full passes a guided step,
nothing kept, float32, timed alternately in the same run. For pictures of the bundled model it is
their steps alone. Errors are those of the output beside it. Peak memory is that of a process of its
own. Times of the processor are those of all threads together."""


def write_performance(folder: Path, runs: Sequence[tuple[str, Run]]) -> None:
    """Write `performance.md` and its plots into `folder`. Raises `OutputError`."""
    parts = [HEAD]
    for note, run in runs:
        if run.figures:
            parts += [f"## {note}", f"{in_words(run.machine)}.", figure_table(run.figures)]
    parts += _worst([figure for _, run in runs for figure in run.figures])
    curves = {name: curve for _, run in runs for name, curve in run.curves.items()}
    if curves:
        machines = dict.fromkeys(in_words(run.machine) for _, run in runs if run.curves)
        parts += ["## How cost grows", f"{'; '.join(machines)}."]
    for name, data in curves.items():
        parts += _curve(name, Curve.from_dict(data), folder / "performance")
    with writing(folder / "performance.md"), atomic_path(folder / "performance.md") as part:
        part.write_text("\n\n".join(parts) + "\n", "utf-8")


def _worst(figures: Sequence[Figure]) -> list[str]:
    """The bars that are missed, those that are missed by most first."""
    missed = sorted((f for f in figures if f.verdict == "no"), key=_reached)
    if not missed:
        return ["Every bar is met."]
    lines = [
        f"- {f.case}: {f.name}: {_reached(f):.0%} of the bar ({f.bar}"
        f"{f' {f.unit}' if f.bar.of == 'value' else ''})"
        for f in missed
    ]
    return ["## Missed, the worst first", "\n".join(lines)]


def _reached(figure: Figure) -> float:
    """What share of its bar a figure reaches."""
    if figure.bar.of == "ratio":
        return figure.ratio / figure.bar.limit
    return figure.bar.limit / figure.value


def _curve(name: str, curve: Curve, folder: Path) -> list[str]:
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    draw(curve.drawn(), folder / f"{name}.png")
    slopes = ", ".join(f"{line} {slope:.2f}" for line, slope in curve.slopes().items())
    bends = curve.bends()
    verdict = f"Grows faster than the work somewhere: {'; '.join(bends)}." if bends else ""
    return [
        f"### {curve.title}",
        f"![{curve.title}](performance/{name}.png)",
        f"{verdict} {curve.why}".strip(),
        f"Steepest between two points, in powers of the work (1 is a straight line; up to "
        f"{STRAIGHT:g} counts as one): {slopes}.",
    ]
