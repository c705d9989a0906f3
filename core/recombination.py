"""Another guidance scale at once: both branches of every step are kept, and only added up anew.

The walk is walked again without the network. Its outputs are taken as if they did not depend on
how x has changed meanwhile, except that the predicted x0 moves along with x, one to one. That is an
approximation: docs/decisions/011 has what it is worth, and why all steps are kept, not a few.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from core.denoiser import Denoiser
from core.plan import Plan
from core.request import SampleRequest
from core.schedule import Prediction

MAX_TAPE = 2**28  # bytes: 25 steps of a picture of 4096x4096


class Step(NamedTuple):
    """One step: x, the conditional output and the null prediction, in half precision."""

    x: Tensor
    conditional: Tensor
    null: Tensor


class Tape:
    """What the two branches said at each step of one walk."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._bytes = 0

    def keep(self, x: Tensor, conditional: Tensor, null: Tensor) -> None:
        """Add a step; beyond `MAX_TAPE` bytes nothing is kept any more."""
        prediction, _ = null.chunk(2, dim=1)  # of the null branch no variance is ever used
        step = Step(x.half(), conditional.half(), prediction.half())
        self._bytes += sum(part.nbytes for part in step)
        if self._bytes <= MAX_TAPE:
            self.steps.append(step)


class Taped(NamedTuple):
    """A finished walk, and the request that its picture carries."""

    request: SampleRequest
    plan: Plan
    denoise: Denoiser
    tape: Tape

    @classmethod
    def of(cls, request: SampleRequest, plan: Plan, denoise: Denoiser, tape: Tape) -> Taped | None:
        """None if not every step has both branches of this picture, and of this one alone."""
        if len(tape.steps) != len(denoise.scales) or tape.steps[0].x.shape[0] != 1:
            return None
        denoise.let_go()
        denoise.listener = None
        return cls(request, plan, denoise, tape)


class Replay:
    """`denoise(x, t)` from a tape, at one guidance scale. Walk the tape's own plan with it."""

    def __init__(self, denoise: Denoiser, tape: Tape, scale: float) -> None:
        self._denoise, self._scale = denoise, scale
        self._steps = iter(tape.steps)

    def __call__(self, x: Tensor, t: int) -> Prediction:
        before, conditional, null = (part.float() for part in next(self._steps))
        null = torch.cat([null, null], dim=1)
        scale = self._denoise.scale_at(t, self._scale)
        output = self._denoise.guided(conditional, null, scale)
        there = self._denoise.predict(before, t, output)
        return self._denoise.prediction(x, t, there.x0 + (x - before), there.v)
