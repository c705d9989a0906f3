"""Wishes for the whole map: mirror it, replace a label, give it another size."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.canvas_size import CanvasSizeDialog, NewSize
from app.commands import Edit, Mirror, ReplaceScene, UndoStack
from app.pen import Pen
from app.replace_label import ReplaceLabelDialog
from app.scene import Scene
from core.arranging import resized


class MapWork(QObject):
    """Asks what is to be asked; each wish is one step of undo."""

    def __init__(self, window: QWidget, scene: Scene, pen: Pen, undo_stack: UndoStack) -> None:
        super().__init__(window)
        self._window = window
        self._scene, self._pen, self._undo_stack = scene, pen, undo_stack

    def mirror(self) -> None:
        """Turn the map left to right."""
        self._undo_stack.push(Mirror(self._scene))

    def ask_replacement(self) -> None:
        """Ask which label is to become which other."""
        dialog = ReplaceLabelDialog(self._window, self._scene, self._pen)
        dialog.chosen.connect(self.replace_label)
        dialog.open()

    def replace_label(self, label: int, by: int) -> None:
        """Give every pixel of `label` another one."""
        self._scene.begin()
        self._scene.relabel(label, by)
        before = self._scene.end()
        if before is not None:
            self._undo_stack.push(Edit(self._scene, before, "replace a label"))

    def ask_size(self) -> None:
        """Ask for the size of the canvas."""
        dialog = CanvasSizeDialog(self._window, self._scene.size)
        dialog.chosen.connect(self.resize)
        dialog.open()

    def resize(self, new: NewSize) -> None:
        """Give the canvas another size, scaled or cropped."""
        scene = self._scene
        if (new.width, new.height) != scene.size:
            size = (new.height, new.width)
            labels = resized(scene.labels, size, new.anchor, scene.palette.erase_id)
            self._undo_stack.push(ReplaceScene(scene, labels, text="canvas size"))
