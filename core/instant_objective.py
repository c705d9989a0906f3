"""What the compact generator learns from: a discriminator that tells labels, textures, styles.

As OASIS (Schönfeld et al., arXiv 2012.04781), on latents: the discriminator says which label each
place shows, or that it was made, so one loss asks for both looks and agreement. It looks through
the eyes of the diffusion model (`core.noised_features`). As SPADE, a variational encoder gives each
photo a style. What a style must bring back is light and colour (the latents at a quarter of their
resolution), what the eyes find in the photo and each label's texture, not the photo itself: texture
comes from noise. Another photo's style must bring back the textures of the labels that both have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from core.model.discriminator import LabelDiscriminator
from core.model.instant import Generator, StyleEncoder
from core.noised_features import NoisedFeatures
from core.objective import Batch, seeded_noise, seeded_uniform
from core.textures import texture_distance

COARSE = 4  # latent pixels, per side, whose mean a style must bring back
RECALL_WEIGHT = 3.0  # of that
EXACT_WEIGHT = 0.5  # of the latents themselves: little, or texture would be the mean of all
MATCH_WEIGHT = 1.0  # of the distance between features, each level's by its own size
SMOOTHING = 0.1  # share of the judge's targets spread over all: as many labels are wrong
JUDGED = 0.2  # norm of what the judge's opinion is to change in the features of a sample
PRIOR_WEIGHT = 0.005  # of the KL divergence, summed over the numbers of a style
TEXTURE_WEIGHT = 0.25  # of the distance of textures
TEXTURE_LEVELS = 2  # of the features whose textures are compared, the finest
OWN_SHARE = 0.4  # of samples whose style is their photo's; that of the others is the next photo's
STYLE_SALT, KIND_SALT, LEVEL_SALT = 11, 12, 13  # tell the draws of one sample apart


class InstantDuel(nn.Module):
    """The networks, so that they are trained, averaged and saved together."""

    def __init__(self, generator: Generator, style: StyleEncoder, judge: LabelDiscriminator):
        super().__init__()
        self.generator, self.style, self.judge = generator, style, judge


class Styles(NamedTuple):
    """A style for each sample `[N, Z]`, and whether it is its photo's own, 1 or 0: `[N]`."""

    vectors: Tensor
    own: Tensor


