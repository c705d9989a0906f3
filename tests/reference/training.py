"""The official training step: the one-hot layout scattered, loss, AdamW and the moving average.

In float32 and in torch's default memory layout, without checkpointing.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from core.model.spec import ModelSpec

from .network import Weights, network


class OfficialStep:
    """Weights, optimiser and moving average, and the step on them."""

    def __init__(self, weights: Weights, spec: ModelSpec, lr: float, ema_decay: float) -> None:
        self.spec, self.ema_decay = spec, ema_decay
        self.weights = {k: v.detach().clone().contiguous() for k, v in weights.items()}
        for value in self.weights.values():
            value.requires_grad_(True)
        self.average = [value.detach().clone() for value in self.weights.values()]
        self.optimizer = torch.optim.AdamW(self.weights.values(), lr=lr, weight_decay=0.0)
        self.betas = np.linspace(1e-4, 0.02, 1000)

    def __call__(self, x0: Tensor, labels: Tensor, t: Tensor, noise: Tensor) -> float:
        """One step; gives the loss. labels: integers `[N, 1, H, W]`."""
        for value in self.weights.values():
            if value.grad is not None:
                value.grad.detach_().zero_()
        layout = torch.zeros(len(labels), self.spec.num_classes, *labels.shape[2:])
        layout = layout.scatter_(1, labels, 1.0)
        loss = training_loss(self.weights, self.spec, self.betas, x0, t, noise, layout).mean()
        loss.backward()
        sum(value.grad.norm().item() ** 2 for value in self.weights.values())  # it logs both norms
        sum(value.norm().item() ** 2 for value in self.weights.values())
        self.optimizer.step()
        for old, new in zip(self.average, self.weights.values(), strict=True):
            old.detach().mul_(self.ema_decay).add_(new.detach(), alpha=1 - self.ema_decay)
        return loss.item()


# -- the loss --------------------------------------------------------------------------------------


def training_loss(
    weights: Weights,
    spec: ModelSpec,
    betas: np.ndarray,
    x0: Tensor,
    t: Tensor,
    noise: Tensor,
    layout: Tensor,
) -> Tensor:
    """`[N]`: squared error of eps plus one term of the variational bound, in bits."""
    abar = np.cumprod(1 - betas)
    before = np.append(1.0, abar[:-1])
    variance = betas * (1 - before) / (1 - abar)

    def at(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values)[t].float().view(-1, 1, 1, 1).expand_as(x0)

    x = at(np.sqrt(abar)) * x0 + at(np.sqrt(1 - abar)) * noise
    eps, v = network(weights, spec, x, t, layout).split(x.shape[1], dim=1)

    def mean(of: Tensor) -> Tensor:
        first = at(betas * np.sqrt(before) / (1 - abar))
        return first * of + at((1 - before) * np.sqrt(1 - betas) / (1 - abar)) * x

    smallest = at(np.log(np.append(variance[1], variance[1:])))
    share = (v + 1) / 2
    log_variance = share * at(np.log(betas)) + (1 - share) * smallest
    guess = at(np.sqrt(1 / abar)) * x - at(np.sqrt(1 / abar - 1)) * eps.detach()
    true, ours = mean(x0), mean(guess)
    kl = 0.5 * (
        -1.0
        + log_variance
        - smallest
        + torch.exp(smallest - log_variance)
        + (true - ours) ** 2 * torch.exp(-log_variance)
    )
    bits = torch.where(t == 0, -log_pixel(x0, ours, 0.5 * log_variance), flat_mean(kl))
    return flat_mean((noise - eps) ** 2) + bits / math.log(2)


def log_pixel(x: Tensor, mean: Tensor, log_deviation: Tensor) -> Tensor:
    """`[N]`: mean log probability of the 8-bit step around x."""

    def below(offset: float) -> Tensor:
        z = torch.exp(-log_deviation) * (x - mean + offset)
        return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))

    upper, lower = below(1 / 255), below(-1 / 255)
    inside = torch.where(x > 0.999, 1 - lower, upper - lower)
    return flat_mean(torch.where(x < -0.999, upper, inside).clamp(min=1e-12).log())


def flat_mean(values: Tensor) -> Tensor:
    return values.mean(dim=(1, 2, 3))
