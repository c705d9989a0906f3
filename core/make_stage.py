"""From the arguments of `core.train` to a stage: which files to open, what to start from."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace

import torch

from core.base import Base
from core.checkpoint import Checkpoint
from core.command import encoding, say
from core.conversion import Conversion, same_labels
from core.dataset import PairDataset, label_shares
from core.device import pick_precision
from core.errors import InputError
from core.instant_stage import InstantStage
from core.latents import LatentDataset
from core.lora import LowRank
from core.lora_stage import LowRankStage
from core.make_autoencoder import check_growing, make_autoencoder, open_autoencoder
from core.make_guidance import make_guidance
from core.make_student import make_finishing, make_student
from core.model.autoencoder import Autoencoder
from core.model.instant import THUMBNAIL, InstantNet
from core.model.segmenter import LabelNet
from core.model.spec import (
    InstantSpec,
    ModelSpec,
    SegmenterSpec,
    SpadeSpec,
    spec_from_dict,
)
from core.model.unet import SDMUNet
from core.noised_features import NoisedFeatures
from core.objective import DiffusionObjective, balanced_weights
from core.palette import Palette, normalise
from core.perceptual import LPIPS
from core.schedule import ScheduleSpec
from core.segmenter_stage import SegmenterStage
from core.spade_stage import SpadeStage
from core.stages import (
    DiffusionSettings,
    DiffusionStage,
    Stage,
)
from core.transfer import LABEL_LAYERS, grown, relabelled, takeover

BANK = 512  # styles of photos that a painter keeps

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


def make_stage(args: argparse.Namespace, data: PairDataset, device: torch.device) -> Stage:
    """The stage that the command's arguments ask for."""
    if args.student and args.stage != "finishing":
        raise InputError("--student is for --stage finishing: leave it out.")
    if args.stage == "autoencoder":
        return make_autoencoder(args, data, device)
    if args.stage == "distillation":
        return make_student(args, data, device)
    if args.stage == "finishing":
        return make_finishing(args, data, device)
    if args.stage == "segmenter":
        return _segmenter(args, data, device)
    if args.stage == "instant":
        return _instant(args, data, device)
    if args.stage == "spade":
        return _spade(args, data, device)
    if args.stage == "guidance":
        autoencoder = open_autoencoder(args.autoencoder, device) if args.autoencoder else None
        return make_guidance(args, data, device, autoencoder)
    return _diffusion(args, data, device)


def _diffusion(args: argparse.Namespace, data: PairDataset, device: torch.device) -> DiffusionStage:
    """The stage that learns to denoise, from nothing or from the model of `--init`."""
    init = Checkpoint.open(args.init) if args.init else None
    if init and init.spec and init.spec.stops:
        raise InputError(f"{args.init} is a distilled student; go on with its teacher.")
    if args.lora is not None:
        _check_low_rank(args, init)
    autoencoder = _latents_of(args, init, data, device)
    model = SDMUNet(_diffusion_spec(args, data, autoencoder, init))
    if init:
        _take_over(args, model, init, data.palette)
    new_labels = bool(init) and not same_labels(init.palette, data.palette)
    if args.lora is not None:
        whole = [k for k in model.state_dict() if new_labels and k.endswith(LABEL_LAYERS)]
        model = LowRank(model, args.lora, whole)
    settings = DiffusionSettings(
        ScheduleSpec(args.noise_schedule) if args.noise_schedule else _schedule(init),
        args.label_dropout,
        args.weighting or ("min-snr" if autoencoder else "uniform"),
        args.vlb_weight,
        args.balance,
    )
    objective = DiffusionObjective(
        model,
        settings.schedule.build(),
        len(data.palette),
        settings.label_dropout,
        settings.weighting,
        settings.vlb_weight,
        balanced_weights(label_shares(data), settings.balance) if settings.balance else None,
    )
    dataset = LatentDataset(data, autoencoder, encoding, args.crops) if autoencoder else data
    parts = dataset, data.palette, objective, settings, device, autoencoder
    if args.lora is not None:
        base = Base.of(args.init, args.out, args.lora)
        return LowRankStage(base, new_labels, *parts)
    return DiffusionStage(*parts)


