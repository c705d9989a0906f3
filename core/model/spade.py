"""SPADE as its paper has it: generator, style encoder and the discriminator on several scales.

Park et al., arXiv 1903.07291. Names are those of the official code, so that the released files fit.
While training, convolutions are spectrally normed and batch norm is synchronised between processes;
at inference both are plain numbers (see `folded`), and what depends on the layout alone (gamma and
beta of every norm) is computed once and kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.utils import spectral_norm

from core.model.layers import Modulation, ReadsLayout, resize_layout
from core.model.spec import UPSAMPLINGS, SpadeSpec

HIDDEN = 128  # channels between layout and gamma, beta
SLOPE = 0.2  # of the leaky ReLU below zero
ENCODED = 256  # pixels: sides of the picture that the style encoder reads
EPSILON = 1e-5  # of batch norm


class SyncedNorm(nn.Module):
    """Batch norm without a scale of its own, over the samples of all processes.

    torch's own synchronised norm needs GPUs. Several processes have the statistics that one would
    have with all their samples.
    """

    def __init__(self, channels: int, folded: bool) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        if not folded:
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

    def __init__(self, channels: int, label_channels: int, folded: bool) -> None:
        super().__init__()
        self.param_free_norm = SyncedNorm(channels, folded)
        self.mlp_shared = nn.Sequential(nn.Conv2d(label_channels, HIDDEN, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(HIDDEN, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(HIDDEN, channels, 3, padding=1)

    def modulate(self, y: Tensor) -> Modulation:
        """1 + gamma and beta of y `[N, label_channels, h, w]`, at this norm's resolution."""
        hidden = self.mlp_shared(y)
        return 1 + self.mlp_gamma(hidden), self.mlp_beta(hidden)

    def forward(self, x: Tensor, modulation: Modulation) -> Tensor:
        scale, beta = modulation
        return torch.addcmul(beta, self.param_free_norm(x), scale)


class SPADEResnetBlock(nn.Module):
    """Two convolutions behind SPADE norms, and a learned way around them where channels change."""

    def __init__(self, inner: int, outer: int, label_channels: int, folded: bool) -> None:
        super().__init__()
        middle = min(inner, outer)
        self.conv_0 = _normed(nn.Conv2d(inner, middle, 3, padding=1), folded)
        self.conv_1 = _normed(nn.Conv2d(middle, outer, 3, padding=1), folded)
        self.norm_0 = SPADE(inner, label_channels, folded)
        self.norm_1 = SPADE(middle, label_channels, folded)
        self.changes = inner != outer
        if self.changes:
            self.conv_s = _normed(nn.Conv2d(inner, outer, 1, bias=False), folded)
            self.norm_s = SPADE(inner, label_channels, folded)

    @property
    def norms(self) -> list[SPADE]:
        """The norms, in the order of their modulations."""
        return [self.norm_0, self.norm_1, *([self.norm_s] if self.changes else [])]

    def forward(self, x: Tensor, modulations: Sequence[Modulation]) -> Tensor:
        around = self.conv_s(self.norm_s(x, modulations[2])) if self.changes else x
        inner = self.conv_0(F.leaky_relu(self.norm_0(x, modulations[0]), SLOPE))
        return around + self.conv_1(F.leaky_relu(self.norm_1(inner, modulations[1]), SLOPE))


def _normed(conv: nn.Conv2d, folded: bool) -> nn.Conv2d:
    """With the official spectral norm (names `weight_orig`, `weight_u`, `weight_v`), or without."""
    return conv if folded else spectral_norm(conv)


