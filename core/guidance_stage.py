"""The stage that trains the encoder of guidance, on noisy latents at all timesteps.

Self-supervised as in the paper: what it sees of x_t is drawn to what it sees of the clean picture,
and away from other pictures. With captions, concepts get vectors in the same space: each alone, and
as bags of words, which are what a sentence becomes. Scores of another network are told from the
same embedding: what that network sees of the clean photo is learned through any noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

from core.checkpoint import Checkpoint
from core.dataset import PairDataset, mirror
from core.latents import LatentDataset, shares_of
from core.model.scene_encoder import SceneEncoder
from core.objective import T_SALT, Batch, seeded_noise, seeded_uniform
from core.photo_folder import PhotoFolder
from core.phrases import Phrases
from core.pixels import from_pixels
from core.schedule import Schedule, ScheduleSpec
from core.stages import filled
from core.tints import Means, tints_of
from core.words import Vocabulary

WARMTH = 0.1  # temperature of the pictures' contrast
COMPARED = 0.5  # share of the batch that is contrasted: it takes another pass, and half is enough
CLEAN = 0.15  # share of the samples that are seen without noise
MOST_WORDS = 3  # in a bag
NEGATED = 0.2  # share of a bag's words that say what is not there
CLEAN_SALT, BAG_SALT = 5, 6
RIDGE = 0.3  # of the fitted words, in variances of an embedding's numbers
FITTED = 3000  # pictures that words are fitted to
FITTED_NOISE = (0.2, 0.9)  # under so much of it, shares of the schedule: where terms act
LOOKED = 64  # pictures at a time
TEACHER = "teacher."  # what training alone needs of the weights
SHEET_WORDS, SHEET_PHOTOS = 12, 8  # rows and columns of the sheet


class SceneDataset(Dataset):
    """x0 and what it shows. An item is asked for by `(index, seed)`; some are mirrored.

    targets: float32 `[photos, words]`. scores: float32 `[photos, scores]`, standardised; None for
    none. views: float32 `[photos, D]`, what another encoder sees of the clean photos; None to see
    for oneself. Gives `x0` `[C, h, w]`, `words`, `scores` and `view` of the photo, and `seed`.
    """

    def __init__(
        self,
        data: PairDataset | LatentDataset | PhotoFolder,
        targets: Tensor,
        scores: Tensor | None = None,
        views: Tensor | None = None,
    ) -> None:
        self.data, self.targets = data, targets
        self.scores = torch.zeros(len(targets), 0) if scores is None else scores
        self.views = torch.zeros(len(targets), 0) if views is None else views
        self.crops = getattr(data, "crops", 1)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, item: tuple[int, int]) -> dict[str, Tensor | int]:
        index, seed = item
        flipped = bool(np.random.default_rng(seed).random() < 0.5)
        photo = index // self.crops
        shown = {"words": self.targets[photo], "scores": self.scores[photo]}
        shown["view"] = self.views[photo]
        return {"x0": self.x0(index, flipped), **shown, "seed": seed}

    def x0(self, index: int, flipped: bool = False) -> Tensor:
        """A picture as the encoder reads it, `[C, h, w]`."""
        if isinstance(self.data, LatentDataset):
            return self.data.latents[index, int(flipped)].float()
        sample = self.data.sample(index)
        sample = mirror(sample, self.data.palette) if flipped else sample
        return from_pixels(sample.image[None])[0]

    def shares(self, index: int) -> Tensor:
        """How much of each place of `x0` each label covers, float32 `[labels, h, w]`."""
        if isinstance(self.data, LatentDataset):
            labels, factor = self.data.samples[index].labels, self.data.factor
        else:
            labels, factor = self.data.sample(index).labels, 1
        return shares_of(labels, None, self.data.palette, factor)

    def photo(self, index: int) -> np.ndarray:
        """The photo that an index belongs to, uint8 `[H, W, 3]`."""
        pairs = self.data.pairs if isinstance(self.data, LatentDataset) else self.data
        return pairs.sample(index // self.crops).image


class SceneObjective(nn.Module):
    """Pictures against their noisy selves, words against pictures, bags of words against pictures.

    A batch has `x0` `[N, C, h, w]`, `words` `[N, words]` (0 words: pictures alone), `seed` and, if
    there are any `scores`, as many of each picture `[N, scores]`; in CLIP's space also `view`.
    """

    def __init__(self, model: SceneEncoder, schedule: Schedule, scores: int = 0) -> None:
        super().__init__()
        self.model, self.schedule, self.scores = model, schedule, scores
        if scores:
            model.teacher = nn.Linear(model.spec.embedding, scores)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        x0, seeds = batch["x0"].float(), batch["seed"]
        t = (seeded_uniform(seeds, x0.device, T_SALT) * len(self.schedule)).long()
        noisy = self.schedule.q_sample(x0, t, seeded_noise(seeds, x0.shape[1:], x0.device))
        clean = seeded_uniform(seeds, x0.device, CLEAN_SALT) < CLEAN
        x = torch.where(clean.reshape(-1, 1, 1, 1), x0, noisy)
        share = torch.where(clean, 0.0, (t + 1) / len(self.schedule))
        seen = self.model(x, share).embedding
        losses = {"pictures": self._contrast(seen, batch, torch.zeros_like(share))}
        if self.model.spec.words:
            losses["words"] = self._words(seen, batch["words"].float())
            losses["bags"] = self._bags(seen, batch["words"].float(), seeds)
        if self.scores:
            losses["scores"] = 2 * F.mse_loss(self.model.teacher(seen), batch["scores"].float())
        return {"loss": sum(losses.values()), **losses}

    def _contrast(self, seen: Tensor, batch: Batch, clean: Tensor) -> Tensor:
        """Noisy pictures among what is seen of clean ones: by another encoder, or by this one."""
        if self.model.spec.clip:
            view = batch["view"].float()
            return contrast(seen, view) + 1 - (seen * view).sum(1).mean()
        part = slice(max(1, round(COMPARED * len(seen))))
        with torch.no_grad():
            target = self.model(batch["x0"][part].float(), clean[part]).embedding
        return contrast(seen[part], target)

    def _words(self, seen: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of each concept alone, summed over an eighth of them."""
        logits = self.model.logits(seen)
        return F.binary_cross_entropy_with_logits(logits, targets) * targets.shape[1] / 8

    def _bags(self, seen: Tensor, targets: Tensor, seeds: Tensor) -> Tensor:
        """Cross-entropy of every picture with every bag: a bag fits as far as its worst word."""
        bags = torch.stack([bag_of(own, s) for own, s in zip(targets, seeds.tolist(), strict=True)])
        fits = torch.where(bags[None] > 0, targets[:, None], 1 - targets[:, None])
        fits = torch.where(bags[None] == 0, 1.0, fits).amin(2)
        logits = self.model.bags(seen, self.model.text(bags))
        return F.binary_cross_entropy_with_logits(logits, fits) * 2


