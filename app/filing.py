"""New, open, save: the questions to the user around the scene's file and the picture's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from app.examples import EXAMPLES
from app.picture_file import save_picture
from app.scene_file import SceneFile
from app.studio import Studio
from app.worker import failure
from core.errors import InputError

MAP_FILTER = "Label maps (*.png *.bmp *.gif *.tif *.tiff *.webp *.ppm);;All files (*)"
PICTURE_FILTER = "PNG (*.png)"


class Filing(QObject):
    """Asks for names, does the work, and never loses a change without a question.

    done(notice): a file was opened or saved; the notice is a sentence or "". failed(Failed).
    """

    done = Signal(str)
    failed = Signal(object)

    def __init__(self, window: QWidget, scene_file: SceneFile, studio: Studio) -> None:
        super().__init__(window)
        self._window = window
        self._scene_file = scene_file
        self._studio = studio

    # -- the scene --------------------------------------------------------------------------------

    def new(self) -> bool:
        """Start an empty scene, if the present one may go. Whether it did."""
        return self.may_go() and self._replace(self._scene_file.new)

    def open(self) -> None:
        """Ask for a label map and open it."""
        if self.may_go():
            name, _ = QFileDialog.getOpenFileName(self._window, "Open label map", "", MAP_FILTER)
            if name:
                self.open_path(Path(name))

    def open_path(self, path: Path) -> None:
        """Open the label map in `path` in place of the scene."""
        self._replace(lambda: self._scene_file.open(path))

    def open_example(self, layout: Path = EXAMPLES[0].layout) -> bool:
        """Open a scene that comes with the program, if the present one may go. Whether it did."""
        return self.may_go() and self._replace(lambda: self._scene_file.open_example(layout))

    def save(self) -> bool:
        """Save the scene to its file; False if it is not on disk afterwards."""
        path = self._scene_file.path
        return self.save_as() if path is None else self._write(lambda: self._scene_file.save(path))

    def save_as(self) -> bool:
        """Ask for a file and save the scene to it; False if it is not on disk afterwards."""
        start = str(self._scene_file.path or "scene.png")
        path = self._ask_where("Save label map", start)
        return path is not None and self._write(lambda: self._scene_file.save(path))

    def may_go(self) -> bool:
        """Whether the present scene may be given up: it is saved, or the user says so."""
        if self._scene_file.saved:
            return True
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self._window,
            "Unsaved changes",
            "The layout has changes that are not saved.",
            buttons.Save | buttons.Discard | buttons.Cancel,
            buttons.Save,
        )
        return self.save() if answer == buttons.Save else answer == buttons.Discard

    # -- the picture ------------------------------------------------------------------------------

    def save_picture(self) -> None:
        """Ask for a file and save the last picture to it, with its recipe."""
        result = self._studio.result
        if result is None:
            return
        path = self._ask_where("Save picture", f"picture-{result.request.seed}.png")
        if path is not None:
            self._write(lambda: save_picture(path, result))

    # -- the work ---------------------------------------------------------------------------------

    def _ask_where(self, title: str, start: str) -> Path | None:
        name, _ = QFileDialog.getSaveFileName(self._window, title, start, PICTURE_FILTER)
        if not name:
            return None
        path = Path(name)
        return path if path.suffix.lower() == ".png" else path.with_name(path.name + ".png")

    def _replace(self, work: Callable[[], str]) -> bool:
        """Run what replaces the scene; the picture of the old one goes with it. Whether it did."""
        try:
            notice = work()
        except (InputError, OSError) as error:
            self.failed.emit(failure(error))
            return False
        self._studio.forget_result()
        self.done.emit(notice)
        return True

    def _write(self, work: Callable[[], None]) -> bool:
        """Run what writes a file. Whether it is on disk now."""
        try:
            work()
        except (InputError, OSError) as error:
            self.failed.emit(failure(error))
            return False
        self.done.emit("")
        return True