def _check_low_rank(args: argparse.Namespace, init: Checkpoint | None) -> None:
    """Refuse what a low-rank file cannot ride on, or cannot change."""
    if init is None:
        raise InputError("--lora needs --init: the model that the small file rides on.")
    if init.base:
        raise InputError(
            f"{args.init} is a low-rank file itself. Make it whole first: python -m core.merge "
            f"{args.init} -o FILE."
        )
    for given, option in ((args.autoencoder, "--autoencoder"), (args.grow, "--grow")):
        if given:
            raise InputError(f"--lora keeps the network of {args.init}: leave out {option}.")


def _schedule(init: Checkpoint | None) -> ScheduleSpec:
    return init.schedule if init else ScheduleSpec()


def _latents_of(
    args: argparse.Namespace, init: Checkpoint | None, data: PairDataset, device: torch.device
) -> Autoencoder | None:
    """The autoencoder whose latents are learned: that of `--autoencoder`, else of `--init`."""
    path = args.autoencoder
    if path is None and init and init.spec and init.spec.autoencoder:
        path = args.init
    if path is None:
        return None
    autoencoder = open_autoencoder(path, device)
    if not autoencoder.spec.layout_labels:
        return autoencoder
    old = Checkpoint.open(path).palette
    if same_labels(old, data.palette):
        return autoencoder
    spec = replace(autoencoder.spec, layout_labels=data.palette.num_channels)
    model = Autoencoder(spec)
    model.load_state_dict(relabelled(autoencoder.state_dict(), takeover(data.palette, old)))
    return model.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)


def _segmenter(args: argparse.Namespace, data: PairDataset, device: torch.device) -> SegmenterStage:
    """The stage that learns to tell labels apart: a new network, or that of `--init`."""
    spec = spec_from_dict(SegmenterSpec, {"labels": len(data.palette)} | args.spec)
    if any(side % spec.multiple for side in data.size):
        height, width = data.size
        raise InputError(f"--size {height}x{width} must be multiples of {spec.multiple}.")
    model = LabelNet(spec)
    if args.init:
        checkpoint = Checkpoint.open(args.init)
        old = checkpoint.load_segmenter()
        if old.spec != spec or not same_labels(checkpoint.palette, data.palette):
            raise InputError(f"{args.init} holds another segmenter than this run's. Leave it out.")
        model.load_state_dict(old.state_dict())
    weights = balanced_weights(label_shares(data), args.balance) if args.balance else None
    return SegmenterStage(data, model, device, weights)


def _spade(args: argparse.Namespace, data: PairDataset, device: torch.device) -> SpadeStage:
    """The stage that learns SPADE in the paper's shape, from nothing."""
    if args.init:
        raise InputError("--stage spade begins from nothing: leave out --init.")
    height, width = data.size
    given = {
        "label_channels": data.palette.num_channels,
        "crop_size": width,
        "aspect_ratio": width / height,
        "encoder": bool(args.spec.get("use_vae")),
    }
    spec = spec_from_dict(SpadeSpec, given | args.spec)
    if (height, width) != spec.picture_size:
        raise InputError(
            f"--size {height}x{width} must be multiples of {spec.multiple} for this network."
        )
    perceptual = LPIPS(args.perceptual) if args.perceptual else None
    return SpadeStage(data, spec, perceptual, args.perceptual_weight, device)


