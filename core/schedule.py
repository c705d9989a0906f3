"""The noise schedule: how much signal and how much noise there is at each timestep.

Notation of DDPM (Ho et al. 2020) and Improved DDPM (Nichol & Dhariwal 2021):
x_t = sqrt(abar_t) x0 + sqrt(1 - abar_t) eps, with t in 0..T-1, and t = -1 for the clean picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from core.errors import InputError

SCHEDULES = ("linear", "cosine")


class ScheduleError(InputError):
    """A schedule or a respacing that does not exist."""


class Prediction(NamedTuple):
    """What a denoiser says of x_t; all `[N, C, H, W]`."""

    eps: Tensor
    x0: Tensor
    v: Tensor  # interpolation of the log-variance, -1 (smallest) .. 1 (largest); SDM equation 4


class Posterior(NamedTuple):
    """q(x_prev | x_t, x0): its mean is coef1 x0 + coef2 x_t. Floats, or arrays over t."""

    beta: np.ndarray | float
    variance: np.ndarray | float
    coef1: np.ndarray | float
    coef2: np.ndarray | float


@dataclass(frozen=True)
class ScheduleSpec:
    """The training schedule; field names are the official ones.

    Raises `ScheduleError` for a name that does not exist.
    """

    noise_schedule: str = "linear"  # or "cosine"
    diffusion_steps: int = 1000  # T

    def __post_init__(self) -> None:
        if self.noise_schedule not in SCHEDULES:
            raise ScheduleError(
                f"There is no noise schedule {self.noise_schedule!r}; linear and cosine exist."
            )

    def build(self) -> Schedule:
        """The schedule itself."""
        return Schedule(np.cumprod(1.0 - betas(self.noise_schedule, self.diffusion_steps)))


def betas(name: str, steps: int) -> np.ndarray:
    """beta_t, float64 `[steps]`: "linear" (Ho et al.) or "cosine" (Nichol & Dhariwal)."""
    if name == "linear":
        scale = 1000 / steps  # the published ends are those of T = 1000
        return np.linspace(scale * 1e-4, scale * 0.02, steps, dtype=np.float64)
    if name == "cosine":
        abar = np.array(
            [math.cos((i / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(steps + 1)]
        )
        return np.minimum(1 - abar[1:] / abar[:-1], 0.999)
    raise ValueError(name)


def posterior(abar: np.ndarray | float, abar_prev: np.ndarray | float) -> Posterior:
    """The step from abar_t to abar_prev, whichever two timesteps they belong to."""
    alpha = abar / abar_prev
    beta = 1 - alpha
    return Posterior(
        beta=beta,
        variance=beta * (1 - abar_prev) / (1 - abar),
        coef1=beta * np.sqrt(abar_prev) / (1 - abar),
        coef2=(1 - abar_prev) * np.sqrt(alpha) / (1 - abar),
    )


class Schedule:
    """A diffusion process: abar at each of its steps, and the network's timesteps for them.

    alphas_cumprod: float64 `[n]`. timesteps: int64 `[n]`, ascending; 0..n-1 unless respaced.
    Methods on tensors take t as an int or as indices `[N]`; x, x0, eps are `[N, C, H, W]`.
    """

    def __init__(self, alphas_cumprod: np.ndarray, timesteps: np.ndarray | None = None) -> None:
        self.alphas_cumprod = np.asarray(alphas_cumprod, np.float64)
        self.timesteps = np.arange(len(alphas_cumprod)) if timesteps is None else timesteps

    def __len__(self) -> int:
        return len(self.alphas_cumprod)

    def respaced(self, respacing: int | str) -> Schedule:
        """The process that visits only some timesteps, as the official SpacedDiffusion does."""
        used = np.array(respace(len(self), respacing))
        return Schedule(self.alphas_cumprod[used], self.timesteps[used])

    @cached_property
    def posterior(self) -> Posterior:
        """The posterior of each step, arrays `[n]`."""
        return posterior(self.alphas_cumprod, np.append(1.0, self.alphas_cumprod[:-1]))

    @cached_property
    def posterior_log_variance_clipped(self) -> np.ndarray:
        """log beta-tilde; its first entry, which would be -inf, is that of the second step."""
        variance = self.posterior.variance
        return np.log(np.append(variance[min(1, len(variance) - 1)], variance[1:]))

    def abar(self, t: int) -> float:
        """abar_t as a float; 1 at t = -1."""
        return 1.0 if t < 0 else float(self.alphas_cumprod[t])

    def signal_noise(self, t: Tensor | int, like: Tensor) -> tuple[Tensor | float, Tensor | float]:
        """sqrt(abar_t) and sqrt(1 - abar_t), shaped to multiply `like`."""
        if isinstance(t, int):
            return math.sqrt(self.abar(t)), math.sqrt(1 - self.abar(t))
        abar = at(self.alphas_cumprod, t, like, torch.float64)
        return abar.sqrt().to(like.dtype), (1 - abar).sqrt().to(like.dtype)

    def q_sample(self, x0: Tensor, t: Tensor | int, noise: Tensor) -> Tensor:
        """x_t: x0 with the noise of timestep t. DDPM equation 4."""
        signal, sigma = self.signal_noise(t, x0)
        return signal * x0 + sigma * noise

    def x0_from_eps(self, x: Tensor, t: Tensor | int, eps: Tensor) -> Tensor:
        """The clean picture that eps implies."""
        signal, sigma = self.signal_noise(t, x)
        return (1 / signal) * x - (sigma / signal) * eps

    def eps_from_x0(self, x: Tensor, t: Tensor | int, x0: Tensor) -> Tensor:
        """The noise that x0 implies."""
        signal, sigma = self.signal_noise(t, x)
        return (x - signal * x0) / sigma

    def x0_from_output(self, kind: str, x: Tensor, t: Tensor | int, output: Tensor) -> Tensor:
        """x0 from a network that predicts `kind`: "eps", "v" (Salimans & Ho 2022) or "x0"."""
        if kind == "x0":
            return output
        if kind == "eps":
            return self.x0_from_eps(x, t, output)
        signal, sigma = self.signal_noise(t, x)
        return signal * x - sigma * output

    def target(self, kind: str, x0: Tensor, t: Tensor | int, noise: Tensor) -> Tensor:
        """What a network that predicts `kind` should give."""
        if kind == "v":
            signal, sigma = self.signal_noise(t, x0)
            return signal * noise - sigma * x0
        return noise if kind == "eps" else x0

    def log_variance(self, v: Tensor, t: Tensor) -> Tensor:
        """Learned-range log-variance of the step at t; v = -1 gives beta-tilde, 1 gives beta."""
        low = at(self.posterior_log_variance_clipped, t, v)
        high = at(np.log(self.posterior.beta), t, v)
        return interpolate_log_variance(v, low, high)

    def posterior_mean(self, x0: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Mean of q(x_prev | x_t, x0). DDPM equation 7."""
        return at(self.posterior.coef1, t, x) * x0 + at(self.posterior.coef2, t, x) * x


