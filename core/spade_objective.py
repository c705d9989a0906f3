"""What SPADE learns from, as its paper has it (section 3.2 and appendix A).

Hinge loss on two scales, features matched as in pix2pixHD, a perceptual distance, and for the VAE
the KL divergence. Generator and discriminator learn from the same pictures in one backward pass;
no gradient of one side's losses reaches the other.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from core.model.spade import MultiscaleDiscriminator, SpadeEncoder, SpadeGenerator
from core.objective import Batch, seeded_noise
from core.onehot import one_hot
from core.perceptual import LPIPS

MATCH_WEIGHT = 10.0  # lambda of feature matching
KL_WEIGHT = 0.05
STYLE_SALT = 21  # tells the draw of a style from the other draws of a sample


class SpadeDuel(nn.Module):
    """The networks, so that they are trained, averaged and saved together."""

    def __init__(
        self,
        generator: SpadeGenerator,
        judge: MultiscaleDiscriminator,
        encoder: SpadeEncoder | None = None,
    ) -> None:
        super().__init__()
        self.generator, self.judge = generator, judge
        if encoder is not None:
            self.encoder = encoder


class SpadeObjective(nn.Module):
    """A batch has `image` `[N, 3, H, W]` in [-1, 1], `labels` (and `edges`) and `seed`.

    Two time scales (Heusel et al. 2017): 0.0001 for the generator, 0.0004 for the discriminator.
    The KL divergence is a mean over samples, so its weight does not depend on the batch.
    """

    betas = (0.0, 0.9)
    lr_scales = {"judge.": 4.0}

    def __init__(
        self,
        model: SpadeDuel,
        num_labels: int,
        perceptual: LPIPS | None = None,
        perceptual_weight: float = 10.0,
    ) -> None:
        super().__init__()
        self.model, self.num_labels = model, num_labels
        self.perceptual, self.perceptual_weight = perceptual, perceptual_weight

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        image = batch["image"]
        y = one_hot(batch["labels"], self.num_labels, batch.get("edges"))
        style, prior = self._style(image, batch["seed"])
        made = self.model.generator(y, style)
        judge = self.model.judge
        frozen = {k: v.detach() for k, v in judge.state_dict(keep_vars=True).items()}
        seen = functional_call(judge, frozen, (torch.cat([y, made], dim=1),))
        pairs = torch.cat([torch.cat([y, made.detach()], 1), torch.cat([y, image], 1)])
        fake, real = split(judge(pairs))
        losses = {
            "passing": -mean_score(seen),
            "judging": hinge(fake, -1) + hinge(real, 1),
            "matching": matched(seen, real),
        }
        total = losses["passing"] + losses["judging"] + MATCH_WEIGHT * losses["matching"]
        if self.perceptual is not None:
            losses["lpips"] = self.perceptual(made.float(), image).mean()
            total = total + self.perceptual_weight * losses["lpips"]
        if prior is not None:
            losses["prior"] = prior
            total = total + KL_WEIGHT * prior
        return {"loss": total, **losses}

    def _style(self, image: Tensor, seeds: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """A style drawn around each picture's own, and the divergence of that from the prior."""
        if not self.model.generator.spec.use_vae:
            return None, None
        mean, log_variance = (part.float() for part in self.model.encoder(image))
        noise = seeded_noise(seeds, mean.shape[1:], mean.device, STYLE_SALT)
        prior = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
        return mean + noise * (0.5 * log_variance).exp(), prior


def split(found: list[list[Tensor]]) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """The features of the first and of the second half of a batch."""
    halves = [[layer.float().chunk(2) for layer in scale] for scale in found]
    first, second = ([[layer[i] for layer in scale] for scale in halves] for i in (0, 1))
    return first, second


def mean_score(found: list[list[Tensor]]) -> Tensor:
    """Mean over scales of the scores: above 0 means photo."""
    return torch.stack([scale[-1].float().mean() for scale in found]).mean()


def hinge(found: list[list[Tensor]], sign: int) -> Tensor:
    """How far scores are from their side of the margin: of photos (1) or of made pictures (-1)."""
    return torch.stack([F.relu(1 - sign * scale[-1]).mean() for scale in found]).mean()


def matched(made: list[list[Tensor]], real: list[list[Tensor]]) -> Tensor:
    """L1 distance of the features of all layers, a mean over the scales."""
    distances = [
        F.l1_loss(a.float(), b.detach())
        for ours, theirs in zip(made, real, strict=True)
        for a, b in zip(ours[:-1], theirs[:-1], strict=True)
    ]
    return sum(distances) / len(made)
