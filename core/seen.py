"""What an encoder sees of a picture: the words that guidance and its network share."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Seen(NamedTuple):
    """What an encoder sees of x `[N, C, H, W]`.

    embedding: `[N, D]`, of length 1. places: `[N, D, h, w]`, the same place by place; the mean over
    all of them has the embedding's direction. layers: normed features of each level,
    `[N, width, h, w]`.
    """

    embedding: Tensor
    places: Tensor
    layers: tuple[Tensor, ...]
