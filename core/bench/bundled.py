"""The model that comes with the program, through its engine, as the window asks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.bench.figures import Bar, Figure
from core.bench.released import GuidedSteps, regions
from core.bench.timing import Times, alternately, ratio
from core.bench.yardstick import Yardstick
from core.checkpoint import Checkpoint
from core.engine import Engine
from core.labelmap import Box
from core.request import Layout, Preview, SampleRequest
from core.style import Painted, StyleChoice

STEPS, PREVIEW_EVERY, DRAFT_STEPS = 25, 3, 3  # as the window asks
GUIDANCE, GUIDANCE_START, STRENGTH = 2.5, 0.5, 0.6
FEW = 2  # steps of the student, as live painting takes
DAB = 20  # pixels of a side
PART = 0.1  # of the picture's area, that is repainted
PLAIN_ROUNDS = 4  # a plain picture takes as long as all the others together


class Pictures:
    """Ways to a picture of one layout; each has another seed or stroke every time."""

    def __init__(self, engine: Engine, plain_step: Callable[[], Tensor]) -> None:
        self.engine, self._plain_step = engine, plain_step
        self.rng = np.random.default_rng(0)
        self.labels = regions(len(engine.info.palette), engine.info.size)
        self.request = SampleRequest(
            Layout(self.labels, engine.info.palette),
            steps=STEPS,
            guidance_scale=GUIDANCE,
            guidance_start=GUIDANCE_START,
            preview_every=PREVIEW_EVERY,
            finish=True,
            draft_steps=DRAFT_STEPS if engine.info.student else 0,
        )

    def first_preview(self) -> None:
        """From Generate to the first picture of any kind."""
        events = self.engine.sample(self._begun(self._another()))
        next(event for event in events if isinstance(event, Preview))
        events.close()

    def whole(self) -> None:
        """A picture of 25 steps, with the previews on its way."""
        for _ in self.engine.sample(self._another()):
            pass

    def begun(self) -> None:
        """A picture that begins with the instant one, where there is one."""
        for _ in self.engine.sample(self._begun(self._another())):
            pass

    def instant(self) -> None:
        """A picture by the painter, in the style of the one before, as while one paints."""
        self.engine.painter.paint(self.request.layout, self.engine.painter.random_style(0))

    def part(self) -> None:
        """A square of a tenth of that, somewhere."""
        height, width = self.labels.shape
        side = round((PART * height * width) ** 0.5)
        y, x = self.rng.integers(0, (height - side, width - side))
        style = self.engine.painter.random_style(0)
        self.engine.painter.paint(self.request.layout, style, Box(x, y, side, side))

    def few(self) -> None:
        """A whole picture by the student, or by the model where there is none."""
        for _ in self.engine.sample(self._few(self._another())):
            pass

    def stroke(self) -> None:
        """From a dab on the layout to the picture, by the student."""
        y, x = self.rng.integers(0, min(self.labels.shape) - DAB, 2)
        self.labels[y : y + DAB, x : x + DAB] = self.rng.integers(len(self.engine.info.palette))
        layout = Layout(self.labels, self.engine.info.palette)
        for _ in self.engine.sample(self._few(replace(self.request, layout=layout))):
            pass

    def plain(self) -> None:
        """The steps of a picture by the plain procedure; it is not even decoded."""
        for _ in range(STEPS):
            self._plain_step()

    def _another(self) -> SampleRequest:
        return replace(self.request, seed=int(self.rng.integers(2**31)))

    def _begun(self, request: SampleRequest) -> SampleRequest:
        if self.engine.painter is None:
            return request
        return replace(request, painted=Painted(StyleChoice(), STRENGTH), draft_steps=0)

    def _few(self, request: SampleRequest) -> SampleRequest:
        student = self.engine.info.student
        return replace(request, steps=FEW, student=student, preview_every=0, draft_steps=0)


BARS = {
    "first_preview": 120,
    "whole": 900,
    "begun": 900,
    "few": 150,
    "stroke": 150,
    "instant": 30,
    "part": 12,
}
NAMES = {
    "first_preview": "Generate to the first preview",
    "whole": f"final picture, {STEPS} steps",
    "begun": f"final picture from the instant one, {STRENGTH:.0%} of {STEPS} steps",
    "few": f"few-step picture, {FEW} steps",
    "stroke": "stroke to picture",
    "instant": "instant picture",
    "part": f"{PART:.0%} of an instant picture",
}

PAINTERS = ("begun", "instant", "part")  # what there is with a painter alone


@torch.inference_mode()
def bundled_figures(weights: Path, rounds: int, yardstick: Yardstick, clock: str) -> list[Figure]:
    """A guided step and whole pictures; the plain ones are in float32."""
    checkpoint = Checkpoint.open(weights)
    engine = Engine.open(weights, "cpu")
    steps = GuidedSteps(checkpoint.spec, checkpoint.load_unet().state_dict(), yardstick)
    pictures = Pictures(engine, steps.plain)
    names = [name for name in NAMES if engine.painter or name not in PAINTERS]
    ways = {"plain": pictures.plain, **{name: getattr(pictures, name) for name in names}}
    seldom = {"plain": min(rounds, PLAIN_ROUNDS)}
    times = alternately(ways, rounds, seldom=seldom)
    figure = partial(_figure, times, clock)
    return [figure(name, rounds) for name in names]


def _figure(times: dict[str, Times], clock: str, name: str, rounds: int) -> Figure:
    return Figure(
        case="bundled",
        name=NAMES[name],
        value=1e3 * times[name].median(clock),
        unit="ms",
        plain=1e3 * times["plain"].median(clock),
        ratio=ratio(times["plain"], times[name], clock),
        bar=Bar(BARS[name], "value"),
        count=rounds,
    )
