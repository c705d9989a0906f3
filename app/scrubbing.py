"""Back through the steps of the last picture, and on from one of them. No widgets."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import numpy as np
from PySide6.QtCore import QObject, Signal

from app.studio import Status, Studio
from core.request import Engine, Result, SampleRequest, Start, Trajectory

CACHED_BYTES = 64 * 2**20  # of decoded pictures: all 25 steps at 512 × 512, a few at 2048 × 2048
STOCHASTIC = ("ddpm",)  # samplers that take noise at every step


class Scrubbing(QObject):
    """Shows what was predicted at a step of the last picture, decoded in the worker thread.

    step: 1..`steps`; the last one is the picture itself. steps: 0 while there is nothing to go back
    to. The newest position wins: at most one is being decoded, and the positions that were passed
    meanwhile are not. turned: step or steps are others.
    """

    turned = Signal()

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self._result: Result | None = None  # whose steps these are
        self._states: Trajectory | None = None
        self._ticket = 0  # of the step that is being decoded
        self._pictures: OrderedDict[int, np.ndarray] = OrderedDict()
        self.step = self.steps = 0
        studio.status_changed.connect(self._follow)
        studio.picture_changed.connect(self._on_picture)
        studio.failed.connect(self._on_failed)

    # -- wishes -----------------------------------------------------------------------------------

    def seek(self, step: int) -> None:
        """Show a step; out of reach is the nearest one."""
        step = min(max(step, 1), self.steps)
        if self.steps and step != self.step:
            self.step = step
            self._show()
            self.turned.emit()

    def fork(self) -> None:
        """Walk on from the step that is shown, with the present layout, guidance and seed.

        With the picture's own seed the step begins as it did. With another one, samplers that take
        noise at every step go on with that seed's; to the others it gives all of the noise at this
        step, over the picture that was predicted here: the composition stays as far as it was made
        (docs/decisions/013). What is locked stays.
        """
        if self.steps:
            place = self.step - 1
            self._studio.resample(lambda r: self._forked(self._studio.holding(r), place))

    def _forked(self, request: SampleRequest, place: int) -> SampleRequest:
        own = request.seed == self._result.request.seed
        anew = not own and request.sampler not in STOCHASTIC
        states = self._states.x0 if anew else self._states.states
        start = Start(states[place], self._states.timesteps[place], clean=anew)
        size = self._result.image.shape[:2]
        return replace(request, start=start, size=size, draft_steps=0, painted=None)

    # -- showing ----------------------------------------------------------------------------------

    def _show(self) -> None:
        if self.step == self.steps:
            self._studio.show_result(self._result)
        elif self.step in self._pictures:
            self._pictures.move_to_end(self.step)
            caption = f"step {self.step} of {self.steps} · what was predicted there"
            self._studio.show_picture(self._pictures[self.step], caption)
        elif not self._studio.awaits(self._ticket):
            self._decode(self.step)

    def _decode(self, step: int) -> None:
        states, layout = self._states, self._result.request.layout

        def decoded(engine: Engine) -> tuple[Trajectory, int, np.ndarray]:
            return states, step, engine.picture_of(states.x0[step - 1], layout)

        self._ticket = self._studio.ask(decoded, self._take)

    def _take(self, answer: tuple[Trajectory, int, np.ndarray]) -> None:
        states, step, picture = answer
        self._ticket = 0
        if states is not self._states:
            return
        self._pictures[step] = picture
        while len(self._pictures) > 1 and len(self._pictures) * picture.nbytes > CACHED_BYTES:
            self._pictures.popitem(last=False)
        if self.steps and self.step != self.steps:
            self._show()

    def _on_failed(self) -> None:
        """Perhaps it was the decoding: the next step may go better."""
        self._ticket = 0

    def _on_picture(self, picture: np.ndarray | None) -> None:
        """Somebody shows the picture itself again: a choice was dropped, a sample given up."""
        if self._result is not None and picture is self._result.image and self.step != self.steps:
            self.step = self.steps
            self.turned.emit()

    def _follow(self, status: Status) -> None:
        """Another picture is shown, or is being made: its end is where the steps begin."""
        free = status.state not in ("sampling", "loading", "no model")
        states = self._studio.states if free else None
        if states is self._states:
            return
        self._result, self._states = self._studio.result, states
        self._pictures.clear()
        self.steps = len(states) if states is not None else 0
        self.step = self.steps
        self.turned.emit()
