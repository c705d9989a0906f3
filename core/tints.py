"""What a word does to the colours of each label: dusk makes skies orange, and grass dark.

An encoder of whole pictures does not know what is painted where: asked for "lush" it makes skies
green too. So beside its gradient stands what photos say: how the mean latents of a label differ
where a word fits. Before anything of a picture is decided, that is how far an exact guidance by
the word would move it, label by label.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

ENOUGH = 0.05  # share of a picture from which on a label says all that it can of its colours
DOUBT = 5.0  # pictures' worth of a word in a label that count as much as the word everywhere
USUAL = 0.15  # deviation of x0 by which a word changes colours; weaker words gain, stronger lose
RIDGE = 0.02  # of the fit to the words' vectors, in their mean square


class Means:
    """Mean x0 of each label in pictures, as they are added.

    shares: float32 `[labels, h, w]`, how much of each place of x0 `[C, h, w]` a label covers.
    """

    def __init__(self, pictures: Iterable[tuple[Tensor, Tensor]]) -> None:
        """pictures: (x0, shares) of each."""
        colours, counts = zip(*(_means(x0, shares) for x0, shares in pictures), strict=True)
        self.colours, self.counts = torch.stack(colours), torch.stack(counts)

    def changes(self, targets: Tensor) -> Tensor:
        """How words change x0 in each label, `[words, labels, C]`.

        targets: `[pictures, words]`, how much each picture shows each word. What few pictures say
        of a word in a label leans on what the word does everywhere.
        """
        counts = torch.einsum("nw,nk->wk", targets, self.counts)
        sums = torch.einsum("nw,nk,nkc->wkc", targets, self.counts, self.colours)
        every = torch.einsum("nk,nkc->kc", self.counts, self.colours)
        usual = every / self.counts.sum(0).clamp(min=1e-6)[:, None]
        changes = sums / counts.clamp(min=1e-6)[..., None] - usual
        changes = changes * (counts > 0)[..., None]
        total = counts.sum(1, keepdim=True).clamp(min=1e-6)
        everywhere = (changes * (counts / total)[..., None]).sum(1, keepdim=True)
        sure = (counts / (counts + DOUBT))[..., None]
        return self._evened(sure * changes + (1 - sure) * everywhere)

    def _evened(self, changes: Tensor) -> Tensor:
        """The square root of what each word changes, in units of `USUAL`: night must not be black
        for dryness to be seen."""
        cover = self.counts.sum(0) / self.counts.sum()
        size = (changes.square().mean(2) * cover).sum(1).sqrt()
        return changes * (USUAL / size.clamp(min=1e-3)).sqrt()[:, None, None]


def _means(x0: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    area = shares.sum((1, 2))
    colours = torch.einsum("khw,chw->kc", shares, x0) / area.clamp(min=1e-6)[:, None]
    return colours, (area / (ENOUGH * shares[0].numel())).clamp(max=1)


def tints_of(words: Tensor, changes: Tensor) -> Tensor:
    """`[labels, C, D]`, which times a text's embedding is what it changes: ridge regression of
    changes `[words, labels, C]` on the words' vectors `[words, D]`, so that any text has some."""
    words = F.normalize(words.float())
    square = words @ words.T
    ridge = RIDGE * torch.eye(len(words), device=words.device)
    return torch.einsum("wkc,wd->kcd", changes, torch.linalg.solve(square + ridge, words))
