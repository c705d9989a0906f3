"""SPADE as its paper has it: generator, style encoder and the discriminator on several scales.

Park et al., arXiv 1903.07291. Names are those of the official code, so that the released files fit.
While training, convolutions are spectrally normed and batch norm is synchronised between processes;
at inference both are plain numbers (see `folded`), and what depends on the layout alone (gamma and
beta of every norm) is computed once and kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.utils.spectral_norm import SpectralNorm, spectral_norm

from core.model.layers import Modulation, resize_layout
from core.model.spec import UPSAMPLINGS, SpadeSpec

HIDDEN = 128  # channels between layout and gamma, beta
SLOPE = 0.2  # of the leaky ReLU below zero
ENCODED = 256  # pixels: sides of the picture that the style encoder reads
EPSILON = 1e-5  # of batch norm

LayoutEmbedding = list[list[Modulation]]  # of each block, of each of its norms


class SyncedNorm(nn.Module):
    """Batch norm without a scale of its own, over the samples of all processes.

    torch's own synchronised norm needs GPUs. Several processes have the statistics that one would
    have with all their samples.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0))
        self.momentum = 0.1

    def forward(self, x: Tensor) -> Tensor:
        if self.training and dist.is_initialized() and dist.get_world_size() > 1:
            return self._synced(x)
        if self.training:
            self.num_batches_tracked.add_(1)
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            training=self.training,
            momentum=self.momentum,
            eps=EPSILON,
        )

    def _synced(self, x: Tensor) -> Tensor:
        wide = x.float()
        count = wide.new_full((1,), x.numel() / x.shape[1])
        sums = torch.cat([wide.sum((0, 2, 3)), wide.square().sum((0, 2, 3)), count])
        *both, count = all_reduce(sums).split([x.shape[1], x.shape[1], 1])
        mean, square = (part / count for part in both)
        variance = (square - mean.square()).clamp(min=0)
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            unbiased = variance * count / (count - 1).clamp(min=1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(unbiased, self.momentum)
        scale = (variance + EPSILON).rsqrt()
        return ((wide - mean.view(-1, 1, 1)) * scale.view(-1, 1, 1)).to(x.dtype)


class SPADE(nn.Module):
    """Norm(f) (1 + gamma(y)) + beta(y): equation 1 of the paper."""

    def __init__(self, channels: int, label_channels: int) -> None:
        super().__init__()
        self.param_free_norm = SyncedNorm(channels)
        self.mlp_shared = nn.Sequential(nn.Conv2d(label_channels, HIDDEN, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(HIDDEN, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(HIDDEN, channels, 3, padding=1)

    def modulation(self, y: Tensor) -> Modulation:
        """gamma and beta of y `[N, label_channels, h, w]`, at this norm's resolution."""
        hidden = self.mlp_shared(y)
        return self.mlp_gamma(hidden), self.mlp_beta(hidden)

    def forward(self, x: Tensor, modulation: Modulation) -> Tensor:
        gamma, beta = modulation
        return torch.addcmul(beta, self.param_free_norm(x), 1 + gamma)


class SPADEResnetBlock(nn.Module):
    """Two convolutions behind SPADE norms, and a learned way around them where channels change."""

    def __init__(self, inner: int, outer: int, label_channels: int, spectral: bool) -> None:
        super().__init__()
        middle = min(inner, outer)
        self.conv_0 = _normed(nn.Conv2d(inner, middle, 3, padding=1), spectral)
        self.conv_1 = _normed(nn.Conv2d(middle, outer, 3, padding=1), spectral)
        self.norm_0, self.norm_1 = SPADE(inner, label_channels), SPADE(middle, label_channels)
        self.changes = inner != outer
        if self.changes:
            self.conv_s = _normed(nn.Conv2d(inner, outer, 1, bias=False), spectral)
            self.norm_s = SPADE(inner, label_channels)

    @property
    def norms(self) -> list[SPADE]:
        """The norms, in the order of their modulations."""
        return [self.norm_0, self.norm_1, *([self.norm_s] if self.changes else [])]

    def forward(self, x: Tensor, modulations: Sequence[Modulation]) -> Tensor:
        around = self.conv_s(self.norm_s(x, modulations[2])) if self.changes else x
        inner = self.conv_0(F.leaky_relu(self.norm_0(x, modulations[0]), SLOPE))
        return around + self.conv_1(F.leaky_relu(self.norm_1(inner, modulations[1]), SLOPE))


def _normed(conv: nn.Conv2d, spectral: bool) -> nn.Conv2d:
    """With the official spectral norm (names `weight_orig`, `weight_u`, `weight_v`), or without."""
    return spectral_norm(conv) if spectral else conv


class SpadeGenerator(nn.Module):
    """Layout, and with a VAE a style, to a picture `[N, 3, H, W]` in [-1, 1].

    spectral: convolutions carry their spectral norm, as while training and in the released files.
    """

    def __init__(self, spec: SpadeSpec, spectral: bool = True) -> None:
        super().__init__()
        self.spec, nf, labels = spec, spec.ngf, spec.label_channels
        height, width = spec.first_size
        self.fc = (
            nn.Linear(spec.z_dim, 16 * nf * height * width)
            if spec.use_vae
            else nn.Conv2d(labels, 16 * nf, 3, padding=1)
        )

        def block(inner: int, outer: int) -> SPADEResnetBlock:
            return SPADEResnetBlock(inner * nf, outer * nf, labels, spectral)

        self.head_0, self.G_middle_0, self.G_middle_1 = (block(16, 16) for _ in range(3))
        self.up_0, self.up_1, self.up_2, self.up_3 = (block(2 * k, k) for k in (8, 4, 2, 1))
        last = nf
        if spec.num_upsampling_layers == "most":
            self.up_4 = SPADEResnetBlock(nf, nf // 2, labels, spectral)
            last = nf // 2
        self.conv_img = nn.Conv2d(last, 3, 3, padding=1)

    @property
    def blocks(self) -> list[tuple[SPADEResnetBlock, int]]:
        """Every block, with how many times finer than the one before it works (1 or 2)."""
        more = UPSAMPLINGS[self.spec.num_upsampling_layers]
        steps = [(self.head_0, 1), (self.G_middle_0, 2), (self.G_middle_1, 2 if more else 1)]
        steps += [(up, 2) for up in (self.up_0, self.up_1, self.up_2, self.up_3)]
        return steps + ([(self.up_4, 2)] if more == 2 else [])

    def sizes(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """(height, width) at which each block works, for a picture of `size`."""
        height, width = (side // self.spec.multiple for side in size)
        found = []
        for _, factor in self.blocks:
            height, width = height * factor, width * factor
            found.append((height, width))
        return found

    def embed_layout(self, y: Tensor, size: tuple[int, int]) -> LayoutEmbedding:
        """gamma and beta of every norm, of y at a picture's resolution, resized as in the paper."""
        found: LayoutEmbedding = []
        for (block, _), at in zip(self.blocks, self.sizes(size), strict=True):
            resized = resize_layout(y, at, "nearest")
            found.append([norm.modulation(resized) for norm in block.norms])
        return found

    def start(self, y: Tensor, style: Tensor | None, size: tuple[int, int]) -> Tensor:
        """The first feature map: of a style `[N, z_dim]` with a VAE, else of the layout."""
        height, width = self.sizes(size)[0]
        if not self.spec.use_vae:
            return self.fc(resize_layout(y, (height, width), "nearest"))
        first = self.fc(style).view(len(style), -1, *self.spec.first_size)
        return resize_layout(first, (height, width), "nearest")

    def paint(self, x: Tensor, embedding: LayoutEmbedding) -> Tensor:
        """The picture of a first feature map and the layout's embedding."""
        for (block, factor), modulations in zip(self.blocks, embedding, strict=True):
            if factor == 2:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = block(x, modulations)
        return torch.tanh(self.conv_img(F.leaky_relu(x, SLOPE)))

    def forward(self, y: Tensor, style: Tensor | None = None) -> Tensor:
        """y: one-hot `[N, label_channels, H, W]`, sides multiples of `spec.multiple`."""
        size = (y.shape[-2], y.shape[-1])
        return self.paint(self.start(y, style, size), self.embed_layout(y, size))


class SpadeEncoder(nn.Module):
    """Mean and log-variance `[N, z_dim]` of the style of pictures `[N, 3, H, W]` in [-1, 1]."""

    def __init__(self, spec: SpadeSpec, spectral: bool = True) -> None:
        super().__init__()
        self.small = spec.crop_size < ENCODED
        widths = [3] + [spec.ngf * k for k in (1, 2, 4, 8, 8, 8)]
        layers = len(widths) - 1 - self.small
        for number, (inner, outer) in enumerate(pairwise(widths[: layers + 1]), start=1):
            self.add_module(f"layer{number}", _Encoding(inner, outer, spectral))
        self.layers = [f"layer{n}" for n in range(1, layers + 1)]
        self.fc_mu = nn.Linear(widths[-1] * 16, spec.z_dim)
        self.fc_var = nn.Linear(widths[-1] * 16, spec.z_dim)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        x = picture
        if x.shape[-2:] != (ENCODED, ENCODED):
            x = F.interpolate(x, (ENCODED, ENCODED), mode="bilinear")
        for number, name in enumerate(self.layers):
            x = getattr(self, name)(F.leaky_relu(x, SLOPE) if number else x)
        x = F.leaky_relu(x, SLOPE).flatten(1)
        return self.fc_mu(x), self.fc_var(x)
