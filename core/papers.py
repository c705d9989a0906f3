"""What papers report, from core/papers.toml, to stand beside what was measured here."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("papers.toml")


@dataclass(frozen=True)
class Paper:
    """One table of a paper.

    figures: keys of what it reports, as in metrics.json. datasets: title by palette's name (or
    another word where no palette of ours belongs to it). rows: method and its figures by dataset.
    """

    title: str
    source: str
    note: str
    figures: tuple[str, ...]
    datasets: dict[str, str]
    rows: tuple[tuple[str, dict[str, tuple[float, ...]]], ...]

    def on(self, dataset: str) -> list[tuple[str, tuple[float, ...]]]:
        """(method, its figures) of all that were measured on a dataset."""
        return [(method, found[dataset]) for method, found in self.rows if dataset in found]


@cache
def papers() -> tuple[Paper, ...]:
    """All tables."""
    entries = tomllib.loads(FILE.read_text(encoding="utf-8"))["papers"]
    return tuple(_paper(entry) for entry in entries)


def _paper(entry: dict) -> Paper:
    rows = tuple(
        (row["method"], {name: tuple(row[name]) for name in entry["datasets"] if name in row})
        for row in entry["rows"]
    )
    figures = tuple(entry["figures"])
    return Paper(entry["title"], entry["source"], entry["note"], figures, entry["datasets"], rows)


def papers_on(dataset: str) -> list[Paper]:
    """The tables that have figures of a dataset, by its palette's name."""
    return [paper for paper in papers() if dataset in paper.datasets]