class InstantObjective(nn.Module):
    """One backward pass for all: no gradient of one side's losses reaches the other.

    A batch has `x0`, `y`, `thumbnail` and `seed`, as of `LatentDataset`. label_weights: float32
    `[labels]`, what an error counts where a label is. features: the judge's frozen eyes.

    Styles are borrowed within a batch, so how a batch is spread over processes matters a little.

    The judge's gain is whatever it has become, so its gradient at the features is brought to a
    fixed norm: neither drowns what a style must bring back nor is drowned by it. So losses must not
    be scaled, as for float16.
    """

    betas = (0.5, 0.99)

    def __init__(self, model: InstantDuel, label_weights: Tensor, features: NoisedFeatures) -> None:
        super().__init__()
        self.model, self.features = model, features
        self.register_buffer("label_weights", label_weights)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        x0, y, seeds = batch["x0"].float(), batch["y"].float(), batch["seed"]
        mean, log_variance = (part.float() for part in self.model.style(batch["thumbnail"]))
        styles = self._styles(mean, log_variance, seeds)
        made = self.model.generator(y, styles.vectors, self._noise(x0, seeds)).float()
        shares = y[:, : len(self.label_weights)]
        with torch.no_grad():
            real = self.features(x0, seeds)
        seen = self.features(made, seeds)
        passing, shown = self._passing(seen, shares)
        named = {
            "passing": passing,
            "judging": self._judging(real, seen, shares),
            "matching": matched(seen, real, styles.own),
            "texture": self._texture(seen, real, shares, styles),
            "recall": recalled(made, x0, styles.own),
            "exact": _mean_own((made - x0).abs().mean((1, 2, 3)), styles.own),
            "prior": -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean(),
        }
        weights = {
            "matching": MATCH_WEIGHT,
            "texture": TEXTURE_WEIGHT,
            "recall": RECALL_WEIGHT,
            "exact": EXACT_WEIGHT,
            "prior": PRIOR_WEIGHT,
        }
        total = sum(weights.get(name, 1.0) * loss for name, loss in named.items())
        return {"loss": total, **named, "shown": shown}

    def _styles(self, mean: Tensor, log_variance: Tensor, seeds: Tensor) -> Styles:
        drawn = seeded_noise(seeds, mean.shape[1:], mean.device, STYLE_SALT)
        own = seeded_uniform(seeds, mean.device, KIND_SALT) < OWN_SHARE
        photo = mean + drawn * (0.5 * log_variance).exp()
        return Styles(torch.where(own[:, None], photo, photo.roll(-1, 0)), own.float())

    def _passing(self, seen: list[Tensor], shares: Tensor) -> tuple[Tensor, Tensor]:
        """How badly made pictures pass for real ones, and the share of places that do.

        The gradient at the features of each sample has the norm `JUDGED` / N.
        """
        judge = self.model.judge
        frozen = {name: part.detach() for name, part in judge.state_dict(keep_vars=True).items()}
        leaves = [part.detach().requires_grad_() for part in seen]
        with torch.enable_grad():
            logits = functional_call(judge, frozen, (leaves,))
            loss = self._error(logits, labelled, shares)
            gradients = [part.float() for part in torch.autograd.grad(loss, leaves)]
        sizes = sum(part.square().flatten(1).sum(1) for part in gradients).sqrt()
        scale = (JUDGED / len(sizes) / sizes.clamp(min=1e-12)).reshape(-1, 1, 1, 1)
        push = sum(
            (part * gradient * scale).sum() for part, gradient in zip(seen, gradients, strict=True)
        )
        shown = (logits[0][:, 1:].argmax(1) == shares.argmax(1)).float().mean()
        return loss.detach() + push - push.detach(), shown

    def _judging(self, real: list[Tensor], seen: list[Tensor], shares: Tensor) -> Tensor:
        """How badly the judge tells labels of real pictures, and made ones."""
        both = [torch.cat([a, b.detach()]) for a, b in zip(real, seen, strict=True)]
        real_logits, made_logits = zip(*(part.chunk(2) for part in self.model.judge(both)))
        return self._error(real_logits, lambda s: smoothed(labelled(s)), shares) + self._error(
            made_logits, lambda s: smoothed(made_everywhere(s)), shares
        )

    def _texture(
        self, seen: list[Tensor], real: list[Tensor], shares: Tensor, styles: Styles
    ) -> Tensor:
        """How far the textures are from those of the photo that the style is of."""
        mine = styles.own[:, None, None, None] > 0
        *wanted, theirs = (
            torch.where(mine, part, part.roll(-1, 0)) for part in (*real[:TEXTURE_LEVELS], shares)
        )
        return texture_distance(seen[:TEXTURE_LEVELS], shares, wanted, theirs).mean()

    def _noise(self, x0: Tensor, seeds: Tensor) -> list[Tensor]:
        shapes = self.model.generator.noise_shapes(*x0.shape[-2:])
        return [seeded_noise(seeds, s, x0.device, LEVEL_SALT + i) for i, s in enumerate(shapes)]

    def _error(
        self, levels: Sequence[Tensor], target: Callable[[Tensor], Tensor], shares: Tensor
    ) -> Tensor:
        """Mean cross-entropy of the levels' logits `[N, 1 + labels, h, w]`.

        target: of shares of labels what the logits should say. A place counts by its labels.
        """
        total = shares.new_zeros(())
        for logits in levels:
            here = F.adaptive_avg_pool2d(shares, logits.shape[-2:])
            weight = (here * self.label_weights.reshape(1, -1, 1, 1)).sum(1)
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


def matched(seen: Sequence[Tensor], wanted: Sequence[Tensor], own: Tensor) -> Tensor:
    """Mean distance of features over the samples with a style of their own, by their size."""
    distances = [
        (a.float() - b.float()).abs().mean((1, 2, 3)) / b.float().abs().mean()
        for a, b in zip(seen, wanted, strict=True)
    ]
    return _mean_own(sum(distances) / len(distances), own)


def recalled(made: Tensor, x0: Tensor, own: Tensor) -> Tensor:
    """Mean distance of coarse latents, over the samples with a style of their own (`own` is 1)."""
    return _mean_own(F.avg_pool2d(made - x0, COARSE).abs().mean((1, 2, 3)), own)


def _mean_own(values: Tensor, own: Tensor) -> Tensor:
    return (values * own).sum() / own.sum().clamp(min=1)
