"""The yardstick of training speed: the step of the official code, in plain words.

Written after the papers and the released code's structure, for state dicts of `SDMUNet`: the
one-hot layout scattered at full resolution and resized inside every SPADE norm, attention by two
products and a softmax, everything in float32 and in torch's default memory layout, no checkpoints.
The network's and the loss's numbers are those of the golden files.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.model.spec import ModelSpec

Weights = dict[str, Tensor]


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


# -- the loss -------------------------------------------------------------------------------------


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


# -- the network ----------------------------------------------------------------------------------


def network(w: Weights, spec: ModelSpec, x: Tensor, t: Tensor, layout: Tensor) -> Tensor:
    """The U-Net by the names of its weights."""
    half = spec.model_channels // 2
    angles = t[:, None].float() * torch.exp(-math.log(10000) * torch.arange(half) / half)
    emb = linear(w, "time_embed.0", torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1))
    emb = linear(w, "time_embed.2", silu(emb))
    levels, blocks = len(spec.channel_mult), spec.num_res_blocks
    h = conv(w, "input_blocks.0.0", x)
    skips, number = [h], 0
    for level in range(levels):
        for _ in range(blocks):
            number += 1
            h = block(w, f"input_blocks.{number}.0", h, emb)
            if 2**level in spec.attention_resolutions:
                h = attention(w, f"input_blocks.{number}.1", h, spec)
            skips.append(h)
        if level < levels - 1:
            number += 1
            h = block(w, f"input_blocks.{number}.0", h, emb, resample=halved)
            skips.append(h)
    h = block(w, "middle_block.0", h, emb, layout)
    h = attention(w, "middle_block.1", h, spec)
    h = block(w, "middle_block.2", h, emb, layout)
    number = 0
    for level in reversed(range(levels)):
        for i in range(blocks + 1):
            place = f"output_blocks.{number}"
            h = block(w, f"{place}.0", torch.cat([h, skips.pop()], dim=1), emb, layout)
            attends = 2**level in spec.attention_resolutions
            if attends:
                h = attention(w, f"{place}.1", h, spec)
            if level and i == blocks:
                h = block(w, f"{place}.{1 + attends}", h, emb, layout, resample=doubled)
            number += 1
    return conv(w, "out.2", silu(group_norm(w, "out.0", h)))


def block(
    w: Weights, name: str, x: Tensor, emb: Tensor, layout: Tensor | None = None, resample=None
) -> Tensor:
    """A residual block; with a layout one of the decoder's, whose layers are counted otherwise."""
    spade = layout is not None
    first = "in_layers.1" if spade else "in_layers.2"
    last = "out_layers.2" if spade else "out_layers.3"

    def norm(which: str, h: Tensor) -> Tensor:
        if spade:
            return spade_norm(w, f"{name}.{which}_norm", h, layout)
        return group_norm(w, f"{name}.{which}_layers.0", h)

    h = silu(norm("in", x))
    if resample:
        h, x = resample(h), resample(x)
    h = conv(w, f"{name}.{first}", h)
    scale, shift = linear(w, f"{name}.emb_layers.1", silu(emb))[..., None, None].chunk(2, dim=1)
    h = norm("out", h) * (1 + scale) + shift
    h = conv(w, f"{name}.{last}", silu(h))
    if f"{name}.skip_connection.weight" in w:
        x = F.conv2d(x, w[f"{name}.skip_connection.weight"], w[f"{name}.skip_connection.bias"])
    return x + h


def spade_norm(w: Weights, name: str, x: Tensor, layout: Tensor) -> Tensor:
    resized = F.interpolate(layout, size=x.shape[2:], mode="nearest")
    hidden = F.relu(conv(w, f"{name}.mlp_shared.0", resized))
    gamma, beta = conv(w, f"{name}.mlp_gamma", hidden), conv(w, f"{name}.mlp_beta", hidden)
    return F.group_norm(x, groups(x)) * (1 + gamma) + beta


def attention(w: Weights, name: str, x: Tensor, spec: ModelSpec) -> Tensor:
    n, channels, *_ = x.shape
    heads = channels // spec.num_head_channels
    flat = x.reshape(n, channels, -1)
    normed = group_norm(w, f"{name}.norm", flat)
    qkv = F.conv1d(normed, w[f"{name}.qkv.weight"], w[f"{name}.qkv.bias"])
    width = channels // heads
    q, k, v = qkv.reshape(n * heads, 3 * width, -1).split(width, dim=1)
    scale = 1 / math.sqrt(math.sqrt(width))
    seen = torch.softmax(torch.einsum("bct,bcs->bts", q * scale, k * scale), dim=-1)
    mixed = torch.einsum("bts,bcs->bct", seen, v).reshape(n, channels, -1)
    out = F.conv1d(mixed, w[f"{name}.proj_out.weight"], w[f"{name}.proj_out.bias"])
    return (flat + out).reshape(x.shape)


def conv(w: Weights, name: str, x: Tensor) -> Tensor:
    return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)


def linear(w: Weights, name: str, x: Tensor) -> Tensor:
    return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])


def group_norm(w: Weights, name: str, x: Tensor) -> Tensor:
    return F.group_norm(x, groups(x), w[f"{name}.weight"], w[f"{name}.bias"])


def groups(x: Tensor) -> int:
    return math.gcd(32, x.shape[1])


def silu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


def halved(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2)


def doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")
