"""The few-step student: what it is taught, and how it is sampled."""

from dataclasses import replace

import pytest
import torch

from core.denoiser import Denoiser
from core.distillation import ConsistencyObjective
from core.model.unet import SDMUNet
from core.sampling import SAMPLERS, SeedNoise, path_of, sample, trailing
from core.schedule import Prediction, Schedule, ScheduleSpec
from core.transfer import grown

SCHEDULE: Schedule = ScheduleSpec().build()


@pytest.fixture
def objective(make_unet, palette):
    """A tiny teacher and its student at the start."""
    teacher = make_unet(prediction="v")
    student = SDMUNet(replace(teacher.spec, guidance_embedding=True))
    assert grown(student, teacher.state_dict()) == ["guidance_embed.weight"]
    return ConsistencyObjective(student, teacher, SCHEDULE, len(palette), grid=10)


@pytest.fixture
def batch(palette):
    labels = torch.randint(0, len(palette), (3, 16, 16), dtype=torch.uint8)
    return {"image": torch.rand(3, 3, 16, 16) * 2 - 1, "labels": labels, "seed": torch.arange(3)}


def layout(objective, n=1):
    y = torch.zeros(n, objective.model.spec.num_classes, 16, 16)
    y[:, 1] = 1
    return y


def test_a_student_begins_as_its_teacher_without_guidance(objective):
    """The new input has no weight yet: whatever the scale, the teacher's own output."""
    x, t = torch.randn(2, 3, 16, 16), torch.tensor([900, 30])
    y, scale = layout(objective, 2), torch.tensor([1.0, 4.0])
    torch.testing.assert_close(objective.model(x, t, y, scale), objective.teacher(x, t, y))


def unclipped(x, t, x0, v):
    """The prediction of a model whose x0 has no range, as in latent space."""
    return Prediction(SCHEDULE.eps_from_x0(x, t, x0), x0, v)


def test_the_teachers_step_is_the_samplers(objective):
    """One guided DDIM step, each sample at its own t and scale, as the sampler does it."""
    x = torch.randn(2, 3, 16, 16)
    t, t_prev, scales = torch.tensor([899, 499]), torch.tensor([799, 399]), torch.tensor([1.5, 3.0])
    x0, lower = objective.teacher_step(x, t, t_prev, layout(objective, 2), scales)
    for i, scale in enumerate((1.5, 3.0)):
        denoise = Denoiser(objective.teacher, SCHEDULE, layout(objective), (16, 16), scale)
        here, there, one = int(t[i]), int(t_prev[i]), x[i : i + 1]
        denoise.prediction = unclipped
        prediction = denoise(one, here)
        step = SAMPLERS["ddim"](SCHEDULE, 0.0)(prediction, one, here, there, None)
        torch.testing.assert_close(x0[i : i + 1], prediction.x0, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(lower[i : i + 1], step, atol=1e-4, rtol=1e-4)


def test_at_the_last_step_the_teacher_has_the_last_word(objective):
    """x0 is where the path ends, and nothing is added to it."""
    x, t = torch.randn(1, 3, 16, 16), torch.tensor([99])
    x0, lower = objective.teacher_step(
        x, t, torch.tensor([-1]), layout(objective), torch.tensor([2.0])
    )
    assert torch.equal(x0, lower)


def test_only_the_student_learns_and_the_loss_falls(objective, batch):
    """The teacher stays; a few steps on one batch bring the student nearer to consistency."""
    before = {k: v.clone() for k, v in objective.teacher.state_dict().items()}
    optimiser = torch.optim.Adam(objective.model.parameters(), 2e-3)
    losses = []
    for _ in range(12):
        loss = objective(batch)["loss"]
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert objective.model.guidance_embed.weight.abs().max() > 0
    assert all(torch.equal(v, before[k]) for k, v in objective.teacher.state_dict().items())
    assert min(losses[-3:]) < 0.9 * losses[0]


def test_the_loss_of_a_sample_depends_on_its_seed_alone(objective, batch):
    """The same seeds, the same loss; another seed, another."""
    first = objective(batch)["loss"]
    assert torch.equal(first, objective(batch)["loss"])
    assert not torch.equal(first, objective({**batch, "seed": batch["seed"] + 9})["loss"])


def test_trailing_begins_at_the_noisiest_and_wastes_no_step():
    assert trailing(SCHEDULE, 1) == [999, -1]
    assert trailing(SCHEDULE, 4) == [999, 749, 499, 249, -1]
    assert path_of(SCHEDULE, 4, "consistency") == trailing(SCHEDULE, 4)
    assert path_of(SCHEDULE, "ddim4", "consistency") == [750, 500, 250, 0, -1]
    assert path_of(SCHEDULE, 4, "ddim")[0] == 999 and 0 in path_of(SCHEDULE, 4, "ddim")


def test_a_student_takes_one_pass_a_step_whatever_the_scale(objective):
    """Guidance is an input: there is no null branch, and a learned scale changes the picture."""
    student = objective.model.eval()
    torch.nn.init.normal_(student.guidance_embed.weight)
    passes = []
    decode = student.decode
    student.decode = lambda *a: passes.append(1) or decode(*a)
    pictures = []
    for scale in (1.0, 3.0):
        denoise = Denoiser(student, SCHEDULE, layout(objective), (16, 16), scale)
        noise = SeedNoise([5], (3, 16, 16))
        step = SAMPLERS["consistency"](SCHEDULE, 0.0)
        *_, last = sample(denoise, step, trailing(SCHEDULE, 2), noise(), noise, SCHEDULE)
        pictures.append(last.x)
    assert len(passes) == 4 and not torch.equal(*pictures)


def test_consistency_steps_noise_x0_anew(objective):
    """Between two steps the prediction is noised with the seed's own next noise."""
    noise, again = SeedNoise([3], (3, 4, 4)), SeedNoise([3], (3, 4, 4))
    prediction = type("P", (), {"x0": torch.full((1, 3, 4, 4), 0.5)})
    step = SAMPLERS["consistency"](SCHEDULE, 0.0)
    lower = step(prediction, torch.zeros(1, 3, 4, 4), 999, 499, noise)
    assert torch.equal(lower, SCHEDULE.q_sample(prediction.x0, 499, again()))
    assert torch.equal(step(prediction, lower, 499, -1, noise), prediction.x0)
