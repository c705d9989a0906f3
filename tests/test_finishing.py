"""A student that learns to end its model's walks: what it is taught, and the command."""

from __future__ import annotations

import csv
import math
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core import train
from core.checkpoint import Checkpoint
from core.engine import Engine
from core.finishing import (
    FINISH,
    LAST_ANCHOR,
    TIMESTEPS,
    FinishingDataset,
    FinishingDuel,
    FinishingObjective,
)
from core.model.discriminator import LabelDiscriminator
from core.noised_features import NoisedFeatures
from core.request import Layout, SampleRequest
from core.schedule import ScheduleSpec
from core.walks import WalkDataset, WalkPlan
from tests.learners import learners

SCHEDULE = ScheduleSpec().build()
STOPS = (999, 666, 166)


@pytest.fixture
def objective(make_unet):
    """A tiny student of latents beside a tiny judge."""
    torch.manual_seed(0)
    shape = {"in_channels": 4, "out_channels": 8, "prediction": "v"}
    student = make_unet(**shape, stops=STOPS, finish=FINISH).requires_grad_(True)
    features = NoisedFeatures(make_unet(**shape), SCHEDULE)
    duel = FinishingDuel(student, LabelDiscriminator(features.widths, 3, (8, 8, 8)))
    return FinishingObjective(duel, SCHEDULE, torch.ones(3), features, 0.5)


def layouts(generator, count=4):
    labels = torch.randint(0, 3, (count, 16, 16), generator=generator)
    return torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2).float()


@pytest.fixture
def batch():
    """Four photos, and four leaps: two to the picture, two on the way."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(3, 4, 4, 16, 16, generator=generator)
    return {
        "x0": noise[0].half(),
        "y": layouts(generator),
        "seed": torch.tensor([5, 8, 13, 2**62 + 1]),
        "walk_x": noise[1].half(),
        "walk_landing": noise[2].half(),
        "walk_t": torch.tensor([166, 999, 166, 666]),
        "walk_s": torch.tensor([-1, 666, -1, 166]),
        "walk_y": layouts(generator),
        "walk_scale": torch.tensor([1.0, 4.0, 2.0, 3.0]),
    }


def test_neither_side_learns_from_the_others_loss(objective, batch):
    losses = objective(batch)
    for name in ("passing", "matching", "anchor"):
        assert learners(objective, objective(batch)[name]) == {"student"}
    assert learners(objective, losses["judging"]) == {"judge"}


def test_the_loss_depends_on_the_seeds_alone(objective, batch):
    first = objective(batch)["loss"]
    assert torch.equal(first, objective(batch)["loss"])
    assert not torch.equal(first, objective({**batch, "seed": batch["seed"] + 7})["loss"])


def test_only_leaps_to_the_picture_are_judged(objective, batch):
    """Other states on the way change nothing that the judge sees; other last states do."""
    before = objective(batch)
    for place, judged in ((1, False), (3, False), (0, True), (2, True)):
        x = batch["walk_x"].clone()
        x[place] += 1
        after = objective({**batch, "walk_x": x})
        assert after["anchor"] != before["anchor"]
        for name in ("passing", "judging"):
            assert (abs(after[name] - before[name]) > 1e-5) == judged
        torch.testing.assert_close(after["matching"], before["matching"])  # that is the photos'


def test_walks_hold_the_other_leaps(objective, batch):
    """Each lands where the walk did; the last, which is judged, counts a tenth."""
    leaps = {k.removeprefix("walk_"): v for k, v in batch.items() if k.startswith("walk_")}
    one_by_one = [
        objective.leap({k: v[i : i + 1] for k, v in leaps.items()})["loss"] for i in range(4)
    ]
    weights = torch.tensor([LAST_ANCHOR, 1, LAST_ANCHOR, 1])
    expected = (torch.stack(one_by_one) * weights).mean()
    torch.testing.assert_close(objective(batch)["anchor"], expected, rtol=1e-4, atol=1e-5)


def test_guidance_is_the_walks(objective, batch):
    """At scale 1 where no walk was guided, at the walk's own scale below."""
    told, network = [], objective.network.forward
    objective.network.forward = lambda *a: told.append(a) or network(*a)
    objective(batch)
    _, t, _, scale = told[0]
    assert scale[4:].tolist() == [1.0, 1.0, 2.0, 1.0] and t[4:].equal(batch["walk_t"])
    assert (scale[:4] >= 1).all() and len(scale[:4].unique()) == 4
    assert (t[:4] >= TIMESTEPS[0]).all() and (t[:4] < TIMESTEPS[1]).all()