def _instant(args: argparse.Namespace, data: PairDataset, device: torch.device) -> InstantStage:
    """The stage that learns to make latents in one pass, with the decoder of `--autoencoder`.

    The generator is new, or that of `--init`.
    """
    if not args.autoencoder:
        raise InputError("--stage instant needs --autoencoder: it makes the latents of one.")
    if pick_precision(device, args.precision) == torch.float16:
        raise InputError("--stage instant cannot use float16: give --precision float32.")
    autoencoder = _latents_of(args, None, data, device)
    height, width = data.size
    given = {
        "label_channels": data.palette.num_channels,
        "autoencoder": asdict(autoencoder.spec),
        "bank": min(BANK, len(data)),
        "image_size": width,
        "aspect_ratio": width / height,
    }
    init = _first_painter(args.init, data.palette) if args.init else None
    before = init.spec.to_dict() if init else {}
    spec = InstantSpec.from_dict(before | given | args.spec)
    here = {"bank": spec.bank, "image_size": width, "aspect_ratio": width / height}
    if init and replace(init.spec, **here) != spec:
        raise InputError(
            f"{args.init} holds a generator of another shape, or of other latents, than this run's."
            " Leave out --spec, or --init."
        )
    features = _eyes(Checkpoint.open(args.autoencoder), device)
    multiple = max(spec.multiple, features.multiple * spec.autoencoder.factor)
    if height % multiple or width % multiple:
        raise InputError(
            f"--size {height}x{width} must be multiples of {multiple} for this network."
        )
    weights = balanced_weights(label_shares(data), args.balance)
    dataset = LatentDataset(data, autoencoder, encoding, args.crops, THUMBNAIL)
    return InstantStage(dataset, autoencoder, spec, weights, device, features, init)


def _first_painter(path: str, palette: Palette) -> InstantNet:
    """The compact generator to go on from."""
    checkpoint = Checkpoint.open(path)
    if not isinstance(checkpoint.spade, InstantSpec):
        raise InputError(f"{path} holds no compact generator. Leave out --init.")
    if not same_labels(checkpoint.palette, palette):
        raise InputError(
            f"{path} was trained on palette {checkpoint.palette.name!r}, not on {palette.name!r}. "
            "Leave out --init."
        )
    return checkpoint.load_spade()


def _eyes(model: Checkpoint, device: torch.device) -> NoisedFeatures:
    """What the stage's judge looks through: the U-Net that was trained on the same latents."""
    if model.spec is None:
        raise InputError(
            f"{model.path} has no U-Net. --stage instant learns from what a diffusion model sees of"
            " its latents: give --autoencoder a whole model."
        )
    return NoisedFeatures(model.load_unet(), model.schedule.build()).to(device)


def _diffusion_spec(
    args: argparse.Namespace,
    data: PairDataset,
    autoencoder: Autoencoder | None,
    init: Checkpoint | None,
) -> ModelSpec:
    """The U-Net's shape: that of `--init`, what the data decides, then what `--spec` says."""
    height, width = data.size
    base = init.spec.to_dict() if init and init.spec else LATENT_UNET if autoencoder else {}
    given = base | {
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
        }
    spec = ModelSpec.from_dict(given | args.spec)
    if height % spec.multiple or width % spec.multiple:
        raise InputError(
            f"--size {height}x{width} must be multiples of {spec.multiple} for this network."
        )
    return spec


def _take_over(
    args: argparse.Namespace, model: SDMUNet, init: Checkpoint, palette: Palette
) -> None:
    """Start from the weights of `init`, label by label; of the same shape, or grown if asked."""
    old = init.load_unet()
    if _shape(old.spec) != _shape(model.spec):
        check_growing(args)
    state = old.state_dict()
    if not same_labels(init.palette, palette):
        labels = takeover(palette, init.palette)
        state = relabelled(state, labels)
        say(labels_taken_over(labels))
    grown(model, state, halves=("out.2.weight", "out.2.bias"))


def _shape(spec: ModelSpec) -> ModelSpec:
    """What decides the U-Net's tensors, but for the labels: not the size, nor a latent's inside."""
    return replace(spec, autoencoder=None, image_size=256, aspect_ratio=1.0, num_classes=1)


def labels_taken_over(labels: Conversion) -> str:
    """A sentence or two: which labels go on with the weights of which, and which begin anew."""
    pairs = [
        (new.name, labels.target[match.target].name)
        for new, match in zip(labels.source.classes, labels.matches, strict=True)
        if match.target is not None
    ]
    other = [f"{new} from {old}" for new, old in pairs if normalise(new) != normalise(old)]
    anew = [labels.source[i].name for i, m in enumerate(labels.matches) if m.target is None]
    text = f"{len(pairs)} of {len(labels.matches)} labels go on from {labels.target.name!r}"
    text += f" ({', '.join(other)})." if other else "."
    return text + (f" New, from the mean of all: {', '.join(anew)}." if anew else "")