def contrast(seen: Tensor, target: Tensor) -> Tensor:
    """InfoNCE of embeddings `[N, D]`: each is nearest to its own target among all of the batch."""
    own = torch.arange(len(seen), device=seen.device)
    return F.cross_entropy(seen @ target.T / WARMTH, own) / np.log(max(2, len(seen)))


def bag_of(targets: Tensor, seed: int) -> Tensor:
    """A few words `[words]` of 1, 0 and -1 that are true of a picture: its own, or not there."""
    rng = np.random.default_rng([seed, BAG_SALT])
    shown, bag = targets.double().cpu().numpy(), np.zeros(len(targets), np.float32)
    for _ in range(rng.integers(1, MOST_WORDS + 1)):
        negated = rng.random() < NEGATED or not shown.any()
        weights = (1 - shown) ** 4 if negated else shown
        if weights.any():
            bag[rng.choice(len(shown), p=weights / weights.sum())] = -1 if negated else 1
    return torch.from_numpy(bag).to(targets.device)


def fitted_words(seen: Tensor, targets: Tensor) -> Tensor:
    """Vectors `[words, D]` of length 1: the directions of embeddings `[N, D]` in which pictures
    that show a concept differ from the others, by ridge regression of targets `[N, words]`.

    Training moves words and pictures to each other and leaves words that belong together where they
    began. So fitted, snow is near ice and far from the desert, and the negation of a word is what
    pictures without it look like.
    """
    apart, shown = seen - seen.mean(0), targets - targets.mean(0)
    spread = apart.T @ apart / len(seen)
    ridge = RIDGE * spread.diagonal().mean() * torch.eye(len(spread), device=seen.device)
    towards = apart.T @ shown / (shown.abs().sum(0) + 1e-6)
    return F.normalize(torch.linalg.solve(spread + ridge, towards).T)


