"""What a benchmark finds: figures with their yardstick and their bar, kept in a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from core.errors import InputError
from core.files import atomic_path, reason, writing
from core.markdown_report import NOTHING, table

FEW = 100  # from which on a value needs no decimals


class BenchError(InputError):
    """A benchmark that cannot run, or a saved one that cannot be read."""


@dataclass(frozen=True)
class Bar:
    """What a figure is to reach."""

    limit: float
    of: str = "ratio"  # or "value"

    def __str__(self) -> str:
        return f"≥ {self.limit:g} ×" if self.of == "ratio" else f"≤ {self.limit:g}"

    def met(self, figure: Figure) -> bool:
        if self.of == "ratio":
            return figure.ratio is not None and figure.ratio >= self.limit
        return figure.value <= self.limit


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    value: median, in `unit`; the less the better. plain: the same of the yardstick in the same run.
    ratio: how many times better than that. error: of the output, absolute; relative: its norm
    beside that of the yardstick's output. count: runs behind the median.
    """

    case: str
    name: str
    value: float
    unit: str
    plain: float | None = None
    ratio: float | None = None
    bar: Bar | None = None
    error: float | None = None
    relative: float | None = None
    count: int = 1

    @property
    def verdict(self) -> str:
        """Whether the bar is met, in a word."""
        if self.bar is None:
            return ""
        return "yes" if self.bar.met(self) else "no"


@dataclass
class Run:
    """Figures of one machine. `curves`: what `core.bench.curves` found, by its name."""

    machine: dict
    figures: list[Figure]
    curves: dict[str, dict]

    def save(self, path: Path) -> None:
        """Write it; figures and curves that the file has and this run has not, stay there.

        Raises `BenchError` if the file there is none of ours or from another machine, and
        `OutputError` if it cannot be written.
        """
        if path.exists():
            self._take_in(read(path), path)
        data = {**asdict(self), "figures": [asdict(figure) for figure in self.figures]}
        with writing(path), atomic_path(path) as part:
            part.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", "utf-8")

    def _take_in(self, older: Run, path: Path) -> None:
        if older.machine != self.machine:
            raise BenchError(
                f"{path} has figures of another machine or another number of threads. Save to "
                "another file, and --compare both."
            )
        mine = {figure.case for figure in self.figures}
        self.figures = [f for f in older.figures if f.case not in mine] + self.figures
        self.curves = older.curves | self.curves


def read(path: Path) -> Run:
    """A saved run. Raises `BenchError`."""
    try:
        data = json.loads(path.read_text("utf-8"))
        known = {f.name for f in fields(Figure)}
        figures = [
            Figure(**{**{k: v for k, v in f.items() if k in known}, "bar": _bar(f["bar"])})
            for f in data["figures"]
        ]
        return Run(dict(data["machine"]), figures, dict(data["curves"]))
    except OSError as error:
        raise BenchError(f"{path} cannot be read: {reason(error)}.") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BenchError(f"{path} is no saved run of core.bench.") from error


def _bar(data: dict | None) -> Bar | None:
    return Bar(**data) if data else None


# -- tables ---------------------------------------------------------------------------------------


def figure_table(figures: Iterable[Figure]) -> str:
    """Markdown: every figure beside its yardstick and its bar."""
    heads = ["", "here", "plain", "times as good", "bar", "met", "greatest error", "relative error"]
    rows = [
        [
            f"{f.case}: {f.name}",
            amount(f.value, f.unit),
            amount(f.plain, f.unit),
            NOTHING if f.ratio is None else f"{f.ratio:.2f}",
            f"{f.bar}{f' {f.unit}' if f.bar.of == 'value' else ''}" if f.bar else NOTHING,
            f.verdict or NOTHING,
            NOTHING if f.error is None else f"{f.error:.1e}",
            NOTHING if f.relative is None else f"{f.relative:.1e}",
        ]
        for f in figures
    ]
    return table(heads, rows)


def comparison(names: Sequence[str], runs: Sequence[Run]) -> str:
    """Markdown: each figure in every run, and how many times better than in the first."""
    found = [{(f.case, f.name): f for f in run.figures} for run in runs]
    keys = dict.fromkeys(key for figures in found for key in figures)
    rows = []
    for case, name in keys:
        mine = [figures.get((case, name)) for figures in found]
        rows.append([f"{case}: {name}", *(_beside(mine[0], figure) for figure in mine)])
    return table(["", *names], rows)


def _beside(first: Figure | None, figure: Figure | None) -> str:
    """`210 ms · 2.9 × plain · 1.10 × the first`."""
    if figure is None:
        return NOTHING
    text = amount(figure.value, figure.unit)
    if figure.ratio is not None:
        text += f" · {figure.ratio:.2f} × plain"
    if first is not None and first is not figure and figure.value:
        text += f" · {first.value / figure.value:.2f} × the first"
    return text


def amount(value: float | None, unit: str) -> str:
    """A value with as many decimals as say something."""
    if value is None:
        return NOTHING
    decimals = 0 if value >= FEW else 1 if value >= FEW / 10 else 2
    return f"{value:.{decimals}f} {unit}"
