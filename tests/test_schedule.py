"""The schedule's numbers are the official ones."""

import numpy as np
import pytest
import torch

from core.schedule import ScheduleError, ScheduleSpec, respace
from tests.reference import DIFFUSIONS, Golden

LINEAR = ScheduleSpec("linear").build()


@pytest.mark.parametrize("name", DIFFUSIONS)
def test_the_respaced_process_is_the_official_one(name):
    """Timesteps, abar and every posterior array agree to 1e-12."""
    golden = Golden(name)
    spec = ScheduleSpec(golden.config["schedule"], golden.config["steps"])
    ours = spec.build().respaced(golden.config["respacing"])
    assert np.array_equal(ours.timesteps, golden.timestep_map)
    pairs = {
        "alphas_cumprod": ours.alphas_cumprod,
        "posterior_variance": ours.posterior.variance,
        "posterior_mean_coef1": ours.posterior.coef1,
        "posterior_mean_coef2": ours.posterior.coef2,
        "posterior_log_variance_clipped": ours.posterior_log_variance_clipped,
    }
    for key, values in pairs.items():
        np.testing.assert_allclose(
            values, getattr(golden, key).numpy(), atol=1e-12, rtol=0, err_msg=key
        )


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_a_schedule_goes_from_the_picture_to_noise(name):
    """abar falls from almost 1 to almost 0, and t = -1 is the clean picture."""
    schedule = ScheduleSpec(name).build()
    assert (np.diff(schedule.alphas_cumprod) < 0).all()
    assert schedule.abar(0) > 0.999 and schedule.abar(999) < 1e-4 and schedule.abar(-1) == 1


def test_published_ends_of_the_linear_schedule():
    """beta runs from 1e-4 to 0.02 over 1000 steps, and is scaled for another T."""
    assert LINEAR.posterior.beta[[0, -1]] == pytest.approx([1e-4, 0.02])
    assert ScheduleSpec("linear", 500).build().posterior.beta[-1] == pytest.approx(0.04)


def test_the_cosine_schedule_never_takes_everything():
    """beta is capped at 0.999."""
    assert ScheduleSpec("cosine").build().posterior.beta.max() == pytest.approx(0.999)


@pytest.mark.parametrize(
    "spelling, expected",
    [
        ("5", [0, 250, 500, 749, 999]),
        (2, [0, 999]),
        (1, [999]),
        ("1", [0]),
        ("ddim4", [0, 250, 500, 750]),
        ("2,1,3", [0, 333, 334, 667, 833, 999]),
        (" 2 ", [0, 999]),
    ],
)
def test_official_spellings_of_respacing(spelling, expected):
    """Counts, sections and strides visit the timesteps that the official code visits."""
    assert respace(1000, spelling) == expected


@pytest.mark.parametrize("bad", ["", "abc", "0", "1001", "ddim7x", "ddim999", "10,-1", "600,600"])
def test_a_bad_respacing_is_named(bad):
    """What cannot be read or does not fit is refused with its own text."""
    with pytest.raises(ScheduleError, match="cannot be read|too many") as error:
        respace(1000, bad)
    assert repr(bad) in str(error.value)


def test_an_unknown_schedule_is_named():
    """The sentence names what was asked for and what exists."""
    with pytest.raises(ScheduleError, match="'sqrt'.*linear and cosine"):
        ScheduleSpec("sqrt").build()


@pytest.mark.parametrize("kind", ["eps", "v", "x0"])
def test_every_prediction_type_gives_back_x0(kind):
    """target and x0_from_output are inverse to each other at any t."""
    x0, noise, t = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4), torch.tensor([0, 400, 999])
    x = LINEAR.q_sample(x0, t, noise)
    again = LINEAR.x0_from_output(kind, x, t, LINEAR.target(kind, x0, t, noise))
    torch.testing.assert_close(again, x0, atol=2e-4, rtol=0)
    torch.testing.assert_close(LINEAR.eps_from_x0(x, t, x0), noise, atol=2e-3, rtol=0)


def test_a_single_t_and_a_batch_of_t_agree():
    """An int is a batch whose timesteps are all the same."""
    x0, noise = torch.randn(2, 1, 3, 3), torch.randn(2, 1, 3, 3)
    batch = LINEAR.q_sample(x0, torch.tensor([321, 321]), noise)
    torch.testing.assert_close(LINEAR.q_sample(x0, 321, noise), batch)
