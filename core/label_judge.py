"""What a `LabelDiscriminator` learns, and what it teaches whoever wants to pass before it.

As OASIS (Schönfeld et al., arXiv 2012.04781): the judge says which label each place of a picture
shows, or that it was made, so one loss asks for both looks and agreement. What it sees are features
of a frozen network. `label_weights` `[labels]` are what an error counts where a label is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

SMOOTHING = 0.1  # share of the judge's targets spread over all: as many labels are wrong
JUDGED = 0.2  # norm of what the judge's opinion is to change in the features of a sample


class Seen(NamedTuple):
    """Features of pictures, finest first, and what was painted: `[N, labels, h, w]`, any size."""

    features: Sequence[Tensor]
    shares: Tensor


def still(judge: nn.Module, *inputs: Any) -> Any:
    """What a judge says; gradients flow to `inputs` and none to its weights."""
    frozen = {name: part.detach() for name, part in judge.state_dict(keep_vars=True).items()}
    return functional_call(judge, frozen, inputs)


def judging(judge: nn.Module, real: Seen, made: Seen, label_weights: Tensor) -> Tensor:
    """How badly the judge tells labels of real pictures, and made ones; for the judge alone."""
    both = [torch.cat([a, b.detach()]) for a, b in zip(real.features, made.features, strict=True)]
    counts = [len(real.shares), len(made.shares)]
    real_logits, made_logits = zip(*(part.split(counts) for part in judge(both)))
    return label_error(
        real_logits, lambda s: smoothed(labelled(s)), real.shares, label_weights
    ) + label_error(made_logits, lambda s: smoothed(made_everywhere(s)), made.shares, label_weights)


def passing(judge: nn.Module, made: Seen, label_weights: Tensor) -> tuple[Tensor, Tensor]:
    """How badly made pictures pass for real ones, and the share of places that do.

    For whoever made them alone.
    """
    logits = still(judge, made.features)
    shown = logits[0][:, 1:].argmax(1) == _at_size(made.shares, logits[0]).argmax(1)
    return label_error(logits, labelled, made.shares, label_weights), shown.float().mean()


def pushed(judge: nn.Module, made: Seen, label_weights: Tensor) -> tuple[Tensor, Tensor]:
    """`passing`, but its gradient at the features of each sample has the norm `JUDGED` / N.

    The judge's gain is whatever it has become: so it neither drowns other losses nor is drowned.
    """
    leaves = [part.detach().requires_grad_() for part in made.features]
    with torch.enable_grad():
        loss, shown = passing(judge, Seen(leaves, made.shares), label_weights)
        gradients = [part.float() for part in torch.autograd.grad(loss, leaves)]
    sizes = sum(part.square().flatten(1).sum(1) for part in gradients).sqrt()
    scale = (JUDGED / len(sizes) / sizes.clamp(min=1e-12)).reshape(-1, 1, 1, 1)
    push = sum(
        (part * gradient * scale).sum()
        for part, gradient in zip(made.features, gradients, strict=True)
    )
    return loss.detach() + push - push.detach(), shown


def label_error(
    levels: Sequence[Tensor],
    target: Callable[[Tensor], Tensor],
    shares: Tensor,
    label_weights: Tensor,
) -> Tensor:
    """Mean cross-entropy of the levels' logits `[N, 1 + labels, h, w]`.

    target: of shares of labels what the logits should say. A place counts by its labels.
    """
    total = shares.new_zeros(())
    for logits in levels:
        here = _at_size(shares, logits)
        weight = (here * label_weights.reshape(1, -1, 1, 1)).sum(1)
        said = (target(here) * F.log_softmax(logits.float(), 1)).sum(1)
        total = total - (weight * said).mean()
    return total / len(levels)


def labelled(shares: Tensor) -> Tensor:
    """The judge's target for real places: their labels, none of it made."""
    return torch.cat([torch.zeros_like(shares[:, :1]), shares], dim=1)


def made_everywhere(shares: Tensor) -> Tensor:
    """The judge's target for made places."""
    return torch.cat([torch.ones_like(shares[:, :1]), torch.zeros_like(shares)], dim=1)


def smoothed(target: Tensor) -> Tensor:
    """A target that is not quite sure, so that the judge's logits stay of use to the generator."""
    return target * (1 - SMOOTHING) + SMOOTHING / target.shape[1]


def _at_size(shares: Tensor, logits: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(shares, logits.shape[-2:])