class SpadeGenerator(ReadsLayout, nn.Module):
    """Layout, and with a VAE a style, to a picture `[N, 3, H, W]` in [-1, 1].

    folded: without spectral norm, which is in the weights already; as in our checkpoints. It is a
    `core.embedding.Reader`.
    """

    layout_resize = "nearest"

    def __init__(self, spec: SpadeSpec, folded: bool = False) -> None:
        super().__init__()
        self.spec, nf, labels = spec, spec.ngf, spec.label_channels
        height, width = spec.first_size
        self.fc = (
            nn.Linear(spec.z_dim, 16 * nf * height * width)
            if spec.use_vae
            else nn.Conv2d(labels, 16 * nf, 3, padding=1)
        )

        def block(inner: int, outer: int) -> SPADEResnetBlock:
            return SPADEResnetBlock(inner * nf, outer * nf, labels, folded)

        self.head_0, self.G_middle_0, self.G_middle_1 = (block(16, 16) for _ in range(3))
        self.up_0, self.up_1, self.up_2, self.up_3 = (block(2 * k, k) for k in (8, 4, 2, 1))
        last = nf
        if spec.num_upsampling_layers == "most":
            self.up_4 = SPADEResnetBlock(nf, nf // 2, labels, folded)
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

    def layout_sites(self, size: tuple[int, int]) -> Iterator[tuple[SPADE, tuple[int, int]]]:
        """Each norm, in order, with the (height, width) at which it works."""
        for (block, _), at in zip(self.blocks, self.sizes(size), strict=True):
            yield from ((norm, at) for norm in block.norms)

    def embed_layout(self, y: Tensor | None, size: tuple[int, int]) -> list[Modulation]:
        """gamma and beta of every norm, of y at a picture's resolution; None is no label at all."""
        if y is None:
            y = torch.zeros(1, self.spec.label_channels, *size, device=self.device)
        return self.embed_scaled(self.scaled_layouts(y, size), size)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the weights."""
        return self.conv_img.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.conv_img.weight.device

    def start(self, y: Tensor, style: Tensor | None, size: tuple[int, int]) -> Tensor:
        """The first feature map: of a style `[N, z_dim]` with a VAE, else of the layout."""
        height, width = self.sizes(size)[0]
        if not self.spec.use_vae:
            return self.fc(resize_layout(y, (height, width), "nearest").to(self.dtype))
        first = self.fc(style).view(len(style), -1, *self.spec.first_size)
        return resize_layout(first, (height, width), "nearest")

    def paint(self, x: Tensor, embedding: Sequence[Modulation]) -> Tensor:
        """The picture of a first feature map and the layout's embedding."""
        modulations = iter(embedding)
        for block, factor in self.blocks:
            if factor == 2:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = block(x, list(islice(modulations, len(block.norms))))
        return torch.tanh(self.conv_img(F.leaky_relu(x, SLOPE)))

    def forward(self, y: Tensor, style: Tensor | None = None) -> Tensor:
        """y: one-hot `[N, label_channels, H, W]`, sides multiples of `spec.multiple`."""
        size = (y.shape[-2], y.shape[-1])
        return self.paint(self.start(y, style, size), self.embed_layout(y, size))


class SpadeEncoder(nn.Module):
    """Mean and log-variance `[N, z_dim]` of the style of pictures `[N, 3, H, W]` in [-1, 1]."""

    def __init__(self, spec: SpadeSpec, folded: bool = False) -> None:
        super().__init__()
        widths = [3] + [spec.ngf * k for k in (1, 2, 4, 8, 8, 8)]
        for number, (inner, outer) in enumerate(pairwise(widths), start=1):
            conv = nn.Conv2d(inner, outer, 3, stride=2, padding=1, bias=False)
            self.add_module(f"layer{number}", _instance_normed(conv, folded))
        self._names = [f"layer{n}" for n in range(1, len(widths))]
        side = ENCODED >> len(self._names)
        self.fc_mu = nn.Linear(widths[-1] * side**2, spec.z_dim)
        self.fc_var = nn.Linear(widths[-1] * side**2, spec.z_dim)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        x = picture
        if x.shape[-2:] != (ENCODED, ENCODED):
            x = F.interpolate(x, (ENCODED, ENCODED), mode="bilinear")
        for name in self._names:
            x = F.leaky_relu(getattr(self, name)(x), SLOPE)
        x = x.flatten(1)
        return self.fc_mu(x), self.fc_var(x)


class SpadeNet(nn.Module):
    """What a checkpoint holds: the generator, and the style encoder where there is one; folded."""

    def __init__(self, spec: SpadeSpec) -> None:
        super().__init__()
        self.spec = spec
        self.generator = SpadeGenerator(spec, folded=True)
        if spec.encoder:
            self.encoder = SpadeEncoder(spec, folded=True)


class MultiscaleDiscriminator(nn.Module):
    """Two patch discriminators, the second at half the resolution.

    Reads a layout beside its picture, `[N, label_channels + 3, H, W]`; gives for each scale the
    features of every layer, the scores last.
    """

    def __init__(self, label_channels: int, ndf: int = 64, layers: int = 4, scales: int = 2):
        super().__init__()
        for number in range(scales):
            judge = PatchLayers(label_channels + 3, ndf, layers)
            self.add_module(f"discriminator_{number}", judge)

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        found = []
        for judge in self.children():
            found.append(judge(x))
            x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        return found


class PatchLayers(nn.Module):
    """A patch discriminator that shows what each of its layers found."""

    def __init__(self, channels: int, ndf: int, layers: int) -> None:
        super().__init__()
        widths = [min(ndf * 2**n, 512) for n in range(layers)]
        act = nn.LeakyReLU(SLOPE)
        self.model0 = nn.Sequential(_patch_conv(channels, widths[0], 2), act)
        for number, (inner, outer) in enumerate(pairwise(widths), start=1):
            conv = _patch_conv(inner, outer, 1 if number == layers - 1 else 2, bias=False)
            layer = nn.Sequential(_instance_normed(conv, folded=False), act)
            self.add_module(f"model{number}", layer)
        self.add_module(f"model{layers}", nn.Sequential(_patch_conv(widths[-1], 1, 1)))

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for layer in self.children():
            x = layer(x)
            found.append(x)
        return found


def _patch_conv(inner: int, outer: int, stride: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, 4, stride=stride, padding=2, bias=bias)


def _instance_normed(conv: nn.Conv2d, folded: bool) -> nn.Sequential:
    return nn.Sequential(_normed(conv, folded), nn.InstanceNorm2d(conv.out_channels))


# -- from training to use -------------------------------------------------------------------------


def folded_name(name: str) -> str | None:
    """What a tensor of a trained network becomes in the folded one; None for what is left out."""
    if name.endswith((".weight_u", ".weight_v", ".num_batches_tracked")):
        return None
    return name.removesuffix("_orig") if name.endswith(".weight_orig") else name


def folded_tensor(state: Mapping[str, Tensor], name: str) -> Tensor:
    """The tensor of the folded network that `name` of `state` becomes.

    Spectral norm divides a weight by its largest singular value, as its two vectors estimate it.
    """
    value = state[name]
    if not name.endswith(".weight_orig"):
        return value
    start = name.removesuffix("_orig")
    u, v = (state[f"{start}_{part}"].float() for part in "uv")
    return value.float() / torch.dot(u, value.float().flatten(1) @ v)


def folded(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A trained state dict as the folded network has it."""
    return {
        new: folded_tensor(state, name) for name in state if (new := folded_name(name)) is not None
    }


def start_as_official(module: nn.Module) -> None:
    """Xavier's normal start at a gain of 0.02, as the official code has it."""
    for name, parameter in module.named_parameters():
        if parameter.ndim > 1:
            nn.init.xavier_normal_(parameter, gain=0.02)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
