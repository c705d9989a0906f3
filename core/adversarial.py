"""A discriminator beside the autoencoder: textures that look like a photo's, not like their mean.

The hinge loss of the GANs (Lim & Ye 2017) on patches, as in VQGAN (Esser et al. 2021). There the
weight follows the ratio of two gradients; here the judge's gradient at the picture has a fixed
norm, which is the same idea without a second backward pass. Both networks take one step per batch,
on the same pictures.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from core.model.autoencoder import Autoencoder
from core.model.discriminator import PatchDiscriminator
from core.objective import AutoencoderObjective, Batch, levelled
from core.onehot import one_hot

DISCRIMINATOR_LR = 0.5  # of the autoencoder's learning rate
GRADIENT = 0.1  # norm at a picture, for a weight of 1: about what LPIPS has there (0.05 to 0.17)


class Duel(nn.Module):
    """The two networks, so that they are trained, averaged and saved together."""

    def __init__(self, autoencoder: Autoencoder, discriminator: PatchDiscriminator) -> None:
        super().__init__()
        self.autoencoder, self.discriminator = autoencoder, discriminator


class AdversarialObjective(nn.Module):
    """The autoencoder's own losses, and how well its pictures pass for photos.

    weight: how much that counts: its gradient at a picture is brought to the norm `weight` times
    `GRADIENT` times what the judge has learned, so losses must not be scaled. A batch has what the
    autoencoder's own objective needs, and `labels` `[N, H, W]` for a discriminator that is told
    them.

    No gradient of the autoencoder's part reaches the discriminator, and none the other way round:
    one backward pass serves both.
    """

    lr_scales = {"discriminator.": DISCRIMINATOR_LR}
    betas = (0.5, 0.99)

    def __init__(
        self, plain: AutoencoderObjective, discriminator: PatchDiscriminator, weight: float
    ) -> None:
        super().__init__()
        self.plain, self.weight = plain, weight
        self.model = Duel(plain.model, discriminator)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        losses, picture = self.plain.compare(batch)
        judge = self.model.discriminator
        y = one_hot(batch["labels"], judge.labels) if judge.labels else None
        both = torch.cat([batch["image"], picture.detach()])
        twice = None if y is None else torch.cat([y, y])
        photo, made = judge(both, twice).float().chunk(2)
        losses["judging"] = F.relu(1 - photo).mean() + F.relu(1 + made).mean()
        frozen = {k: v.detach() for k, v in judge.state_dict(keep_vars=True).items()}
        shown = levelled(picture, self.weight * GRADIENT * sureness(losses["judging"]))
        losses["passing"] = -functional_call(judge, frozen, (shown, y)).float().mean()
        total = losses["loss"] + losses["passing"] + losses["judging"]
        return losses | {"loss": total}


def sureness(judging: Tensor) -> float:
    """What a judge with this hinge loss has learned: 0 if nothing, 1 if it is never wrong.

    Without it a judge that is still guessing would pull every picture the same arbitrary way.
    """
    return max(0.0, 1 - float(judging.detach()) / 2)
