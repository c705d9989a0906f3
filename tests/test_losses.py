"""The losses are the official ones, and the variance term teaches the variance only."""

import numpy as np
import pytest
import torch

from core.losses import log_density, per_sample_mean, simple_weight, vlb_term
from core.schedule import ScheduleSpec
from tests.reference import DIFFUSIONS, Golden, closed_form


@pytest.mark.parametrize("name", DIFFUSIONS)
def test_losses_are_the_official_ones(name):
    """q_sample, the squared error and the variational term agree at t = 0 and further up."""
    golden = Golden(name)
    schedule = ScheduleSpec(golden.config["schedule"]).build().respaced(golden.config["respacing"])
    t = golden.loss_t
    x = schedule.q_sample(golden.loss_x0, t, golden.loss_noise)
    torch.testing.assert_close(x, golden.loss_q, atol=1e-6, rtol=0)
    out = closed_form(x, torch.from_numpy(schedule.timesteps)[t], golden.y())
    simple = per_sample_mean((out[:, :3] - golden.loss_noise) ** 2)
    torch.testing.assert_close(simple, golden.loss_mse, atol=1e-5, rtol=1e-5)
    x0 = schedule.x0_from_eps(x, t, out[:, :3])
    vlb = vlb_term(schedule, golden.loss_x0, x, t, x0, out[:, 3:])
    torch.testing.assert_close(vlb, golden.loss_vb, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(simple + vlb, golden.loss, atol=1e-5, rtol=1e-4)


def test_the_mean_learns_nothing_from_the_variance_term():
    """Gradient reaches v and not the predicted picture."""
    schedule = ScheduleSpec().build()
    x0, x = torch.rand(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    predicted, v = x0.clone().requires_grad_(), torch.zeros(2, 3, 4, 4, requires_grad=True)
    vlb_term(schedule, x0, x, torch.tensor([0, 500]), predicted, v).sum().backward()
    assert predicted.grad is None and v.grad.abs().sum() > 0


def test_latents_are_measured_by_density():
    """Without 8-bit steps, t = 0 scores the density of x0 itself."""
    schedule = ScheduleSpec().build()
    x0 = torch.randn(1, 4, 2, 2) * 3
    x, t, v = (
        schedule.q_sample(x0, 0, torch.randn(1, 4, 2, 2)),
        torch.tensor([0]),
        torch.zeros(1, 4, 2, 2),
    )
    mean, log_variance = schedule.posterior_mean(x0, x, t), schedule.log_variance(v, t)
    expected = -log_density(x0, mean, log_variance).mean() / np.log(2)
    got = vlb_term(schedule, x0, x, t, x0, v, discrete=False)
    torch.testing.assert_close(got, expected.reshape(1))


@pytest.mark.parametrize("kind", ["eps", "v", "x0"])
def test_min_snr_weighs_the_error_in_x0_alike_for_every_prediction(kind):
    """An error d in x0 costs min(SNR, 5) d^2, in whichever terms the network speaks."""
    schedule = ScheduleSpec().build()
    signal, noise = np.sqrt(schedule.alphas_cumprod), np.sqrt(1 - schedule.alphas_cumprod)
    per_x0 = {"x0": 1.0, "eps": signal / noise, "v": 1 / noise}[
        kind
    ]  # error in the output per error in x0
    cost = simple_weight(schedule, kind, "min-snr") * per_x0**2
    np.testing.assert_allclose(cost, np.minimum((signal / noise) ** 2, 5), rtol=1e-9)
