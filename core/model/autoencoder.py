"""The image autoencoder of latent checkpoints: 256x256x3 becomes 32x32x4 and back.

Plain residual convolutions without normalisation: group norm would cost a quarter of the time on a
CPU and wash out flat skies. Most of the work happens at 1/8 and 1/4 of the picture's resolution,
where a laptop is quick.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from core.model.layers import Modulation, ReadsLayout
from core.model.spec import AutoencoderSpec

LATENT_BOUND = 3.0  # latents before normalisation lie in (-3, 3)
HINT_WIDTH = 16  # channels that the labels of a pixel become before they modulate


class Residual(nn.Module):
    """x + f(x), with f zero at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        last = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.body = nn.Sequential(nn.SiLU(), nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), last)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Finish(nn.Module):
    """Picture = the first three channels + a convolution of all of them at full resolution.

    Sub-pixels of one shuffled pixel come from one place with different weights, and leave a grid; a
    last look at the real neighbours takes it away. It begins as nothing but the three channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, 3, 3, padding=1)
        nn.init.zeros_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :3] + self.conv(nn.functional.silu(x))


class LayoutHint(nn.Module):
    """x (1 + gamma) + beta, as SPADE without its norm: the decoder reads what was painted here.

    Latents are vague about texture, and about the pixel where an edge runs; the layout knows.
    gamma and beta are zero at the start, and without a layout they come from no label at all.
    """

    def __init__(self, labels: int, width: int) -> None:
        super().__init__()
        self.shared = nn.Conv2d(labels, HINT_WIDTH, 1)
        self.modulation = nn.Conv2d(HINT_WIDTH, 2 * width, 3, padding=1)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def modulate(self, y: Tensor) -> Modulation:
        """1 + gamma and beta of y `[N, labels, H, W]`, already at this place's resolution."""
        return self.spread(nn.functional.silu(self.shared(y)))

    def spread(self, told: Tensor) -> Modulation:
        """The same of what the first convolution makes of each place.

        In two halves, and the 1 in a bias: halves of one result would be slow to walk.
        """
        weights, biases = self.modulation.weight.chunk(2), self.modulation.bias.chunk(2)
        scale = nn.functional.conv2d(told, weights[0], biases[0] + 1, padding=1)
        return scale, nn.functional.conv2d(told, weights[1], biases[1], padding=1)

    def forward(self, x: Tensor, modulation: Modulation) -> Tensor:
        scale, beta = modulation
        return torch.addcmul(beta, x, scale)


def _stack(width: int, blocks: int) -> list[nn.Module]:
    return [Residual(width) for _ in range(blocks)]


def _conv(inner: int, outer: int) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, 3, padding=1)


def make_encoder(spec: AutoencoderSpec) -> nn.Sequential:
    """Picture `[N, 3, H, W]` to unbounded latents `[N, C, H/8, W/8]`."""
    quarter, eighth = spec.quarter_width, spec.eighth_width
    return nn.Sequential(
        nn.PixelUnshuffle(4),
        _conv(48, quarter),
        *_stack(quarter, spec.blocks),
        nn.Conv2d(quarter, eighth, 3, stride=2, padding=1),
        *_stack(eighth, spec.blocks),
        nn.SiLU(),
        _conv(eighth, spec.latent_channels),
    )


def make_decoder(spec: AutoencoderSpec) -> nn.Sequential:
    """Latents `[N, C, h, w]` to the picture `[N, 3, 8h, 8w]`."""
    half, quarter, eighth = spec.half_width, spec.quarter_width, spec.eighth_width
    return nn.Sequential(
        _conv(spec.latent_channels, eighth),
        *_stack(eighth, spec.blocks),
        nn.Upsample(scale_factor=2, mode="nearest"),
        _conv(eighth, quarter),
        *_stack(quarter, spec.blocks),
        _conv(quarter, 4 * half),
        nn.PixelShuffle(2),
        Residual(half),
        nn.SiLU(),
        _conv(half, 4 * (spec.full_width or 3)),
        nn.PixelShuffle(2),
        *([Finish(spec.full_width)] if spec.full_width else []),
    )


