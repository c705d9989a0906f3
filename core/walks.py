"""Walks of a guided teacher, made once and kept: what a few-step student learns from.

A walk goes from noise to a picture, in the teacher's own steps, for the layout of one photo (the
photo itself is not looked at). Kept are its states at the student's stops. A teacher's walk costs
as much as a dozen steps of training, so each is used several times over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import Dataset

from core import distributed
from core.dataset import PairDataset, Sample, cut, mirror, sample_seed
from core.denoiser import Denoiser
from core.files import atomic_path, writing
from core.latents import coverage
from core.model.unet import SDMUNet
from core.objective import seeded_noise, seeded_uniform
from core.sampling import Step, dpmpp_2m, sample
from core.schedule import Schedule

SHARD = 8  # walks in one file, and through the network at once: what a run that is stopped can lose
SCALE_SALTS = (12, 13)
FLIP_SALT = 14
WALK = "walk_"  # how the names of what a sample has of a walk begin, beside those of a photo
GUIDANCE_START = 0.5  # as the window guides: docs/decisions/023

Shard = dict[str, Tensor]  # x `[N, stops + 1, C, h, w]`, y `[N, labels, h, w]`, scale `[N]`


@dataclass(frozen=True)
class WalkPlan:
    """What a walk depends on, beside its number; kept in the header of each file.

    teacher: fingerprint of its file. stops: timesteps of the student, from the noisiest down.
    path: those of the teacher, which visits every stop and ends with -1. scales: the lowest and
    highest guidance scale; those about the middle are walked most. guidance_start: the share of the
    timesteps, from the clean end, at which guidance acts; above the scale is 1.
    """

    teacher: str
    stops: tuple[int, ...]
    path: tuple[int, ...]
    scales: tuple[float, float]
    size: tuple[int, int]
    seed: int
    guidance_start: float = GUIDANCE_START

    def header(self) -> dict[str, str]:
        """As the metadata of a safetensors file."""
        return {"walks": json.dumps(asdict(self))}


class Walker:
    """Makes the walks of a plan, a file's worth at a time. teacher: in the precision to walk in."""

    def __init__(
        self, teacher: SDMUNet, schedule: Schedule, pairs: PairDataset, plan: WalkPlan
    ) -> None:
        self.teacher, self.schedule, self.pairs, self.plan = teacher, schedule, pairs, plan

    @torch.no_grad()
    def shard(self, number: int) -> Shard:
        """The walks `number * SHARD` and after; the same whenever they are made."""
        walks = range(number * SHARD, (number + 1) * SHARD)
        device = self.teacher.device
        seeds = torch.tensor([sample_seed(self.plan.seed, walk) for walk in walks])
        y = torch.stack([self.layout(walk) for walk in walks]).to(device)
        scale = drawn_scales(seeds, self.plan.scales, device)
        x = seeded_noise(seeds, (self.teacher.spec.in_channels, *y.shape[-2:]), device)
        path, start = self.plan.path, self.plan.guidance_start
        states = walked(self.teacher, self.schedule, x, y, scale, dpmpp_2m, path, start)
        x = torch.stack([states[t].half() for t in (*self.plan.stops, -1)], 1)
        return {"x": x.cpu(), "y": y.half().cpu(), "scale": scale.cpu()}

    def layout(self, walk: int) -> Tensor:
        """y of the walk's sample."""
        sample, palette = self.sample(walk), self.pairs.palette
        return coverage(sample.labels, sample.instances, palette, self.teacher.spec.factor)

    def sample(self, walk: int) -> Sample:
        """The walk's photo: each in its turn, in an order by chance, half of them mirrored."""
        turn, place = divmod(walk, len(self.pairs))
        order = np.random.default_rng([self.plan.seed, turn]).permutation(len(self.pairs))
        sample = self.pairs.sample(int(order[place]))
        height, width = (a - b for a, b in zip(sample.labels.shape, self.pairs.size, strict=True))
        sample = cut(sample, height // 2, width // 2, self.pairs.size)
        seed = torch.tensor([sample_seed(self.plan.seed, walk)])
        if seeded_uniform(seed, torch.device("cpu"), FLIP_SALT) < 0.5:
            sample = mirror(sample, self.pairs.palette)
        return sample


def drawn_scales(seeds: Tensor, scales: tuple[float, float], device: torch.device) -> Tensor:
    """Guidance scales `[N]` between the two, those about the middle most often."""
    low, high = scales
    draws = [seeded_uniform(seeds, device, salt) for salt in SCALE_SALTS]
    return low + (high - low) * sum(draws) / 2


def walked(
    model: SDMUNet,
    schedule: Schedule,
    x: Tensor,
    y: Tensor,
    scale: Tensor,
    sampler: Callable[[Schedule], Step],
    path: Sequence[int],
    guidance_start: float = 1.0,
) -> dict[int, Tensor]:
    """x at each timestep of a path, sample by sample at its own guidance scale `[N]`.

    Above `guidance_start`, a share of the timesteps, at scale 1.
    """
    size = (x.shape[-2], x.shape[-1])
    each = scale.reshape(-1, 1, 1, 1)
    guided = Denoiser(model, schedule, y, size, scale_map=each, chunk=len(x))
    denoise = guided.unguided()
    denoise.hand_over(guided, int(guidance_start * len(schedule)))
    moments = sample(denoise, sampler(schedule), path, x, lambda: x, schedule)
    return {path[0]: x} | {moment.t: moment.x for moment in moments}


def make_walks(
    folder: Path,
    walker: Walker,
    count: int,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> list[Shard]:
    """At least `count` walks: those that `folder` has of this plan, and the others made and kept.

    Raises `OutputError` if the folder cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    numbers = range(-(-count // SHARD))
    missing = [n for n in numbers if _read(_path(folder, n), walker.plan) is None]
    mine = missing[distributed.rank() :: distributed.world()]
    for number in progress(mine):
        _write(_path(folder, number), walker.plan, walker.shard(number))
    distributed.barrier()
    return [_read(_path(folder, n), walker.plan) for n in numbers]


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.safetensors"


def _write(path: Path, plan: WalkPlan, shard: Shard) -> None:
    with writing(path), atomic_path(path) as part:
        save_file({k: v.contiguous() for k, v in shard.items()}, part, plan.header())


def _read(path: Path, plan: WalkPlan) -> Shard | None:
    """A file's walks; None if it is missing, damaged or of another plan: it is made again."""
    try:
        with safe_open(path, "pt") as file:
            if file.metadata() != plan.header():
                return None
            return {k: file.get_tensor(k).clone() for k in file.keys()}  # not of a mapped file
    except (OSError, SafetensorError):
        return None


class WalkDataset(Dataset):
    """One leap of one walk an item, asked for by `(index, seed)`; the seed changes nothing.

    Gives `x` float16 `[C, h, w]` at timestep `t`, `landing`, the walk's state at the next stop `s`
    (-1 at its end), `x0`, the picture at its end, `noise`, its beginning, `y` and `scale`.
    """

    def __init__(self, shards: list[Shard], plan: WalkPlan) -> None:
        self.x, self.y, self.scale = (
            torch.cat([shard[name] for shard in shards]) for name in ("x", "y", "scale")
        )
        self.stops = [*plan.stops, -1]
        self.plan, self.walks = plan, len(self.x)

    def __len__(self) -> int:
        return self.walks * (len(self.stops) - 1)

    def __getitem__(self, item: tuple[int, int]) -> dict[str, Tensor | int]:
        walk, leap = divmod(item[0], len(self.stops) - 1)
        states = self.x[walk]
        return {
            "x": states[leap],
            "landing": states[leap + 1],
            "t": self.stops[leap],
            "s": self.stops[leap + 1],
            "noise": states[0],
            "x0": states[-1],
            "y": self.y[walk].float(),
            "scale": self.scale[walk],
        }
