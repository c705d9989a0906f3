"""A model beside what else can paint its layouts: its few-step student, and the instant painter.

All of them get the same layouts and are measured with the same networks: `core.evaluate --compare`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from core.command import progress_bar
from core.dataset import read_pair
from core.evaluation import Evaluation
from core.files import file_digest
from core.kept_pictures import KeptPictures
from core.measure import sampled
from core.painters import painter_path
from core.report import compared
from core.request import Engine, SampleRequest
from core.sheets import sheet

STUDENT_STEPS = (2, 4)
WIDTH = 15  # characters of a column


@dataclass(frozen=True, eq=False)
class Contender:
    """title: for people. name: of its sheets and pictures."""

    title: str
    name: str
    engine: Engine
    template: SampleRequest


def contenders(engine: Engine, template: SampleRequest) -> list[Contender]:
    """The model, its student in a few numbers of steps, and the painter: those that are there."""
    found = [Contender(f"{engine.info.name}, {template.steps} steps", "", engine, template)]
    if engine.info.student:
        for steps in STUDENT_STEPS:
            quick = replace(template, student=True, steps=steps)
            found.append(Contender(f"student, {steps} steps", f"_student{steps}", engine, quick))
    if engine.painter is not None and engine.painter is not engine:
        name = engine.painter.info.name
        found.append(Contender(f"instant ({name})", "_instant", engine.painter, template))
    return found


def compare(evaluation: Evaluation, engine: Engine, template: SampleRequest) -> list[dict]:
    """Measure each of them, print one table of all, and write one sheet.

    Each run's figures have its title as `contender`.
    """
    evaluation = replace(evaluation, made_with=evaluation.made_with | _painter_digest(engine))
    those = contenders(engine, template)
    runs = []
    for one in those:
        print(f"\n{one.title}")
        figures = evaluation.of_model(one.engine, one.template, one.name)
        runs.append({"contender": one.title} | figures)
    print("\n" + table(runs))
    rows = evaluation.measures.sheet_rows
    if rows and evaluation.out:
        title = "Layouts, what each of them makes of it, and the photo"
        evaluation.write(runs[0], "compared.png", title, _sheet(evaluation, those, rows))
    return runs


def table(runs: Sequence[dict]) -> str:
    """A column for each contender, a row for each figure, and the time of a picture."""
    widths = [max(WIDTH, len(run["contender"]) + 2) for run in runs]
    return "\n".join(_line(title, values, widths) for title, *values in compared(runs))


def _line(title: str, values: Sequence[str], widths: Sequence[int]) -> str:
    cells = (f"{value:>{width}}" for value, width in zip(values, widths, strict=True))
    return f"{title:<18}" + "".join(cells)


def _painter_digest(engine: Engine) -> dict[str, str]:
    """What the painter's pictures depend on: another file of its name is another painter."""
    path = painter_path(getattr(getattr(engine, "checkpoint", None), "path", None))
    return {"painter_sha256": file_digest(path)} if path and path.is_file() else {}


def _sheet(evaluation: Evaluation, those: Sequence[Contender], count: int) -> np.ndarray:
    """The first layouts; what was kept is not made again."""
    rows = []
    with progress_bar(count, "Sheet") as bar:
        for index, pair in enumerate(islice(evaluation.pairs, count)):
            sample = read_pair(pair, evaluation.palette)
            row = [evaluation.palette.colors[sample.labels]]
            for one in those:
                folder = evaluation.out / f"pictures{one.name}"
                about = {**evaluation.made_with, "precision": one.engine.info.precision}
                source = sampled(one.engine, one.template, KeptPictures(folder, about))
                row.append(source(index, pair, sample, bar)[0][0])
            rows.append([*row, sample.image])
    return sheet(rows, [["layout", *(one.title for one in those), "photo"]])
