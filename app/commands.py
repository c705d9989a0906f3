"""What can be undone: one command per gesture, wish or import, on a stack of bounded memory.

Whatever changes the scene so that it can be taken back pushes one of these:

- `Edit` after a gesture, with the patch that `Scene.end` returned;
- `Mirror`;
- `ReplaceScene` for another label map, palette or size: an import, a conversion, a result adopted.
"""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from app.patch import Patch
from app.scene import Scene, check_ids
from core.palette import Palette

UNDO_LIMIT = 200  # steps
PLAIN_STEPS = 16  # with pixels as they are, for a quick undo; older ones are compressed
PLAIN_BYTES = 64 * 2**20  # and no more than this
TOTAL_BYTES = 256 * 2**20  # then the oldest steps are given up


class SceneCommand(QUndoCommand):
    """A step that holds pixels.

    What it holds is always the other side of the step: the pixels before it while it is done, those
    after it while it is undone.
    """

    def __init__(self, scene: Scene, other: Patch, text: str) -> None:
        super().__init__(text)
        self._scene = scene
        self._other: Patch | None = other

    @property
    def nbytes(self) -> int:
        """Memory that the step takes."""
        return self._other.nbytes if self._other else 0

    def pack(self) -> None:
        """Compress the pixels."""
        if self._other:
            self._other.pack()

    def give_up(self) -> None:
        """Forget the pixels: the step can never be taken back."""
        self._other = None
        self.setObsolete(True)


class Edit(SceneCommand):
    """One finished gesture. It keeps the changed pixels' boxes only, never the whole map.

    before: what the gesture painted over, as `Scene.end` gives it.
    """

    def __init__(self, scene: Scene, before: Patch, text: str) -> None:
        super().__init__(scene, before, text)
        self._painted = True  # the stack calls redo() on push, when the pixels are there already

    def undo(self) -> None:
        self._other = self._scene.swap(self._other)

    def redo(self) -> None:
        if self._painted:
            self._painted = False
        else:
            self.undo()


class ReplaceScene(SceneCommand):
    """Another label map, of any size, and perhaps another palette in place of the scene's.

    labels: uint8 `[H, W]`, copied; ids of `palette`. palette: None for the scene's own. Pushing it
    on the undo stack does it. Raises ValueError for an id that the palette does not have.
    """

    def __init__(
        self, scene: Scene, labels: np.ndarray, palette: Palette | None = None, text: str = ""
    ) -> None:
        palette = palette or scene.palette
        check_ids(labels, palette)
        super().__init__(scene, Patch(()), text)
        self._shape, self._palette = labels.shape, palette
        self._fresh: np.ndarray | None = labels  # until it is done for the first time

    def undo(self) -> None:
        labels, self._fresh = self._fresh, None
        if labels is None:
            labels = np.empty(self._shape, np.uint8)
            self._other.paste(labels)
        palette, scene = self._palette, self._scene
        self._other = Patch.of(scene.labels)
        self._shape, self._palette = scene.labels.shape, scene.palette
        scene.replace(labels, palette)

    redo = undo


class Mirror(QUndoCommand):
    """The map left to right: its own way back, so it keeps no pixels."""

    def __init__(self, scene: Scene) -> None:
        super().__init__("mirror")
        self._scene = scene

    def undo(self) -> None:
        self._scene.mirror()

    redo = undo


class UndoStack(QUndoStack):
    """The steps of the scene: `UNDO_LIMIT` of them, in `TOTAL_BYTES` of memory.

    When that is not enough the oldest steps are given up; the newest is always kept.
    cleared: all steps were forgotten, for another document.
    """

    cleared = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setUndoLimit(UNDO_LIMIT)

    @property
    def nbytes(self) -> int:
        """Memory that all steps take."""
        steps = (self.command(index) for index in range(self.count()))
        return sum(step.nbytes for step in steps if isinstance(step, SceneCommand))

    def push(self, command: QUndoCommand) -> None:
        """Do `command` and make it the newest step."""
        super().push(command)
        self._save_memory()

    def undo(self) -> None:
        """Take the newest step back; steps that were given up go with the last one before them."""
        super().undo()
        while self.index() > 0 and self.command(self.index() - 1).isObsolete():
            super().undo()

    def clear(self) -> None:
        """Forget all steps: another document begins."""
        super().clear()
        self.cleared.emit()

    def _save_memory(self) -> None:
        kept = steps = 0
        for index in reversed(range(self.count())):
            step = self.command(index)
            if not isinstance(step, SceneCommand):
                continue
            steps += 1
            if steps > PLAIN_STEPS or kept + step.nbytes > PLAIN_BYTES:
                step.pack()
            kept += step.nbytes
            if kept > TOTAL_BYTES and index < self.count() - 1:
                step.give_up()
                if self.cleanIndex() <= index:
                    self.resetClean()  # nothing leads back to what is in the file