def learned(objective, batch, side, steps=20):
    """The losses before and after one side alone has learned for a while."""
    optimiser = torch.optim.Adam(side.parameters(), 2e-3)
    before = objective(batch)
    for _ in range(steps):
        optimiser.zero_grad()
        objective(batch)["loss"].backward()
        optimiser.step()
    return before, objective(batch)


def test_the_judge_learns_to_tell_leaps_from_photos(objective, batch):
    before, after = learned(objective, batch, objective.model.judge)
    assert after["judging"] < 0.8 * before["judging"]
    assert after["passing"] > before["passing"] and after["anchor"] == before["anchor"]


def test_the_student_learns_to_pass_and_to_land(objective, batch):
    """Its leaps are taken for their labels by a judge that stays as it is; walks are learned."""
    objective._belief = lambda judging: 1.0
    before, after = learned(objective, batch, objective.model.student)
    assert after["passing"] < before["passing"] - 0.05
    assert after["anchor"] < 0.95 * before["anchor"]


def test_a_judge_that_guesses_is_not_believed(objective, batch):
    """Its push counts nothing; that of one that knows counts fully."""
    guess = 2 * math.log(4)
    believed = [float(objective._belief(torch.tensor(guess * e))) for e in (1.1, 1, 0.8, 0.6, 0.3)]
    assert believed == pytest.approx([0, 0, 0.5, 1, 1])
    with torch.no_grad():
        for out in objective.model.judge.out:
            out.weight.mul_(1e-3)
            out.bias.zero_()
            out.bias[0] = -1.0  # nothing was made
    losses = objective(batch)
    assert losses["judging"] > guess
    others = losses["judging"] + 0.5 * losses["matching"] + losses["anchor"]
    torch.testing.assert_close(losses["loss"], others)


class Photos:
    """Two photos, as `LatentDataset` gives them."""

    def __len__(self):
        return 2

    def __getitem__(self, item):
        return {"x0": torch.full((4, 2, 2), float(item[0])), "seed": item[1]}


def test_a_photo_comes_with_a_leap_of_some_walk():
    """Half of the leaps are the last; every walk and every stop has its turn; by the seed alone."""
    x = torch.arange(12.0).reshape(3, 4, 1, 1, 1).expand(3, 4, 4, 2, 2)
    shard = {"x": x, "y": torch.zeros(3, 3, 2, 2), "scale": torch.tensor([1.0, 2.0, 3.0])}
    plan = WalkPlan("tiny", STOPS, (*STOPS, -1), (1.0, 5.0), (16, 16), 0)
    data = FinishingDataset(Photos(), WalkDataset([shard], plan))
    assert len(data) == 2
    items = [data[(seed % 2, seed)] for seed in range(300)]
    assert [int(i["x0"][0, 0, 0]) for i in items[:4]] == [0, 1, 0, 1]
    last = np.mean([i["walk_t"] == 166 for i in items])
    assert 0.4 < last < 0.6
    assert {int(i["walk_x"][0, 0, 0]) for i in items} == {0, 1, 2, 4, 5, 6, 8, 9, 10}
    again = data[(0, 7)]
    assert again["walk_t"] == items[7]["walk_t"] and again["walk_scale"] == items[7]["walk_scale"]


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def model(make_checkpoint):
    return make_checkpoint(latent=True)


