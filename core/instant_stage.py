"""The stage that trains the compact generator, on the latents of an autoencoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.checkpoint import Checkpoint
from core.instant_objective import InstantDuel, InstantObjective
from core.labelmap import to_color
from core.latents import LatentDataset
from core.model.autoencoder import Autoencoder
from core.model.discriminator import LabelDiscriminator
from core.model.instant import Generator, InstantNet, StyleEncoder
from core.model.spec import InstantSpec
from core.noised_features import NoisedFeatures
from core.objective import seeded_noise
from core.pixels import from_pixels, to_pixels
from core.stages import filled, sheet_batch

JUDGE = "judge."  # how the names of the discriminator's tensors begin


class InstantStage:
    """Trains generator, style encoder and discriminator; exports the first two and the decoder.

    init: whose generator and style encoder it goes on from.
    """

    def __init__(
        self,
        data: LatentDataset,
        autoencoder: Autoencoder,
        spec: InstantSpec,
        label_weights: Tensor,
        device: torch.device,
        features: NoisedFeatures,
        init: InstantNet | None = None,
    ) -> None:
        self.dataset, self.autoencoder, self.spec, self.device = data, autoencoder, spec, device
        self.features = features
        model = self._networks()
        if init is not None:
            model.generator.load_state_dict(init.generator.state_dict())
            model.style.load_state_dict(init.style.state_dict())
        self.objective = InstantObjective(model, label_weights, features)

    def about(self) -> dict[str, Any]:
        return {"stage": "instant", "spec": self.spec.to_dict()}

    def export(
        self, state: Mapping[str, Tensor]
    ) -> tuple[Checkpoint, dict[str, Mapping[str, Tensor]]]:
        own = {k: v for k, v in state.items() if not k.startswith(JUDGE)}
        rest = self.autoencoder.state_dict()
        own |= {k: v for k, v in rest.items() if not k.startswith("encoder.")}
        own["bank"] = self._bank(state)
        return Checkpoint(self.dataset.palette, spade=self.spec), {"spade": own}

    @torch.no_grad()
    def _bank(self, state: Mapping[str, Tensor]) -> Tensor:
        """Styles `[bank, Z]` of photos all over the data set."""
        style = filled(self._networks(), state, self.device).style
        photos = np.linspace(0, len(self.dataset) - 1, self.spec.bank).round().astype(int)
        small = np.stack([self.dataset.thumbnails[number] for number in photos])
        return style(from_pixels(small).to(self.device))[0]

    def sheet(self, state: Mapping[str, Tensor]) -> list[list[np.ndarray]]:
        """Layouts, pictures in the photo's own style and in those of two others, and the photos."""
        batch = {k: v.to(self.device) for k, v in sheet_batch(self.dataset).items()}
        y, x0, seeds = batch["y"].float(), batch["x0"].float(), batch["seed"]
        model = filled(self._networks(), state, self.device)
        own, _ = model.style(batch["thumbnail"])
        others = (own.roll(places, 0) for places in (-1, -2))
        shapes = model.generator.noise_shapes(*x0.shape[-2:])
        noise = [seeded_noise(seeds, shape, self.device) for shape in shapes]
        made = (model.generator(y, style, noise) for style in (own, *others))
        return [self._layouts(y), *(self._pictures(x, y) for x in (*made, x0))]

    def _networks(self) -> InstantDuel:
        spec, labels = self.spec, len(self.dataset.palette)
        judge = LabelDiscriminator(self.features.widths, labels)
        return InstantDuel(Generator(spec), StyleEncoder(spec.style), judge)

    @torch.no_grad()
    def _pictures(self, x: Tensor, y: Tensor) -> list[np.ndarray]:
        return list(to_pixels(self.autoencoder.decode(x, y)))

    def _layouts(self, y: Tensor) -> list[np.ndarray]:
        """Each layout in the palette's colours, at the picture's size."""
        labels = y[:, : len(self.dataset.palette)].argmax(1).to(torch.uint8).cpu().numpy()
        factor = self.spec.autoencoder.factor
        enlarged = labels.repeat(factor, 1).repeat(factor, 2)
        return [to_color(one, self.dataset.palette) for one in enlarged]
