"""`core.evaluate --compare`: a model beside its student and its painter."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from core.request import Result, Started
from tests.test_evaluate import PALETTE, PaintedEngine, make_data, run


class Right(PaintedEngine):
    """A painter that is always right."""

    info = replace(PaintedEngine.info, name="right-instant", painter="right-instant")

    def sample(self, request, guidance_scale=None):
        self.seeds += request.seeds
        yield Started(request, 1)
        for seed in request.seeds:
            image = PALETTE.colors[request.layout.labels]
            yield Result(image, request.single(seed), 0.1, "right-instant")


class Crowd(PaintedEngine):
    """A model with a student and a painter."""

    info = replace(PaintedEngine.info, student=True, painter="right-instant")

    def __init__(self):
        super().__init__()
        self.painter = Right()
        self.asked = []

    def sample(self, request, guidance_scale=None):
        self.asked.append((request.student, request.sampler, request.steps))
        return super().sample(request, guidance_scale)


@pytest.fixture
def data(tmp_path):
    return make_data(tmp_path)


def test_one_table_and_one_sheet_of_all_that_are_there(data, tmp_path, capsys):
    """On the same layouts and seeds; the report has them side by side."""
    out, engine = tmp_path / "out", Crowd()
    options = ("--weights", "w", "--compare", "--steps", 9, "--out", out, "--sheet", 2)
    assert run(data, *options, engine=engine) == 0
    table = capsys.readouterr().out.split("\n\n")[-1]
    head, accuracy, *_ = table.splitlines()
    names = ["painted, 9 steps", "student, 2 steps", "student, 4 steps", "instant (right-instant)"]
    assert [head.index(name) for name in names] == sorted(head.index(name) for name in names)
    assert accuracy.split() == ["pixel", "accuracy", "0.500", "0.500", "0.500", "1.000"]
    assert "seconds a picture" in table
    runs = json.loads((out / "metrics.json").read_text())
    assert [r["contender"] for r in runs] == names
    assert {a for a in engine.asked} == {
        (False, "dpmpp_2m", 9),
        (True, "dpmpp_2m", 2),
        (True, "dpmpp_2m", 4),
    }
    assert engine.painter.seeds == [0, 1]  # each once: the sheet takes what was kept
    assert np.array(Image.open(out / "compared.png")).ndim == 3
    text = (out / "report.md").read_text(encoding="utf-8")
    assert "## Side by side" in text and "# student, 2 steps" in text and "compared.png" in text


def test_a_model_alone_is_a_table_of_one(data, capsys):
    engine = Crowd()
    engine.info, engine.painter = PaintedEngine.info, None
    assert run(data, "--weights", "w", "--compare", engine=engine) == 0
    assert "painted, 25 steps" in capsys.readouterr().out


@pytest.mark.parametrize("options", [("--real",), ("--weights", "w", "--guidance", "1,2")])
def test_what_cannot_be_compared_has_its_sentence(data, capsys, options):
    assert run(data, "--compare", *options) == 2
    assert "--compare needs" in capsys.readouterr().err
