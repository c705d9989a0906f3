"""Starting a network from the weights of another one that is narrower or of another shape.

What both have is taken over; what is new starts so that it changes nothing at first, where that is
possible: new input channels of a layer get zero weights, new outputs keep their random start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn


def grown(module: nn.Module, old: Mapping[str, Tensor], halves: Iterable[str] = ()) -> list[str]:
    """Fill `module` from the state dict `old`, tensor by tensor; gives the names that differed.

    A tensor of another shape is copied where the two overlap. Tensors named in `halves` are two
    stacked parts of equal height (mean and variance), which grow each on their own. Names that only
    one side has are left alone.
    """
    state, changed = module.state_dict(), []
    for name, fresh in state.items():
        if name not in old or old[name].ndim != fresh.ndim:
            changed.append(name)
        elif old[name].shape == fresh.shape:
            fresh.copy_(old[name])
        else:
            parts = 2 if name in halves else 1
            for part, source in zip(fresh.chunk(parts), old[name].chunk(parts), strict=True):
                _overlay(part, source)
            changed.append(name)
    return changed


@torch.no_grad()
def _overlay(fresh: Tensor, source: Tensor) -> None:
    """Copy the common corner; what is left of the inputs (dimension 1) becomes zero."""
    common = tuple(slice(0, min(a, b)) for a, b in zip(fresh.shape, source.shape, strict=True))
    if fresh.ndim > 1:
        fresh[:, source.shape[1] :] = 0
    fresh[common] = source[common]
