"""Judges beside the autoencoder: textures that look like a photo's, not like their mean.

The first judges patches by the hinge loss of the GANs (Lim & Ye 2017), as in VQGAN (Esser et al.
2021). There the weight follows the ratio of two gradients; here a judge's gradient at the picture
has a fixed norm, which is the same idea without a second backward pass. The second, if there is
one, tells labels (`core.label_judge`) through the eyes of the perceptual loss. All networks take
one step per batch, on the same pictures.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.label_judge import Seen, judging, passing, still
from core.model.autoencoder import Autoencoder
from core.model.discriminator import LabelDiscriminator, PatchDiscriminator
from core.names import under
from core.objective import AutoencoderObjective, Batch, levelled, shifted
from core.onehot import one_hot
from core.perceptual import LPIPS
from core.walks import WALK

DISCRIMINATOR_LR = 0.5  # of the autoencoder's learning rate
LABEL_DISCRIMINATOR_LR = 4 / 3  # the same: it only has to weigh what it is shown
GRADIENT = 0.1  # norm at a picture, for a weight of 1: about what LPIPS has there (0.05 to 0.17)
EYES = (0, 1, 2, 4)  # maps of AlexNet that the second judge sees; the fourth is the fifth's size


class Duel(nn.Module):
    """The networks, so that they are trained, averaged and saved together."""

    def __init__(
        self,
        autoencoder: Autoencoder,
        discriminator: PatchDiscriminator,
        label_discriminator: LabelDiscriminator | None = None,
    ) -> None:
        super().__init__()
        self.autoencoder, self.discriminator = autoencoder, discriminator
        self.label_discriminator = label_discriminator


class LabelJudge(nn.Module):
    """How pictures look to one who tells labels, through the frozen features of an AlexNet.

    weight: its gradient at a picture is brought to the norm `weight` times `GRADIENT`.
    label_weights `[labels]`: what an error counts where a label is.
    """

    def __init__(self, network: LPIPS, label_weights: Tensor, weight: float) -> None:
        super().__init__()
        self.network, self.weight = network, weight
        widths = [network.widths[level] for level in EYES]
        self.discriminator = LabelDiscriminator(widths, len(label_weights))
        self.register_buffer("label_weights", label_weights)

    def forward(self, photos: Tensor, made: Tensor, y: Tensor, seeds: Tensor) -> dict[str, Tensor]:
        """Losses of pictures `made` `[N, 3, H, W]` of y, the first of which have `photos`.

        Each is seen from a corner that its seed chooses, as for the perceptual loss.
        """
        shown = levelled(made, self.weight * GRADIENT)
        shown, shares = shifted((shown, y), seeds)
        seen = Seen(self._features(shown), shares)
        with torch.no_grad():
            [photos] = shifted((photos,), seeds[: len(photos)])
            real = Seen(self._features(photos), shares[: len(photos)])
        passes, places = passing(self.discriminator, seen, self.label_weights)
        return {
            "label_passing": passes,
            "label_judging": judging(self.discriminator, real, seen, self.label_weights),
            "shown": places,
        }

    def _features(self, pictures: Tensor) -> list[Tensor]:
        maps = self.network.features(pictures)
        return [maps[level] for level in EYES]


class AdversarialObjective(nn.Module):
    """The autoencoder's own losses, and how well its pictures pass for photos.

    weight: how much that counts: its gradient at a picture is brought to the norm `weight` times
    `GRADIENT` times what the judge has learned, so losses must not be scaled. A batch has what the
    autoencoder's own objective needs, and `labels` `[N, H, W]` for discriminators that are told
    them. It may have as many latents that a model made, as `core.walked_pairs` gives them: their
    pictures are judged like the others, and nothing else is asked of them.

    No gradient of the autoencoder's part reaches a discriminator, and none the other way round: one
    backward pass serves all.
    """

    lr_scales = {
        "discriminator.": DISCRIMINATOR_LR,
        "label_discriminator.": LABEL_DISCRIMINATOR_LR,
    }
    betas = (0.5, 0.99)

    def __init__(
        self,
        plain: AutoencoderObjective,
        discriminator: PatchDiscriminator,
        weight: float,
        second: LabelJudge | None = None,
    ) -> None:
        super().__init__()
        self.plain, self.weight, self.second = plain, weight, second
        self.model = Duel(plain.model, discriminator, second.discriminator if second else None)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        losses, pictures = self.plain.compare(batch)
        photos, labels, seeds = batch["image"], batch["labels"], batch["seed"]
        if walks := under(batch, WALK):
            pictures = torch.cat([pictures, self._decoded(walks)])
            labels, seeds = torch.cat([labels, walks["labels"]]), torch.cat([seeds, walks["seed"]])
        judge = self.model.discriminator
        y = one_hot(labels, judge.labels) if judge.labels else None
        losses |= self._patches(photos, pictures, y)
        if self.second is not None:
            losses |= self.second(photos, pictures, y, seeds)
        named = ("passing", "judging", "label_passing", "label_judging")
        return losses | {"loss": losses["loss"] + sum(losses[n] for n in named if n in losses)}

    def _decoded(self, walks: Batch) -> Tensor:
        """Pictures of latents `x0` with their layouts."""
        return self.plain.model.decode(walks["x0"].float(), self.plain.layout(walks)).float()

    def _patches(self, photos: Tensor, made: Tensor, y: Tensor | None) -> dict[str, Tensor]:
        """Losses of the judge of patches; the first of those that were made have `photos`."""
        judge, count = self.model.discriminator, len(photos)
        both = torch.cat([photos, made.detach()])
        of_both = judge(both, None if y is None else torch.cat([y[:count], y])).float()
        of_photos, of_made = of_both[:count], of_both[count:]
        hinge = F.relu(1 - of_photos).mean() + F.relu(1 + of_made).mean()
        shown = levelled(made, self.weight * GRADIENT * sureness(hinge))
        return {"judging": hinge, "passing": -still(judge, shown, y).float().mean()}


def sureness(judging: Tensor) -> float:
    """What a judge with this hinge loss has learned: 0 if nothing, 1 if it is never wrong.

    Without it a judge that is still guessing would pull every picture the same arbitrary way.
    """
    return max(0.0, 1 - float(judging.detach()) / 2)
