"""The few-step student: the walks it learns from, what it is taught, and how it is sampled."""

from dataclasses import replace

import pytest
import torch

from core.dataset import PairDataset, find_pairs
from core.denoiser import Denoiser
from core.distillation import LeapObjective
from core.model.unet import SDMUNet
from core.sampling import SAMPLERS, leaps, sample, trailing
from core.schedule import Prediction, Schedule, ScheduleSpec
from core.walks import SHARD, WalkDataset, Walker, WalkPlan, make_walks

SCHEDULE: Schedule = ScheduleSpec().build()
STOPS = (999, 666, 332)
PLAN = WalkPlan("tiny", STOPS, tuple(trailing(SCHEDULE, 6)), (1.0, 5.0), (16, 16), 0)


@pytest.fixture
def teacher(make_unet):
    return make_unet(prediction="v")


@pytest.fixture
def walker(teacher, photos, palette):
    """A tiny teacher on the layouts of six photos."""
    pairs = PairDataset(find_pairs(photos)[0], palette, (16, 16))
    return Walker(teacher, SCHEDULE, pairs, PLAN)


@pytest.fixture
def objective(teacher):
    """The tiny teacher's student at the start."""
    student = SDMUNet(replace(teacher.spec, stops=STOPS))
    student.load_state_dict(teacher.state_dict())
    return LeapObjective(student, SCHEDULE)


def batch_of(dataset, items):
    return torch.utils.data.default_collate([dataset[(i, 0)] for i in items])


# -- the teacher's walks --------------------------------------------------------------------------


def test_a_walk_is_the_samplers_own(walker):
    """Each walk, whatever its layout and scale, comes by where the sampler takes its noise."""
    shard = walker.shard(0)
    assert shard["x"].shape == (SHARD, 4, 3, 16, 16) and shard["x"].dtype == torch.float16
    for i in (0, 5):
        y, scale = shard["y"][i : i + 1].float(), float(shard["scale"][i])
        denoise = Denoiser(walker.teacher, SCHEDULE, y, (16, 16), scale, guidance_start=0.5)
        step, x = SAMPLERS["dpmpp_2m"](SCHEDULE, 0.0), shard["x"][i : i + 1, 0].float()
        states = {m.t: m.x[0] for m in sample(denoise, step, PLAN.path, x, None, SCHEDULE)}
        for place, stop in enumerate([*STOPS[1:], -1], start=1):
            torch.testing.assert_close(
                shard["x"][i, place].float(), states[stop], atol=0.02, rtol=0.02
            )


def test_guidance_begins_late(walker, teacher):
    """Above half of the timesteps no walk is guided; below every walk is, and from the start on."""
    runs = []
    teacher.decode = lambda e, m, t, decode=teacher.decode: (
        runs.append(int(t[0])) or decode(e, m, t)
    )
    walker.shard(0)
    assert [runs.count(t) for t in PLAN.path[:-1]] == [1, 1, 1, 2, 2, 2]
    late = walker.shard(0)["x"]
    walker.plan = replace(PLAN, guidance_start=1.0)
    early = walker.shard(0)["x"]
    assert torch.equal(late[:, 0], early[:, 0]) and not torch.equal(late[:, 1], early[:, 1])


def test_scales_and_layouts_vary(walker):
    """Scales fill the range, most of them in its middle; layouts are one-hot, some mirrored."""
    shards = [walker.shard(n) for n in range(3)]
    scale = torch.cat([s["scale"] for s in shards])
    assert 1 <= scale.min() < 2.2 and 3.8 < scale.max() <= 5
    y = torch.cat([s["y"] for s in shards]).float()
    assert torch.equal(y.sum(1), torch.ones(24, 16, 16))
    assert len(torch.unique(y.flatten(1), dim=0)) > 6  # of six photos


def test_walks_are_made_once(walker, tmp_path):
    """What is there of the same plan is not made again; a damaged or foreign file is."""
    made = []
    walker.shard, make = lambda n: made.append(n) or make(n), walker.shard
    first = make_walks(tmp_path / "walks", walker, 2 * SHARD - 3)
    assert made == [0, 1]
    again = make_walks(tmp_path / "walks", walker, 2 * SHARD)
    assert made == [0, 1] and torch.equal(first[1]["x"], again[1]["x"])
    (tmp_path / "walks" / "00001.safetensors").write_bytes(b"cut off")
    again = make_walks(tmp_path / "walks", walker, 2 * SHARD)
    assert made == [0, 1, 1] and torch.equal(first[1]["x"], again[1]["x"])
    walker.plan = replace(PLAN, teacher="another")
    make_walks(tmp_path / "walks", walker, SHARD)
    assert made == [0, 1, 1, 0]


def test_an_item_is_one_leap(walker):
    """Every leap of every walk once; from where the last one landed; the end is the picture."""
    data = WalkDataset([walker.shard(0)], PLAN)
    assert len(data) == 3 * SHARD
    leap = [data[(3 + i, 7)] for i in range(3)]
    assert [(i["t"], i["s"]) for i in leap] == [(999, 666), (666, 332), (332, -1)]
    assert torch.equal(leap[0]["landing"], leap[1]["x"])
    assert torch.equal(leap[0]["x"], leap[2]["noise"])
    assert torch.equal(leap[0]["x0"], leap[2]["landing"])


