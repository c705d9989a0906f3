"""The scripted engine of the tests, made for hours: it forgets what was asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from core.request import Event, Result
from tests.app.fake_engine import FakeEngine

PAUSE = 0.01  # seconds a step
GRAIN = 32  # greys
LABELS = 19  # of the landscape palette


class TirelessEngine(FakeEngine):
    """Has a segmenter and an instant painter beside it, too."""

    def __init__(self) -> None:
        super().__init__()
        self.pause = PAUSE
        self.can_see(_finds)
        self.can_paint().pause = PAUSE
        self._chance = np.random.default_rng(0)

    def sample(self, *wish: object) -> Iterator[Event]:
        """As scripted."""
        for kept in (self.requests, self.scales, self.decoded, self.recombined):
            kept.clear()
        self.painter.boxes.clear()
        self.painter.styles.clear()
        for event in super().sample(*wish):
            if isinstance(event, Result):
                event = replace(event, image=self._grainy(event.image))
            yield event

    def _grainy(self, picture: np.ndarray) -> np.ndarray:
        """A picture that takes as much room in a file as one of a model: the history gets full."""
        return picture - np.minimum(picture, self._chance.integers(0, GRAIN, picture.shape, "u1"))


def _finds(picture: np.ndarray) -> np.ndarray:
    """Every label is as likely as any other, but for the one that is as many as the picture is
    bright. At a quarter of the size, as the real one."""
    height, width = (max(1, side // 4) for side in picture.shape[:2])
    found = np.full((LABELS, height, width), 0.5 / LABELS, np.float32)
    found[int(picture.mean()) % LABELS] = 0.5
    return found
