"""The compact generator, opened and ready: a picture, or a part of one, in one pass.

It is a `core.painting.Painter`, and answers requests as an engine does, so that it can be sampled
and measured by the same commands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.checkpoint import Checkpoint
from core.conversion import same_labels
from core.device import pick_device, pick_precision, precision_name, watching
from core.embedding import Area, Marks
from core.labelmap import Box, layout_edges, nearest_resize
from core.latents import shares_of, thumbnail_of
from core.model.instant import THUMBNAIL, InstantNet
from core.painting import Painter, Style, style_for
from core.part_decoder import Known, PartDecoder
from core.part_generator import PartGenerator
from core.pixels import from_pixels, sound_pixels
from core.request import Event, Layout, ModelInfo, RequestError, Result, SampleRequest, Started
from core.style import Painted, StyleChoice

MAX_PIXELS = 4096 * 4096  # a larger picture is a slip of the hand, and no machine has the memory
TRUNCATION = 0.6  # of a random style's distance from the mean: far ones suit few layouts
STYLE_SALT = 0x5717E  # a seed's style and its noise are drawn apart


class InstantPainter:
    """A checkpoint of the compact generator on a device. See `core.painting.Painter`."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> None:
        self.checkpoint, self.device, self.dtype = checkpoint, device, dtype
        net = checkpoint.load_spade().to(device, dtype)
        self.net: InstantNet = net.to(memory_format=torch.channels_last)
        self.info = painter_info(checkpoint, device, dtype)
        self._generator = PartGenerator(self.net.generator)
        self._decoder = PartDecoder(self.net.decoder, self.net.hints, self._shares)
        self._styles = drawn_in(self.net.bank)

    @classmethod
    def open(
        cls, path: str | Path, device: str | None = None, precision: str | None = None
    ) -> InstantPainter:
        """Open a checkpoint. Raises `CheckpointError` with one sentence if it holds no painter."""
        where = pick_device(device)
        return cls(Checkpoint.open(path), where, pick_precision(where, precision))

    @property
    def painter(self) -> InstantPainter:
        """As an engine it has itself for a painter."""
        return self

    # -- styles -----------------------------------------------------------------------------------

    def random_style(self, seed: int) -> Style:
        """See `core.painting.Painter`."""
        if not len(self._styles):
            return Style(seeded_vector(self.net.spec.style, seed), seed)
        chosen = torch.randint(len(self._styles), (1,), generator=style_generator(seed))
        return Style(self._styles[int(chosen)], seed)

    @watching()
    @torch.inference_mode()
    def style_of(self, picture: np.ndarray, seed: int = 0) -> Style:
        """See `core.painting.Painter`."""
        small = from_pixels(thumbnail_of(picture, THUMBNAIL)[None]).to(self.device, self.dtype)
        mean, _ = self.net.style(small)
        return Style(mean[0].float().cpu().numpy(), seed)

    # -- pictures ---------------------------------------------------------------------------------

    @watching()
    @torch.inference_mode()
    def paint(self, layout: Layout, style: Style, box: Box | None = None) -> np.ndarray:
        """See `core.painting.Painter`."""
        canvas = picture_size(layout.size, self.info.multiple)
        area = Area(0, 0, *canvas)
        if box is not None:
            area = _area(box, canvas)
        marks = marks_of(layout, canvas)
        areas = self._decoder.needs(area, canvas)
        latents = self._latents(marks, style, canvas, areas[0])
        return sound_pixels(self._decoder.paint(latents, marks, areas))[0]

    def _latents(self, marks: Marks, style: Style, canvas: tuple[int, int], wanted: Area) -> Known:
        """Unnormalised latents of a part of the picture that holds `wanted`."""
        factor = self.net.spec.autoencoder.factor
        size = canvas[0] // factor, canvas[1] // factor
        area = self._generator.needs(wanted, size)
        y = Known(self._shares(marks, area.enlarged(factor), factor), area)
        x, seen = self._generator.paint(y, style, size, wanted)
        return Known(x * self.net.latent_std + self.net.latent_mean, seen)

    def _shares(self, marks: Marks, area: Area, factor: int) -> Tensor:
        """The shares of the labels in cells of `factor` pixels a side, `[1, C, h, w]`."""
        labels, edges = (None if a is None else a[area.slices] for a in marks)
        y = shares_of(labels, edges, self.checkpoint.palette, factor)[None]
        return y.to(self.device, self.dtype)

    # -- as an engine -----------------------------------------------------------------------------

    def sample(
        self, request: SampleRequest, guidance_scale: Callable[[], float] | None = None
    ) -> Iterator[Event]:
        """One `Result` for each seed, in its random style; there is nothing to guide."""
        check_request(request, self.checkpoint, self.info)
        return painted(self, request)

    def recombine(self, request: SampleRequest, guidance_scale: float) -> np.ndarray | None:
        """None: there is no guidance."""
        return None


