"""Variations of a picture: the same scene with other seeds, and at other guidance scales."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from app.history import History
from app.kept import Kept
from app.matches import Matches
from app.png import shrunk
from app.settings import GenerateSettings
from app.studio import Status, Studio, Varied
from app.worker import failure
from core.errors import InputError
from core.matching import Match
from core.request import MAX_SEED, Preview, Result

MAX_PICTURES = 64  # on one grid
SIDE = 384  # pixels of a finished picture on the grid: the whole one is on disk
MAX_SCALE = 100.0  # what a request takes


@dataclass(frozen=True, eq=False)
class Variation:
    """One picture of the grid. image: uint8 `[H, W, 3]` to draw there, None until the first preview
    of it; result: None until it is finished; match: None until it is known."""

    seed: int
    scale: float
    image: np.ndarray | None = None
    result: Kept | None = None
    original: bool = False
    match: Match | None = None


class Variations(QObject):
    """What is on the grid, and what becomes of it.

    pictures: the original first, if there is one, then seed by seed, scale by scale.
    begun: other pictures were asked for. filled(index): a picture of the grid is new. left: it is
    over, by a choice or without one.
    """

    begun = Signal()
    filled = Signal(int)
    left = Signal()

    def __init__(
        self, studio: Studio, undo_stack: QUndoStack, history: History, matches: Matches
    ) -> None:
        super().__init__()
        self.pictures: list[Variation] = []
        self.open = False
        self._studio, self._undo_stack, self._history = studio, undo_stack, history
        self._matches = matches
        self._count = 0  # pictures of one scale
        studio.varying_begun.connect(self._begin)
        studio.varied.connect(self._take)
        studio.palette_differs.connect(self.leave)
        studio.status_changed.connect(self._follow)
        matches.found.connect(self._take_match)

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
        self.pictures = [self._original(original)] if original else []
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
        try:
            result = chosen.result.result()
        except (InputError, OSError) as error:
            self._studio.failed.emit(failure(error))
            return False
        self.leave()
        if not chosen.original:
            self._undo_stack.push(Adopt(self._studio, self._history, result))
        return True

    def whole(self, index: int) -> np.ndarray | None:
        """Picture `index` as large as there is one, uint8 `[H, W, 3]`."""
        picture = self.pictures[index]
        with suppress(InputError, OSError):  # then the small one must do
            return picture.result.result().image if picture.result else picture.image
        return picture.image

    def leave(self) -> None:
        """Give up what is still being sampled; nothing changes."""
        if self.open:
            self.open = False  # before the studio tells of other things
            self._studio.cancel()
            self._close()

    def _close(self) -> None:
        self.open = False
        for picture in self.pictures:
            self._matches.forget(picture.result)
        self.pictures = []
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
                kept = self._history.hold(result)
                self._fill(index, image=shrunk(result.image, SIDE), result=kept)
                self._matches.want(result, kept)

    def _take_match(self, about: object, match: Match) -> None:
        """about: what `want` was told, or the present picture."""
        for index, picture in enumerate(self.pictures):
            present = picture.original and about is self._studio.result
            if present or picture.result is about:
                self._fill(index, match=match)

    def _fill(self, index: int, **news: object) -> None:
        self.pictures[index] = replace(self.pictures[index], **news)
        self.filled.emit(index)

    def _follow(self, status: Status) -> None:
        """A picture of another wish ends the choice."""
        if self.open and status.steps and self._studio.purpose != "variations":
            self._close()

    def _original(self, result: Result) -> Variation:
        seed, scale = result.request.seed, result.request.scales[-1]
        image, kept = shrunk(result.image, SIDE), self._history.hold(result)
        match = self._matches.of(result)
        return Variation(seed, scale, image, kept, original=True, match=match)


class Adopt(QUndoCommand):
    """Another finished picture becomes the present one, with its seed and guidance scale.

    Neither of the two stays in memory for it: the history has them.
    """

    def __init__(
        self, studio: Studio, history: History, result: Result, text: str = "variation"
    ) -> None:
        super().__init__(text)
        self._studio = studio
        self._before = history.hold(studio.result) if studio.result else None
        self._settings = studio.settings
        self._after = history.hold(result)

    def undo(self) -> None:
        self._show(self._before)
        self._studio.change_settings(self._settings)

    def redo(self) -> None:
        self._show(self._after)

    def _show(self, kept: Kept | None) -> None:
        try:
            self._studio.adopt(kept.result() if kept else None)
        except (InputError, OSError) as error:
            self._studio.failed.emit(failure(error))


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
