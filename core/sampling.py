"""Sampling: one loop, and the step rules that it can walk with.

    denoise(x, t) -> Prediction            what is under the noise
    step(pred, x, t, t_prev, noise) -> x   how to move
    path = [980, 960, ..., 0, -1]          where to walk
    constrain(x, t) -> x                   what must stay

Timesteps are those of the full training schedule; -1 is the clean picture. A path may go up: the
loop adds noise there, and rules with a history forget it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from core.schedule import Prediction, Schedule, interpolate_log_variance, posterior

Denoise = Callable[[Tensor, int], Prediction]
Noise = Callable[[], Tensor]
Step = Callable[[Prediction, Tensor, int, int, Noise], Tensor]
Constrain = Callable[[Tensor, int], Tensor]


MAX_STRETCH = 1.0  # of dpmpp_2m; docs/decisions/003 has the measurements
FEW_STEPS = 8  # up to which the last step of the official respacing, at t = 0, is one too many


class Moment(NamedTuple):
    """The state after one step: x at timestep t, and the prediction that led there."""

    x: Tensor
    t: int
    prediction: Prediction


def sample(
    denoise: Denoise,
    step: Step,
    path: Sequence[int],
    x: Tensor,
    noise: Noise,
    schedule: Schedule,
    constrain: Constrain = lambda x, t: x,
) -> Iterator[Moment]:
    """Walk `path` from x `[N, C, H, W]` at path[0]; yields after every step down.

    Closing the iterator ends the walk; nothing is computed ahead of what was asked for.
    """
    for t, t_prev in zip(path, path[1:]):
        if t_prev > t:
            x = constrain(renoise(schedule, x, t, t_prev, noise()), t_prev)
            continue
        prediction = denoise(x, t)
        x = constrain(step(prediction, x, t, t_prev, noise), t_prev)
        yield Moment(x, t_prev, prediction)


def renoise(schedule: Schedule, x: Tensor, t: int, higher: int, noise: Tensor) -> Tensor:
    """x_t taken up to a noisier timestep: q(x_higher | x_t)."""
    alpha = schedule.abar(higher) / schedule.abar(t)
    return math.sqrt(alpha) * x + math.sqrt(1 - alpha) * noise


def descend(schedule: Schedule, steps: int | str) -> list[int]:
    """The plain path down: the respaced timesteps from the noisiest, then -1."""
    return [int(t) for t in reversed(schedule.respaced(steps).timesteps)] + [-1]


def trailing(schedule: Schedule, steps: int) -> list[int]:
    """Even steps down that begin at the noisiest timestep and do not waste one on the cleanest.

    "Trailing" spacing (Lin et al. 2024, table 2): what few steps need.
    """
    n = len(schedule)
    return [round(n - i * n / steps) - 1 for i in range(steps)] + [-1]


# -- step rules -----------------------------------------------------------------------------------


def ddpm(schedule: Schedule, eta: float = 0.0) -> Step:
    """Ancestral sampling with the learned variance (Improved DDPM; the SDM paper's sampler)."""

    def step(pred: Prediction, x: Tensor, t: int, t_prev: int, noise: Noise) -> Tensor:
        q = posterior(schedule.abar(t), schedule.abar(t_prev))
        mean = q.coef1 * pred.x0 + q.coef2 * x
        if t_prev < 0:
            noise()  # drawn and not used, so that the stream of noise is the official one
            return mean
        log_variance = interpolate_log_variance(pred.v, math.log(q.variance), math.log(q.beta))
        return mean + (0.5 * log_variance).exp() * noise()

    return step


def ddim(schedule: Schedule, eta: float = 0.0) -> Step:
    """DDIM (Song et al. 2021, equation 12): eta 0 is deterministic, eta 1 has DDPM's variance."""

    def step(pred: Prediction, x: Tensor, t: int, t_prev: int, noise: Noise) -> Tensor:
        abar, abar_prev = schedule.abar(t), schedule.abar(t_prev)
        sigma = eta * math.sqrt((1 - abar_prev) / (1 - abar) * (1 - abar / abar_prev))
        x = math.sqrt(abar_prev) * pred.x0 + math.sqrt(1 - abar_prev - sigma**2) * pred.eps
        return x + sigma * noise() if sigma > 0 else x

    return step


def dpmpp_2m(schedule: Schedule, eta: float = 0.0) -> Step:
    """DPM-Solver++ of second order, multistep (Lu et al. 2022, algorithm 2).

    eta 0 is deterministic; eta 1 is the SDE variant (algorithm 4 there), which forgets old errors
    by taking fresh noise at every step.

    The first step, the last step and any step after the path went up are of first order. Where a
    step is longer than the one before, it extrapolates no further than that one reached: on paths
    that are even in t the last steps in lambda are several times longer, and would overshoot.
    """
    history: list[tuple[int, float, Tensor]] = []  # of the last step: where it went, its h, its x0

    def step(pred: Prediction, x: Tensor, t: int, t_prev: int, noise: Noise) -> Tensor:
        if t_prev < 0:
            return pred.x0
        h = half_log_snr(schedule, t_prev) - half_log_snr(schedule, t)
        x0 = pred.x0
        if history and history[-1][0] == t:
            _, h_last, x0_last = history[-1]
            x0 = x0 + (x0 - x0_last) * (min(h / h_last, MAX_STRETCH) / 2)
        history[:] = [(t_prev, h, pred.x0)]
        abar, abar_prev = schedule.abar(t), schedule.abar(t_prev)
        shrink = math.sqrt((1 - abar_prev) / (1 - abar)) * math.exp(-eta * h)
        x = shrink * x - math.sqrt(abar_prev) * math.expm1(-(1 + eta) * h) * x0
        if eta == 0:
            return x
        return x + math.sqrt((1 - abar_prev) * -math.expm1(-2 * eta * h)) * noise()

    return step


def half_log_snr(schedule: Schedule, t: int) -> float:
    """lambda_t = log(sqrt(abar_t) / sqrt(1 - abar_t))."""
    abar = schedule.abar(t)
    return 0.5 * math.log(abar / (1 - abar))


SAMPLERS: dict[str, Callable[[Schedule, float], Step]] = {
    "dpmpp_2m": dpmpp_2m,
    "ddim": ddim,
    "ddpm": ddpm,
}


def path_of(schedule: Schedule, steps: int | str, sampler: str) -> list[int]:
    """Where `sampler` walks in so many steps; a respacing in words is taken as it is."""
    if sampler == "dpmpp_2m" and steps in range(1, FEW_STEPS + 1):
        return trailing(schedule, steps)
    return descend(schedule, steps)


def finished(path: Sequence[int], finish: int) -> list[int]:
    """A path of which one leap is the end, from its first timestep at or below `finish` (>= 0)."""
    end = next((i for i, t in enumerate(path) if 0 <= t <= finish), len(path) - 2)
    return [*path[: end + 1], -1]


def leaps(stops: Sequence[int], steps: int | str) -> list[int]:
    """Where a student walks that learned to leap from each of its stops to the next, then -1.

    It cannot take more steps than it has stops. In fewer it leaves some of them out, the early ones
    first: a leap over a stop costs least where there is still little to be seen.
    """
    count = min(steps, len(stops)) if isinstance(steps, int) else len(stops)
    return [stops[math.ceil(i * len(stops) / count)] for i in range(count)] + [-1]


class SeedNoise:
    """Standard normal noise `[N, *shape]`, one stream a seed.

    A picture's noise depends on its seed and on nothing else: not on the batch, nor its neighbours,
    nor the device, because every stream is drawn on the CPU.
    """

    def __init__(
        self, seeds: Sequence[int], shape: Sequence[int], device: torch.device | str = "cpu"
    ) -> None:
        self.streams = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.shape, self.device = tuple(shape), device

    def __call__(self) -> Tensor:
        drawn = [torch.randn(self.shape, generator=stream) for stream in self.streams]
        return torch.stack(drawn).to(self.device)
