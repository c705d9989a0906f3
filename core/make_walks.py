"""The model of a command's `--init`, and its walks in OUT/walks."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch

from core.checkpoint import Checkpoint
from core.command import counted
from core.conversion import same_labels
from core.dataset import PairDataset
from core.device import pick_precision
from core.errors import InputError
from core.walks import Shard, Walker, WalkPlan, make_walks


def open_teacher(args: argparse.Namespace, data: PairDataset) -> Checkpoint:
    """The model of `--init`, whose walks are learned."""
    if args.init is None:
        raise InputError(f"--stage {args.stage} needs --init: the model that is walked.")
    if args.walks < 1:
        raise InputError("--walks must be 1 or more: the student learns from nothing else.")
    checkpoint = Checkpoint.open(args.init)
    if checkpoint.spec and checkpoint.spec.stops:
        raise InputError(f"{args.init} is a distilled student itself; give its teacher.")
    if not same_labels(checkpoint.palette, data.palette):
        raise InputError(
            f"{args.init} was trained on palette {checkpoint.palette.name!r}, not on "
            f"{data.palette.name!r}. Give --palette {checkpoint.palette.name}."
        )
    return checkpoint


def planned_walks(
    args: argparse.Namespace,
    data: PairDataset,
    device: torch.device,
    teacher: Checkpoint,
    plan: WalkPlan,
) -> tuple[Walker, list[Shard]]:
    """`--walks` of the plan; those that are missing are made, in the run's precision."""
    unet = teacher.load_unet().to(device, pick_precision(device, args.precision))
    unet = unet.to(memory_format=torch.channels_last)
    walker = Walker(unet, teacher.schedule.build(), data, plan)
    folder, progress = Path(args.out) / "walks", partial(counted, title="walking")
    return walker, make_walks(folder, walker, args.walks, progress)
