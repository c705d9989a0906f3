"""The stage that trains a low-rank file: the diffusion stage, but for what is saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from torch import Tensor

from core.base import Base
from core.checkpoint import Checkpoint
from core.lora import stored
from core.stages import DiffusionStage
from core.transfer import LABEL_LAYERS


class LowRankStage(DiffusionStage):
    """A `DiffusionStage` whose objective trains a `LowRank`.

    base: the file below it. whole_decoder: whether the autoencoder's layers that read labels are
    stored, too. parts: those of a `DiffusionStage`.
    """

    def __init__(self, base: Base, whole_decoder: bool, *parts: Any) -> None:
        super().__init__(*parts)
        self.base, self.whole_decoder = base, whole_decoder

    def about(self) -> dict[str, Any]:
        known = replace(self.base, name="", place="")  # it may be renamed and moved
        return super().about() | {"lora": asdict(known)}

    def export(
        self, state: Mapping[str, Tensor]
    ) -> tuple[Checkpoint, dict[str, Mapping[str, Tensor]]]:
        checkpoint, _ = super().export(state)
        modules = {"unet": stored(state)}
        if self.autoencoder and self.whole_decoder:
            decoder = self.autoencoder.state_dict()
            modules["autoencoder"] = {k: v for k, v in decoder.items() if k.endswith(LABEL_LAYERS)}
        return replace(checkpoint, base=self.base), modules

    def sheet(self, state: Mapping[str, Tensor]) -> list[list[np.ndarray]]:
        return super().sheet(self.objective.model.merged_state(state))
