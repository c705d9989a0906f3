"""Looking at pictures with the model's segmenter, whenever nothing is being sampled."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from app.studio import Studio
from core.request import Engine


@dataclass(frozen=True, eq=False)
class Look:
    """A picture to look at, uint8 `[H, W, 3]`.

    about: by what the answer is known. finish: makes the answer of the segmenter's probabilities,
    float32 `[labels, h, w]`; called in the worker thread.
    """

    about: Hashable
    picture: np.ndarray = field(repr=False)
    finish: Callable[[np.ndarray], Any]


@dataclass(frozen=True, eq=False)
class Seen:
    """The answer to one look."""

    about: Hashable
    answer: Any


class Looking(QObject):
    """A queue that waits for the worker to be free and gives way to everything else.

    seen(about, answer): a look is done. A look that something else pushes aside comes again.
    """

    seen = Signal(object, object)

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self._waiting: dict[Hashable, Look] = {}
        studio.status_changed.connect(self._go_on)

    @property
    def able(self) -> bool:
        """Whether there is a segmenter to look with."""
        return self._studio.model is not None and self._studio.model.segmenter

    def want(self, look: Look) -> None:
        """Have a picture looked at; once, however often it is asked for."""
        self._waiting.setdefault(look.about, look)
        self._go_on()

    def forget(self, about: Hashable) -> None:
        """Nobody waits for this answer any more."""
        self._waiting.pop(about, None)

    def _go_on(self) -> None:
        """Take the next look, if nothing else wants to be done."""
        if not self._waiting or not self.able or not self._studio.free:
            return
        look = next(iter(self._waiting.values()))

        def question(engine: Engine) -> Seen:
            return Seen(look.about, look.finish(engine.segment(look.picture)))

        self._studio.ask(question, self._take)

    def _take(self, seen: Seen) -> None:
        if self._waiting.pop(seen.about, None) is not None:
            self.seen.emit(seen.about, seen.answer)
