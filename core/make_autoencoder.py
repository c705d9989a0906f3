"""The stage that trains an autoencoder, as a command's arguments ask for it."""

from __future__ import annotations

import argparse
from dataclasses import asdict

import torch

from core.adversarial import AdversarialObjective, LabelJudge
from core.autoencoder_stage import AutoencoderStage
from core.checkpoint import Checkpoint
from core.dataset import PairDataset, label_shares
from core.device import pick_precision
from core.errors import InputError
from core.fingerprint import fingerprint
from core.make_walks import open_teacher, planned_walks
from core.model.autoencoder import Autoencoder
from core.model.discriminator import PatchDiscriminator
from core.model.spec import AutoencoderSpec, spec_from_dict
from core.objective import AutoencoderObjective, balanced_weights
from core.perceptual import LPIPS
from core.sampling import path_of
from core.transfer import grown
from core.walked_pairs import WalkedPairs
from core.walks import WalkPlan

WALK_STEPS = 16  # of dpmpp_2m: the end of a walk is all that counts here
WALK_SCALES = (2.0, 4.0)  # guidance scales about the one that the window begins with
CORNERS = 3  # pixels that the perceptual loss cuts off: see `core.objective.shifted`


def make_autoencoder(
    args: argparse.Namespace, data: PairDataset, device: torch.device
) -> AutoencoderStage:
    """The stage of `args`: a new autoencoder, or that of `--init`, and the judges beside it."""
    _check_judged(args, device)
    model = _first_autoencoder(args, device)
    _check_layout(model.spec, data)
    perceptual = LPIPS(args.perceptual) if args.perceptual else None
    _check_size(data.size, model.spec.factor, perceptual)
    objective = AutoencoderObjective(model, perceptual, args.perceptual_weight)
    if args.adversarial:
        patches = PatchDiscriminator(labels=len(data.palette))
        second = _label_judge(args, data, perceptual) if args.label_adversarial else None
        objective = AdversarialObjective(objective, patches, args.adversarial, second)
    dataset = _walked(args, data, device) if args.walks else data
    return AutoencoderStage(dataset, objective, device, args.freeze_encoder)


def _check_judged(args: argparse.Namespace, device: torch.device) -> None:
    """Refuse what judges need and have not got."""
    for option in ("adversarial", "label_adversarial", "walks"):
        if not getattr(args, option) >= 0:
            name = option.replace("_", "-")
            raise InputError(f"--{name} {getattr(args, option)} must be 0 or more.")
    if args.adversarial:
        if pick_precision(device, args.precision) == torch.float16:
            raise InputError("--adversarial cannot use float16: give --precision float32.")
    elif args.label_adversarial:
        raise InputError("--label-adversarial is a second judge: give --adversarial too.")
    elif args.walks:
        raise InputError(
            "--walks needs --adversarial: what was sampled has no photo to be compared with."
        )
    if args.walks and not args.freeze_encoder:
        raise InputError("--walks needs --freeze-encoder: their latents are those of the model.")


def _check_size(size: tuple[int, int], factor: int, perceptual: LPIPS | None) -> None:
    """Refuse crops that the networks cannot take."""
    if any(side % factor for side in size):
        raise InputError(f"--size {_text(size)} must be multiples of {factor} for this network.")
    least = perceptual.smallest + CORNERS if perceptual else 0
    if min(size) < least:
        raise InputError(
            f"--size {_text(size)} is too small for the network of --perceptual: give "
            f"{-(-least // factor) * factor} or more."
        )


def _label_judge(
    args: argparse.Namespace, data: PairDataset, perceptual: LPIPS | None
) -> LabelJudge:
    """The judge that tells labels, through the network of `--perceptual`."""
    if perceptual is None or not perceptual.is_alex:
        given = f"; {args.perceptual} is none" if perceptual else ""
        raise InputError(
            f"--label-adversarial needs an AlexNet for --perceptual: it looks through it{given}."
        )
    weights = torch.ones(len(data.palette))
    if args.balance:
        weights = balanced_weights(label_shares(data), args.balance)
    return LabelJudge(perceptual, weights, args.label_adversarial)


def _walked(args: argparse.Namespace, data: PairDataset, device: torch.device) -> WalkedPairs:
    """The photos beside walks of the model of `--init`."""
    teacher = open_teacher(args, data)
    path = tuple(path_of(teacher.schedule.build(), WALK_STEPS, "dpmpp_2m"))
    size = teacher.picture_size
    if any(crop > side for crop, side in zip(data.size, size, strict=True)):
        raise InputError(
            f"--size {_text(data.size)} is larger than the pictures of {args.init}: give at most "
            f"{_text(size)}."
        )
    plan = WalkPlan(fingerprint(args.init), (), path, WALK_SCALES, size, args.seed)
    whole = PairDataset(data.pairs, data.palette, size, min(size))
    walker, walks = planned_walks(args, whole, device, teacher, plan)
    return WalkedPairs(data, walks, walker)


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _first_autoencoder(args: argparse.Namespace, device: torch.device) -> Autoencoder:
    """The autoencoder to start from: a new one, or that of `--init`, grown if asked."""
    if not args.init:
        if args.freeze_encoder:
            raise InputError("--freeze-encoder needs --init: an untrained encoder is of no use.")
        return Autoencoder(spec_from_dict(AutoencoderSpec, args.spec))
    old = open_autoencoder(args.init, device)
    spec = spec_from_dict(AutoencoderSpec, asdict(old.spec) | args.spec)
    if spec == old.spec:
        return old
    check_growing(args, spec.latent_channels != old.spec.latent_channels)
    model = Autoencoder(spec)
    grown(model, old.state_dict())
    return model.to(device, memory_format=torch.channels_last)


def _check_layout(spec: AutoencoderSpec, data: PairDataset) -> None:
    """Refuse a decoder that reads layouts of another palette."""
    channels = data.palette.num_channels
    if spec.layout_labels not in (0, channels):
        raise InputError(
            f"The decoder reads {spec.layout_labels} label channels (layout_labels), but palette "
            f"{data.palette.name!r} has {channels}. Give {channels}, or 0 for none."
        )


def check_growing(args: argparse.Namespace, new_latents: bool = False) -> None:
    """Refuse to change a network's shape unasked, or latents that must stay as they are."""
    if not args.grow:
        raise InputError(
            f"{args.init} holds a network of another shape than this run's. Add --grow to take "
            "over what fits, or leave out what --spec changes."
        )
    if new_latents and args.freeze_encoder:
        raise InputError("--freeze-encoder keeps the latents: latent_channels cannot change.")


def open_autoencoder(path: str, device: torch.device) -> Autoencoder:
    autoencoder = Checkpoint.open(path).load_autoencoder()
    if autoencoder is None:
        raise InputError(f"{path} has no autoencoder. Train one with --stage autoencoder.")
    return autoencoder.to(device, memory_format=torch.channels_last)
