"""A student that ends its model's walks: its leap to the picture is taught what photos look like.

The last leap draws the texture. Taught by where a walk ends (`core.distillation`), it draws the
mean of what might be there, and so do many small steps of a small model. Here a judge that tells
labels (`core.label_judge`) through the eyes of the model itself (`core.noised_features`) says what
photos have and leaps have not: adversarial distillation, as LADD (Sauer et al., arXiv 2403.12015).
Judged are leaps from photos with a little noise, whose features also keep them near their photo,
and from states of the model's walks, which is where they will be taken from. Earlier leaps are not
judged: each goes on landing where the walk does.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from core.distillation import SCALES, LeapObjective
from core.instant_objective import matched
from core.label_judge import Seen, judging, pushed
from core.latents import LatentDataset
from core.model.discriminator import LabelDiscriminator
from core.model.spec import ModelSpec
from core.model.unet import SDMUNet
from core.names import put_under, under
from core.noised_features import NoisedFeatures
from core.objective import Batch, seeded_noise, seeded_uniform
from core.schedule import Schedule
from core.walks import WALK, WalkDataset, drawn_scales

TIMESTEPS = (90, 290)  # of the noised photos: less leaves little to draw, more hides the scene
FINISH = 200  # from here on a student may end a walk; from higher up pictures are less like photos
LAST_SHARE = 0.5  # of the leaps from walks, those to the picture
LAST_ANCHOR = 0.1  # of an error of such a leap: it is to land near the walk's end, not on it
MATCH_WEIGHT = 0.5  # of the distance between features of the photo and of the leap to it
JUDGE_LR = 2.7  # of the student's learning rate
BELIEVED = 0.6  # of the error of a guess: a judge that makes no more is believed fully
T_SALT, NOISE_SALT, LEAP_SALT = 31, 32, 33  # tell the draws of one sample apart


class FinishingDataset(Dataset):
    """A photo's latents beside a leap of some walk. An item is asked for by `(index, seed)`.

    Gives what `LatentDataset` gives, and what `WalkDataset` gives under names with `WALK` before
    them. The index is the photo's; the seed chooses the leap.
    """

    def __init__(self, photos: LatentDataset, leaps: WalkDataset) -> None:
        self.photos, self.leaps = photos, leaps
        self.plan, self.walks = leaps.plan, leaps.walks

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, item: tuple[int, int]) -> dict[str, Tensor | int]:
        _, seed = item
        rng, last = np.random.default_rng([seed, LEAP_SALT]), len(self.plan.stops) - 1
        walk = int(rng.integers(self.walks))
        earlier = last > 0 and rng.random() >= LAST_SHARE
        leap = self.leap(walk, int(rng.integers(last)) if earlier else last)
        return self.photos[item] | put_under(leap, WALK)

    def leap(self, walk: int, number: int) -> dict[str, Tensor | int]:
        """One leap of one walk."""
        return self.leaps[(walk * len(self.plan.stops) + number, 0)]


class FinishingDuel(nn.Module):
    """The two networks, so that they are trained, averaged and saved together."""

    def __init__(self, student: SDMUNet, judge: LabelDiscriminator) -> None:
        super().__init__()
        self.student, self.judge = student, judge

    @property
    def spec(self) -> ModelSpec:
        """The student's."""
        return self.student.spec


class FinishingObjective(nn.Module):
    """One backward pass for both: no gradient of one side's losses reaches the other.

    A batch is of a `FinishingDataset`. label_weights: float32 `[labels]`, what an error counts
    where a label is. features: the judge's frozen eyes. guidance_start: that of the walks.

    The judge's gradient at the features is brought to a fixed norm (`core.label_judge.pushed`), so
    losses must not be scaled, as for float16. The norm is less while the judge is still learning.
    """

    betas = (0.5, 0.99)
    lr_scales = {"judge.": JUDGE_LR}

    def __init__(
        self,
        model: FinishingDuel,
        schedule: Schedule,
        label_weights: Tensor,
        features: NoisedFeatures,
        guidance_start: float = 1.0,
    ) -> None:
        super().__init__()
        self.model, self.schedule, self.features = model, schedule, features
        self.leap = LeapObjective(model.student, schedule, guidance_start)
        self.network = self.leap.network  # what is worth compiling
        self.register_buffer("label_weights", label_weights)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        leap = under(batch, WALK)
        x0, seeds = batch["x0"].float(), batch["seed"]
        noised, noised_t = self._noised(x0, seeds)
        x, t = torch.cat([noised, leap["x"].float()]), torch.cat([noised_t, leap["t"]])
        y = torch.cat([batch["y"].float(), leap["y"].float()])
        scale = torch.cat([drawn_scales(seeds, SCALES, x.device), leap["scale"]])
        output = self.network(x, t, y, self.leap.scale_at(t, scale)).chunk(2, dim=1)[0]
        picture = self.schedule.x0_from_output(self.model.spec.prediction, x, t, output)

        last = t <= TIMESTEPS[1]  # every photo, and walks at their last stop
        shares = y[:, : len(self.label_weights)]
        looks = torch.cat([seeds, seeds ^ 1])  # a photo and the leap to it are seen alike
        made = Seen(self.features(picture[last], looks[last]), shares[last])
        errors = self.leap.errors(leap, output[len(x0) :])
        anchor = torch.where(leap["t"] <= TIMESTEPS[1], LAST_ANCHOR, 1.0) * errors
        judged, shown = self._judged(x0, seeds, made)
        named = {**judged, "anchor": anchor.mean()}
        weights = {"passing": self._belief(judged["judging"]), "matching": MATCH_WEIGHT}
        total = sum(weights.get(name, 1.0) * loss for name, loss in named.items())
        return {"loss": total, **named, "shown": shown}

    def _judged(self, x0: Tensor, seeds: Tensor, made: Seen) -> tuple[dict[str, Tensor], Tensor]:
        """The losses of what the eyes see, and the share of places that pass.

        made: leaps from the photos, then those from walks.
        """
        with torch.no_grad():
            real = Seen(self.features(x0, seeds), made.shares[: len(x0)])
        judge, weights = self.model.judge, self.label_weights
        passing, shown = pushed(judge, made, weights)
        again = [part[: len(x0)] for part in made.features]
        named = {
            "passing": passing,
            "judging": judging(judge, real, made, weights),
            "matching": matched(again, real.features, x0.new_ones(len(x0))),
        }
        return named, shown

    def _belief(self, judging: Tensor) -> Tensor:
        """What a judge with this error counts, 0 to 1.

        One that still guesses would push every picture the same arbitrary way.
        """
        guess = 2 * math.log(1 + len(self.label_weights))  # of photos and of leaps
        return ((1 - judging.detach() / guess) / (1 - BELIEVED)).clamp(0, 1)

    def _noised(self, x0: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """Photos with noise, and the timestep of each."""
        least, most = TIMESTEPS
        t = (least + (most - least) * seeded_uniform(seeds, x0.device, T_SALT)).long()
        noise = seeded_noise(seeds, x0.shape[1:], x0.device, NOISE_SALT)
        return self.schedule.q_sample(x0, t, noise), t
