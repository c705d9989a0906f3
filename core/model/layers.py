"""Small parts of the SDM U-Net: timestep embedding, norms, resampling, attention."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.model.surroundings import Surroundings

SMALL_MAP, NARROW = 32 * 32, 16  # pixels, channels of a group; docs/decisions/024 has the times

# 1 + gamma and beta of one place that reads the layout, each [N or 1, C, H, W]: once per layout
Modulation = tuple[Tensor, Tensor]


def timestep_embedding(t: Tensor, width: int, max_period: float = 10000.0) -> Tensor:
    """Sinusoids `[N, width]` of timesteps `[N]` (fractions allowed), cosines first, as in DDPM."""
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32, device=t.device)
    angles = t.float()[:, None] * torch.exp(-math.log(max_period) * steps / half)
    embedding = torch.cat([angles.cos(), angles.sin()], dim=1)
    return F.pad(embedding, (0, width % 2))


def norm_groups(channels: int) -> int:
    """32 groups as in the papers, fewer for the small networks whose width 32 does not divide."""
    return math.gcd(32, channels)


class GroupNorm(nn.GroupNorm):
    """Group norm with its own scale and shift: the encoder's norm."""

    def __init__(self, channels: int, affine: bool = True) -> None:
        super().__init__(norm_groups(channels), channels, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        if self.training or not self._is_slow(x):
            return super().forward(x)
        weight, bias = (None if p is None else p.float() for p in (self.weight, self.bias))
        return F.group_norm(x.float(), self.num_groups, weight, bias, self.eps).to(x.dtype)

    def _is_slow(self, x: Tensor) -> bool:
        """Whether torch takes several times as long for x as by way of float32."""
        if x.device.type != "cpu" or x.dtype != torch.bfloat16:
            return False
        pixels = x.shape[2] * x.shape[3]
        return pixels < SMALL_MAP and self.num_channels < NARROW * self.num_groups


class SPADEGroupNorm(nn.Module):
    """Group norm whose scale and shift come from the layout: (1 + gamma(y)) Norm(f) + beta(y).

    SDM paper, section 3.2; SPADE paper, equation 1.
    """

    def __init__(self, channels: int, num_classes: int, hidden: int) -> None:
        super().__init__()
        self.norm = GroupNorm(channels, affine=False)
        self.mlp_shared = nn.Sequential(nn.Conv2d(num_classes, hidden, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def modulate(self, y: Tensor | Surroundings) -> Modulation:
        """1 + gamma and beta of y `[N, num_classes, H, W]`, already at this norm's resolution."""
        if isinstance(y, Surroundings):
            gamma, beta = y.modulation(self.mlp_shared[0], self.mlp_gamma, self.mlp_beta)
            return 1 + gamma, beta
        hidden = self.mlp_shared(y)
        return 1 + self.mlp_gamma(hidden), self.mlp_beta(hidden)

    def forward(self, x: Tensor, layout: Modulation | Tensor | Surroundings) -> Tensor:
        """x normalised and modulated by 1 + gamma and beta, or by those of y at x's resolution."""
        scale, beta = layout if isinstance(layout, tuple) else self.modulate(layout)
        return torch.addcmul(beta, self.norm(x), scale)


class ReadsLayout:
    """What networks share that layouts modulate at several resolutions.

    They have `layout_resize`, `dtype` and `layout_sites(size)`: each place, which has
    `modulate(y)`, with the (height, width) of its y.
    """

    def scaled_layouts(self, y: Tensor, size: tuple[int, int]) -> dict[tuple[int, int], Tensor]:
        """y at each (height, width) at which it is read, for an input of `size`."""
        targets = dict.fromkeys(target for _, target in self.layout_sites(size))
        return {t: resize_layout(y, t, self.layout_resize).to(self.dtype) for t in targets}

    def embed_scaled(
        self, scaled: Mapping[tuple[int, int], Tensor], size: tuple[int, int]
    ) -> list[Modulation]:
        """1 + gamma and beta of every place, from `scaled_layouts`."""
        return [place.modulate(scaled[target]) for place, target in self.layout_sites(size)]


def resize_layout(y: Tensor, size: tuple[int, int], how: str) -> Tensor:
    """y at another resolution: `nearest` as in the papers, or `area`: shares of a pixel."""
    if y.shape[-2:] == size:
        return y
    if how == "nearest":
        return F.interpolate(y, size, mode="nearest")
    return F.adaptive_avg_pool2d(y, size)


class Upsample(nn.Module):
    """Twice the resolution; with a convolution behind it where `conv` is set."""

    def __init__(self, channels: int, conv: bool = False) -> None:
        super().__init__()
        if conv:
            self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        return self.conv(x) if hasattr(self, "conv") else x


class Downsample(nn.Module):
    """Half the resolution, by a strided convolution where `conv` is set, else by averaging."""

    def __init__(self, channels: int, conv: bool = False) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1) if conv else nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class AttentionBlock(nn.Module):
    """Self-attention over all pixels of a feature map, with a residual connection."""

    def __init__(self, channels: int, heads: int, new_order: bool) -> None:
        super().__init__()
        self.heads, self.new_order = heads, new_order
        self.norm = GroupNorm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self._channels_first(x) if self.training else self._channels_last(x)

    def _channels_last(self, x: Tensor) -> Tensor:
        """As sampling runs it: nothing is copied, and torch's fused attention takes it."""
        batch, channels, height, width = x.shape
        flat = self.norm(x).permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        qkv = F.linear(flat, self.qkv.weight[..., 0], self.qkv.bias)
        split = (3, self.heads, -1) if self.new_order else (self.heads, 3, -1)
        parts = qkv.unflatten(2, split).unbind(2 if self.new_order else 3)
        query, key, value = (part.transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        out = F.linear(mixed, self.proj_out.weight[..., 0], self.proj_out.bias)
        return x + out.unflatten(1, (height, width)).permute(0, 3, 1, 2)

    def _channels_first(self, x: Tensor) -> Tensor:
        """As training runs it: the way back through plain products is the faster one."""
        batch, channels, height, width = x.shape
        flat = x.reshape(batch, channels, -1)
        qkv = self.qkv(self.norm(flat))
        query, key, value = self._split(qkv)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(2, 3)
        out = self.proj_out(mixed.reshape(batch, channels, -1))
        return (flat + out).reshape(batch, channels, height, width)

    def _split(self, qkv: Tensor) -> tuple[Tensor, ...]:
        """`[N, 3C, L]` into three `[N, heads, L, C / heads]`, in either of the official orders."""
        batch, width, length = qkv.shape
        shape = (3, self.heads) if self.new_order else (self.heads, 3)
        parts = qkv.reshape(batch, *shape, width // 3 // self.heads, length)
        order = (1, 0, 2, 4, 3) if self.new_order else (2, 0, 1, 4, 3)
        return parts.permute(*order).unbind(0)
