"""report.md: the figures of an evaluation for people, with sheets, intervals and papers beside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from core.agreement import RARE
from core.files import atomic_path, writing
from core.papers import Paper, papers, papers_on
from core.report import ROWS, compared, kinds_of, rows_of

NOTHING = "–"
HEADS = {
    "pictures": "pictures",
    "photos": "photos of the layouts",
    "reconstructions": "reconstructions",
    "reference_split": "photos against photos",
}


def write_report(path: Path, runs: dict | Sequence[dict]) -> None:
    """The report of one run, or of a sweep. Raises `OutputError` if it cannot be written."""
    text = markdown(runs if isinstance(runs, (list, tuple)) else [runs])
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            part.write_text(text, encoding="utf-8")


def markdown(runs: Sequence[dict]) -> str:
    """One section after another; a sweep has one for each guidance scale."""
    about = runs[0]
    name = about.get("sampling", {}).get("weights") or about.get("weights") or "The photos"
    parts = [f"# {name} on {about['data']}", *_beginning(about)]
    if "contender" in about:
        parts += ["## Side by side", _compared(runs)]
    for run in runs:
        if len(runs) > 1:
            scale = f"Guidance {run['sampling']['guidance_scale']:g}"
            parts.append(f"# {run.get('contender', scale)}")
        parts += _sections(run)
    parts += _beside_papers(runs)
    parts += _networks(about)
    return "\n\n".join(parts) + "\n"


def _beginning(about: dict) -> list[str]:
    """What was measured, in one sentence or two."""
    sentences = [f"{about['layouts']} layouts of the palette {about['palette']}."]
    sampling = about.get("sampling")
    if sampling:
        each = sampling["pictures_per_layout"]
        sentences.append(
            f"{each} {'picture' if each == 1 else 'pictures'} of each: {sampling['sampler']}, "
            f"{sampling['steps']} steps, guidance {sampling['guidance_scale']:g}, "
            f"seeds from {sampling['seed']}."
        )
    if "reference" in about:
        folder, count = about["reference"]["folder"], about["reference"]["photos"]
        sentences.append(f"Distances are those from the {count} photos of {folder}.")
    return [" ".join(sentences)]


def _sections(run: dict) -> list[str]:
    parts = ["## Figures", _figures(run), "In brackets: 95 % intervals (bootstrap over layouts)."]
    if any("iou" in run[kind] for kind in kinds_of(run)):
        parts += ["## Labels", _labels(run)]
    if "nearest" in run:
        parts += ["## Nearest photos", _nearest(run["nearest"])]
    if "labels" in run:
        parts += ["## Big regions of rare labels", _rare(run["labels"])]
    sheets = run.get("sheets", {})
    if sheets:
        parts.append("## Sheets")
        parts += [f"{title}:\n\n![{title}]({name})" for name, title in sheets.items()]
    return parts


def _compared(runs: Sequence[dict]) -> str:
    heads, *rows = compared(runs)
    return table(heads, rows)


def _figures(run: dict) -> str:
    columns = [run[kind] for kind in kinds_of(run)]
    rows = [
        [title, *(_value(column, key, decimals) for column in columns)]
        for title, key, decimals in rows_of(columns)
    ]
    counts = [str(column.get("count", column.get("photos", NOTHING))) for column in columns]
    heads = [HEADS[kind] for kind in kinds_of(run)]
    return table(["", *heads], [["number", *counts], *rows])


def _value(column: dict, key: str, decimals: int) -> str:
    if key not in column:
        return NOTHING
    text = f"{column[key]:.{decimals}f}"
    if f"{key}_deviation" in column:
        text += f" ± {column[f'{key}_deviation']:.{decimals}f}"
    ends = column.get("intervals", {}).get(key)
    return f"{text} ({ends[0]:.3f}–{ends[1]:.3f})" if ends else text


def _labels(run: dict) -> str:
    kinds = [kind for kind in kinds_of(run) if "iou" in run[kind]]
    rows = []
    for name, share in sorted(run["shares"].items(), key=lambda item: -item[1]):
        title = name if share >= RARE else f"{name} (rare, not averaged)"
        rows.append([title, f"{share:.1%}", *(_number(run[k]["iou"].get(name), 3) for k in kinds)])
    return table(["label", "share", *(f"IoU, {HEADS[kind]}" for kind in kinds)], rows)


def _nearest(found: dict) -> str:
    steps = ("least", "5 %", "median", "95 %")
    rows = [[s, f"{found['pictures'][s]:.2f}", f"{found['photos'][s]:.2f}"] for s in steps]
    share, limit = found["nearer_share"], found["nearer_than"]
    return (
        table(["distance to the nearest photo", "pictures", "new photos"], rows)
        + f"\n\n{share:.0%} of the {found['pictures']['count']} pictures are nearer than "
        f"{limit:.2f}, as 5 % of new photos are."
    )


def _rare(labels: dict[str, dict]) -> str:
    rows = [
        [name, _number(e.get("iou"), 3), _number(e.get("iou_merged"), 3), e.get("counts_as", "–")]
        for name, e in labels.items()
    ]
    return table(["label", "IoU", "merged IoU", "counts as"], rows)


# -- papers ---------------------------------------------------------------------------------------


def _beside_papers(runs: Sequence[dict]) -> list[str]:
    """Tables on the same dataset with ours in them, or all of them and a word on that."""
    if not any(
        key in run.get("pictures", {}) for run in runs for key in ("fid", "lpips_diversity")
    ):
        return []
    palette = runs[0]["palette"]
    same = papers_on(palette)
    parts = ["## Beside the papers"]
    if not same:
        parts.append("On other data: for orientation, not to be compared with the figures above.")
    for paper in same or papers():
        parts += [f"**{paper.title}**", _paper_table(paper, palette, runs if same else ())]
        parts.append(f"Source: {paper.source}. {paper.note}")
    return parts


def _paper_table(paper: Paper, palette: str, runs: Sequence[dict]) -> str:
    titles = {key: (title, decimals) for title, key, decimals in ROWS}
    names = [palette] if runs else list(paper.datasets)
    heads = [f"{paper.datasets[n]} {titles[key][0]}" for n in names for key in paper.figures]
    rows = []
    for method, found in paper.rows:
        nothing = (None,) * len(paper.figures)
        values = [value for name in names for value in found.get(name, nothing)]
        rows.append([method, *(NOTHING if value is None else f"{value:g}" for value in values)])
    for run in runs:
        scale = f", guidance {run['sampling']['guidance_scale']:g}"
        ours = [_number(run["pictures"].get(key), titles[key][1]) for key in paper.figures]
        rows.append([f"**{run['sampling']['weights']}{scale} (here)**", *ours])
    return table(["method", *heads], rows)


def paper_lines(run: dict) -> str:
    """For a terminal: the papers' figures on the dataset of a run, with their source."""
    lines = []
    for paper in papers_on(run["palette"]):
        lines.append(f"{paper.source}: {', '.join(paper.figures)}")
        for method, values in paper.on(run["palette"]):
            lines.append(f"  {method:<16}" + "".join(f"{value:>10g}" for value in values))
        lines.append(f"  {paper.note}")
    return "\n".join(lines)


def _networks(about: dict) -> list[str]:
    found = about.get("networks", {})
    if not found:
        return []
    return ["## Networks", table(["network", "SHA-256, preparation"], list(found.items()))]


# -- tables ---------------------------------------------------------------------------------------


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in lines
    )


def _number(value: float | None, decimals: int) -> str:
    return NOTHING if value is None else f"{value:.{decimals}f}"
