"""Discriminators: is this patch a photo or a network's work, and what does it show?"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.model.segmenter import PlaceNorm

SLOPE = 0.2  # of the leaky ReLU below zero


class PatchDiscriminator(nn.Module):
    """Pictures `[N, 3, H, W]` in [-1, 1] to scores `[N, 1, H/8, W/8]`: above 0 means photo.
    After Isola et al. 2017.

    Each score sees a patch of 38 pixels and, with `labels`, which of them were painted there: what
    passes for water must not pass for grass (the projection of Miyato & Koyama 2018). Normed place
    by place, not spectrally: with spectral norm it told nothing after 7,000 pictures.
    """

    def __init__(self, width: int = 48, labels: int = 0) -> None:
        super().__init__()
        self.labels = labels
        widths = (3, width, 2 * width, 4 * width)
        layers: list[nn.Module] = []
        for inner, outer in zip(widths, widths[1:]):
            norm = [PlaceNorm(outer)] if layers else []
            layers += [nn.Conv2d(inner, outer, 4, stride=2, padding=1), *norm, nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers)
        self.score = nn.Conv2d(widths[-1], 1, 3, padding=1)
        self.wanted = nn.Conv2d(labels, widths[-1], 1, bias=False) if labels else None
        if self.wanted is not None:
            nn.init.zeros_(self.wanted.weight)

    def forward(self, picture: Tensor, y: Tensor | None = None) -> Tensor:
        """y: shares of the labels `[N, labels, h, w]` at any resolution, if it was built so."""
        found = self.layers(picture)
        scores = self.score(found)
        if self.wanted is None or y is None:
            return scores
        wanted = self.wanted(F.adaptive_avg_pool2d(y, found.shape[-2:]))
        return scores + (wanted * found).mean(1, keepdim=True)


class LabelDiscriminator(nn.Module):
    """Latents `[N, C, h, w]` to what each layer finds; last, logits `[N, labels + 1, h, w]`.

    A U-Net, as in OASIS (Schönfeld et al., arXiv 2012.04781): a real place is to be told by its
    label, a made one by the first logit. So it teaches what each label looks like. What the layers
    on the way down find can be compared (`features`). Normed place by place, not spectrally: it has
    to learn in minutes, and features fade in a deep network whose layers may not amplify.
    """

    multiple = 8  # sides of the latents
    features = 4  # how many of the maps are features, finest first

    def __init__(
        self, channels: int, labels: int, widths: tuple[int, int, int] = (48, 96, 128)
    ) -> None:
        super().__init__()
        first, second, third = widths
        self.down = nn.ModuleList(
            [
                _same(channels, first),
                nn.Sequential(_halved(first, second), _same(second, second)),
                nn.Sequential(_halved(second, third), _same(third, third)),
                _halved(third, third),
            ]
        )
        self.up = nn.ModuleList(
            [_same(2 * third, second), _same(2 * second, first), _same(2 * first, first)]
        )
        self.out = nn.Conv2d(first, labels + 1, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        kept = []
        for layer in self.down:
            x = layer(x)
            kept.append(x)
        for layer, beside in zip(self.up, reversed(kept[:-1]), strict=True):
            wide = F.interpolate(x, scale_factor=2, mode="nearest")
            x = layer(torch.cat([wide, beside], dim=1))
        return [*kept, self.out(x)]


def _same(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, padding=1), PlaceNorm(outer), nn.LeakyReLU(SLOPE)
    )


def _halved(inner: int, outer: int) -> nn.Sequential:
    conv = nn.Conv2d(inner, outer, 4, stride=2, padding=1)
    return nn.Sequential(conv, PlaceNorm(outer), nn.LeakyReLU(SLOPE))
