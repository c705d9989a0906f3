"""The scripted engine of the tests, made for hours: it forgets what was asked of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.request import Event
from tests.app.fake_engine import FakeEngine

PAUSE = 0.01  # seconds a step
LABELS = 19  # of the landscape palette


class TirelessEngine(FakeEngine):
    """Has a segmenter and an instant painter beside it, too."""

    def __init__(self) -> None:
        super().__init__()
        self.pause = PAUSE
        self.can_see(_finds)
        self.can_paint().pause = PAUSE

    def sample(self, *wish: object) -> Iterator[Event]:
        """As scripted."""
        for kept in (self.requests, self.scales, self.decoded, self.recombined):
            kept.clear()
        self.painter.boxes.clear()
        self.painter.styles.clear()
        yield from super().sample(*wish)


def _finds(picture: np.ndarray) -> np.ndarray:
    """Every label is as likely as any other, but for the one that is as many as the picture is
    bright."""
    found = np.full((LABELS, *picture.shape[:2]), 0.5 / LABELS, np.float32)
    found[int(picture.mean()) % LABELS] = 0.5
    return found
