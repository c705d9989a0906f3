"""A SPADE generator of the paper's shape, opened and ready. See `core.painting.Painter`.

Its first blocks see the whole picture at 1/32, so every pixel depends on every label: a part of a
picture is cut out of the whole. What a stroke saves is the greater part of the work, gamma and beta
of every norm, which depend on the layout alone: only those within reach of the change are computed
again (`core.embedding`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from core.checkpoint import Checkpoint
from core.device import pick_device, pick_precision, watching
from core.embedding import KeptEmbedding
from core.instant import check_request, marks_of, painted, painter_info, picture_size, seeded_vector
from core.labelmap import Box
from core.model.spade import SpadeNet
from core.painting import Style
from core.pixels import from_pixels, sound_pixels
from core.request import Event, Layout, RequestError, SampleRequest


class SpadePainter:
    """A checkpoint on a device; use it from one thread at a time."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> None:
        self.checkpoint, self.device, self.dtype = checkpoint, device, dtype
        net = checkpoint.load_spade().to(device, dtype)
        self.net: SpadeNet = net.to(memory_format=torch.channels_last)
        self.info = painter_info(checkpoint, device, dtype)
        self._kept = KeptEmbedding(self.net.generator, len(checkpoint.palette))

    @classmethod
    def open(
        cls, path: str | Path, device: str | None = None, precision: str | None = None
    ) -> SpadePainter:
        """Open a checkpoint. Raises `CheckpointError` with one sentence if it holds no painter."""
        where = pick_device(device)
        return cls(Checkpoint.open(path), where, pick_precision(where, precision))

    @property
    def painter(self) -> SpadePainter:
        """As an engine it has itself for a painter."""
        return self

    def random_style(self, seed: int) -> Style:
        """See `core.painting.Painter`."""
        spec = self.net.spec
        return Style(seeded_vector(spec.z_dim if spec.use_vae else 0, seed), seed)

    @watching()
    @torch.inference_mode()
    def style_of(self, picture: np.ndarray, seed: int = 0) -> Style:
        """See `core.painting.Painter`."""
        if not self.net.spec.encoder:
            raise RequestError(
                f"{self.info.name} has no style encoder. Convert it with --encoder, or take a "
                "random style."
            )
        mean, _ = self.net.encoder(from_pixels(picture[None]).to(self.device, self.dtype))
        return Style(mean[0].float().cpu().numpy(), seed)

    @watching()
    @torch.inference_mode()
    def paint(self, layout: Layout, style: Style, box: Box | None = None) -> np.ndarray:
        """See `core.painting.Painter`."""
        size = picture_size(layout.size, self.info.multiple)
        marks, generator = marks_of(layout, size), self.net.generator
        embedding = self._kept.of(marks, size, exact=box is None)
        vector = torch.from_numpy(style.vector)[None].to(self.device, self.dtype)
        y = None
        if not self.net.spec.use_vae:
            y = marks.one_hot(len(self.checkpoint.palette), self.device)
        picture = sound_pixels(generator.paint(generator.start(y, vector, size), embedding))[0]
        return picture if box is None else picture[box.clip(size).slices].copy()

    def sample(
        self,
        request: SampleRequest,
        guidance_scale: Callable[[], float] | None = None,
        term_weights: Callable[[], Sequence[float]] | None = None,
    ) -> Iterator[Event]:
        """One `Result` for each seed, in its random style; there is nothing to guide."""
        check_request(request, self.checkpoint, self.info)
        return painted(self, request)

    def recombine(self, request: SampleRequest, guidance_scale: float) -> np.ndarray | None:
        """None: there is no guidance."""
        return None
