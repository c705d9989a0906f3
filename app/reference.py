"""A photo to trace: under the map, or beside it in a dock of its own."""

from __future__ import annotations

import cv2
import numpy as np
from PySide6.QtCore import QObject, Signal

from app.scene import Scene

BACKDROP = 128  # gray where the photo does not reach
MAX_SIDE = 4096  # pixels of what is drawn under the map


class Reference(QObject):
    """Holds the photo, and decides what lies under the map: it or the picture.

    changed: another photo, or none, or it moved. underlay_changed: what to draw under the map,
    uint8 `[h, w, 3]` in the map's proportions, or None.
    """

    changed = Signal()
    underlay_changed = Signal(object)

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self.photo: np.ndarray | None = None
        self.name = ""
        self.under = False
        self._scene = scene
        self._picture: np.ndarray | None = None
        scene.replaced.connect(self._follow_scene)

    def take(self, photo: np.ndarray, name: str, under: bool) -> None:
        """Take a photo, uint8 `[h, w, 3]`, from the file `name`."""
        self.photo, self.name, self.under = photo, name, under
        self._tell()

    def put_under(self, under: bool) -> None:
        """Under the map, or beside it."""
        self.under = under and self.photo is not None
        self._tell()

    def remove(self) -> None:
        """Put the photo away."""
        self.photo, self.name, self.under = None, "", False
        self._tell()

    def show_result(self, picture: np.ndarray | None) -> None:
        """The picture changed: it lies under the map unless the photo does."""
        self._picture = picture
        if not self.under:
            self.underlay_changed.emit(picture)

    def _follow_scene(self) -> None:
        if self.under:
            self.underlay_changed.emit(self._underlay())

    def _tell(self) -> None:
        self.underlay_changed.emit(self._underlay())
        self.changed.emit()

    def _underlay(self) -> np.ndarray | None:
        if not self.under:
            return self._picture
        width, height = self._scene.size
        return letterboxed(self.photo, (height, width))


def letterboxed(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The whole photo, uint8 `[h, w, 3]`, in the middle of a gray field of the proportions `size`.

    The field is as large as the photo needs to keep its pixels, `MAX_SIDE` at most.
    """
    rows, columns = photo.shape[:2]
    scale = max(rows / size[0], columns / size[1])
    shrink = min(1.0, MAX_SIDE / (scale * max(size)))
    if shrink < 1:
        shown = (max(1, round(columns * shrink)), max(1, round(rows * shrink)))
        photo = cv2.resize(photo, shown, interpolation=cv2.INTER_AREA)
        rows, columns = photo.shape[:2]
    field = [max(side, round(part * scale * shrink)) for side, part in zip((rows, columns), size)]
    boxed = np.full((*field, 3), BACKDROP, np.uint8)
    top, left = (field[0] - rows) // 2, (field[1] - columns) // 2
    boxed[top : top + rows, left : left + columns] = photo
    return boxed
