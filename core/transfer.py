"""Starting a network from the weights of another one that is narrower or of another shape.

What both have is taken over; what is new starts so that it changes nothing at first, where that is
possible: new input channels of a layer get zero weights, new outputs keep their random start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from core.conversion import Conversion
from core.palette import Palette

# The layers that read a one-hot layout: of SPADE norms, and of a decoder that sees the layout.
LABEL_LAYERS = ("mlp_shared.0.weight", ".shared.weight")


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


def relabelled(state: Mapping[str, Tensor], labels: Conversion) -> dict[str, Tensor]:
    """`state`, whose network reads layouts of `labels.target`, for layouts of `labels.source`.

    A label takes over the weights of the one it matches; a new one starts from the mean of all. The
    edge channel of instances stays where both palettes have it, and starts at zero otherwise.
    """
    return {
        name: _relabelled(value, labels) if name.endswith(LABEL_LAYERS) else value
        for name, value in state.items()
    }


def _relabelled(weight: Tensor, labels: Conversion) -> Tensor:
    old, new = labels.target, labels.source
    known = weight[:, [c.id for c in old.classes if not c.hidden]]
    mean = known.mean(1)
    columns = [mean if m.target is None else weight[:, m.target] for m in labels.matches]
    if new.instance_edges:
        columns.append(weight[:, -1] if old.instance_edges else torch.zeros_like(mean))
    return torch.stack(columns, 1)


def takeover(new: Palette, old: Palette) -> Conversion:
    """Which label of `old` each label of `new` continues, by name and synonym.

    Unlike a conversion of maps, the unlabeled ids belong together, whatever they are called.
    """
    labels = Conversion.between(new, old)
    if new.unlabeled is None or old.unlabeled is None or labels.plain:
        return labels
    return labels.moved(new.unlabeled, old.unlabeled)


@torch.no_grad()
def _overlay(fresh: Tensor, source: Tensor) -> None:
    """Copy the common corner; what is left of the inputs (dimension 1) becomes zero."""
    common = tuple(slice(0, min(a, b)) for a, b in zip(fresh.shape, source.shape, strict=True))
    if fresh.ndim > 1:
        fresh[:, source.shape[1] :] = 0
    fresh[common] = source[common]
