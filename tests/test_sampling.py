"""Samplers walk as the official ones do, and a picture depends on its seed alone."""

import numpy as np
import pytest
import torch

from core.sampling import SAMPLERS, SeedNoise, descend, path_of, renoise, sample
from core.schedule import Prediction, ScheduleSpec
from tests.reference import DIFFUSIONS, Golden, closed_form_denoise

SCHEDULE = ScheduleSpec().build()


@pytest.mark.parametrize("name", DIFFUSIONS)
def test_trajectories_are_the_official_ones(name):
    """With the same noise, x and the predicted x0 agree to 1e-5 at three steps of the way."""
    golden = Golden(name)
    noise = iter(golden.noise)
    kind = "ddim" if golden.config["ddim"] else "ddpm"
    path = descend(SCHEDULE, golden.config["respacing"])
    walk = sample(
        closed_form_denoise(golden, SCHEDULE),
        SAMPLERS[kind](SCHEDULE, golden.config["eta"]),
        path,
        golden.x_T,
        lambda: next(noise),
        SCHEDULE,
    )
    moments = list(walk)[::-1]  # the files count steps from the clean end
    for place, x, x0 in zip(golden.traj_index, golden.traj_x, golden.traj_x0, strict=True):
        torch.testing.assert_close(moments[place].x, x, atol=1e-5, rtol=0)
        torch.testing.assert_close(moments[place].prediction.x0, x0, atol=1e-5, rtol=0)


def toward(target: torch.Tensor):
    """A perfect denoiser: it always knows the picture."""

    def denoise(x, t):
        return Prediction(SCHEDULE.eps_from_x0(x, t, target), target, torch.zeros_like(x))

    return denoise


def walk(name, path, seeds=(0,), target=None, eta=0.0):
    """All moments of a walk with a perfect denoiser."""
    target = torch.linspace(-1, 1, 48).reshape(1, 3, 4, 4) if target is None else target
    noise = SeedNoise(seeds, target.shape[1:])
    step = SAMPLERS[name](SCHEDULE, eta)
    return list(sample(toward(target), step, path, noise(), noise, SCHEDULE))


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 7, "3,4", "ddim10"])
def test_a_perfect_denoiser_leads_to_the_picture(name, steps):
    """Whatever the sampler and the path, the end is what the denoiser says is there."""
    target = torch.linspace(-1, 1, 48).reshape(1, 3, 4, 4)
    end = walk(name, descend(SCHEDULE, steps), target=target)[-1]
    assert end.t == -1
    torch.testing.assert_close(end.x, target, atol=1e-5, rtol=0)


def gaussian(variance: float):
    """The exact denoiser of normal data with this variance: samplers must end at that variance."""

    def denoise(x, t):
        abar = SCHEDULE.abar(t)
        x0 = x * abar**0.5 * variance / (abar * variance + 1 - abar)
        return Prediction(SCHEDULE.eps_from_x0(x, t, x0), x0, torch.zeros_like(x))

    return denoise


@pytest.mark.parametrize(
    "name, eta",
    [("ddpm", 0), ("ddim", 0), ("ddim", 1), ("dpmpp_2m", 0), ("dpmpp_2m", 0.5), ("dpmpp_2m", 1)],
)
def test_samplers_reproduce_a_known_distribution(name, eta):
    """On normal data with the exact denoiser 250 steps give its variance back."""
    noise = SeedNoise([1], (1, 64, 64))
    step = SAMPLERS[name](SCHEDULE, eta)
    *_, end = sample(gaussian(0.25), step, descend(SCHEDULE, 250), noise(), noise, SCHEDULE)
    assert float(end.x.var()) == pytest.approx(0.25, rel=0.08)


def test_the_second_order_rule_needs_fewer_steps():
    """At ten steps dpmpp_2m is closer to the exact solution than ddim."""
    exact = 0.25**0.5  # of deterministic samplers: x_T scaled to the data's deviation

    def error(name):
        noise = SeedNoise([1], (1, 16, 16))
        x = noise()
        *_, end = sample(
            gaussian(0.25), SAMPLERS[name](SCHEDULE, 0), descend(SCHEDULE, 10), x, noise, SCHEDULE
        )
        return float((end.x - exact * x).abs().mean())

    assert error("dpmpp_2m") < 0.5 * error("ddim")


def test_nothing_is_computed_ahead():
    """The loop is a generator: one denoising per moment that was asked for."""
    calls = []

    def denoise(x, t):
        calls.append(t)
        return toward(x)(x, t)

    noise = SeedNoise([0], (3, 4, 4))
    moments = sample(
        denoise, SAMPLERS["ddim"](SCHEDULE, 0), [900, 500, 100, -1], noise(), noise, SCHEDULE
    )
    next(moments), next(moments)
    assert calls == [900, 500]


def test_a_path_may_go_up_again():
    """Going up adds noise and yields nothing; multi-step history does not survive it."""
    moments = walk("dpmpp_2m", [900, 500, 700, 300, -1])
    assert [m.t for m in moments] == [500, 300, -1]


def test_renoising_reaches_the_higher_level():
    """x_t taken up to t' has the signal and the noise of t'."""
    x0, low = torch.zeros(1, 1, 200, 200), torch.randn(1, 1, 200, 200)
    x = SCHEDULE.q_sample(x0, 300, low)
    higher = renoise(SCHEDULE, x, 300, 700, torch.randn(1, 1, 200, 200))
    assert float(higher.var()) == pytest.approx(1 - SCHEDULE.abar(700), rel=0.03)


def test_what_must_stay_stays():
    """constrain has the last word after every step."""
    noise = SeedNoise([0], (3, 4, 4))
    step = SAMPLERS["ddim"](SCHEDULE, 0)
    keep = lambda x, t: torch.full_like(x, float(t))  # noqa: E731
    moments = sample(
        toward(torch.ones(1, 3, 4, 4)), step, [900, 500, -1], noise(), noise, SCHEDULE, keep
    )
    assert [float(m.x.mean()) for m in moments] == [500, -1]


@pytest.mark.parametrize("name, eta", [("ddpm", 0), ("ddim", 1), ("dpmpp_2m", 1)])
def test_a_picture_depends_on_its_seed_and_not_on_its_batch(name, eta):
    """Seed 7 alone, first or last in a batch: the same picture, bit for bit."""
    path = descend(SCHEDULE, 5)
    target = torch.zeros(1, 3, 4, 4)
    alone = walk(name, path, (7,), target, eta)[-2].x[0]
    for seeds in ((7, 1), (3, 2, 7)):
        batch = walk(name, path, seeds, target.expand(len(seeds), -1, -1, -1), eta)[-2].x
        assert torch.equal(batch[seeds.index(7)], alone)


def test_paths_are_plain_descending_lists():
    """From the noisiest timestep to -1."""
    path = descend(SCHEDULE, 25)
    assert path[0] == 999 and path[-1] == -1 and (np.diff(path) < 0).all() and len(path) == 26


def test_few_steps_waste_none_on_the_cleanest():
    """Up to eight steps of the default sampler are trailing: t = 0 would be one of them."""
    assert path_of(SCHEDULE, 4, "dpmpp_2m") == [999, 749, 499, 249, -1]
    assert path_of(SCHEDULE, 9, "dpmpp_2m")[-2:] == [0, -1]
    assert path_of(SCHEDULE, "ddim4", "dpmpp_2m")[-2:] == [0, -1]