def untaught(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights without what only training needs."""
    return {name: value for name, value in state.items() if not name.startswith(TEACHER)}


class SceneStage:
    """Trains the encoder; exports it as a checkpoint of its own.

    vocabulary: None without words. phrases: teach it to read free sentences too.
    """

    def __init__(
        self,
        dataset: SceneDataset,
        model: SceneEncoder,
        schedule: ScheduleSpec,
        vocabulary: Vocabulary | None,
        device: torch.device,
        phrases: Phrases | None = None,
    ) -> None:
        self.dataset, self.spec, self.schedule = dataset, model.spec, schedule
        self.vocabulary, self.device, self.phrases = vocabulary, device, phrases
        trained = model.train().requires_grad_(True)
        if trained.phrases:
            trained.phrases.requires_grad_(False)  # fitted, not trained
        if trained.tints is not None:
            trained.tints.requires_grad_(False)  # likewise
        self.objective = SceneObjective(trained, schedule.build(), dataset.scores.shape[1])

    def about(self) -> dict[str, Any]:
        words = list(self.vocabulary.names) if self.vocabulary else []
        return {"stage": "guidance", "spec": asdict(self.spec), "words": words}

    def export(
        self, state: Mapping[str, Tensor]
    ) -> tuple[Checkpoint, dict[str, Mapping[str, Tensor]]]:
        state = untaught(state)
        if self.vocabulary:
            state |= self._fitted(state)
        checkpoint = Checkpoint(
            self.dataset.data.palette,
            schedule=self.schedule,
            guidance=self.spec,
            vocabulary=self.vocabulary,
        )
        return checkpoint, {"guidance": state}

    @torch.no_grad()
    def _fitted(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The concepts' vectors, fitted anew to what the averaged encoder sees through noise, and
        what reads sentences, fitted to them."""
        model = filled(SceneEncoder(self.spec), state, self.device)
        schedule = self.schedule.build()
        chosen = range(0, len(self.dataset), max(1, len(self.dataset) // FITTED))
        seen = []
        for start in range(0, len(chosen), LOOKED):
            part = chosen[start : start + LOOKED]
            seeds = torch.tensor(part)
            least, most = FITTED_NOISE
            share = least + (most - least) * seeded_uniform(seeds, self.device, T_SALT)
            t = (share * len(schedule)).long()
            x0 = torch.stack([self.dataset.x0(index) for index in part]).to(self.device)
            x = schedule.q_sample(x0, t, seeded_noise(seeds, x0.shape[1:], self.device))
            seen.append(model(x, (t + 1) / len(schedule)).embedding)
        photos = [index // self.dataset.crops for index in chosen]
        shown = self.dataset.targets[photos]
        if self.phrases is not None:
            shown = torch.cat([shown, torch.from_numpy(self.phrases.shown)[photos]], 1)
        words = fitted_words(torch.cat(seen), shown.to(self.device))
        known = words[: self.spec.words]
        fitted = {"words": known, **(self.phrases.fitted(words) if self.phrases else {})}
        if self.spec.tints:
            fitted["tints"] = tints_of(known, self.changes.to(self.device))
        return fitted

    @cached_property
    def changes(self) -> Tensor:
        """How each concept changes x0 in each label, `[words, labels, C]`."""
        indices = range(len(self.dataset))
        pictures = ((self.dataset.x0(i), self.dataset.shares(i)) for i in indices)
        targets = self.dataset.targets[[i // self.dataset.crops for i in indices]]
        return Means(pictures).changes(targets)

    def sheet(self, state: Mapping[str, Tensor]) -> list[list[np.ndarray]]:
        """The photos that fit best: a row for each of some words, or for each of some photos."""
        model = filled(SceneEncoder(self.spec), untaught(state), self.device)
        shown = range(0, len(self.dataset), max(1, len(self.dataset) // 400))
        with torch.no_grad():
            seen = torch.cat([self._seen(model, index) for index in shown])
            asked = model.text(torch.eye(self.spec.words).to(seen)) if self.spec.words else seen
        asked = asked[:: max(1, len(asked) // SHEET_WORDS)][:SHEET_WORDS]
        best = (asked @ seen.T).topk(min(SHEET_PHOTOS, len(seen))).indices.tolist()
        return [[self.dataset.photo(shown[i]) for i in row] for row in best]

    def _seen(self, model: SceneEncoder, index: int) -> Tensor:
        x0 = self.dataset.x0(index)[None].to(self.device)
        return model(x0, torch.zeros(1, device=self.device)).embedding