# -- the student ----------------------------------------------------------------------------------


def test_a_student_begins_as_its_guided_teacher(objective, teacher):
    """Each sample at its own scale, as the denoiser does it."""
    x, t, y = torch.randn(2, 3, 16, 16), torch.tensor([900, 30]), torch.rand(2, 3, 16, 16)
    output = objective.network(x, t, y, torch.tensor([1.0, 4.0]))
    for i, scale in enumerate((1.0, 4.0)):
        one, layout = x[i : i + 1], y[i : i + 1]
        denoise = Denoiser(teacher, SCHEDULE, layout, (16, 16), scale)
        expected = denoise.output(one, int(t[i]), scale)
        torch.testing.assert_close(output[i : i + 1, :3], expected[:, :3], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["eps", "v", "x0"])
def test_a_leap_is_one_step_of_ddim(make_unet, kind):
    """Of whatever prediction, each sample at its own timesteps; also to the clean picture."""
    objective = LeapObjective(make_unet(prediction=kind), SCHEDULE)
    x, output = torch.randn(2, 3, 16, 16), torch.randn(2, 3, 16, 16)
    t, s = torch.tensor([666, 332]), torch.tensor([332, -1])
    landed = objective.landed(x, t, s, output)
    for i in range(2):
        one, here, there = x[i : i + 1], int(t[i]), int(s[i])
        x0 = SCHEDULE.x0_from_output(kind, one, here, output[i : i + 1])
        prediction = Prediction(SCHEDULE.eps_from_x0(one, here, x0), x0, x0)
        step = SAMPLERS["ddim"](SCHEDULE, 0.0)(prediction, one, here, there, None)
        torch.testing.assert_close(landed[i : i + 1], step, atol=1e-4, rtol=1e-4)


def test_the_loss_is_the_error_of_v(objective):
    """Zero where v leads to the landing exactly, and the same for every leap otherwise."""
    x, right = torch.randn(3, 3, 16, 16), torch.randn(3, 3, 16, 16)
    t, s = torch.tensor(STOPS), torch.tensor([*STOPS[1:], -1])
    batch = {"x": x, "t": t, "s": s, "y": torch.rand(3, 3, 16, 16), "scale": torch.ones(3)}
    batch["landing"] = objective.landed(x, t, s, right)
    for error in (0.0, 0.5):
        said = torch.cat([right + error, right], 1)
        objective.network.forward = lambda *_, said=said: said
        assert objective(batch)["loss"].item() == pytest.approx(error**2, abs=1e-5)


def test_a_leap_above_the_start_of_guidance_is_learned_unguided(objective):
    """As the walk was: its scale counts only where the walk was guided."""
    late = LeapObjective(objective.model, SCHEDULE, 0.5)
    t, scale = torch.tensor([999, 501, 500, 166]), torch.tensor([3.0, 2.0, 4.0, 1.5])
    assert late.scale_at(t, scale).tolist() == [1.0, 1.0, 4.0, 1.5]
    assert objective.scale_at(t, scale).equal(scale)
    told = []
    late.network.forward = lambda x, t, y, scale: told.append(scale) or torch.zeros(4, 6, 16, 16)
    x = torch.randn(4, 3, 16, 16)
    late({"x": x, "landing": x, "t": t, "s": t - 99, "y": x, "scale": scale})
    assert told[0].tolist() == [1.0, 1.0, 4.0, 1.5]


def test_a_student_that_learned_one_walk_walks_it(objective, walker):
    """Its own walk over the stops ends nearer to the teacher's picture than it began."""
    data = WalkDataset([walker.shard(0)], PLAN)
    batch = batch_of(data, range(3))
    optimiser = torch.optim.Adam(objective.model.requires_grad_(True).parameters(), 2e-3)
    before = distance(objective, data)
    for _ in range(30):
        optimiser.zero_grad()
        objective(batch)["loss"].backward()
        optimiser.step()
    assert distance(objective, data) < 0.6 * before


def distance(objective, data):
    """From the teacher's picture of the first walk to the student's, as the engine walks it."""
    item = data[(0, 0)]
    scale, y = float(item["scale"]), item["y"][None]
    denoise = Denoiser(objective.model, SCHEDULE, y, (16, 16), scale)
    step, path = SAMPLERS["ddim"](SCHEDULE, 0.0), leaps(STOPS, 3)
    *_, last = sample(denoise, step, path, item["noise"][None].float(), None, SCHEDULE)
    return (last.x[0] - item["x0"]).norm()


def test_a_student_leaps_between_its_stops():
    """Never more often than it has stops; in fewer steps it leaves some out, never the first."""
    assert leaps((999, 666, 416, 166), 4) == [999, 666, 416, 166, -1]
    assert leaps((999, 666, 416, 166), 25) == leaps((999, 666, 416, 166), "ddim25")
    assert leaps((999, 666, 416, 166), 3) == [999, 416, 166, -1]
    assert leaps((999, 666, 416, 166), 2) == [999, 416, -1]
    assert leaps((999, 666, 416, 166), 1) == [999, -1]


def test_trailing_begins_at_the_noisiest_and_wastes_no_step():
    assert trailing(SCHEDULE, 1) == [999, -1]
    assert trailing(SCHEDULE, 4) == [999, 749, 499, 249, -1]
