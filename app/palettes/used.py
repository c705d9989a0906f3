"""Which labels the scene has: counted after each gesture, a little at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from app.scene import Scene
from core.conversion import strip_counts

REST = 120  # ms without a change before counting begins


class UsedLabels(QObject):
    """found(frozenset of ids): the labels of the scene, after every review while it is wanted."""

    found = Signal(object)

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene
        self._wanted = False
        self._strips: Iterator[np.ndarray] = iter(())
        self._counts = np.zeros(256, np.int64)
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._count)

    def want(self, wanted: bool) -> None:
        """Count from now on, beginning at once; or no longer."""
        self._wanted = wanted
        if wanted:
            self._begin(0)
        else:
            self._timer.stop()

    def review(self) -> None:
        """The scene has changed: count again when it rests."""
        if self._wanted:
            self._begin(REST)

    def _begin(self, delay: int) -> None:
        self._strips, self._counts = strip_counts(self._scene.labels), np.zeros(256, np.int64)
        self._timer.start(delay)

    def _count(self) -> None:
        """One strip; the event loop has its turn between two."""
        strip = next(self._strips, None)
        if strip is None:
            self.found.emit(frozenset(np.flatnonzero(self._counts).tolist()))
        else:
            self._counts += strip
            self._timer.start(0)
