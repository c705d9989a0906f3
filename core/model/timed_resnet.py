"""The noise-aware image encoder that the authors of SDG released: CLIP's ResNet, told the timestep.

After each batch norm, features are scaled and shifted by the timestep (arXiv 2112.05744, section
3.2). Modules are named as in the released files; shapes follow from the tensors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.model.layers import timestep_embedding
from core.seen import Seen

TIME, INNER = 128, 512  # numbers of the timestep's sinusoids, and of what is made of them
HEAD = 64  # channels of a head of the last pooling
STEM = (0, 3, 6)  # convolutions in `visual_frozen`; each is followed by its norm
LAYERS = {"visual_frozen.10": 1, "visual_frozen.11": 2, "visual_frozen.12": 2, "layer4": 2}
EXPANSION = 4


class TimedResNet(nn.Module):
    """Pictures `[N, 3, H, W]` in CLIP's own units at timesteps `[N]` of 0..999 to `Seen`.

    width: channels behind the stem. blocks: of each of the four layers. places: positions that the
    last pooling knows, `side²`. Other sizes than 32 side get theirs by interpolation.
    """

    def __init__(self, width: int, blocks: tuple[int, ...], side: int, embedding: int) -> None:
        super().__init__()
        half, self.side = width // 2, side
        stem = [_conv(3, half, 3, 2), _norm(half), nn.ReLU()]
        stem += [_conv(half, half, 3), _norm(half), nn.ReLU()]
        stem += [_conv(half, width, 3), _norm(width), nn.ReLU(), nn.AvgPool2d(2)]
        layers, before = [], width
        for place, count in enumerate(blocks):
            inner, stride = width * 2**place, 1 if place == 0 else 2
            layers.append(_layer(before, inner, count, stride))
            before = inner * EXPANSION
        *early, self.layer4 = layers
        self.visual_frozen = nn.Sequential(*stem, *early)
        self.attn_pool = AttentionPool(before, side, embedding)
        self.time_embed = nn.Sequential(nn.Linear(TIME, INNER), nn.ReLU(), nn.Linear(INNER, INNER))
        self.norms = [half, half, width]
        for place, count in enumerate(blocks):
            inner = width * 2**place
            self.norms += [inner, inner, inner * EXPANSION] * count
        self.emb_layers = nn.Sequential(nn.ReLU(), nn.Linear(INNER, 2 * sum(self.norms)))

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> TimedResNet:
        """With the weights of a released file. Raises `KeyError` or `RuntimeError` for others."""
        blocks = tuple(_count(state, name) for name in LAYERS)
        width = state["visual_frozen.6.weight"].shape[0]
        places, _ = state["attn_pool.positional_embedding"].shape
        side, embedding = round((places - 1) ** 0.5), state["attn_pool.c_proj.weight"].shape[0]
        with torch.device("meta"):
            model = cls(width, blocks, side, embedding)
        own = {k: v.float() for k, v in state.items() if v.is_floating_point()}
        counters = {k: v for k, v in model.state_dict().items() if k not in own}
        zero = {k: torch.zeros((), dtype=v.dtype) for k, v in counters.items() if v.ndim == 0}
        model.load_state_dict({**own, **zero}, assign=True)
        return model.eval().requires_grad_(False)

    @property
    def size(self) -> int:
        """Side of the pictures that it was trained on, in pixels."""
        return 32 * self.side

    def forward(self, x: Tensor, t: Tensor) -> Seen:
        told = self.emb_layers(self.time_embed(timestep_embedding(t, TIME).to(x.dtype)))
        parts = iter(told[:, :, None, None].split([n for n in self.norms for _ in range(2)], 1))
        for place in STEM:
            x = self.visual_frozen[place + 1](self.visual_frozen[place](x))
            x = F.relu(_moved(x, parts))
        x = self.visual_frozen[9](x)
        seen = []
        for layer in (*self.visual_frozen[10:], self.layer4):
            for block in layer:
                x = block(x, parts)
            seen.append(x)
        embedding, places = self.attn_pool(x)
        return Seen(F.normalize(embedding.float(), dim=1), places, tuple(seen))


class Bottleneck(nn.Module):
    """Three convolutions beside a shortcut; where it shrinks, by averages."""

    def __init__(self, before: int, inner: int, stride: int) -> None:
        super().__init__()
        after = inner * EXPANSION
        self.conv1, self.bn1 = _conv(before, inner, 1), _norm(inner)
        self.conv2, self.bn2 = _conv(inner, inner, 3), _norm(inner)
        self.conv3, self.bn3 = _conv(inner, after, 1), _norm(after)
        self.stride, self.downsample = stride, None
        if stride > 1 or before != after:
            shortcut = {"0": _conv(before, after, 1), "1": _norm(after)}
            self.downsample = nn.ModuleDict(shortcut)

    def forward(self, x: Tensor, parts) -> Tensor:
        y = F.relu(_moved(self.bn1(self.conv1(x)), parts))
        y = F.relu(_moved(self.bn2(self.conv2(y)), parts))
        y = _moved(self.bn3(self.conv3(_shrunk(y, self.stride))), parts)
        if self.downsample is not None:
            x = self.downsample["1"](self.downsample["0"](_shrunk(x, self.stride)))
        return F.relu(x + y)


class AttentionPool(nn.Module):
    """The mean over all places asks every place; gives that, and what each place says alone."""

    def __init__(self, width: int, side: int, embedding: int) -> None:
        super().__init__()
        self.side, self.heads = side, max(1, width // HEAD)
        self.positional_embedding = nn.Parameter(torch.zeros(side**2 + 1, width))
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.v_proj, self.c_proj = nn.Linear(width, width), nn.Linear(width, embedding)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`[N, C, h, w]` to `[N, D]` and `[N, D, h, w]`."""
        size, tokens = x.shape[-2:], x.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1) + self._positions(size)
        q, k, v = self.q_proj(tokens[:, :1]), self.k_proj(tokens), self.v_proj(tokens)
        heads = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (q, k, v))
        pooled = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        places = self.c_proj(v[:, 1:]).transpose(1, 2).unflatten(2, size)
        return self.c_proj(pooled)[:, 0], places

    def _positions(self, size: torch.Size) -> Tensor:
        if tuple(size) == (self.side, self.side):
            return self.positional_embedding
        first, grid = self.positional_embedding[:1], self.positional_embedding[1:]
        grid = grid.T.reshape(1, -1, self.side, self.side)
        grid = F.interpolate(grid, tuple(size), mode="bicubic", align_corners=False)
        return torch.cat([first, grid[0].flatten(1).T])


def _moved(x: Tensor, parts) -> Tensor:
    """Features scaled and shifted by the next two parts of what the timestep says."""
    scale, shift = next(parts), next(parts)
    return torch.addcmul(shift, x, 1 + scale)


def _conv(before: int, after: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width)


def _shrunk(x: Tensor, stride: int) -> Tensor:
    return F.avg_pool2d(x, stride) if stride > 1 else x


def _layer(before: int, inner: int, count: int, stride: int) -> nn.Sequential:
    rest = (Bottleneck(inner * EXPANSION, inner, 1) for _ in range(count - 1))
    return nn.Sequential(Bottleneck(before, inner, stride), *rest)


def _count(state: Mapping[str, Tensor], layer: str) -> int:
    """Blocks of a layer. Raises `KeyError` if there is none."""
    found = {m[1] for k in state if (m := re.match(rf"{re.escape(layer)}\.(\d+)\.conv1\.", k))}
    if not found:
        raise KeyError(f"{layer}.0.conv1.weight")
    return len(found)
