"""The compact generator: a picture of a layout in one pass, for painting that answers at once.

SPADE's idea (Park et al., arXiv 1903.07291) on the latents of our autoencoder: layout and style
modulate a few blocks from 1/32 to 1/8 of the picture, and the decoder that reads the layout does
the rest. Noise beside the layout makes texture, as in OASIS (Schönfeld et al., arXiv 2012.04781).
Norms are of each place alone, so a crop with enough around it is what the whole would be there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.model.autoencoder import make_decoder, make_hints
from core.model.layers import resize_layout
from core.model.segmenter import PlaceNorm
from core.model.spec import InstantSpec

THUMBNAIL = 32  # pixels: sides of the picture that a style is read from
STYLE_WIDTH = 48  # channels of the style encoder
LAST_SCALE = 0.3  # of a block's last convolution at the start: it begins near the identity


def _conv(inner: int, outer: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, 3, stride, padding=1)


class Telling(nn.Module):
    """What a level is told: layout and noise `[N, C, h, w]`, style `[N, Z]`, as `[N, H, h, w]`."""

    def __init__(self, spec: InstantSpec) -> None:
        super().__init__()
        self.layout = _conv(spec.label_channels + spec.noise, spec.hidden)
        self.style = nn.Linear(spec.style, spec.hidden)

    def forward(self, y: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        noise = noise.expand(len(y), -1, -1, -1)
        local = self.layout(torch.cat([y, noise], dim=1))
        return F.silu(local + self.style(style)[:, :, None, None])


class ToldBlock(nn.Module):
    """x + f(gamma Norm(x) + beta): gamma and beta from what the level is told, as in SPADE."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = PlaceNorm(width, elementwise_affine=False)
        self.modulation = nn.Conv2d(hidden, 2 * width, 1)
        self.first, self.last = _conv(width, width), _conv(width, width)
        with torch.no_grad():
            self.modulation.bias[:width] += 1
            self.last.weight *= LAST_SCALE

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        gamma, beta = self.modulation(told).chunk(2, dim=1)
        inner = F.silu(torch.addcmul(beta, self.norm(x), gamma))
        return x + self.last(F.silu(self.first(inner)))


class Generator(nn.Module):
    """Layout, style and noise to normalised latents `[N, C, H/8, W/8]`."""

    def __init__(self, spec: InstantSpec) -> None:
        super().__init__()
        self.spec = spec
        self.told = nn.ModuleList(Telling(spec) for _ in spec.widths)
        self.first = nn.Conv2d(spec.hidden, spec.widths[0], 1)
        self.change = nn.ModuleList(
            nn.Conv2d(a, b, 1) for a, b in zip(spec.widths, spec.widths[1:])
        )
        self.levels = nn.ModuleList(
            nn.ModuleList(ToldBlock(w, spec.hidden) for _ in range(n))
            for w, n in zip(spec.widths, spec.blocks, strict=True)
        )
        last = spec.widths[-1]
        self.out = nn.Sequential(
            PlaceNorm(last), nn.SiLU(), _conv(last, spec.autoencoder.latent_channels)
        )

    def forward(self, y: Tensor, style: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """y `[N, label_channels, H/8, W/8]`: shares of labels in each latent pixel. style `[N, Z]`.

        noise: of each level, the coarsest first; see `noise_shapes`.
        """
        x: Tensor | None = None
        for number, blocks in enumerate(self.levels):
            layout = resize_layout(y, noise[number].shape[-2:], "area")
            told = self.told[number](layout, style, noise[number])
            if x is None:
                x = self.first(told)
            else:
                x = F.interpolate(self.change[number - 1](x), scale_factor=2, mode="nearest")
            for block in blocks:
                x = block(x, told)
        return self.out(x)

    def noise_shapes(self, height: int, width: int) -> list[tuple[int, int, int]]:
        """`[noise, h, w]` of each level's noise, for latents of `height` x `width`."""
        halvings = reversed(range(len(self.levels)))
        return [(self.spec.noise, height >> k, width >> k) for k in halvings]

    @property
    def reach(self) -> int:
        """Latent pixels around a place that have a say in it."""
        cells = 0.5
        for blocks in self.spec.blocks:  # two convolutions a block, and at first the telling's
            cells = 2 * cells + 2 * blocks
        return int(cells) + 1

    @property
    def last_reach(self) -> int:
        """The same of what goes into the last level."""
        return 2 * self.spec.blocks[-1] + 2  # the first convolution is the telling's, the last out


class StyleEncoder(nn.Module):
    """Mean and log-variance `[N, Z]` of a style, of thumbnails `[N, 3, 32, 32]` in [-1, 1].

    A thumbnail shows light, colours and where they are, and nothing of textures.
    """

    def __init__(self, style: int) -> None:
        super().__init__()
        width = STYLE_WIDTH
        self.body = nn.Sequential(
            _conv(3, width, 2), nn.SiLU(), _conv(width, width, 2), nn.SiLU(), _conv(width, 96, 2)
        )
        self.head = nn.Linear(96 * (THUMBNAIL // 8) ** 2, 2 * style)

    def forward(self, thumbnail: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.head(F.silu(self.body(thumbnail)).flatten(1)).chunk(2, dim=1)
        return mean, log_variance


class InstantNet(nn.Module):
    """Generator, style encoder, and the decoder of an autoencoder: all that a picture needs.

    bank: styles `[K, Z]` of photos that it learned from.
    """

    bank: Tensor
    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, spec: InstantSpec) -> None:
        super().__init__()
        self.spec = spec
        self.generator, self.style = Generator(spec), StyleEncoder(spec.style)
        self.decoder, self.hints = make_decoder(spec.autoencoder), make_hints(spec.autoencoder)
        self.register_buffer("bank", torch.zeros(spec.bank, spec.style))
        channels = spec.autoencoder.latent_channels
        self.register_buffer("latent_mean", torch.zeros(channels, 1, 1))
        self.register_buffer("latent_std", torch.ones(channels, 1, 1))
