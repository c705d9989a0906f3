"""How well the labels are covered by a set: counted file by file, so that the window lives on."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from app.training.photo_set import Pair, read_map
from core.conversion import label_counts
from core.errors import InputError
from core.palette import Palette

SEEN = 0.001  # share of a picture from which a label is there; less is a slip of the brush


class Covered(NamedTuple):
    """A label: its share of all pixels, 0..1, and how many pictures show it."""

    label: int
    share: float
    pictures: int


class Coverage(QObject):
    """Counts the label maps of a set, one a turn of the event loop. What was counted is kept.

    counted(list of `Covered`, list of sentences about maps that cannot be read).
    """

    counted = Signal(list, list)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._known: dict[tuple[Path, int], np.ndarray | str] = {}
        self.palette: Palette | None = None  # of the last count
        self._waiting: list[Pair] = []
        self._pairs: list[Pair] = []
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._next)

    def count(self, pairs: list[Pair], palette: Palette) -> None:
        """Count these; what was under way is dropped."""
        if palette != self.palette:
            self._known.clear()
        self.palette, self._pairs, self._waiting = palette, list(pairs), list(pairs)
        self._timer.start()

    def _next(self) -> None:
        """The next map that is not known yet; after the last one, tell."""
        while self._waiting:
            pair = self._waiting.pop()
            if _age(pair) not in self._known:
                self._known[_age(pair)] = self._look(pair)
                return
        self._timer.stop()
        found = [self._known.get(_age(pair), "") for pair in self._pairs]
        maps = [counts for counts in found if not isinstance(counts, str)]
        self.counted.emit(
            covered(maps, len(self.palette)), [s for s in found if isinstance(s, str)]
        )

    def _look(self, pair: Pair) -> np.ndarray | str:
        """Pixels of each label, or why they are not known."""
        try:
            return label_counts(read_map(pair.labels, self.palette))
        except (InputError, OSError) as error:
            return str(error)


def covered(maps: list[np.ndarray], labels: int) -> list[Covered]:
    """Every label, the most covered first. maps: pixels of each label, int64 `[256]`, a picture."""
    if not maps:
        return [Covered(label, 0.0, 0) for label in range(labels)]
    counts = np.stack(maps)[:, :labels]
    shares = counts / counts.sum(1, keepdims=True)
    total = counts.sum(0) / counts.sum()
    pictures = (shares >= SEEN).sum(0)
    found = [Covered(i, float(total[i]), int(pictures[i])) for i in range(labels)]
    return sorted(found, key=lambda one: -one.share)


def _age(pair: Pair) -> tuple[Path, int]:
    try:
        return pair.labels, pair.labels.stat().st_mtime_ns
    except OSError:
        return pair.labels, 0
