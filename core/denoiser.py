"""The network, wrapped once: everything else sees denoise(x, t) and never an output channel.

Prediction types, clipping and classifier-free guidance (SDM paper, section 3.4) live here and only
here.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from core.first_step import FirstStep
from core.model.unet import Encoded, LayoutEmbedding, SDMUNet
from core.schedule import Prediction, Schedule

T = TypeVar("T")

MAX_PAIRED = 96 * 96  # of x, in pixels: 768x768 pictures of latent models


def guide(conditional: Tensor, null: Tensor, scale: float | Tensor) -> Tensor:
    """Classifier-free guidance of two network outputs `[N, 2C, h, w]`: null + s (y - null).

    It acts on the prediction, the variance stays the conditional one, as in the official code; and
    alike on eps, v and x0: for given x and t each is an affine function of the others. scale: a
    number, `[N, 1, 1, 1]`, or a map `[1, 1, h, w]`.
    """
    (prediction, variance), (blind, _) = conditional.chunk(2, dim=1), null.chunk(2, dim=1)
    return torch.cat([blind + scale * (prediction - blind), variance], dim=1)


class Denoiser:
    """`(x, t) -> Prediction` for one layout, with guidance.

    y: the layout, `[1 or N, num_classes, H, W]`, at the picture's resolution or already at that of
    x; or a function that gives the embeddings of "layout" and "null", if those are kept elsewhere.
    guidance_scale: s in eps(null) + s (eps(y) - eps(null)), or a callable that is asked before
    every
    step: the live slider. s = 1 is one pass; so is s = 0, the null layout alone.
    chunk: how many pictures go through the network at once, where they share a layout. Convolutions
    round differently for different batch sizes; with chunk 1 a picture is the same to the bit in
    any batch.
    guidance_start: the share of the timesteps, from the clean end, at which guidance acts; above
    s is 1 (Kynkäänniemi et al. 2024, a limited interval).
    scale_map: multiplies the scale from place to place, `[1, 1, h, w]`, or from picture to picture,
    `[N, 1, 1, 1]`; None for the same everywhere.
    first: what the last walk's first step computed without the layout, to begin with.
    listener: told x and both branches' outputs at every step of a guided walk; where guidance does
    not act yet, the conditional one twice.

    Exact, not approximate: the encoder runs once for both branches because it never sees the
    layout, and gamma and beta of either branch are computed once, because they do not depend on x
    or t.
    """

    def __init__(
        self,
        model: SDMUNet,
        schedule: Schedule,
        y: Tensor | Callable[[str], LayoutEmbedding],
        size: tuple[int, int],
        guidance_scale: float | Callable[[], float] = 1.0,
        chunk: int = 64,
        scale_map: Tensor | None = None,
        first: FirstStep | None = None,
        guidance_start: float = 1.0,
    ) -> None:
        self.model, self.schedule, self.size = model, schedule, size
        self.scale_map = scale_map
        self.chunk = chunk if callable(y) or len(y) == 1 else len(y)
        self.guidance_scale, self.guidance_start = guidance_scale, guidance_start
        self._embed = y if callable(y) else partial(_embed, model, y, size)
        self._first = first
        self._embeddings: dict[str, LayoutEmbedding] = {}
        self.scales: list[float] = []  # what each step so far was guided with
        self.listener: Callable[[Tensor, Tensor, Tensor], None] | None = None
        self._last: Denoiser | None = None  # who speaks at the end of the walk
        self._last_from = -1  # the timestep from which on

    def hand_over(self, last: Denoiser, t: int) -> None:
        """Let `last` speak at timesteps up to t: of the same layout, with the same prediction, but
        of another network or guided in another way."""
        self._last, self._last_from = last, t
        last.scales = self.scales

    @torch.no_grad()
    def __call__(self, x: Tensor, t: int) -> Prediction:
        """What is under the noise of x `[N, C, h, w]` at timestep t."""
        scale = self.guidance_scale() if callable(self.guidance_scale) else self.guidance_scale
        self.scales.append(scale)
        outputs = [self.output(part, t, self.scale_at(t, scale)) for part in x.split(self.chunk)]
        return self.predict(x, t, torch.cat(outputs))

    def scale_at(self, t: int, scale: float) -> float:
        """What a scale that was asked for comes to at timestep t."""
        return scale if t <= self.guidance_start * len(self.schedule) else 1.0

    def output(self, x: Tensor, t: int, scale: float) -> Tensor:
        """The guided network output, float32 `[N, 2C, h, w]`."""
        if t <= self._last_from:
            self._last.listener = self.listener
            return self._last.output(x, t, scale)
        timesteps = torch.full((x.shape[0],), t, device=x.device)
        encoded = self._blind("encoded", x, t, lambda: self.model.encode(x, timesteps))
        if scale == 0:
            return self._null(encoded, x, t, timesteps)
        if scale == 1 and self.scale_map is None:
            conditional = self._conditional(encoded, timesteps)
            if self.listener is not None and self.scales[-1] != 1:  # guidance comes later
                self.listener(x, conditional, conditional)
            return conditional
        if self._pairs(x):
            conditional, null = self._both(encoded, timesteps)
        else:
            conditional = self._conditional(encoded, timesteps)
            null = self._null(encoded, x, t, timesteps)
        if self.listener is not None:
            self.listener(x, conditional, null)
        return self.guided(conditional, null, scale)

    def guided(self, conditional: Tensor, null: Tensor, scale: float) -> Tensor:
        """Both branches' outputs as one, at this scale and as the map says."""
        return guide(conditional, null, scale if self.scale_map is None else scale * self.scale_map)

    def _conditional(self, encoded: Encoded, timesteps: Tensor) -> Tensor:
        return self.model.decode(encoded, self.embedding("layout"), timesteps).float()

    def _pairs(self, x: Tensor) -> bool:
        """Whether both branches of x go through the decoder as one batch: weights are read once.

        Not in the first step, whose null branch may be known already, nor where memory counts more
        than time.
        """
        later = len(self.scales) > 1
        small = len(x) == 1 and x.shape[-2] * x.shape[-1] <= MAX_PAIRED
        return later and small and all(isinstance(m, tuple) for m in self.embedding("layout"))

    def _both(self, encoded: Encoded, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs of the conditional and of the null branch."""
        pair = Encoded(
            torch.cat([encoded.features] * 2), tuple(torch.cat([s] * 2) for s in encoded.skips)
        )
        output = self.model.decode(pair, self.embedding("both"), timesteps.repeat(2)).float()
        return output[:1], output[1:]

    def _null(self, encoded: Encoded, x: Tensor, t: int, timesteps: Tensor) -> Tensor:
        """The output of the null branch."""

        def compute() -> Tensor:
            return self.model.decode(encoded, self.embedding("null"), timesteps).float()

        return self._blind("null", x, t, compute)

    def _blind(self, name: str, x: Tensor, when: Hashable, compute: Callable[[], T]) -> T:
        """What does not depend on the layout: in the first step it may be known already."""
        if self._first is None or len(self.scales) > 1:
            return compute()
        return self._first.recall(name, x, when, compute)

    def predict(self, x: Tensor, t: int, output: Tensor) -> Prediction:
        """eps, x0 and v from the output: the one place where the prediction type matters."""
        raw, v = output.chunk(2, dim=1)
        x0 = self.schedule.x0_from_output(self.model.spec.prediction, x, t, raw)
        return self.prediction(x, t, x0, v)

    def prediction(self, x: Tensor, t: int, x0: Tensor, v: Tensor) -> Prediction:
        """eps to a predicted x0 within the range that it can have."""
        if self.model.spec.autoencoder is None:  # pixels have a range, latents have none
            x0 = x0.clamp(-1, 1)
        return Prediction(self.schedule.eps_from_x0(x, t, x0), x0, v)

    def unguided(self) -> Denoiser:
        """The same without guidance, and with `scales` of its own."""
        return Denoiser(self.model, self.schedule, self._embed, self.size, 1.0, self.chunk)

    def let_go(self) -> None:
        """Give the embeddings' memory back: the walk is over."""
        self._embeddings.clear()
        if self._last is not None:
            self._last.let_go()

    def embedding(self, branch: str) -> LayoutEmbedding:
        """gamma and beta for "layout", "null" or "both", computed when first asked for."""
        if branch not in self._embeddings:
            self._embeddings[branch] = (
                _pair(self.embedding("layout"), self.embedding("null"))
                if branch == "both"
                else self._embed(branch)
            )
        return self._embeddings[branch]


def _pair(first: LayoutEmbedding, second: LayoutEmbedding) -> LayoutEmbedding:
    """Two embeddings as one of a batch of two."""
    return [
        tuple(torch.cat(parts) for parts in zip(*modulations, strict=True))
        for modulations in zip(first, second, strict=True)
    ]


def _embed(model: SDMUNet, y: Tensor, size: tuple[int, int], branch: str) -> LayoutEmbedding:
    return model.embed_layout(y if branch == "layout" else torch.zeros_like(y[:1]), size)
