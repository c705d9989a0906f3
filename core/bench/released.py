"""The papers' network as it was released for ADE20K, with random weights from a seed.

Time and memory do not depend on what weights say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from core.allocation import hold_freed
from core.bench.figures import Bar, Figure
from core.bench.timing import alternately, ratio
from core.bench.yardstick import Yardstick
from core.checkpoint import Checkpoint
from core.denoiser import Denoiser
from core.embedding import held_bytes
from core.model.spec import ModelSpec
from core.model.unet import SDMUNet
from core.onehot import one_hot
from core.palette import Palette
from core.schedule import ScheduleSpec
from core.tensor_file import Entry, write_tensors

GUIDANCE, T = 1.5, 500
REGIONS = 12  # of a layout: as many as painted or photographed ones have


def random_weights(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Such that features keep about their size from layer to layer."""
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else 4
    return torch.randn(shape, generator=generator) / fan_in**0.5


def random_state(spec: ModelSpec) -> dict[str, Tensor]:
    """A state dict of the network of `spec`, the same each time."""
    generator = torch.Generator().manual_seed(0)
    return {name: random_weights(shape, generator) for name, shape in shapes_of(spec).items()}


def shapes_of(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(v.shape) for name, v in SDMUNet(spec).state_dict().items()}


def write_random(path: Path, palette: Palette, spec: ModelSpec, dtype: torch.dtype) -> None:
    """A checkpoint with those weights, made tensor by tensor."""
    generator = torch.Generator().manual_seed(0)
    entries = [
        Entry(f"unet.{name}", shape, partial(random_weights, shape, generator))
        for name, shape in shapes_of(spec).items()
    ]
    write_tensors(path, entries, dtype, Checkpoint(palette, spec, training={"step": 0}).metadata())


def regions(labels: int, size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """A label map uint8 `[H, W]` of a few smooth regions."""
    rng = np.random.default_rng(seed)
    fields = [cv2.resize(rng.normal(size=(4, 4)), size[::-1]) for _ in range(REGIONS)]
    ids = rng.choice(labels, REGIONS, replace=labels < REGIONS).astype(np.uint8)
    return ids[np.argmax(fields, axis=0)]


def network(
    spec: ModelSpec, state: dict[str, Tensor], dtype: torch.dtype = torch.float32
) -> SDMUNet:
    """As the engine has it on a CPU: channels last, in inference mode."""
    with torch.device("meta"):
        unet = SDMUNet(spec)
    order = {4: torch.channels_last}
    placed = {
        name: v.to(dtype, memory_format=order.get(v.ndim, torch.contiguous_format), copy=True)
        for name, v in state.items()
    }
    unet.load_state_dict(placed, assign=True)
    return unet.eval().requires_grad_(False)


class GuidedSteps:
    """One guided step of `spec` on the same numbers, done plainly and done by us."""

    def __init__(self, spec: ModelSpec, state: dict[str, Tensor], yardstick: Yardstick) -> None:
        generator = torch.Generator().manual_seed(1)
        height, width = (side // spec.factor for side in spec.picture_size)
        self.x = torch.randn(1, spec.in_channels, height, width, generator=generator)
        labels = torch.from_numpy(regions(spec.num_classes, spec.picture_size))
        self.y = one_hot(labels[None], spec.num_classes)
        self._network = partial(yardstick.network, state, spec)
        self._guided = yardstick.guided

    def plain(self) -> Tensor:
        """Output `[1, 2C, h, w]` of two full passes; large pieces of memory go as usual."""
        hold_freed(large=False)
        return self._guided(self._network, self.x, torch.tensor([T]), self.y, GUIDANCE)

    def ours(self, unet: SDMUNet) -> Callable[[], Tensor]:
        """The same by `Denoiser`, as every step of a walk but the first, which embeds the layout.

        So its first call takes longer.
        """
        size = (self.x.shape[-2], self.x.shape[-1])
        unet.embedding_budget = held_bytes(unet.device)
        denoise = Denoiser(unet, ScheduleSpec().build(), self.y, size, chunk=1)
        denoise.scales += [GUIDANCE] * 2  # steps that it believes to have taken

        def step() -> Tensor:
            hold_freed(unet.spec.autoencoder is None)  # as the engine has it
            return denoise.output(self.x, T, GUIDANCE)

        return step


class Kept:
    """A way to do something, and what came of it the last time."""

    def __init__(self, way: Callable[[], Tensor]) -> None:
        self.way = way

    def __call__(self) -> None:
        self.result = self.way()


BARS = {128: {"float32": 2.7, "bfloat16": 13.0}, 256: {"float32": 1.8, "bfloat16": 9.0}}


@torch.inference_mode()
def step_figures(
    spec: ModelSpec, rounds: int, yardstick: Yardstick, clock: str, precisions: Sequence[str]
) -> list[Figure]:
    """A guided step of the network of `spec`, in each precision."""
    state, bars = random_state(spec), BARS.get(spec.model_channels, {})
    steps = GuidedSteps(spec, state, yardstick)
    plain = Kept(steps.plain)
    ours = {n: Kept(steps.ours(network(spec, state, getattr(torch, n)))) for n in precisions}
    for way in ours.values():
        way()
    times = alternately({"plain": plain, **ours}, rounds, warmup=0)
    return [
        Figure(
            case=f"step{spec.model_channels}",
            name=f"guided step, {name}",
            value=times[name].median(clock),
            unit="s",
            plain=times["plain"].median(clock),
            ratio=ratio(times["plain"], times[name], clock),
            bar=Bar(bars[name]) if name in bars else None,
            error=float((way.result - plain.result).abs().max()),
            relative=float((way.result - plain.result).norm() / plain.result.norm()),
            count=rounds,
        )
        for name, way in ours.items()
    ]
