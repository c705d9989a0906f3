"""The stages that learn from a model's walks, as a command's arguments ask for them."""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch

from core.checkpoint import Checkpoint
from core.command import encoding
from core.conversion import same_labels
from core.dataset import PairDataset, label_shares
from core.device import pick_precision
from core.distillation import SCALES, STOPS, TEACHER_STEPS, LeapObjective
from core.errors import InputError
from core.fingerprint import fingerprint
from core.finishing import FINISH, FinishingDataset, FinishingDuel, FinishingObjective
from core.finishing_stage import FinishingStage
from core.latents import LatentDataset
from core.make_walks import open_teacher, planned_walks
from core.model.autoencoder import Autoencoder
from core.model.discriminator import LabelDiscriminator
from core.model.unet import SDMUNet
from core.noised_features import NoisedFeatures
from core.objective import balanced_weights
from core.sampling import trailing
from core.stages import DistillationStage
from core.walks import WalkDataset, WalkPlan


def make_student(
    args: argparse.Namespace, data: PairDataset, device: torch.device
) -> DistillationStage:
    """The stage that learns few steps from the model of `--init`, whose walks are made first."""
    checkpoint = open_teacher(args, data)
    walks = _walks(args, data, device, checkpoint, STOPS)
    student = SDMUNet(replace(checkpoint.spec, stops=STOPS))
    student.load_state_dict(checkpoint.load_unet().state_dict())
    objective = LeapObjective(student, checkpoint.schedule.build(), walks.plan.guidance_start)
    autoencoder = _autoencoder(checkpoint, device)
    return DistillationStage(
        walks, data.palette, objective, checkpoint.schedule, device, autoencoder
    )


def make_finishing(
    args: argparse.Namespace, data: PairDataset, device: torch.device
) -> FinishingStage:
    """The stage that teaches the student of `--student` to end walks of the model of `--init`."""
    if pick_precision(device, args.precision) == torch.float16:
        raise InputError("--stage finishing cannot use float16: give --precision float32.")
    checkpoint = open_teacher(args, data)
    student = _student(args, checkpoint)
    autoencoder = _autoencoder(checkpoint, device)
    if autoencoder is None:
        raise InputError(
            f"{args.init} works on pixels. --stage finishing is for models of latents."
        )
    multiple, (height, width) = student.spec.multiple, data.size
    if height % multiple or width % multiple:
        raise InputError(
            f"--size {height}x{width} must be multiples of {multiple} for this network."
        )
    walks = _walks(args, data, device, checkpoint, student.spec.stops)
    photos = LatentDataset(data, autoencoder, encoding, args.crops)
    features = NoisedFeatures(checkpoint.load_unet(), checkpoint.schedule.build()).to(device)
    judge = LabelDiscriminator(features.widths, len(data.palette))
    objective = FinishingObjective(
        FinishingDuel(student, judge),
        checkpoint.schedule.build(),
        balanced_weights(label_shares(data), args.balance),
        features,
        walks.plan.guidance_start,
    )
    dataset = FinishingDataset(photos, walks)
    parts = dataset, data.palette, objective, checkpoint.schedule, device, autoencoder
    return FinishingStage(*parts)


def _student(args: argparse.Namespace, teacher: Checkpoint) -> SDMUNet:
    """The student of `--student`, which is to learn to end walks of its teacher."""
    path = args.student
    if path is None:
        raise InputError("--stage finishing needs --student: the few-step student that goes on.")
    old = Checkpoint.open(path)
    if old.spec is None or not old.spec.stops:
        raise InputError(f"{path} is no few-step student. Train one with --stage distillation.")
    mine = old.spec.is_student_of(teacher.spec) and old.schedule == teacher.schedule
    if not mine or not same_labels(old.palette, teacher.palette):
        raise InputError(f"{path} is no student of {args.init}: they differ. Distil one anew.")
    if old.spec.stops[-1] > FINISH:
        raise InputError(
            f"{path} leaps to the picture from timestep {old.spec.stops[-1]}, and --stage finishing"
            f" teaches that from {FINISH} or below. Distil one anew."
        )
    student = SDMUNet(replace(old.spec, finish=FINISH))
    student.load_state_dict(old.load_unet().state_dict())
    return student


def _walks(
    args: argparse.Namespace,
    data: PairDataset,
    device: torch.device,
    checkpoint: Checkpoint,
    stops: tuple[int, ...],
) -> WalkDataset:
    """The teacher's walks that its student learns from."""
    path = {*trailing(checkpoint.schedule.build(), TEACHER_STEPS), *stops}
    path = tuple(sorted(path, reverse=True))
    plan = WalkPlan(fingerprint(args.init), stops, path, SCALES, data.size, args.seed)
    _, walks = planned_walks(args, data, device, checkpoint, plan)
    return WalkDataset(walks, plan)


def _autoencoder(checkpoint: Checkpoint, device: torch.device) -> Autoencoder | None:
    """The file's autoencoder, if its model is of latents."""
    autoencoder = checkpoint.load_autoencoder()
    return autoencoder and autoencoder.to(device, memory_format=torch.channels_last)
