"""What the compact generator learns from: a discriminator that tells labels, textures, styles.

As OASIS (Schönfeld et al., arXiv 2012.04781), on latents: the discriminator says which label each
place shows, or that it was made, so one loss asks for both looks and agreement. As SPADE, a
variational encoder gives each photo a style. What a style must bring back is light and colour (the
latents at a quarter of their resolution), what the discriminator finds in the photo (feature
matching) and each label's texture, not the photo itself: texture comes from noise. Another photo's
style must bring back the textures of the labels that both have.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from core.model.discriminator import LabelDiscriminator
from core.model.instant import Generator, StyleEncoder
from core.objective import Batch, levelled, seeded_noise, seeded_uniform
from core.textures import LabelTextures

COARSE = 4  # latent pixels, per side, whose mean a style must bring back
RECALL_WEIGHT = 3.0  # of that
EXACT_WEIGHT = 1.0  # of the latents themselves: little, or texture would be the mean of all
MATCH_WEIGHT = 3.0  # of the distance between features, each layer's by its own size
SMOOTHING = 0.1  # share of the judge's targets spread over all: as many labels are wrong
JUDGED = 0.03  # norm of what the judge's opinion is to change in the latents of a sample
PRIOR_WEIGHT = 0.005  # of the KL divergence, summed over the numbers of a style
TEXTURE_WEIGHT = 3.0  # of the distance of textures
OWN_SHARE = 0.4  # of samples whose style is their photo's
BORROWED_SHARE = 0.4  # whose style is that of the next photo in the batch; the others' is random
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

    textures: compares those of each label; None to do without. Styles are borrowed within a batch,
    so how a batch is spread over processes matters a little.

    The judge's gain is whatever it has become, so its gradient at the latents is brought to a fixed
    norm: neither drowns what a style must bring back nor is drowned by it. So losses must not be
    scaled, as for float16.
    """

    betas = (0.5, 0.99)

    def __init__(
        self, model: InstantDuel, label_weights: Tensor, textures: LabelTextures | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.textures = textures
        self.register_buffer("label_weights", label_weights)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        x0, y, seeds = batch["x0"].float(), batch["y"].float(), batch["seed"]
        mean, log_variance = (part.float() for part in self.model.style(batch["thumbnail"]))
        style, own, borrowed = self._styles(mean, log_variance, seeds)
        made = self.model.generator(y, style, self._noise(x0, seeds)).float()
        shares = y[:, : len(self.label_weights)]
        judge = self.model.judge
        frozen = {k: v.detach() for k, v in judge.state_dict(keep_vars=True).items()}
        *found, seen = (
            part.float() for part in functional_call(judge, frozen, (levelled(made, JUDGED),))
        )
        passing = self._error(seen, labelled(shares), shares)
        *both, logits = (part.float() for part in judge(torch.cat([x0, made.detach()])))
        real, fake = logits.chunk(2)
        judging = self._error(real, smoothed(labelled(shares)), shares)
        judging = judging + self._error(fake, smoothed(made_everywhere(shares)), shares)
        matching = matched(found, [part.chunk(2)[0].detach() for part in both], own)
        recall, exact = recalled(made, x0, own), _mean_own((made - x0).abs().mean((1, 2, 3)), own)
        texture = self._texture(made, x0, shares, own, borrowed)
        prior = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
        total = passing + judging + MATCH_WEIGHT * matching
        total = (
            total
            + TEXTURE_WEIGHT * texture
            + RECALL_WEIGHT * recall
            + EXACT_WEIGHT * exact
            + PRIOR_WEIGHT * prior
        )
        shown = (seen[:, 1:].argmax(1) == shares.argmax(1)).float().mean()
        named = {"passing": passing, "judging": judging, "matching": matching}
        named |= {
            "texture": texture,
            "recall": recall,
            "exact": exact,
            "prior": prior,
            "shown": shown,
        }
        return {"loss": total, **named}

    def _styles(
        self, mean: Tensor, log_variance: Tensor, seeds: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """A style for each sample; where it is the photo's own, where the next's: 1, else 0."""
        drawn = seeded_noise(seeds, mean.shape[1:], mean.device, STYLE_SALT)
        kind = seeded_uniform(seeds, mean.device, RANDOM_SALT)
        own = kind < OWN_SHARE
        borrowed = ~own & (kind < OWN_SHARE + BORROWED_SHARE)
        photo = mean + drawn * (0.5 * log_variance).exp()
        known = torch.where(own[:, None], photo, photo.roll(-1, 0))
        return torch.where((own | borrowed)[:, None], known, drawn), own.float(), borrowed.float()

    def _texture(
        self, made: Tensor, x0: Tensor, shares: Tensor, own: Tensor, borrowed: Tensor
    ) -> Tensor:
        """How far the textures are from those of the photo that the style is of."""
        if self.textures is None:
            return made.new_zeros(())
        mine = own[:, None, None, None] > 0
        wanted, theirs = (torch.where(mine, part, part.roll(-1, 0)) for part in (x0, shares))
        return _mean_own(self.textures(made, shares, wanted, theirs), own + borrowed)

    def _noise(self, x0: Tensor, seeds: Tensor) -> list[Tensor]:
        shapes = self.model.generator.noise_shapes(*x0.shape[-2:])
        return [seeded_noise(seeds, s, x0.device, LEVEL_SALT + i) for i, s in enumerate(shapes)]

    def _error(self, logits: Tensor, target: Tensor, shares: Tensor) -> Tensor:
        """Cross-entropy with `target` `[N, 1 + labels, h, w]`, weighted by a place's labels."""
        weight = (shares * self.label_weights.reshape(1, -1, 1, 1)).sum(1)
        return -(weight * (target * F.log_softmax(logits, 1)).sum(1)).mean()


def labelled(shares: Tensor) -> Tensor:
    """The judge's target for real places: their labels, none of it made."""
    return torch.cat([torch.zeros_like(shares[:, :1]), shares], dim=1)


def made_everywhere(shares: Tensor) -> Tensor:
    """The judge's target for made places."""
    return torch.cat([torch.ones_like(shares[:, :1]), torch.zeros_like(shares)], dim=1)


def smoothed(target: Tensor) -> Tensor:
    """A target that is not quite sure, so that the judge's logits stay of use to the generator."""
    return target * (1 - SMOOTHING) + SMOOTHING / target.shape[1]


def matched(found: list[Tensor], wanted: list[Tensor], own: Tensor) -> Tensor:
    """Mean distance of features over the samples with a style of their own, by their size."""
    distances = [
        (a - b).abs().mean((1, 2, 3)) / b.abs().mean() for a, b in zip(found, wanted, strict=True)
    ]
    return _mean_own(sum(distances) / len(distances), own)


def recalled(made: Tensor, x0: Tensor, own: Tensor) -> Tensor:
    """Mean distance of coarse latents, over the samples with a style of their own (`own` is 1)."""
    return _mean_own(F.avg_pool2d(made - x0, COARSE).abs().mean((1, 2, 3)), own)


def _mean_own(values: Tensor, own: Tensor) -> Tensor:
    return (values * own).sum() / own.sum().clamp(min=1)