@pytest.fixture
def student(make_checkpoint):
    return make_checkpoint(latent=True, name="few.safetensors", stops=STOPS)


@pytest.fixture
def finishing(photos, palette_file, tmp_path):
    """`finishing(out, *more)`: the exit status of the command."""

    def run(out, *more):
        words = ["--data", photos, "--palette", palette_file, "--stage", "finishing", "--size", 64]
        words += ["--out", tmp_path / out, "--batch", 2, "--walks", 8, "--threads", 1]
        words += ["--precision", "float32", "--lr-schedule", "constant", "--sheet-every", 0, *more]
        return train.main([str(word) for word in words])

    return run


def test_the_command_trains_resumes_bit_for_bit_and_exports(finishing, model, student, tmp_path):
    """The file is a student as before that says from where on it ends walks; no judge is in it."""
    given = ("--init", model, "--student", student)
    assert finishing("whole", *given, "--steps", 3) == 0
    assert finishing("parts", *given, "--steps", 2) == 0
    assert finishing("parts", *given, "--steps", 3, "--resume") == 0
    whole, parts = (load_file(tmp_path / n / "state.safetensors") for n in ("whole", "parts"))
    assert whole.keys() == parts.keys() and all(torch.equal(whole[k], parts[k]) for k in whole)
    assert any(name.startswith("model.judge.") for name in whole)
    with (tmp_path / "whole" / "log.csv").open() as file:
        assert float(list(csv.DictReader(file))[-1]["passing"]) > 0
    assert (tmp_path / "whole" / "sheets" / "0000003.png").is_file()

    made = Checkpoint.open(tmp_path / "whole" / "weights.safetensors")
    before = Checkpoint.open(student)
    assert (made.spec.stops, made.spec.finish) == (STOPS, FINISH)
    old, new = (c.load_unet().state_dict() for c in (before, made))
    assert old.keys() == new.keys() and any(not torch.equal(old[k], new[k]) for k in old)

    shutil.copy(made.path, model.with_name("tiny-student.safetensors"))
    engine = Engine.open(model, "cpu", "float32")
    layout = Layout(np.zeros((64, 64), np.uint8), engine.info.palette)
    *_, last = engine.sample(SampleRequest(layout, steps=2))
    assert last.image.shape == (64, 64, 3)


def test_what_it_cannot_begin_with_is_said(finishing, model, student, make_checkpoint, capsys):
    """Each in a sentence that names the file and the way out; before any walk is made."""
    pixels = make_checkpoint(name="pixels.safetensors")
    few_pixels = make_checkpoint(name="few-pixels.safetensors", stops=STOPS)
    late = make_checkpoint(latent=True, name="late.safetensors", stops=(999, 500))
    wide = make_checkpoint(latent=True, name="wide.safetensors", stops=STOPS, spade_hidden=16)
    cases = [
        ((), "--stage finishing needs --init"),
        (("--init", model), "needs --student"),
        (("--init", student, "--student", student), "few.safetensors is a distilled student"),
        (("--init", model, "--student", model), "tiny.safetensors is no few-step student"),
        (("--init", model, "--student", wide), "wide.safetensors is no student of"),
        (("--init", model, "--student", late), "leaps to the picture from timestep 500"),
        (("--init", pixels, "--student", few_pixels), "pixels.safetensors works on pixels"),
        (("--init", model, "--student", student, "--walks", 0), "--walks must be 1 or more"),
        (("--init", model, "--student", student, "--size", 40), "--size 40x40"),
        (("--init", model, "--student", student, "--precision", "float16"), "float16"),
        (("--stage", "distillation", "--init", model, "--student", student), "leave it out"),
    ]
    for number, (more, says) in enumerate(cases):
        assert finishing(f"run{number}", *more) == 2
        assert says in capsys.readouterr().err
