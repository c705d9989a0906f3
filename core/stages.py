"""The stages of training: which network, which data, which loss, and what a sheet shows.

`train.py` drives any stage the same way; a stage knows nothing of folders, logs or resuming.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from core.checkpoint import Checkpoint
from core.denoiser import Denoiser
from core.device import pick_precision
from core.distillation import LeapObjective
from core.labelmap import to_color
from core.model.autoencoder import Autoencoder
from core.model.unet import SDMUNet
from core.objective import diffusion_inputs
from core.palette import Palette
from core.pixels import to_pixels
from core.sampling import SAMPLERS, SeedNoise, ddim, path_of, sample
from core.schedule import ScheduleSpec
from core.walks import WalkDataset, walked

SHEET_PAIRS = 8  # pictures on a sample sheet


class Stage(Protocol):
    """What `train.py` needs of a stage."""

    objective: nn.Module
    dataset: Dataset

    def about(self) -> dict[str, Any]:
        """What must be the same when a run is resumed."""

    def export(
        self, state: Mapping[str, Tensor]
    ) -> tuple[Checkpoint, dict[str, Mapping[str, Tensor]]]:
        """Header and state dicts of a checkpoint with the averaged weights `state`."""

    def sheet(self, state: Mapping[str, Tensor]) -> list[list[np.ndarray]]:
        """Rows of pictures, uint8 `[H, W, 3]`, made with the averaged weights."""


def filled(fresh: nn.Module, state: Mapping[str, Tensor], device: torch.device) -> Any:
    """`fresh` with the weights `state`, ready to be used."""
    fresh.load_state_dict(state)
    return fresh.to(device).eval().requires_grad_(False)


def sheet_batch(data: Dataset, count: int = SHEET_PAIRS) -> dict[str, Tensor]:
    """The same few samples every time, spread over the data."""
    chosen = [data[(i * len(data) // count, i)] for i in range(min(count, len(data)))]
    return torch.utils.data.default_collate(chosen)


@dataclass(frozen=True)
class DiffusionSettings:
    """What is trained beside the network's shape: the schedule and the loss."""

    schedule: ScheduleSpec = ScheduleSpec()
    label_dropout: float = 0.0
    weighting: str = "uniform"
    vlb_weight: float = 0.001
    balance: float = 0.0  # power of `balanced_weights`


class DiffusionStage:
    """Trains an SDM U-Net, on photos or on an autoencoder's latents of them."""

    def __init__(
        self,
        dataset: Dataset,
        palette: Palette,
        objective: nn.Module,
        settings: DiffusionSettings,
        device: torch.device,
        autoencoder: Autoencoder | None = None,
    ) -> None:
        self.dataset, self.palette, self.objective = dataset, palette, objective
        self.settings, self.device, self.autoencoder = settings, device, autoencoder
        self.spec, self.schedule = objective.model.spec, objective.schedule

    def about(self) -> dict[str, Any]:
        return {
            "stage": "diffusion",
            "spec": self.spec.to_dict(),
            "objective": asdict(self.settings),
            "lora": None,
        }

    def export(
        self, state: Mapping[str, Tensor]
    ) -> tuple[Checkpoint, dict[str, Mapping[str, Tensor]]]:
        checkpoint = Checkpoint(self.palette, self.spec, self.settings.schedule)
        return checkpoint, _with_autoencoder(state, self.autoencoder)

    def sheet(self, state: Mapping[str, Tensor]) -> list[list[np.ndarray]]:
        batch = sheet_batch(self.dataset)
        model = filled(SDMUNet(self.spec), state, self.device).to(pick_precision(self.device))
        inputs = diffusion_inputs(batch, len(self.palette))
        x0, y = (part.to(self.device) for part in inputs)
        denoise = Denoiser(model, self.schedule, y, tuple(x0.shape[-2:]), 1.5)
        noise = SeedNoise(range(len(y)), x0.shape[1:], self.device)
        step = SAMPLERS["dpmpp_2m"](self.schedule, 0.0)
        path = path_of(self.schedule, 20, "dpmpp_2m")
        *_, last = sample(denoise, step, path, noise(), noise, self.schedule)
        pictures = (decoded(self.autoencoder, x, y) for x in (last.x, x0))
        return [layouts(y, self.palette, self.spec.factor), *(list(p) for p in pictures)]


class DistillationStage:
    """Trains a few-step student of an SDM U-Net on the walks of its guided teacher."""

    def __init__(
        self,
        walks: WalkDataset,
        palette: Palette,
        objective: LeapObjective,
        schedule: ScheduleSpec,
        device: torch.device,
        autoencoder: Autoencoder | None = None,
    ) -> None:
        self.dataset, self.palette, self.objective = walks, palette, objective
        self.schedule, self.device, self.autoencoder = schedule, device, autoencoder
        self.spec = objective.model.spec

    def about(self) -> dict[str, Any]:
        return {
            "stage": "distillation",
            "spec": self.spec.to_dict(),
            "walks": asdict(self.dataset.plan) | {"count": self.dataset.walks},
        }

    def export(
        self, state: Mapping[str, Tensor]
    ) -> tuple[Checkpoint, dict[str, Mapping[str, Tensor]]]:
        checkpoint = Checkpoint(self.palette, self.spec, self.schedule)
        return checkpoint, _with_autoencoder(state, self.autoencoder)

    def sheet(self, state: Mapping[str, Tensor]) -> list[list[np.ndarray]]:
        """Layouts, the student's pictures of them, and the teacher's from the same noise."""
        batch = {k: v.to(self.device) for k, v in sheet_batch(self.dataset).items()}
        model = filled(SDMUNet(self.spec), state, self.device).to(pick_precision(self.device))
        x, y, path = batch["noise"].float(), batch["y"], [*self.spec.stops, -1]
        scale, start = batch["scale"], self.dataset.plan.guidance_start
        states = walked(model, self.objective.schedule, x, y, scale, ddim, path, start)
        pictures = (decoded(self.autoencoder, x, y) for x in (states[-1], batch["x0"].float()))
        return [layouts(y, self.palette, self.spec.factor), *(list(p) for p in pictures)]


def _with_autoencoder(
    unet: Mapping[str, Tensor], autoencoder: Autoencoder | None
) -> dict[str, Mapping[str, Tensor]]:
    """State dicts of a checkpoint's modules."""
    return {"unet": unet} | ({"autoencoder": autoencoder.state_dict()} if autoencoder else {})


@torch.no_grad()
def decoded(autoencoder: Autoencoder | None, x: Tensor, y: Tensor) -> np.ndarray:
    """Pictures of x, with their layouts for a decoder that reads them."""
    return to_pixels(autoencoder.decode(x, y) if autoencoder else x)


def layouts(y: Tensor, palette: Palette, factor: int) -> list[np.ndarray]:
    """Each layout in the palette's colours, at the picture's size."""
    labels = y[:, : len(palette)].argmax(1).to(torch.uint8).cpu().numpy()
    enlarged = labels.repeat(factor, 1).repeat(factor, 2)
    return [to_color(one, palette) for one in enlarged]
