"""The official U-Net, plainly: from weights by their names to an output.

Written after the papers and the released code's structure, for state dicts of `SDMUNet`: the layout
resized and convolved inside every SPADE norm, attention by two products and a softmax, everything
in float32 and in torch's default memory layout, nothing kept from pass to pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from core.model.spec import ModelSpec

Weights = dict[str, Tensor]
Layout = Callable[..., Tensor]  # y at the `size` that is asked for, resized anew each time


def network(w: Weights, spec: ModelSpec, x: Tensor, t: Tensor, layout: Tensor) -> Tensor:
    """The U-Net by the names of its weights. layout: y at the resolution of x, or finer."""
    layout = partial(F.interpolate, layout, mode=spec.layout_resize)
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
    w: Weights, name: str, x: Tensor, emb: Tensor, layout: Layout | None = None, resample=None
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


def spade_norm(w: Weights, name: str, x: Tensor, layout: Layout) -> Tensor:
    hidden = F.relu(conv(w, f"{name}.mlp_shared.0", layout(size=x.shape[2:])))
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
