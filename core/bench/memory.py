"""The most memory that a process has which does one thing: opens a model, makes a picture."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from core.bench.bundled import Pictures
from core.bench.children import peak_of
from core.bench.figures import Bar, Figure
from core.bench.released import GuidedSteps, random_state, regions, write_random
from core.bench.yardstick import Yardstick
from core.checkpoint import Checkpoint
from core.engine import Engine
from core.model.spec import ModelSpec
from core.palette import Palette
from core.request import Layout, SampleRequest

MB = 1e6
MAX_LARGE = 6000  # MB, of the papers' network at its full width


def memory_figures(weights: Path, width: int, reference: Path | None) -> list[Figure]:
    """The bundled model and the papers' network at `width` channels, each beside the yardstick."""
    plain = _in_mb(peak_of(plain_step, width, reference))
    figures = [
        _figure(f"{width} channels, guided steps, {name}", found, plain)
        for name, found in ((n, released_peak(width, n)) for n in ("float32", "bfloat16"))
    ]
    plain = _in_mb(peak_of(plain_bundled, weights, reference))
    figures.append(_figure("bundled model, one picture", _in_mb(peak_of(picture, weights)), plain))
    return [figure for figure in figures if figure is not None]


def released_peak(width: int, precision: str) -> float | None:
    """Of a guided walk of two steps, with the weights opened from a file in that precision."""
    palette = Palette.load("ade20k")
    spec = ModelSpec(num_classes=palette.num_channels, model_channels=width)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "released.safetensors"
        write_random(path, palette, spec, getattr(torch, precision))
        return _in_mb(peak_of(walk, path, precision))


def walk(path: Path, precision: str) -> None:
    """Two guided steps of the model in `path`."""
    engine = Engine.open(path, "cpu", precision)
    palette = engine.info.palette
    layout = Layout(regions(len(palette), engine.info.size), palette)
    for _ in engine.sample(SampleRequest(layout, steps=2, preview_every=0)):
        pass


def picture(weights: Path) -> None:
    """One picture as the window asks for it."""
    Pictures(Engine.open(weights, "cpu"), lambda: None).whole()


@torch.inference_mode()
def plain_step(width: int, reference: Path | None) -> None:
    """One guided step by the yardstick."""
    spec = ModelSpec(model_channels=width)
    GuidedSteps(spec, random_state(spec), Yardstick(reference)).plain()


@torch.inference_mode()
def plain_bundled(weights: Path, reference: Path | None) -> None:
    """One guided step of the bundled U-Net by the yardstick."""
    checkpoint = Checkpoint.open(weights)
    state = checkpoint.load_unet().state_dict()
    GuidedSteps(checkpoint.spec, state, Yardstick(reference)).plain()


def _in_mb(peak: int | None) -> float | None:
    return None if peak is None else peak / MB


def _figure(name: str, value: float | None, plain: float | None) -> Figure | None:
    if value is None or plain is None:
        return None
    bar = Bar(MAX_LARGE, "value") if name.startswith("256") else None
    return Figure("memory", name, value, "MB", plain, plain / value, bar)
