"""What comes in and goes out beside the document: imports, drops, photos, exports."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from app.commands import ReplaceScene, UndoStack
from app.file_kinds import IMPORT_FILTER, PHOTO_FILTER, WEIGHTS_FILTER
from app.filing import Filing
from app.guiding.plain import wanted_step
from app.reader import Cancelled, Reader
from app.reference import Reference
from app.restoring import controls_step, request_of, settings_of
from app.scene import Scene
from app.scene_file import SceneFile
from app.settings import Store
from app.studio import Studio
from app.worker import failure
from core.errors import InputError
from core.palette import Palette
from core.picture import Picture, read_picture
from core.recognition import Guess, recognise_file
from core.request import Engine, Result

NOTICES = 2  # files about which a report tells in full


class Exchange(QObject):
    """Opens whatever it is given, by what it is; writes what is asked for.

    done(notice): a sentence about what was done, or "". failed(Failed). openers: who takes a file,
    by its suffix; images are everyone else's. pictures: the results to export, the present first.
    """

    done = Signal(str)
    failed = Signal(object)

    def __init__(
        self,
        window: QWidget,
        scene: Scene,
        undo_stack: UndoStack,
        studio: Studio,
        filing: Filing,
        scene_file: SceneFile,
        store: Store,
        reader: Reader,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._scene, self._undo_stack = scene, undo_stack
        self._studio, self._filing, self._scene_file = studio, filing, scene_file
        self.open_weights: Callable[[Path], Engine] | None = None  # how a weights file is opened
        self.make_labels: Callable[[Path], None] | None = None  # what finds the labels of a photo
        self.reference = Reference(scene)
        self.pictures: Callable[[], list[Result]] = self._shown_picture
        self._store, self._reader = store, reader
        self._ticked = {"png", "own"}
        self.openers: dict[str, Callable[[Path], None]] = {
            ".ora": self.import_ora,
            ".safetensors": self._take_weights,
        }

    # -- coming in --------------------------------------------------------------------------------

    def take(self, path: Path) -> None:
        """Open a file that was dropped on the window, whatever it is."""
        opener = self.openers.get(path.suffix.lower(), self._take_image)
        self._try(lambda: opener(path))

    def ask_import(self) -> None:
        """Ask for a label image or a layered picture, and import it."""
        path = self._ask("Import", "imports", IMPORT_FILTER)
        if path is not None:
            work = self.import_ora if path.suffix.lower() == ".ora" else self.import_image
            self._try(lambda: work(path))

    def ask_weights(self) -> None:
        """Ask for a model, and open it in place of the present one."""
        name, _ = QFileDialog.getOpenFileName(self._window, "Open weights", "", WEIGHTS_FILTER)
        if name:
            self._try(lambda: self._take_weights(Path(name)))

    def import_image(self, path: Path) -> None:
        """Say what a label image was recognised as, and let it take the scene.

        Raises `InputError` if it cannot be opened.
        """
        palette = self._scene.palette
        self._let_choose(path, self._reader.read(path, lambda: recognise_file(path, palette)))

    def _let_choose(self, path: Path, guesses: list[Guess]) -> None:
        if not guesses:
            self._offer_photo(path)
            return
        from app.import_dialog import ImportDialog  # read when wanted: docs/decisions/024

        dialog = ImportDialog(path.name, guesses, self._window)
        taken = dialog.exec()
        dialog.deleteLater()  # later than the end of this: it holds the whole image
        if taken:
            guess, size = dialog.guess, dialog.size_chosen
            labels = self._reader.read(path, lambda: guess.labels_at(size))
            self._replace(labels, guess.palette, path)
            self.done.emit(_told(guess.unplaced, guess.palette, path))
        elif dialog.as_photo:
            self._offer_photo(path)

    def import_ora(self, path: Path) -> None:
        """Let the label layers of an OpenRaster picture take the scene; raises `InputError`."""
        from core.openraster import read_ora  # read when wanted: docs/decisions/024

        palette = self._scene.palette
        found = self._reader.read(path, lambda: read_ora(path, palette))
        self._replace(found.labels, found.palette, path)
        notice = _told(found.unplaced, found.palette, path)
        if found.ignored:
            names = ", ".join(repr(name) for name in found.ignored[:5])
            notice = f"{notice} Layers that are called as no label were left out: {names}."
        self.done.emit(notice.strip())

    def restore(self, path: Path, picture: Picture) -> None:
        """Bring back everything that one of our pictures carries: settings, layout, itself."""
        settings = settings_of(picture.recipe, self._studio.settings)
        if picture.layout is not None:
            layout = picture.layout
            if not self._scene.holds(layout.labels, layout.palette):
                self._replace(layout.labels, layout.palette, path)
            if step := controls_step(picture.recipe, self._scene.controls):
                self._undo_stack.push(step)
            if step := wanted_step(picture.recipe, self._scene.wanted):
                self._undo_stack.push(step)
            request = request_of(picture.recipe, layout)
            weights = str(picture.recipe.get("weights", ""))
            if request is not None:
                self._studio.adopt(Result(picture.image, request, 0.0, weights))
        self._studio.change_settings(settings)
        self.done.emit(self._what_is_back(path, picture))

    def _what_is_back(self, path: Path, picture: Picture) -> str:
        what = "Settings and layout" if picture.layout is not None else "The settings"
        sentences = [f"{what} of {path.name} are back, its seed is locked."]
        if picture.layout is None:
            sentences.append("It carries no layout.")
        model, weights = self._studio.model, picture.recipe.get("weights", "")
        if model is not None and weights and weights != model.name:
            sentences.append(f"It was made with {weights!r}; {model.name!r} is open.")
        return " ".join(sentences)

    def _take_image(self, path: Path) -> None:
        palette = self._scene.palette
        found = self._reader.read(path, lambda: _look_at(path, palette))
        if isinstance(found, Picture):
            self.restore(path, found)
            return
        guesses = found
        mine = guesses and guesses[0].encoding.name == "own"
        if mine and guesses[0].palette == self._scene.palette:
            if self._filing.may_go():
                self._filing.open_path(path)
        else:
            self._let_choose(path, guesses)

    def _take_weights(self, path: Path) -> None:
        if self.open_weights is None:
            self.done.emit(f"To use {path.name}, start the program with --weights {path.name}.")
            return
        self._studio.open_model(partial(self.open_weights, path))
        self.done.emit("")

    def _replace(self, labels: np.ndarray, palette: Palette, path: Path) -> None:
        text = f"Import {path.name}"
        self._undo_stack.push(ReplaceScene(self._scene, labels, palette, text))

    # -- photos -----------------------------------------------------------------------------------

    def ask_photo(self) -> None:
        """Ask for a photo to trace, and where to put it."""
        path = self._ask("Photo to trace", "photos", PHOTO_FILTER)
        if path is not None:
            self._try(lambda: self._offer_photo(path))

    def _offer_photo(self, path: Path) -> None:
        box = QMessageBox(self._window)
        box.setWindowTitle("Photo to trace")
        box.setText(f"Where should {path.name} go?")
        box.setInformativeText(
            "Under the map it shows through the labels as far as their opacity lets it; "
            "beside the map it has a panel of its own."
        )
        under = box.addButton("Under the map", QMessageBox.ButtonRole.AcceptRole)
        beside = box.addButton("Beside the map", QMessageBox.ButtonRole.AcceptRole)
        labels = box.addButton("Make labels from it…", QMessageBox.ButtonRole.ActionRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(under)
        box.exec()
        if box.clickedButton() in (under, beside):
            self.load_photo(path, box.clickedButton() is under)
        elif box.clickedButton() is labels:
            self.make_labels(path)

    def load_photo(self, path: Path, under: bool) -> None:
        """Take the photo in `path` to trace from; raises `InputError` if it cannot be read."""
        photo = self._reader.read(path, lambda: read_picture(path).image)
        self.reference.take(photo, path.name, under)
        self.done.emit("")

    # -- going out --------------------------------------------------------------------------------

    def ask_export(self) -> None:
        """Ask what to export, and where to."""
        from app.export_dialog import ExportDialog  # read when wanted: docs/decisions/024
        from app.export_plan import Source

        path = self._scene_file.path
        source = Source(
            self._scene.labels.copy(),
            self._scene.palette,
            tuple(self.pictures()),
            path.stem if path else "scene",
        )
        folder = Path(self._store.folder("exports") or Path.home())
        dialog = ExportDialog(source, folder, self._ticked, self._window)
        dialog.exported.connect(self._tell_exported)
        dialog.exec()
        dialog.deleteLater()
        self._store.keep_folder("exports", Path(dialog.folder.text()))
        self._ticked = {product.key for product in dialog.chosen} or self._ticked

    def _tell_exported(self, count: int, notices: list[str]) -> None:
        files = "1 file is" if count == 1 else f"{count} files are"
        more = len(notices) - NOTICES
        rest = [f"The same is true of {more} more."] if more > 0 else []
        self.done.emit(" ".join([f"{files} exported.", *notices[:NOTICES], *rest]))

    def _shown_picture(self) -> list[Result]:
        return [self._studio.result] if self._studio.result is not None else []

    # -- the work ---------------------------------------------------------------------------------

    def _ask(self, title: str, purpose: str, kinds: str) -> Path | None:
        """Ask for a file, in the folder where the last one for this purpose was."""
        folder = self._store.folder(purpose)
        name, _ = QFileDialog.getOpenFileName(self._window, title, folder, kinds)
        if not name:
            return None
        self._store.keep_folder(purpose, Path(name).resolve().parent)
        return Path(name)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Cancelled:
            return
        except (InputError, OSError) as error:
            self.failed.emit(failure(error))


def _look_at(path: Path, palette: Palette) -> Picture | list[Guess]:
    """An image as one of our pictures, or as what it may mean as a label map."""
    picture = read_picture(path)
    return picture if picture.recipe else recognise_file(path, palette)


def _told(unplaced: float, palette: Palette, path: Path) -> str:
    if not unplaced:
        return ""
    erased = palette[palette.erase_id].name
    return f"{unplaced:.1%} of {path.name} has no label; those pixels became {erased!r}."
