"""L_simple, and one term of L_vlb with the mean detached (Improved DDPM, section 3.1)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from core.schedule import Schedule, at


def per_sample_mean(x: Tensor) -> Tensor:
    """`[N]`: the mean over everything but the batch."""
    return x.flatten(1).mean(1)


def simple_weight(schedule: Schedule, kind: str, weighting: str, gamma: float = 5.0) -> np.ndarray:
    """Weight of the squared error of output `kind` at each t, float64 `[T]`.

    "uniform" is the papers' L_simple. "min-snr" (Hang et al. 2023) caps what almost clean pictures
    count: min(SNR, gamma) of the error in x0, expressed in the error of eps or v.
    """
    if weighting == "uniform":
        return np.ones(len(schedule))
    snr = schedule.alphas_cumprod / (1 - schedule.alphas_cumprod)
    per_unit = {"x0": 1.0, "eps": snr, "v": snr + 1}[kind]
    return np.minimum(snr, gamma) / per_unit


def vlb_term(
    schedule: Schedule,
    x0: Tensor,
    x: Tensor,
    t: Tensor,
    predicted_x0: Tensor,
    v: Tensor,
    discrete: bool = True,
) -> Tensor:
    """`[N]`, bits per dimension: KL(q(x_prev | x_t, x0) || p), or -log p(x0 | x_1) at t = 0.

    No gradient flows into the mean: only the variance learns from this term. `discrete` measures t
    = 0 against pixels of 8 bits (x0 in [-1, 1]); latents have no steps, there the density is used.
    """
    mean = schedule.posterior_mean(predicted_x0.detach(), x, t)
    log_variance = schedule.log_variance(v, t)
    true_log = at(schedule.posterior_log_variance_clipped, t, x)
    kl = normal_kl(schedule.posterior_mean(x0, x, t), true_log, mean, log_variance)
    likelihood = discretized_log_likelihood if discrete else log_density
    nll = -likelihood(x0, mean, log_variance)
    term = torch.where((t == 0).reshape(-1, 1, 1, 1), nll, kl)
    return per_sample_mean(term) / math.log(2)


def normal_kl(mean1: Tensor, log_variance1: Tensor, mean2: Tensor, log_variance2: Tensor) -> Tensor:
    """KL divergence of two normal distributions, in nats, elementwise."""
    difference = log_variance1 - log_variance2
    return 0.5 * (
        -1 - difference + difference.exp() + (mean1 - mean2) ** 2 * (-log_variance2).exp()
    )


def log_density(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log of the normal density, elementwise."""
    return -0.5 * (math.log(2 * math.pi) + log_variance + (x - mean) ** 2 * (-log_variance).exp())


def discretized_log_likelihood(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log probability that the normal gives to the 8-bit step of x in [-1, 1]; open at both ends.

    The cumulative distribution is the tanh approximation of the official code.
    """
    inverse = (-0.5 * log_variance).exp()
    upper = normal_cdf(inverse * (x - mean + 1 / 255))
    lower = normal_cdf(inverse * (x - mean - 1 / 255))
    middle = (upper - lower).clamp(min=1e-12).log()
    low_end = upper.clamp(min=1e-12).log()
    high_end = (1 - lower).clamp(min=1e-12).log()
    return torch.where(x < -0.999, low_end, torch.where(x > 0.999, high_end, middle))


def normal_cdf(x: Tensor) -> Tensor:
    """Approximate standard normal distribution function."""
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
