"""Whole palettes: another one for the scene, an edited one, the model's own."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from app.commands import ReplaceScene, UndoStack
from app.file_kinds import PALETTE_FILTER
from app.palettes.conversion_dialog import ConversionDialog
from app.palettes.draft import Draft
from app.palettes.library import Library
from app.scene import Scene
from app.studio import Studio
from app.worker import failure
from core.conversion import Conversion, label_counts, same_labels
from core.palette import Palette, PaletteError

Button = QMessageBox.StandardButton


class Converting(QObject):
    """Shows what will happen, then does it in one undo step. failed(Failed). offered(sentence,
    words of a button, what it does).

    near: a widget of the window that the dialogs belong to.
    """

    failed = Signal(object)
    offered = Signal(str, str, object)

    def __init__(
        self,
        near: QWidget,
        scene: Scene,
        undo_stack: UndoStack,
        studio: Studio,
        library: Library,
    ) -> None:
        super().__init__(near)
        self._near, self._scene, self._undo_stack = near, scene, undo_stack
        self._studio, self._library = studio, library
        studio.palette_differs.connect(self._ask_reading)
        studio.model_changed.connect(self._offer_labels)

    # -- another palette --------------------------------------------------------------------------

    def choose(self, source: str | Path) -> None:
        """Paint with another palette, bundled or a TOML file; the scene is converted to it."""
        try:
            palette = Palette.load(source)
        except PaletteError as error:
            self.failed.emit(failure(error))
        else:
            self.adopt(palette)

    def load(self) -> None:
        """Ask for a palette's file, keep a copy of it, and paint with it."""
        title = "Load palette file"
        name, _ = QFileDialog.getOpenFileName(self._near.window(), title, "", PALETTE_FILTER)
        if name:
            self.take(Path(name))

    def take(self, path: Path) -> None:
        """Copy a palette's file among the user's own, and paint with it."""
        try:
            if self._library.would_lose(path) and not self._may_replace(path):
                return
            self._library.take(path)
        except PaletteError as error:
            self.failed.emit(failure(error))
        else:
            self.choose(path)

    def _may_replace(self, path: Path) -> bool:
        name = self._library.copy_of(path).name
        sentence = f"Your palettes hold another one in a file {name}. Replace it by {path}?"
        buttons = Button.Yes | Button.No
        answer = QMessageBox.question(
            self._near.window(), "Replace palette", sentence, buttons, Button.No
        )
        return answer == Button.Yes

    def adopt(self, palette: Palette) -> None:
        """Convert the scene to `palette`, with a look at the table where there is a choice."""
        if palette == self._scene.palette:
            return
        conversion = Conversion.between(self._scene.palette, palette)
        counts = label_counts(self._scene.labels)
        if conversion.plain or not self._painted(counts):
            self._convert(conversion)
            return
        text = (
            f"The scene's labels become labels of {palette.title or palette.name}: by name, then "
            "by synonym, then by part of a name. Whatever does not fit can be chosen here."
        )
        dialog = ConversionDialog(self._near.window(), conversion, counts, text, "Convert")
        dialog.confirmed.connect(self._convert)
        dialog.open()

    def _painted(self, counts: np.ndarray) -> bool:
        """Whether there is anything but the unlabeled id."""
        return counts.sum() > counts[self._scene.palette.erase_id]

    def _convert(self, conversion: Conversion) -> None:
        labels = conversion.convert(self._scene.labels)
        step = ReplaceScene(self._scene, labels, conversion.target, "convert palette")
        self._undo_stack.push(step)

    # -- editing ----------------------------------------------------------------------------------

    def edit(self) -> None:
        """Edit a copy of the scene's palette; saving it makes it the user's own and takes it."""
        from app.palettes.editor import PaletteEditor  # read when wanted: docs/decisions/024

        editor = PaletteEditor(self._near.window(), Draft(self._scene.palette), self._library)
        editor.saved.connect(self._take_edited)
        editor.open()

    def _take_edited(self, draft: Draft, palette: Palette) -> None:
        self._convert(Conversion.by_hand(draft.palette, palette, draft.places()))

    # -- a model of another palette ---------------------------------------------------------------

    def _offer_labels(self) -> None:
        """Another model is open: its labels are offered, or taken where nothing is painted."""
        model = self._studio.model
        if same_labels(self._scene.palette, model.palette):
            return
        take = partial(self.adopt, model.palette)
        if self._painted(label_counts(self._scene.labels)):
            title = model.palette.title or model.palette.name
            sentence = f"{model.name} knows other labels than the scene: those of {title}."
            self.offered.emit(sentence, "Paint with them", take)
        else:
            take()

    def _ask_reading(self) -> None:
        """Which labels the model should see in place of the scene's; then what was asked for."""
        source, model = self._scene.palette, self._studio.model
        known = self._studio.reading.conversion or Conversion.between(source, model.palette)
        text = (
            f"The model {model.name} knows the labels of {model.palette.title or 'its palette'}. "
            "For the picture it reads your labels so; the scene stays as it is. "
            "This is asked once."
        )
        counts = label_counts(self._scene.labels)
        dialog = ConversionDialog(self._near.window(), known, counts, text, "Generate")
        dialog.confirmed.connect(self._studio.read_as)
        dialog.open()
