"""How alike the places of each label look, in maps of features.

The style loss of Gatys et al. (2016), label by label: products of features, averaged over the
places that show a label. Two pictures agree when their water has the same texture and colours,
wherever that water lies; so it asks for texture without asking for one picture, whose mean would
have none.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

MOST_LABELS = 4  # of a picture that are compared: the largest that both have
LEAST_PLACES = 64.0  # of a label in both pictures, in cells of the layout, or it is not compared


def texture_distance(
    maps: Sequence[Tensor], shares: Tensor, wanted: Sequence[Tensor], their_shares: Tensor
) -> Tensor:
    """Distance `[N]` of the textures in `maps` from those in `wanted`; 0 for equal ones.

    maps, wanted: features `[N, K, h', w']` of one or more levels. shares, their_shares: of the
    labels at each place, `[N, labels, h, w]`.
    """
    common = torch.minimum(shares.sum((2, 3)), their_shares.sum((2, 3)))
    common, labels = common.topk(min(MOST_LABELS, common.shape[1]), dim=1)
    shares, their_shares = (_chosen(part, labels) for part in (shares, their_shares))
    weight = torch.where(common >= LEAST_PLACES, common.sqrt(), 0)
    weight = weight / weight.sum(1, keepdim=True).clamp(min=1e-6)
    parts = [
        products_distance(label_products(a, shares), label_products(b, their_shares))
        for a, b in zip(maps, wanted, strict=True)
    ]
    return sum((weight * part).sum(1) for part in parts) / len(parts)


def _chosen(shares: Tensor, labels: Tensor) -> Tensor:
    """The shares of each sample's `labels` `[N, k]` alone: `[N, k, h, w]`."""
    return torch.take_along_dim(shares, labels[:, :, None, None], dim=1)


def label_products(features: Tensor, shares: Tensor) -> Tensor:
    """Sum over a label's places of f f^T / places, f `[N, C, h, w]` with 1 beside it."""
    features = features.float()
    shares = F.adaptive_avg_pool2d(shares, features.shape[-2:]).flatten(2)
    features = torch.cat([features, torch.ones_like(features[:, :1])], dim=1).flatten(2)
    places = shares.sum(2).clamp(min=1e-3)
    weighted = features[:, None] * (shares / places[:, :, None])[:, :, None]
    return weighted @ features.transpose(1, 2)[:, None]


def products_distance(mine: Tensor, aims: Tensor) -> Tensor:
    """Mean difference `[N, labels]` of products, in units of the aim's own features."""
    energy = torch.diagonal(aims, dim1=-2, dim2=-1).clamp(min=1e-4).sqrt()
    scaled = (mine - aims) / energy[..., :, None] / energy[..., None, :]
    return scaled.abs().mean((-2, -1))
