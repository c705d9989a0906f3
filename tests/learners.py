"""Which networks of an objective a loss teaches."""

import torch


def learners(objective, loss):
    """Names of the parts of `objective.model` that a gradient of `loss` reaches."""
    named = dict(objective.model.named_parameters())
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    moved = [n for n, g in zip(named, found, strict=True) if g is not None and g.abs().max() > 0]
    return {name.split(".")[0] for name in moved}
