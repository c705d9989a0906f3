"""The table of a run, and its place in a document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.run import Tally

BEGIN, END = "<!-- fuzz: begin -->", "<!-- fuzz: end -->"
HEAD = "| reader | cases | accepted | typed errors | violations | peak memory | slowest case |"


def table(tallies: Sequence[Tally]) -> str:
    """Markdown, a line a reader and one for all."""
    rows = [_row(tally) for tally in tallies]
    whole = Tally(
        "**all**",
        *(sum(getattr(t, n) for t in tallies) for n in ("cases", "accepted", "refused")),
        max((t.memory for t in tallies), default=0),
        max((t.seconds for t in tallies), default=0.0),
        [one for tally in tallies for one in tally.violations],
    )
    return "\n".join([HEAD, "|---|---:|---:|---:|---:|---:|---:|", *rows, _row(whole)])


def _row(tally: Tally) -> str:
    return (
        f"| {tally.reader} | {tally.cases:,} | {tally.accepted:,} | {tally.refused:,} | "
        f"{len(tally.violations)} | {tally.memory / 2**20:,.0f} MB | {tally.seconds:.2f} s |"
    )


def write_into(path: Path, text: str) -> None:
    """Replace what stands between the marks of a document."""
    before, _, rest = path.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")
