"""From label maps to y, the one-hot layout that the networks read."""

from __future__ import annotations

import torch
from torch import Tensor


def one_hot(labels: Tensor, num_labels: int, instances: Tensor | None = None) -> Tensor:
    """y, float32 `[N, num_labels (+ 1), H, W]`, of labels `[N, H, W]`.

    With `instances` (integers `[N, H, W]`) the last channel marks instance edges, as in SPADE and
    SDM. The null layout of classifier-free guidance is `zeros_like(y)`.
    """
    channels = num_labels + (instances is not None)
    y = torch.zeros(labels.shape[0], channels, *labels.shape[1:], device=labels.device)
    y.scatter_(1, labels.long().unsqueeze(1), 1.0)
    if instances is not None:
        y[:, -1] = instance_edges(instances).float()
    return y


def instance_edges(instances: Tensor) -> Tensor:
    """bool `[N, H, W]`: pixels that differ from a neighbour left, right, above or below."""
    edges = torch.zeros(instances.shape, dtype=torch.bool, device=instances.device)
    across = instances[:, :, 1:] != instances[:, :, :-1]
    down = instances[:, 1:] != instances[:, :-1]
    edges[:, :, 1:] |= across
    edges[:, :, :-1] |= across
    edges[:, 1:] |= down
    edges[:, :-1] |= down
    return edges