def seeded_vector(length: int, seed: int) -> np.ndarray:
    """float32 `[length]`: the style of a seed; not what its noise is drawn from."""
    return torch.randn(length, generator=style_generator(seed)).numpy()


def style_generator(seed: int) -> torch.Generator:
    """What the style of a seed is drawn with; not what its noise is."""
    return torch.Generator().manual_seed(seed ^ STYLE_SALT)


def drawn_in(bank: Tensor) -> np.ndarray:
    """Styles `[N, Z]` nearer to their mean, float32: what random styles are chosen from."""
    styles = bank.float().cpu()
    mean = styles.mean(0) if len(styles) else 0
    return (mean + TRUNCATION * (styles - mean)).numpy()


def picture_size(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """(height, width) of the picture of a layout of `size`. Raises `RequestError` if too large."""
    height, width = (max(1, round(side / multiple)) * multiple for side in size)
    if height * width > MAX_PIXELS:
        raise RequestError(
            f"A picture of {width}x{height} is too large; up to 4096x4096 can be made."
        )
    return height, width


def painted(painter: Painter, request: SampleRequest) -> Iterator[Event]:
    """The events of a request that a painter fulfils."""
    yield Started(request, 1)
    layout = request.layout
    if request.size is not None:
        layout = resized(layout, request.size)
    for seed in request.seeds:
        started = time.perf_counter()
        told, choice = request.single(seed), StyleChoice(seed)
        if request.painted is not None:
            choice = request.painted.style.of(painter.info.name)
            told = replace(told, painted=Painted(choice, 0))
        image = painter.paint(layout, style_for(painter, choice, seed))
        seconds = time.perf_counter() - started
        yield Result(image, told, seconds, painter.info.name)


def check_request(request: SampleRequest, checkpoint: Checkpoint, info: ModelInfo) -> None:
    """Raise `RequestError` for what a painter cannot do."""
    mine, given = checkpoint.palette, request.layout.palette
    if not same_labels(given, mine):
        raise RequestError(
            f"The layout is painted in palette {given.name!r}, but {info.name} was "
            f"trained on {mine.name!r}. Choose other weights, or paint in that palette."
        )
    if request.inpaint or request.start or request.student:
        raise RequestError(
            f"{info.name} paints whole pictures in one pass. For edits, forks and few-step "
            "students choose a diffusion model."
        )
    if request.terms:
        raise RequestError(
            f"{info.name} paints whole pictures in one pass; words and references cannot guide it. "
            "Take the terms away, or choose a diffusion model."
        )


def painter_info(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> ModelInfo:
    """What a painter tells about itself."""
    path, training, spec = checkpoint.path, checkpoint.training, checkpoint.spade
    steps = f"{training.get('step', '?')} steps on {training.get('device', '?')}"
    return ModelInfo(
        name=path.stem if path else "painter",
        palette=checkpoint.palette,
        size=spec.picture_size,
        multiple=spec.multiple,
        device=device.type,
        precision=precision_name(dtype),
        summary=steps if "step" in training else "",
        painter=path.stem if path else "painter",
    )


def marks_of(layout: Layout, canvas: tuple[int, int]) -> Marks:
    """What the networks are shown of a layout, at the size of the canvas."""
    labels = nearest_resize(layout.labels, canvas)
    if not layout.palette.instance_edges:
        return Marks(labels, None)
    instances = layout.instances
    if instances is not None:
        instances = nearest_resize(instances, canvas)
    return Marks(labels, layout_edges(labels, instances))


def resized(layout: Layout, size: tuple[int, int]) -> Layout:
    """A layout at another (height, width)."""
    instances = layout.instances
    if instances is not None:
        instances = nearest_resize(instances, size)
    return Layout(nearest_resize(layout.labels, size), layout.palette, instances)


def _area(box: Box, canvas: tuple[int, int]) -> Area:
    box = box.clip(canvas)
    if box.empty:
        raise RequestError(f"The box lies outside of the picture of {canvas[1]}x{canvas[0]}.")
    return Area(box.y, box.x, box.y + box.height, box.x + box.width)
