"""The stage that trains a student to end its model's walks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.checkpoint import Checkpoint
from core.device import pick_precision
from core.model.unet import SDMUNet
from core.names import under
from core.sampling import ddim
from core.stages import SHEET_PAIRS, DistillationStage, decoded, filled, layouts
from core.walks import walked

STUDENT = "student."  # how the names of its tensors begin; the others are the judge's


class FinishingStage(DistillationStage):
    """A `DistillationStage` whose objective is a `FinishingObjective`: the judge stays behind."""

    def about(self) -> dict[str, Any]:
        return super().about() | {"stage": "finishing"}

    def export(
        self, state: Mapping[str, Tensor]
    ) -> tuple[Checkpoint, dict[str, Mapping[str, Tensor]]]:
        return super().export(under(state, STUDENT))

    def sheet(self, state: Mapping[str, Tensor]) -> list[list[np.ndarray]]:
        """Layouts, walks that the student ends by its last leap, and as the model ended them."""
        data, last = self.dataset, len(self.spec.stops) - 1
        walks = np.linspace(0, data.walks - 1, min(SHEET_PAIRS, data.walks)).astype(int)
        leaps = [data.leap(int(walk), last) for walk in walks]
        batch = torch.utils.data.default_collate(leaps)
        x, x0, y, scale = (batch[k].float().to(self.device) for k in ("x", "x0", "y", "scale"))
        model = filled(SDMUNet(self.spec), under(state, STUDENT), self.device)
        model, schedule = model.to(pick_precision(self.device)), self.objective.schedule
        path = [self.spec.stops[last], -1]
        ended = walked(model, schedule, x, y, scale, ddim, path, data.plan.guidance_start)[-1]
        pictures = (decoded(self.autoencoder, x, y) for x in (ended, x0))
        return [layouts(y, self.palette, self.spec.factor), *(list(p) for p in pictures)]
