"""From label maps to y, the one-hot layout that the networks read."""

from __future__ import annotations

import torch
from torch import Tensor


def one_hot(labels: Tensor, num_labels: int, edges: Tensor | None = None) -> Tensor:
    """y, float32 `[N, num_labels (+ 1), H, W]`, of labels `[N, H, W]`.

    `edges` (`[N, H, W]`, 1 on instance edges) are the last channel, as in SPADE and SDM. The null
    layout of classifier-free guidance is `zeros_like(y)`.
    """
    channels = num_labels + (edges is not None)
    y = torch.zeros(labels.shape[0], channels, *labels.shape[1:], device=labels.device)
    y.scatter_(1, labels.long().unsqueeze(1), 1.0)
    if edges is not None:
        y[:, -1] = edges
    return y
