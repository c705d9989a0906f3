"""The stage that trains the autoencoder of latent checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.adversarial import AdversarialObjective
from core.checkpoint import Checkpoint
from core.dataset import PairDataset, to_tensors
from core.model.autoencoder import Autoencoder
from core.model.spec import AutoencoderSpec
from core.names import under
from core.objective import AutoencoderObjective
from core.pixels import to_pixels
from core.stages import filled, sheet_batch
from core.walked_pairs import WalkedPairs


class AutoencoderStage:
    """Trains the autoencoder on crops of the photos, and on crops of walks where it has some.

    With `freeze_encoder` the decoder alone goes on learning: latents stay what they were, so
    diffusion models that were trained on them stay valid.
    """

    def __init__(
        self,
        dataset: PairDataset | WalkedPairs,
        objective: AutoencoderObjective | AdversarialObjective,
        device: torch.device,
        freeze_encoder: bool = False,
    ) -> None:
        self.dataset, self.objective, self.device = dataset, objective, device
        self.walked = isinstance(dataset, WalkedPairs)
        self.data = dataset.pairs if self.walked else dataset
        self.judged = isinstance(objective, AdversarialObjective)
        model = objective.plain.model if self.judged else objective.model
        self.spec, self.frozen = model.spec, freeze_encoder
        model.train().requires_grad_(True)
        model.encoder.requires_grad_(not freeze_encoder)

    def about(self) -> dict[str, Any]:
        second = self.objective.second if self.judged else None
        return {
            "stage": "autoencoder",
            "spec": asdict(self.spec),
            "size": list(self.data.size),
            "freeze_encoder": self.frozen,
            "adversarial": self.objective.weight if self.judged else 0.0,
            "label_adversarial": second.weight if second else None,
            "walks": self.dataset.about() if self.walked else None,
        }

    def export(
        self, state: Mapping[str, Tensor]
    ) -> tuple[Checkpoint, dict[str, Mapping[str, Tensor]]]:
        state = self._own(state)
        if not self.frozen:
            model = filled(Autoencoder(self.spec), state, self.device)
            state["latent_mean"], state["latent_std"] = latent_statistics(model, self.data)
        return Checkpoint(self.data.palette, autoencoder=self.spec), {"autoencoder": state}

    def _own(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The autoencoder's tensors, without those of the judges beside it."""
        if not self.judged:
            return dict(state)
        return under(state, "autoencoder.")

    def sheet(self, state: Mapping[str, Tensor]) -> list[list[np.ndarray]]:
        """Photos and their reconstructions."""
        model = filled(Autoencoder(self.spec), self._own(state), self.device)
        batch = {k: v.to(self.device) for k, v in sheet_batch(self.data).items()}
        images = batch["image"]
        objective = AutoencoderObjective(model, layout_dropout=0.0)
        with torch.no_grad():
            again = model.raw_decode(model.raw_latents(images), objective.layout(batch))
        return [list(to_pixels(images)), list(to_pixels(again))]


@torch.no_grad()
def latent_statistics(
    model: Autoencoder, data: PairDataset, pictures: int = 256
) -> tuple[Tensor, Tensor]:
    """Mean and deviation of raw latents per channel, `[C, 1, 1]` each, over `pictures`."""
    device = model.latent_mean.device
    indices = range(0, len(data), max(1, len(data) // pictures))
    images = (to_tensors(data.sample(i), data.palette)["image"][None] for i in indices)
    flat = torch.cat(
        [model.raw_latents(_whole(i).to(device)).flatten(2).float() for i in images], dim=2
    )
    return flat.mean((0, 2))[:, None, None], flat.std((0, 2))[:, None, None]


def _whole(image: Tensor) -> Tensor:
    """Cut to sides that are multiples of 8."""
    factor = AutoencoderSpec.factor
    return image[..., : image.shape[-2] // factor * factor, : image.shape[-1] // factor * factor]