def make_hints(spec: AutoencoderSpec) -> nn.ModuleDict:
    """Where the decoder reads the layout: by the number of the layer whose output is modulated.

    At 1/4 of the resolution before its blocks, at 1/2, and at the picture's own.
    """
    if not spec.layout_labels:
        return nn.ModuleDict()
    places = {
        spec.blocks + 2: spec.quarter_width,
        2 * spec.blocks + 4: spec.half_width,
        2 * spec.blocks + 8: spec.full_width,
    }
    hints = {str(n): LayoutHint(spec.layout_labels, width) for n, width in places.items() if width}
    return nn.ModuleDict(hints)


HINT_RATES = (2, 4, 8)  # at which `make_hints` reads the layout: pixels of it to one of the latents


class Autoencoder(ReadsLayout, nn.Module):
    """Encoder, decoder, and the statistics that give latents mean 0 and variance 1 per channel.

    Pictures are `[N, 3, H, W]` in [-1, 1], H and W multiples of 8; latents `[N, C, H/8, W/8]`.
    """

    latent_mean: Tensor
    latent_std: Tensor
    layout_resize = "area"  # how the decoder sees a coarser layout: as shares of a pixel

    def __init__(self, spec: AutoencoderSpec) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = make_encoder(spec)
        self.decoder = make_decoder(spec)
        self.hints = make_hints(spec)
        self.register_buffer("latent_mean", torch.zeros(spec.latent_channels, 1, 1))
        self.register_buffer("latent_std", torch.ones(spec.latent_channels, 1, 1))

    def raw_latents(self, picture: Tensor) -> Tensor:
        """Bounded latents before normalisation: 3 tanh(z / 3), so that none runs away."""
        return LATENT_BOUND * torch.tanh(self.encoder(picture) / LATENT_BOUND)

    def raw_decode(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        """Picture of unnormalised latents.

        y: the layout, one-hot `[1 or N, layout_labels, H, W]` at the picture's resolution, for a
        decoder that reads it; None is the null layout.
        """
        size = (latents.shape[-2], latents.shape[-1])
        return self._decode(latents, self.embed_layout(y, size))

    def embed_layout(self, y: Tensor | None, size: tuple[int, int]) -> list[Modulation]:
        """What a decoder that reads y makes of it, for latents of `size` (height, width).

        y is that of `raw_decode`. Empty if this decoder reads no layout.
        """
        if not self.hints:
            return []
        if y is None:
            y = self.latent_mean.new_zeros(1, self.spec.layout_labels, *size)
        return self.embed_scaled(self.scaled_layouts(y, size), size)

    def layout_sites(self, size: tuple[int, int]) -> Iterator[tuple[LayoutHint, tuple[int, int]]]:
        """Each place that reads the layout, with its (height, width) for latents of `size`."""
        for hint, rate in zip(self.hints.values(), HINT_RATES):
            yield hint, (size[0] * rate, size[1] * rate)

    def _decode(self, latents: Tensor, embedding: list[Modulation]) -> Tensor:
        x, modulations = latents, iter(embedding)
        for number, layer in enumerate(self.decoder):
            x = layer(x)
            if str(number) in self.hints:
                x = self.hints[str(number)](x, next(modulations))
        return x

    def encode(self, picture: Tensor) -> Tensor:
        """Normalised latents of a picture."""
        return (self.raw_latents(picture) - self.latent_mean) / self.latent_std

    def decode(
        self,
        latents: Tensor,
        y: Tensor | None = None,
        embedding: list[Modulation] | None = None,
    ) -> Tensor:
        """Picture of normalised latents, about [-1, 1]; not clipped: losses see overshoot.

        embedding: that of `embed_layout` instead of y, where it is there already.
        """
        raw = latents * self.latent_std + self.latent_mean
        return self.raw_decode(raw, y) if embedding is None else self._decode(raw, embedding)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the weights."""
        return self.latent_mean.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.latent_mean.device
