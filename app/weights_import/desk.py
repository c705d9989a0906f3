"""Import weights…: asks for the file, has it converted, and opens the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from app.file_kinds import FOREIGN_WEIGHTS_FILTER
from app.palettes.library import Library
from app.scene import Scene
from app.settings import Store, data_folder
from app.weights_import.child import Conversion, Order
from core.errors import InputError

if TYPE_CHECKING:
    from app.weights_import.dialog import WeightsDialog

PURPOSE = "foreign_weights"  # of the folder that is remembered


class WeightsImport(QObject):
    """told(sentence): a model was imported. open_model: opens a weights file."""

    told = Signal(str)

    def __init__(
        self,
        window: QWidget,
        scene: Scene,
        store: Store,
        library: Library,
        open_model: Callable[[Path], None],
    ) -> None:
        super().__init__(window)
        self._window, self._scene = window, scene
        self._store, self._library, self._open_model = store, library, open_model
        self.folder = data_folder() / "weights"
        self.dialog: WeightsDialog | None = None
        self.conversion = Conversion(self)
        self.conversion.finished.connect(self._on_finished)
        self.conversion.failed.connect(self._on_failed)
        self.conversion.progressed.connect(self._on_progressed)

    def ask(self) -> None:
        """Ask for a file."""
        folder = self._store.folder(PURPOSE)
        name, _ = QFileDialog.getOpenFileName(
            self._window, "Import weights", folder, FOREIGN_WEIGHTS_FILTER
        )
        if name:
            self._store.keep_folder(PURPOSE, Path(name).resolve().parent)
            self.take(Path(name))

    def take(self, path: Path) -> None:
        """Ask what the file is, and convert it."""
        from app.weights_import.dialog import WeightsDialog  # read when wanted: docs/decisions/024

        palettes = self._library.bundled() + self._library.own()
        present = self._scene.palette.name
        self.dialog = WeightsDialog(path, palettes, present, self._place, self._window)
        self.dialog.begun.connect(self._begin)
        self.dialog.cancelled.connect(self.conversion.cancel)
        self.dialog.finished.connect(self._let_go)
        self.dialog.open()

    def _let_go(self) -> None:
        self.dialog.deleteLater()
        self.dialog = None

    def _place(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"

    def _begin(self, order: Order) -> None:
        try:
            self.conversion.start(order)
        except InputError as error:
            self.dialog.show_failure(str(error))

    def _on_progressed(self, percent: int) -> None:
        self.dialog.show_progress(percent)

    def _on_finished(self, path: Path) -> None:
        self.dialog.accept()
        self._open_model(path)
        self.told.emit(f"{path.stem} is imported. It is kept in {path.parent}.")

    def _on_failed(self, sentence: str) -> None:
        self.dialog.show_failure(sentence)
