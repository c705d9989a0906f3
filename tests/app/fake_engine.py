"""An engine that follows a script instead of a model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Semaphore

import numpy as np

from core.palette import Palette
from core.request import Event, ModelInfo, Preview, Result, SampleRequest, Started


class FakeEngine:
    """Paints each preview in one grey: the number of its step. Results are white, and one grey
    darker for each further seed of the request.

    hold() makes every step wait until let(n) allows n of them or go() all. fail_at: the step that
    raises `error`. pause: seconds that each step takes. What was asked of it is kept: requests,
    scales (one per step), closed (how many samples were given up early).
    """

    def __init__(self, palette: Palette | None = None) -> None:
        self.info = ModelInfo(
            "fake", palette or Palette.load("landscape"), (256, 256), 8, "cpu", "float32"
        )
        self.fail_at = 0
        self.pause = 0.0
        self.error: Exception = RuntimeError("the fake broke")
        self.requests: list[SampleRequest] = []
        self.scales: list[float] = []
        self.closed = 0
        self._held: Semaphore | None = None

    def hold(self) -> None:
        """Let the next step wait."""
        self._held = Semaphore(0)

    def let(self, steps: int) -> None:
        """Allow some of the steps that wait."""
        self._held.release(steps)

    def go(self) -> None:
        """Allow all steps."""
        held, self._held = self._held, None
        if held is not None:
            held.release(1000)

    def sample(
        self, request: SampleRequest, guidance_scale: Callable[[], float] | None = None
    ) -> Iterator[Event]:
        """Started, a preview per step, a result."""
        self.requests.append(request)
        try:
            yield Started(request, request.steps)
            for step in range(1, request.steps + 1):
                if self._held is not None:
                    self._held.acquire(timeout=10)
                time.sleep(self.pause)
                self.scales.append(guidance_scale() if guidance_scale else request.scales[0])
                if step == self.fail_at:
                    raise self.error
                yield Preview((_grey(request, step),) * request.count, step, request.steps)
        except GeneratorExit:
            self.closed += 1
            raise
        for number, seed in enumerate(request.seeds):
            picture = _grey(request, 255 - number)
            yield Result(picture, request.single(seed), 0.5, weights="fake")


def _grey(request: SampleRequest, value: int) -> np.ndarray:
    return np.full((*request.layout.size, 3), value, np.uint8)
