"""The stage that trains the segmenter: photos in other light and scale, and what covers each place.

The network answers at 1/4 of the picture, so it learns the share of each label there: a soft
target, exact at borders, where one label would be a lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

from core.checkpoint import Checkpoint
from core.dataset import PairDataset, mirror
from core.jitter import random_crop, relight, roughen
from core.labelmap import to_color
from core.latents import coverage
from core.matching import seen_beside
from core.model.segmenter import LabelNet
from core.model.spec import SegmenterSpec
from core.objective import Batch
from core.pixels import from_pixels, to_pixels
from core.segmenter import Segmenter
from core.stages import filled, sheet_batch

SMOOTHING = 0.05  # share of a target spread over all labels: about as much as is labelled wrong


class JitteredDataset(Dataset):
    """Photos for the segmenter. An item is asked for by `(index, seed)`; the seed decides all.

    Gives `image` float32 `[3, H, W]` in [-1, 1], `y` float32 `[labels, H/4, W/4]` (each label's
    share of the place) and `seed`.
    """

    def __init__(self, pairs: PairDataset) -> None:
        self.pairs, self.palette, self.size = pairs, pairs.palette, pairs.size

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, item: tuple[int, int]) -> dict[str, Tensor | int]:
        index, seed = item
        rng = np.random.default_rng(seed)
        sample = random_crop(self.pairs.sample(index), self.size, rng)
        if rng.random() < 0.5:
            sample = mirror(sample, self.palette)
        image = roughen(relight(sample.image, rng), rng)
        shares = coverage(sample.labels, None, self.palette, SegmenterSpec.factor)
        y = shares[: len(self.palette)]  # without the channel of instance edges
        return {"image": from_pixels(image[None])[0], "y": y, "seed": seed}


class SegmenterObjective(nn.Module):
    """Cross-entropy with the shares of the labels, smoothed; rare labels may count more.

    label_weights: float32 `[labels]`, what an error counts where a label is; None for 1.
    """

    def __init__(self, model: LabelNet, label_weights: Tensor | None = None) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("label_weights", label_weights)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        y = batch["y"].float()
        logits = self.model(batch["image"]).float()
        target = y * (1 - SMOOTHING) + SMOOTHING / y.shape[1]
        error = -(target * F.log_softmax(logits, dim=1)).sum(1)
        if self.label_weights is not None:
            error = error * (y * self.label_weights.reshape(1, -1, 1, 1)).sum(1)
        right = (logits.argmax(1) == y.argmax(1)).float().mean()
        return {"loss": error.mean(), "accuracy": right}


class SegmenterStage:
    """Trains the segmenter; exports it as a checkpoint of its own."""

    def __init__(
        self,
        data: PairDataset,
        model: LabelNet,
        device: torch.device,
        label_weights: Tensor | None = None,
    ) -> None:
        self.dataset, self.spec, self.device = JitteredDataset(data), model.spec, device
        self.objective = SegmenterObjective(model.train().requires_grad_(True), label_weights)

    def about(self) -> dict[str, Any]:
        return {
            "stage": "segmenter",
            "spec": asdict(self.spec),
            "size": list(self.dataset.size),
            "balanced": self.objective.label_weights is not None,
        }

    def export(
        self, state: Mapping[str, Tensor]
    ) -> tuple[Checkpoint, dict[str, Mapping[str, Tensor]]]:
        model = filled(LabelNet(self.spec), state, self.device)
        state = {**state, "ceiling": ceiling_of(model, self.dataset.pairs)}
        return Checkpoint(self.dataset.palette, segmenter=self.spec), {"segmenter": state}

    def sheet(self, state: Mapping[str, Tensor]) -> list[list[np.ndarray]]:
        """Photos, their labels, and the labels that are found."""
        model = filled(LabelNet(self.spec), state, self.device)
        batch = sheet_batch(self.dataset)
        with torch.no_grad():
            found = model(batch["image"].to(self.device)).float()
        rows = (self._colors(shares) for shares in (batch["y"], found))
        return [list(to_pixels(batch["image"])), *rows]

    def _colors(self, shares: Tensor) -> list[np.ndarray]:
        """The largest of `[N, labels, h, w]` in the palette's colours, at the picture's size."""
        large = F.interpolate(shares.float(), self.dataset.size, mode="bilinear")
        labels = large.argmax(1).to(torch.uint8).cpu().numpy()
        return [to_color(one, self.dataset.palette) for one in labels]


def ceiling_of(model: LabelNet, data: PairDataset, pictures: int = 256) -> Tensor:
    """float32 `[labels]`: the mean likeness of each label where photos of `data` show it.

    1 for a label that they do not show. See `core.matching`.
    """
    segmenter, n = Segmenter(model, data.palette), len(data.palette)
    likeness, pixels = np.zeros(n), np.zeros(n)
    for index in range(0, len(data), max(1, len(data) // pictures)):
        sample = data.sample(index)
        seen = seen_beside(sample.labels, segmenter.probabilities(sample.image))
        likeness += np.bincount(seen[0].ravel(), seen[2].ravel(), n)
        pixels += np.bincount(seen[0].ravel(), minlength=n)
    ceiling = np.where(pixels > 0, likeness / np.maximum(1, pixels), 1)
    return torch.from_numpy(ceiling).float()
