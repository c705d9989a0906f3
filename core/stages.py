"""The stages of training: which network, which data, which loss, and what a sheet shows.

`train.py` drives any stage the same way; a stage knows nothing of folders, logs or resuming.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from core.checkpoint import Checkpoint
from core.dataset import PairDataset, to_tensors
from core.denoiser import Denoiser
from core.device import pick_precision
from core.errors import InputError
from core.labelmap import to_color
from core.latents import LatentDataset
from core.model.autoencoder import Autoencoder
from core.model.spec import AutoencoderSpec, ModelSpec, spec_from_dict
from core.model.unet import SDMUNet
from core.objective import AutoencoderObjective, DiffusionObjective, balanced_weights
from core.perceptual import LPIPS
from core.pixels import to_pixels
from core.sampling import SAMPLERS, SeedNoise, descend, sample
from core.schedule import ScheduleSpec
from core.transfer import grown

SHEET_PAIRS = 8  # pictures on a sample sheet

# The U-Net of a latent model unless `--spec` says otherwise: 15 M parameters, trainable on a CPU.
# Why v and area: docs/decisions/002.
LATENT_UNET = {
    "model_channels": 64,
    "channel_mult": (1, 2, 3),
    "num_res_blocks": 2,
    "attention_resolutions": (4,),
    "num_head_channels": 32,
    "spade_hidden": 32,
    "layout_resize": "area",
    "prediction": "v",
}


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


class AutoencoderStage:
    """Trains the autoencoder of latent checkpoints on crops of the photos.

    With `freeze_encoder` the decoder alone goes on learning: latents stay what they were, so
    diffusion models that were trained on them stay valid.
    """

    def __init__(
        self,
        data: PairDataset,
        model: Autoencoder,
        perceptual: LPIPS | None,
        device: torch.device,
        freeze_encoder: bool = False,
        perceptual_weight: float = 0.5,
    ) -> None:
        self.dataset, self.spec, self.device = data, model.spec, device
        self.frozen = freeze_encoder
        model.train().requires_grad_(True)
        model.encoder.requires_grad_(not freeze_encoder)
        self.objective = AutoencoderObjective(model, perceptual, perceptual_weight)

    def about(self) -> dict[str, Any]:
        return {
            "stage": "autoencoder",
            "spec": asdict(self.spec),
            "size": list(self.dataset.size),
            "freeze_encoder": self.frozen,
        }

    def export(
        self, state: Mapping[str, Tensor]
    ) -> tuple[Checkpoint, dict[str, Mapping[str, Tensor]]]:
        state = dict(state)
        if not self.frozen:
            model = filled(Autoencoder(self.spec), state, self.device)
            state["latent_mean"], state["latent_std"] = latent_statistics(model, self.dataset)
        return Checkpoint(self.dataset.palette, autoencoder=self.spec), {"autoencoder": state}

    def sheet(self, state: Mapping[str, Tensor]) -> list[list[np.ndarray]]:
        model = filled(Autoencoder(self.spec), state, self.device)
        images = sheet_batch(self.dataset)["image"].to(self.device)
        with torch.no_grad():
            again = model.raw_decode(model.raw_latents(images))
        return [list(to_pixels(images)), list(to_pixels(again))]


def filled(fresh: nn.Module, state: Mapping[str, Tensor], device: torch.device) -> Any:
    """`fresh` with the weights `state`, ready to be used."""
    fresh.load_state_dict(state)
    return fresh.to(device).eval().requires_grad_(False)


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
    """Trains the SDM U-Net, on photos or on an autoencoder's latents of them."""

    def __init__(
        self,
        data: PairDataset,
        spec: ModelSpec,
        settings: DiffusionSettings,
        device: torch.device,
        autoencoder: Autoencoder | None = None,
        init: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.spec, self.settings, self.device = spec, settings, device
        self.palette, self.autoencoder = data.palette, autoencoder
        self.dataset = LatentDataset(data, autoencoder, progress) if autoencoder else data
        model = SDMUNet(spec)
        if init is not None:
            model.load_state_dict(init)
        self.schedule = settings.schedule.build()
        self.objective = DiffusionObjective(
            model,
            self.schedule,
            len(self.palette),
            settings.label_dropout,
            settings.weighting,
            settings.vlb_weight,
            balanced_weights(label_shares(data), settings.balance) if settings.balance else None,
        )

    def about(self) -> dict[str, Any]:
        return {
            "stage": "diffusion",
            "spec": self.spec.to_dict(),
            "objective": asdict(self.settings),
        }

    def export(
        self, state: Mapping[str, Tensor]
    ) -> tuple[Checkpoint, dict[str, Mapping[str, Tensor]]]:
        modules = {"unet": state}
        if self.autoencoder:
            modules["autoencoder"] = self.autoencoder.state_dict()
        return Checkpoint(self.palette, self.spec, self.settings.schedule), modules

    def sheet(self, state: Mapping[str, Tensor]) -> list[list[np.ndarray]]:
        batch = sheet_batch(self.dataset)
        model = filled(SDMUNet(self.spec), state, self.device).to(pick_precision(self.device))
        x0, y = (part.to(self.device) for part in self.objective.inputs(batch))
        denoise = Denoiser(model, self.schedule, y, tuple(x0.shape[-2:]), 1.5)
        noise = SeedNoise(range(len(y)), x0.shape[1:], self.device)
        step = SAMPLERS["dpmpp_2m"](self.schedule, 0.0)
        path = descend(self.schedule, 20)
        *_, last = sample(denoise, step, path, noise(), noise, self.schedule)
        pictures = (self._picture(x) for x in (last.x, x0))
        return [self._layouts(y), *(list(p) for p in pictures)]

    def _picture(self, x: Tensor) -> np.ndarray:
        with torch.no_grad():
            return to_pixels(self.autoencoder.decode(x) if self.autoencoder else x)

    def _layouts(self, y: Tensor) -> list[np.ndarray]:
        """Each layout in the palette's colours, at the picture's size."""
        labels = y[:, : len(self.palette)].argmax(1).to(torch.uint8).cpu().numpy()
        enlarged = labels.repeat(self.spec.factor, 1).repeat(self.spec.factor, 2)
        return [to_color(one, self.palette) for one in enlarged]


def label_shares(data: PairDataset) -> Tensor:
    """Share of all pixels that each label covers, float32 `[n]`."""
    n = len(data.palette)
    counts = [np.bincount(data.sample(i).labels.ravel(), minlength=n) for i in range(len(data))]
    total = torch.from_numpy(np.sum(counts, axis=0)).float()
    return total / total.sum()


def progress(items: Any) -> Any:
    """A progress bar for the one long preparation."""
    return tqdm(items, "encoding photos", leave=False)


def make_stage(args: argparse.Namespace, data: PairDataset, device: torch.device) -> Stage:
    """The stage that the command's arguments ask for."""
    if args.stage == "autoencoder":
        model = _first_autoencoder(args, device)
        perceptual = LPIPS(args.perceptual) if args.perceptual else None
        return AutoencoderStage(
            data, model, perceptual, device, args.freeze_encoder, args.perceptual_weight
        )
    autoencoder = _open_autoencoder(args.autoencoder, device) if args.autoencoder else None
    spec = _diffusion_spec(args, data, autoencoder)
    settings = DiffusionSettings(
        ScheduleSpec(args.noise_schedule),
        args.label_dropout,
        args.weighting,
        args.vlb_weight,
        args.balance,
    )
    return DiffusionStage(data, spec, settings, device, autoencoder, _init_state(args, spec))


def _first_autoencoder(args: argparse.Namespace, device: torch.device) -> Autoencoder:
    """The autoencoder to start from: a new one, or that of `--init`, grown if asked."""
    if not args.init:
        if args.freeze_encoder:
            raise InputError("--freeze-encoder needs --init: an untrained encoder is of no use.")
        return Autoencoder(spec_from_dict(AutoencoderSpec, args.spec))
    old = _open_autoencoder(args.init, device)
    spec = spec_from_dict(AutoencoderSpec, asdict(old.spec) | args.spec)
    if spec == old.spec:
        return old
    _check_growing(args, spec.latent_channels != old.spec.latent_channels)
    model = Autoencoder(spec)
    grown(model, old.state_dict())
    return model.to(device, memory_format=torch.channels_last)


def _check_growing(args: argparse.Namespace, new_latents: bool = False) -> None:
    """Refuse to change a network's shape unasked, or latents that must stay as they are."""
    if not args.grow:
        raise InputError(
            f"{args.init} holds a network of another shape than this run's. Add --grow to take "
            "over what fits, or leave out what --spec changes."
        )
    if new_latents and args.freeze_encoder:
        raise InputError("--freeze-encoder keeps the latents: latent_channels cannot change.")


def _open_autoencoder(path: str, device: torch.device) -> Autoencoder:
    autoencoder = Checkpoint.open(path).load_autoencoder()
    if autoencoder is None:
        raise InputError(f"{path} has no autoencoder. Train one with --stage autoencoder.")
    return autoencoder.to(device, memory_format=torch.channels_last)


def _diffusion_spec(
    args: argparse.Namespace, data: PairDataset, autoencoder: Autoencoder | None
) -> ModelSpec:
    """The U-Net's shape: what the data decides, then what `--spec` says."""
    height, width = data.size
    given = {
        "image_size": width,
        "aspect_ratio": width / height,
        "num_classes": data.palette.num_channels,
    }
    if autoencoder:
        channels = autoencoder.spec.latent_channels
        given |= {
            "in_channels": channels,
            "out_channels": 2 * channels,
            "autoencoder": asdict(autoencoder.spec),
            **LATENT_UNET,
        }
    spec = ModelSpec.from_dict(given | args.spec)
    if height % spec.multiple or width % spec.multiple:
        raise InputError(
            f"--size {height}x{width} must be multiples of {spec.multiple} for this network."
        )
    return spec


def _init_state(args: argparse.Namespace, spec: ModelSpec) -> Mapping[str, Tensor] | None:
    """Weights to start from: of the very same shape, or grown to it if asked."""
    if args.init is None:
        return None
    checkpoint = Checkpoint.open(args.init)
    old = checkpoint.load_unet().state_dict()
    if _shape(checkpoint.spec) == _shape(spec):
        return old
    _check_growing(args)
    model = SDMUNet(spec)
    grown(model, old, halves=("out.2.weight", "out.2.bias"))
    return model.state_dict()


def _shape(spec: ModelSpec) -> ModelSpec:
    """What decides the U-Net's tensors: neither the picture's size nor what is inside a latent."""
    return replace(spec, autoencoder=None, image_size=256, aspect_ratio=1.0)
