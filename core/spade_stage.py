"""The stage that trains SPADE in the paper's shape, on photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.checkpoint import Checkpoint
from core.dataset import PairDataset
from core.labelmap import to_color
from core.model.spade import (
    MultiscaleDiscriminator,
    SpadeEncoder,
    SpadeGenerator,
    folded,
    start_as_official,
)
from core.model.spec import SpadeSpec
from core.objective import seeded_noise
from core.onehot import one_hot
from core.perceptual import LPIPS
from core.pixels import to_pixels
from core.spade_objective import SpadeDuel, SpadeObjective
from core.stages import filled, sheet_batch

JUDGE = "judge."  # how the names of the discriminator's tensors begin


class SpadeStage:
    """Trains generator, discriminator and, with a VAE, the style encoder; exports them folded."""

    def __init__(
        self,
        data: PairDataset,
        spec: SpadeSpec,
        perceptual: LPIPS | None,
        perceptual_weight: float,
        device: torch.device,
    ) -> None:
        self.dataset, self.spec, self.device = data, spec, device
        model = self._networks()
        start_as_official(model)
        self.objective = SpadeObjective(model, len(data.palette), perceptual, perceptual_weight)

    def _networks(self) -> SpadeDuel:
        spec = self.spec
        judge = MultiscaleDiscriminator(spec.label_channels, spec.ngf)
        return SpadeDuel(SpadeGenerator(spec), judge, SpadeEncoder(spec) if spec.use_vae else None)

    def about(self) -> dict[str, Any]:
        perceptual = self.objective.perceptual
        return {
            "stage": "spade",
            "spec": asdict(self.spec),
            "perceptual": self.objective.perceptual_weight if perceptual else 0.0,
        }

    def export(
        self, state: Mapping[str, Tensor]
    ) -> tuple[Checkpoint, dict[str, Mapping[str, Tensor]]]:
        own = {k: v for k, v in state.items() if not k.startswith(JUDGE)}
        return Checkpoint(self.dataset.palette, spade=self.spec), {"spade": folded(own)}

    @torch.no_grad()
    def sheet(self, state: Mapping[str, Tensor]) -> list[list[np.ndarray]]:
        """Layouts, their pictures, and the photos; with a VAE first in the photo's own style."""
        batch = {k: v.to(self.device) for k, v in sheet_batch(self.dataset).items()}
        labels, images = batch["labels"], batch["image"]
        model = filled(self._networks(), state, self.device)
        y = one_hot(labels, len(self.dataset.palette), batch.get("edges"))
        styles: list[Tensor | None] = [None]
        if self.spec.use_vae:
            own, _ = model.encoder(images)
            styles = [own, seeded_noise(batch["seed"], own.shape[1:], self.device)]
        pictures = [list(to_pixels(model.generator(y, style))) for style in styles]
        colors = [to_color(one, self.dataset.palette) for one in labels.cpu().numpy()]
        return [colors, *pictures, list(to_pixels(images))]
