"""Variations of a picture: the same scene with other seeds, and at other guidance scales."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from app.settings import GenerateSettings
from app.studio import Status, Studio, Varied
from core.request import MAX_SEED, Preview, Result

MAX_PICTURES = 64  # on one grid
MAX_SCALE = 100.0  # what a request takes


@dataclass(frozen=True, eq=False)
class Variation:
    """One picture of the grid. image: uint8 `[H, W, 3]`, None until the first preview of it;
    result: None until it is finished."""

    seed: int
    scale: float
    image: np.ndarray | None = None
    result: Result | None = None
    original: bool = False


class Variations(QObject):
    """What is on the grid, and what becomes of it.

    pictures: the original first, if there is one, then seed by seed, scale by scale.
    begun: other pictures were asked for. filled(index): a picture of the grid is new. left: it is
    over, by a choice or without one.
    """

    begun = Signal()
    filled = Signal(int)
    left = Signal()

    def __init__(self, studio: Studio, undo_stack: QUndoStack) -> None:
        super().__init__()
        self.pictures: list[Variation] = []
        self.open = False
        self._studio, self._undo_stack = studio, undo_stack
        self._count = 0  # pictures of one scale
        studio.varying_begun.connect(self._begin)
        studio.varied.connect(self._take)
        studio.palette_differs.connect(self.leave)
        studio.status_changed.connect(self._follow)

    @property
    def first(self) -> int:
        """The index of the first picture that is no original."""
        return int(bool(self.pictures) and self.pictures[0].original)

    def begin(self, count: int, scales: tuple[float, ...] = ()) -> None:
        """Ask for `count` seeds at each of `scales`, or at the present one if there are none."""
        settings = self._studio.settings
        seed = first_seed(settings, len(scales) > 1)
        self._studio.vary(seed, count, scales or (settings.guidance_scale,))

    def _begin(self, seed: int, count: int, scales: tuple[float, ...]) -> None:
        """They are on their way: perhaps after a question."""
        original = self._studio.result
        self.open, self._count = True, count
        self.pictures = [_original(original)] if original else []
        seeds = [(seed + i) % (MAX_SEED + 1) for i in range(count)]
        self.pictures += [Variation(s, scale) for scale in scales for s in seeds]
        self.begun.emit()

    def adopt(self, index: int) -> bool:
        """Take picture `index` as the present one, in one undo step. False if it is not finished.

        The original is the present one already: choosing it leaves without a change.
        """
        chosen = self.pictures[index]
        if chosen.result is None:
            return False
        self.leave()
        if not chosen.original:
            self._undo_stack.push(Adopt(self._studio, chosen.result))
        return True

    def leave(self) -> None:
        """Give up what is still being sampled; nothing changes."""
        if self.open:
            self.open = False
            self._studio.cancel()
            self.left.emit()

    # -- what the studio tells --------------------------------------------------------------------

    def _take(self, varied: Varied) -> None:
        if not self.open:
            return
        first = self.first + varied.number * self._count
        match varied.event:
            case Preview(images=images):
                for index, image in enumerate(images, start=first):
                    self._fill(index, image=image)
            case Result() as result:
                index = first + (result.request.seed - self.pictures[first].seed) % (MAX_SEED + 1)
                self._fill(index, image=result.image, result=result)

    def _fill(self, index: int, **news: object) -> None:
        self.pictures[index] = replace(self.pictures[index], **news)
        self.filled.emit(index)

    def _follow(self, status: Status) -> None:
        """A picture of another wish ends the choice."""
        if self.open and status.steps and not self._studio.varying:
            self.open = False
            self.left.emit()


class Adopt(QUndoCommand):
    """One of the variations becomes the picture, with its seed and guidance scale."""

    def __init__(self, studio: Studio, result: Result) -> None:
        super().__init__("variation")
        self._studio = studio
        self._before = studio.result, studio.settings
        self._after = result

    def undo(self) -> None:
        result, settings = self._before
        self._studio.adopt(result)
        self._studio.change_settings(settings)

    def redo(self) -> None:
        self._studio.adopt(self._after)


def first_seed(settings: GenerateSettings, at_scales: bool) -> int:
    """Where the seeds begin: at several scales with the present seed, to compare one picture; else
    behind a locked seed, or anywhere."""
    if at_scales:
        return settings.seed
    if settings.seed_locked:
        return (settings.seed + 1) % (MAX_SEED + 1)
    return random.randint(0, MAX_SEED)


def read_scales(text: str, count: int) -> tuple[float, ...]:
    """The guidance scales in "1, 1.5 3"; none in an empty text.

    Raises `ValueError` with a sentence if they cannot be used, or make more than `MAX_PICTURES`
    with `count` seeds each.
    """
    words = text.replace(",", " ").replace(";", " ").split()
    try:
        scales = tuple(dict.fromkeys(float(word) for word in words))
    except ValueError:
        raise ValueError("Guidance scales are numbers, such as 1, 1.5, 3.") from None
    if not all(0 <= scale <= MAX_SCALE for scale in scales):
        raise ValueError(f"A guidance scale is a number from 0 to {MAX_SCALE:.0f}.")
    if len(scales) * count > MAX_PICTURES:
        raise ValueError(
            f"{count} seeds at {len(scales)} scales are {len(scales) * count} pictures; "
            f"up to {MAX_PICTURES} fit on the grid."
        )
    return scales


def _original(result: Result) -> Variation:
    request = result.request
    return Variation(request.seed, request.scales[-1], result.image, result, original=True)
