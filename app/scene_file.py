"""Which file the scene lives in, and the way between the two."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.commands import UndoStack
from app.examples import EXAMPLES, PALETTE
from app.scene import Scene
from core.labelmap import read_labels, write_labels
from core.palette import Palette


class SceneFile:
    """The scene's file. `path` is None until it has one of its own.

    Every method either does all it says or raises `LabelMapError` and changes nothing. Those that
    replace the scene return a sentence about what could not be read, or "".
    """

    def __init__(self, scene: Scene, undo_stack: UndoStack) -> None:
        self.path: Path | None = None
        self._scene = scene
        self._undo_stack = undo_stack

    @property
    def saved(self) -> bool:
        """Whether the scene is as it was when opened or last saved."""
        return self._undo_stack.isClean()

    def new(self) -> str:
        """An empty map of the present size."""
        width, height = self._scene.size
        empty = np.full((height, width), self._scene.palette.erase_id, np.uint8)
        self._adopt(empty, None)
        return ""

    def open(self, path: Path) -> str:
        """Replace the scene by the label map in `path`; what could not be read, in a sentence."""
        found = read_labels(path, self._scene.palette)
        self._adopt(found.labels, path)
        if not found.unplaced:
            return ""
        nothing = self._scene.palette[self._scene.palette.erase_id].name
        return (
            f"{found.unplaced:.1%} of {path.name} (read as {found.kind}) has no label in this "
            f"palette; those pixels became {nothing!r}."
        )

    def open_example(self, layout: Path = EXAMPLES[0].layout) -> str:
        """A scene that comes with the program, in its palette."""
        scene = self._scene
        palette = scene.palette if scene.palette.name == PALETTE else Palette.load(PALETTE)
        self._adopt(read_labels(layout, palette).labels, None, palette)
        return ""

    def save(self, path: Path) -> None:
        """Write the label map to `path`, which becomes its file."""
        write_labels(path, self._scene.labels, self._scene.palette)
        self.path = path
        self._undo_stack.setClean()

    def _adopt(self, labels: np.ndarray, path: Path | None, palette: Palette | None = None) -> None:
        self._scene.replace(labels, palette)
        self._undo_stack.clear()
        self.path = path
