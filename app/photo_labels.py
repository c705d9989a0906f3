"""Labels from a photo: the model's segmenter finds them, and they become a layout to paint on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.commands import ReplaceScene, UndoStack
from app.looking import Look, Looking
from app.photo_labels_dialog import PhotoLabelsDialog
from app.picture_files import ask_picture
from app.reader import Cancelled, Reader
from app.reference import Reference
from app.scene import Scene
from app.settings import Store
from app.studio import Studio
from app.worker import failure
from core.errors import InputError
from core.picture import read_picture

NO_SEGMENTER = (
    "{name} has no segmenter, so it cannot tell what a photo shows. Open a model that has one "
    "beside it, or load the photo to trace from."
)
NO_MODEL = "There is no model open yet. Wait until it is loaded, or open one."


class PhotoLabels(QObject):
    """Asks for a photo, has it looked at, and lets the outcome take the scene in one undo step.

    failed(Failed).
    """

    failed = Signal(object)

    def __init__(
        self,
        window: QWidget,
        scene: Scene,
        studio: Studio,
        undo_stack: UndoStack,
        looking: Looking,
        reference: Reference,
        store: Store,
        reader: Reader,
    ) -> None:
        super().__init__(window)
        self._window, self._scene, self._studio = window, scene, studio
        self._undo_stack, self._looking = undo_stack, looking
        self._reference, self._store, self._reader = reference, store, reader
        self._path: Path | None = None  # of the photo that is looked at
        self._photo: np.ndarray | None = None
        self.dialog: PhotoLabelsDialog | None = None
        looking.seen.connect(self._on_seen)

    def ask(self) -> None:
        """Ask for a photo."""
        path = ask_picture(self._window, self._store, "Labels from photo", "photos")
        if path is not None:
            self.take(path)

    def take(self, path: Path) -> None:
        """Find the labels of the photo in `path`, and show them before they take the scene."""
        try:
            self._check_able()
            photo = self._reader.read(path, lambda: read_picture(path).image)
        except Cancelled:
            return
        except (InputError, OSError) as error:
            self.failed.emit(failure(error))
            return
        self._looking.forget(self._path)
        self._path, self._photo = path, photo
        self._looking.want(Look(path, photo, lambda probabilities: probabilities))

    def _check_able(self) -> None:
        if self._studio.model is None:
            raise InputError(NO_MODEL)
        if not self._looking.able:
            raise InputError(NO_SEGMENTER.format(name=self._studio.model.name))

    def _on_seen(self, about: object, answer: object) -> None:
        if self._path is None or about != self._path:
            return
        model = self._studio.model
        self.dialog = PhotoLabelsDialog(
            self._path.name, self._photo, answer, model, self._scene.size, self._window
        )
        self.dialog.accepted.connect(self._paint)
        self.dialog.finished.connect(self._let_go)
        self.dialog.open()

    def _paint(self) -> None:
        dialog, palette = self.dialog, self._studio.model.palette
        text = f"Labels from {self._path.name}"
        labels = dialog.labels
        if not self._scene.holds(labels, palette):
            self._undo_stack.push(ReplaceScene(self._scene, labels, palette, text))
        if dialog.under.isChecked():
            self._reference.take(self._photo, self._path.name, under=True)

    def _let_go(self) -> None:
        self._path = self._photo = self.dialog = None
