"""What the compact generator learns from: a discriminator that tells labels, textures, styles.

As OASIS (`core.label_judge`), on latents: the discriminator looks through the eyes of the diffusion
model (`core.noised_features`). As SPADE, a variational encoder gives each photo a style. What a
style must bring back is light and colour (the latents at a quarter of their resolution), what the
eyes find in the photo and each label's texture, not the photo itself: texture comes from noise.
Another photo's style must bring back the textures of the labels that both have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.label_judge import Seen, judging, pushed
from core.model.discriminator import LabelDiscriminator
from core.model.instant import Generator, StyleEncoder
from core.noised_features import NoisedFeatures
from core.objective import Batch, seeded_noise, seeded_uniform
from core.textures import texture_distance

COARSE = 4  # latent pixels, per side, whose mean a style must bring back
RECALL_WEIGHT = 3.0  # of that
EXACT_WEIGHT = 0.5  # of the latents themselves: little, or texture would be the mean of all
MATCH_WEIGHT = 1.0  # of the distance between features, each level's by its own size
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

    The judge's gradient at the features is brought to a fixed norm (`core.label_judge.pushed`), so
    losses must not be scaled, as for float16.
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
        judge, made_seen = self.model.judge, Seen(seen, shares)
        passing, shown = pushed(judge, made_seen, self.label_weights)
        named = {
            "passing": passing,
            "judging": judging(judge, Seen(real, shares), made_seen, self.label_weights),
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
