"""What the compact generator learns from: a discriminator that tells labels, and styles of photos.

As OASIS (Schönfeld et al., arXiv 2012.04781), on latents: the discriminator says which label each
place shows, or that it was made, so one loss asks for both looks and agreement. As SPADE, a
variational encoder gives each photo a style; what a style must bring back is light and colour (the
latents at a quarter of their resolution), texture is the discriminator's business.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from core.model.discriminator import LabelDiscriminator
from core.model.instant import Generator, StyleEncoder
from core.objective import Batch, seeded_noise, seeded_uniform

COARSE = 4  # latent pixels, per side, whose mean a style must bring back
RECALL_WEIGHT = 3.0  # of that
PRIOR_WEIGHT = 0.005  # of the KL divergence, summed over the numbers of a style
RANDOM_SHARE = 0.5  # of samples whose style is drawn at random, so that such pictures are judged
STYLE_SALT, RANDOM_SALT, LEVEL_SALT = 11, 12, 13  # tell the draws of one sample apart


class InstantDuel(nn.Module):
    """The networks, so that they are trained, averaged and saved together."""

    def __init__(self, generator: Generator, style: StyleEncoder, judge: LabelDiscriminator):
        super().__init__()
        self.generator, self.style, self.judge = generator, style, judge


class InstantObjective(nn.Module):
    """One backward pass for all: no gradient of one side's losses reaches the other.

    A batch has `x0`, `y`, `thumbnail` and `seed`, as of `LatentDataset`. label_weights: float32
    `[labels]`, what an error counts where a label is.
    """

    betas = (0.0, 0.99)
    lr_scales = {"judge.": 2.0}  # two time scales (Heusel et al. 2017): the judge is the faster

    def __init__(self, model: InstantDuel, label_weights: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("label_weights", label_weights)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        x0, y, seeds = batch["x0"].float(), batch["y"].float(), batch["seed"]
        mean, log_variance = (part.float() for part in self.model.style(batch["thumbnail"]))
        style, own = self._styles(mean, log_variance, seeds)
        made = self.model.generator(y, style, self._noise(x0, seeds)).float()
        shares = y[:, : len(self.label_weights)]
        judge = self.model.judge
        frozen = {k: v.detach() for k, v in judge.state_dict(keep_vars=True).items()}
        seen = functional_call(judge, frozen, (made,)).float()
        passing = self._error(seen, shares)
        real, fake = judge(torch.cat([x0, made.detach()])).float().chunk(2)
        weight = self._weight(shares)
        judging = self._error(real, shares) - (weight * F.log_softmax(fake, 1)[:, 0]).mean()
        recall = recalled(made, x0, own)
        prior = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
        total = passing + judging + RECALL_WEIGHT * recall + PRIOR_WEIGHT * prior
        shown = (seen[:, 1:].argmax(1) == shares.argmax(1)).float().mean()
        named = {"passing": passing, "judging": judging, "recall": recall, "prior": prior}
        return {"loss": total, **named, "shown": shown}

    def _styles(self, mean: Tensor, log_variance: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """A style for each sample, and where it is the photo's own: 1, else 0, `[N]`."""
        drawn = seeded_noise(seeds, mean.shape[1:], mean.device, STYLE_SALT)
        own = (seeded_uniform(seeds, mean.device, RANDOM_SALT) >= RANDOM_SHARE).float()
        photo = mean + drawn * (0.5 * log_variance).exp()
        return torch.where(own[:, None] > 0, photo, drawn), own

    def _noise(self, x0: Tensor, seeds: Tensor) -> list[Tensor]:
        shapes = self.model.generator.noise_shapes(*x0.shape[-2:])
        return [seeded_noise(seeds, s, x0.device, LEVEL_SALT + i) for i, s in enumerate(shapes)]

    def _error(self, logits: Tensor, shares: Tensor) -> Tensor:
        """Cross-entropy with the labels of each place; the first logit is that of made ones."""
        error = -(shares * F.log_softmax(logits, 1)[:, 1:]).sum(1)
        return (self._weight(shares) * error).mean()

    def _weight(self, shares: Tensor) -> Tensor:
        return (shares * self.label_weights.reshape(1, -1, 1, 1)).sum(1)


def recalled(made: Tensor, x0: Tensor, own: Tensor) -> Tensor:
    """Mean distance of coarse latents, over the samples with a style of their own (`own` is 1)."""
    coarse = F.avg_pool2d(made - x0, COARSE).abs().mean((1, 2, 3))
    return (coarse * own).sum() / own.sum().clamp(min=1)
