"""What can be undone: pixels, one command per gesture."""

from __future__ import annotations

from PySide6.QtGui import QUndoCommand

from app.scene import Change, Scene

UNDO_LIMIT = 200


class Edit(QUndoCommand):
    """One finished gesture. It keeps the changed rectangle only, never the whole map."""

    def __init__(self, scene: Scene, change: Change, text: str) -> None:
        super().__init__(text)
        self._scene = scene
        self._change = change
        self._painted = True  # the stack calls redo() on push, when the pixels are there already

    def undo(self) -> None:
        self._scene.write(self._change.box, self._change.before)

    def redo(self) -> None:
        if self._painted:
            self._painted = False
        else:
            self._scene.write(self._change.box, self._change.after)
