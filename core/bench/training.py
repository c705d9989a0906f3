"""A step of training: the official one, and ours, on the same samples from the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from core.bench.figures import Bar, Figure
from core.bench.released import network, random_state, regions
from core.bench.timing import alternately, ratio
from core.bench.yardstick import Yardstick
from core.model.spec import ModelSpec
from core.objective import T_SALT, DiffusionObjective, seeded_noise, seeded_uniform
from core.schedule import ScheduleSpec
from core.training import TrainRun, TrainSettings, train

BATCH, LR, EMA_DECAY = 4, 1e-4, 0.9999
CPU = torch.device("cpu")


def batches(spec: ModelSpec) -> Iterator[dict[str, Tensor]]:
    """The same samples again and again."""
    size = spec.picture_size
    generator = torch.Generator().manual_seed(2)
    maps = [torch.from_numpy(regions(spec.num_classes, size, seed)) for seed in range(BATCH)]
    image = torch.rand(BATCH, spec.in_channels, *size, generator=generator) * 2 - 1
    batch = {"image": image, "labels": torch.stack(maps), "seed": torch.arange(BATCH)}
    while True:
        yield batch


def training_figures(
    spec: ModelSpec, rounds: int, yardstick: Yardstick, clock: str
) -> list[Figure]:
    """Steps in float32, with the moving average of the weights."""
    state = {name: value / 2 for name, value in random_state(spec).items()}
    official = yardstick.OfficialStep(state, spec, lr=LR, ema_decay=EMA_DECAY)
    model = network(spec, state).train().requires_grad_(True)
    settings = TrainSettings(rounds + 1, BATCH, lr=LR, warmup=0, clip_norm=0)
    run = TrainRun(
        DiffusionObjective(model, ScheduleSpec().build(), spec.num_classes), settings, CPU
    )
    batch = next(batches(spec))
    t = (seeded_uniform(batch["seed"], CPU, T_SALT) * 1000).long()
    noise = seeded_noise(batch["seed"], batch["image"].shape[1:], CPU)
    plain = partial(official, batch["image"], batch["labels"].long()[:, None], t, noise)
    ours = partial(next, train(run, batches(spec)))
    times = alternately({"plain": plain, "ours": ours}, rounds)
    height, width = spec.picture_size
    return [
        Figure(
            case="training",
            name=f"step of {BATCH} at {width}x{height}, {spec.model_channels} channels, float32",
            value=times["ours"].median(clock),
            unit="s",
            plain=times["plain"].median(clock),
            ratio=ratio(times["plain"], times["ours"], clock),
            bar=Bar(1.5),
            count=rounds,
        )
    ]
