"""The official sampling: two full passes a guided step, and the ancestral step of DDPM.

`Model` is any `(x, t, y) -> [N, 2C, H, W]`; for real weights `partial(network, weights, spec)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

Model = Callable[[Tensor, Tensor, Tensor], Tensor]


def guided(model: Model, x: Tensor, t: Tensor, layout: Tensor, scale: float) -> Tensor:
    """One pass with the layout and, for scales above 1, one with zeros in its place."""
    output = model(x, t, layout)
    if scale <= 1:
        return output
    blind = model(x, t, torch.zeros_like(layout))
    prediction, variance = output.chunk(2, dim=1)
    blind = blind[:, : x.shape[1]]
    return torch.cat([blind + scale * (prediction - blind), variance], dim=1)


def ancestral(
    model: Model,
    abar: np.ndarray,
    timesteps: Sequence[int],
    x: Tensor,
    noise: Iterable[Tensor],
    layout: Tensor,
    scale: float,
) -> Iterator[tuple[Tensor, Tensor]]:
    """(x, predicted x0) after each step down the respaced `timesteps`, which ascend.

    abar: float64, the cumulative product of the whole process. noise: one tensor a step.
    """
    kept = abar[list(timesteps)]
    before = np.append(1.0, kept[:-1])
    betas = 1 - kept / before
    variance = betas * (1 - before) / (1 - kept)
    smallest = np.log(np.append(variance[1], variance[1:]))
    for k, drawn in zip(reversed(range(len(timesteps))), noise):
        t = torch.full((len(x),), timesteps[k])
        eps, v = guided(model, x, t, layout, scale).chunk(2, dim=1)
        x0 = (x * np.sqrt(1 / kept[k]) - eps * np.sqrt(1 / kept[k] - 1)).clamp(-1, 1)
        first = betas[k] * np.sqrt(before[k]) / (1 - kept[k])
        second = (1 - before[k]) * np.sqrt(1 - betas[k]) / (1 - kept[k])
        share = (v + 1) / 2
        log_variance = share * np.log(betas[k]) + (1 - share) * smallest[k]
        x = first * x0 + second * x
        if k > 0:
            x = x + torch.exp(0.5 * log_variance) * drawn
        yield x, x0
