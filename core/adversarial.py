"""A discriminator beside the autoencoder: textures that look like a photo's, not like their mean.

The hinge loss of the GANs (Lim & Ye 2017) on patches, as in VQGAN (Esser et al. 2021, equation 5,
with a fixed weight). Both networks take one step per batch, on the same pictures.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from core.model.autoencoder import Autoencoder
from core.model.discriminator import PatchDiscriminator
from core.objective import AutoencoderObjective, Batch

DISCRIMINATOR_LR = 0.25  # of the autoencoder's learning rate


class Duel(nn.Module):
    """The two networks, so that they are trained, averaged and saved together."""

    def __init__(self, autoencoder: Autoencoder, discriminator: PatchDiscriminator) -> None:
        super().__init__()
        self.autoencoder, self.discriminator = autoencoder, discriminator


class AdversarialObjective(nn.Module):
    """The autoencoder's own losses, and `weight` times how well its pictures pass for photos.

    No gradient of the autoencoder's part reaches the discriminator, and none the other way round:
    one backward pass serves both.
    """

    lr_scales = {"discriminator.": DISCRIMINATOR_LR}

    def __init__(
        self, plain: AutoencoderObjective, discriminator: PatchDiscriminator, weight: float
    ) -> None:
        super().__init__()
        self.plain, self.weight = plain, weight
        self.model = Duel(plain.model, discriminator)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        losses, picture = self.plain.compare(batch)
        judge = self.model.discriminator
        frozen = {k: v.detach() for k, v in judge.state_dict(keep_vars=True).items()}
        losses["passing"] = -functional_call(judge, frozen, (picture,)).float().mean()
        both = torch.cat([batch["image"], picture.detach()])
        photo, made = judge(both).float().chunk(2)
        losses["judging"] = F.relu(1 - photo).mean() + F.relu(1 + made).mean()
        total = losses["loss"] + self.weight * losses["passing"] + losses["judging"]
        return losses | {"loss": total}