def interpolate_log_variance(v: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """Improved DDPM equation 15 with v given in -1..1."""
    fraction = (v + 1) / 2
    return fraction * high + (1 - fraction) * low


def at(values: np.ndarray, t: Tensor, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """`values[t]` as a tensor `[N, 1, 1, 1]` beside `like`."""
    picked = torch.from_numpy(np.asarray(values))[t.cpu()].to(like.device, dtype or like.dtype)
    return picked.reshape(-1, *([1] * (like.ndim - 1)))


def respace(steps: int, respacing: int | str) -> list[int]:
    """Which of `steps` timesteps to visit, ascending, in the official spellings.

    "50": 50 steps, evenly from the first to the last. "10,10,20": so many in each equal section.
    "ddim25": every n-th timestep so that there are 25. An int is like its string, but 1 visits the
    last timestep (the noisiest) where "1" visits the first. Raises `ScheduleError` otherwise.
    """
    if respacing == 1 and not isinstance(respacing, str):
        return [steps - 1]
    text = str(respacing).strip()
    try:
        if text.startswith("ddim"):
            return _every_nth(steps, int(text[4:]))
        return _sections(steps, [int(part) for part in text.split(",")])
    except ValueError:
        raise ScheduleError(
            f"The steps {respacing!r} cannot be read or are too many for {steps} timesteps. "
            'Examples: 50, "10,10,20", "ddim25".'
        ) from None


def _every_nth(steps: int, count: int) -> list[int]:
    for stride in range(1, steps + 1):
        if len(range(0, steps, stride)) == count:
            return list(range(0, steps, stride))
    raise ValueError(f"no stride gives {count} steps")


def _sections(steps: int, counts: list[int]) -> list[int]:
    if min(counts) < 1:
        raise ValueError("a section needs a step")
    size, extra = divmod(steps, len(counts))
    chosen: set[int] = set()
    start = 0
    for i, count in enumerate(counts):
        length = size + (i < extra)
        if count > length:
            raise ValueError("more steps than timesteps")
        stride = (length - 1) / (count - 1) if count > 1 else 1.0
        position = (
            0.0  # summed up as in the official code: multiplying would round some steps otherwise
        )
        for _ in range(count):
            chosen.add(start + round(position))
            position += stride
        start += length
    return sorted(chosen)
