"""Discriminators: is this patch a photo or a network's work, and what does it show?"""

from __future__ import annotations

from collections.abc import Sequence

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
    """Features of a picture, finest first, to logits `[N, labels + 1, h, w]` at each level.

    As in OASIS (Schönfeld et al., arXiv 2012.04781): a real place is to be told by its label, a
    made one by the first logit. So it teaches what each label looks like. inner: channels of each
    level's features, which come from a frozen network: this one only has to weigh them, coarse
    levels first, each handed to the next finer one, of any larger size. Normed place by place.
    """

    def __init__(
        self, inner: Sequence[int], labels: int, widths: Sequence[int] = (64, 96, 128, 128)
    ) -> None:
        super().__init__()
        widths = [widths[min(level, len(widths) - 1)] for level in range(len(inner))]
        below = [*widths[1:], 0]  # channels that come from the next coarser level
        self.look = nn.ModuleList(_normed(nn.Conv2d(i, w, 1)) for i, w in zip(inner, widths))
        self.body = nn.ModuleList(
            _normed(nn.Conv2d(w + more, w, 3, padding=1)) for w, more in zip(widths, below)
        )
        self.out = nn.ModuleList(nn.Conv2d(w, labels + 1, 1) for w in widths)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        x: Tensor | None = None
        logits = []
        for level in reversed(range(len(self.look))):
            own = self.look[level](maps[level])
            if x is not None:
                own = torch.cat([own, F.interpolate(x, own.shape[-2:], mode="nearest")], dim=1)
            x = self.body[level](own)
            logits.append(self.out[level](x))
        return logits[::-1]


def _normed(conv: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(conv, PlaceNorm(conv.out_channels), nn.LeakyReLU(SLOPE))
