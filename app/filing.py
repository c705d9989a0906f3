"""New, open, save: the questions to the user around the document's file and the picture's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from app.examples import EXAMPLES
from app.file_kinds import MAP_FILTER, OPEN_FILTER, PICTURE_FILTERS, PROJECT_FILTER
from app.picture_file import save_picture
from app.project import SUFFIX, read_copy
from app.reader import Cancelled, Reader
from app.scene_file import MAP_SUFFIX, SceneFile, read_document
from app.session import LeftBehind
from app.settings import Store
from app.studio import Studio
from app.worker import failure
from core.errors import InputError

Button = QMessageBox.StandardButton


class Filing(QObject):
    """Asks for names, does the work, and never loses a change without a question.

    done(notice): a file was opened or saved; the notice is a sentence or "". restored: a document
    that was left behind is in the window. failed(Failed).
    """

    done = Signal(str)
    restored = Signal()
    failed = Signal(object)

    def __init__(
        self, window: QWidget, scene_file: SceneFile, studio: Studio, store: Store, reader: Reader
    ) -> None:
        super().__init__(window)
        self._window, self._reader = window, reader
        self._scene_file = scene_file
        self._studio = studio
        self._store = store

    # -- the document -----------------------------------------------------------------------------

    def new(self) -> bool:
        """Start an empty scene, if the present one may go. Whether it did."""
        return self.may_go() and self._do(self._scene_file.new)

    def open(self) -> None:
        """Ask for a project or a label map and open it."""
        if self.may_go():
            folder = self._store.folder("documents")
            name, _ = QFileDialog.getOpenFileName(self._window, "Open", folder, OPEN_FILTER)
            if name:
                self.open_path(Path(name))

    def open_recent(self, path: Path) -> None:
        """Open a file of the list, if the present document may go."""
        if self.may_go():
            self.open_path(path)

    def open_path(self, path: Path) -> None:
        """Open the project or label map in `path` in place of the document."""
        palette = self._scene_file.palette
        read = partial(self._reader.read, path, lambda: read_document(path, palette))
        if self._do(lambda: self._scene_file.take(read())):
            self._remember(path)

    def open_example(self, layout: Path = EXAMPLES[0].layout) -> bool:
        """Open a scene that comes with the program, if the present one may go. Whether it did."""
        return self.may_go() and self._do(lambda: self._scene_file.open_example(layout))

    def restore(self, left: LeftBehind) -> None:
        """Bring back a document that was left behind, if the present one may go."""
        read = partial(self._reader.read, left.copy, lambda: read_copy(left.copy))
        if self.may_go() and self._do(lambda: self._scene_file.restore(left, read())):
            self.restored.emit()

    def save(self) -> bool:
        """Save the document to its file; False if it is not on disk afterwards."""
        path, is_map = self._scene_file.path, not self._scene_file.holds_pictures
        if path is None or (is_map and path.suffix.lower() != MAP_SUFFIX):
            return self.save_as()
        return self._save(path)

    def save_as(self) -> bool:
        """Ask for a file and save the document to it; False if it is not on disk afterwards."""
        path = self._scene_file.path
        name = path.with_suffix(SUFFIX).name if path else f"scene{SUFFIX}"
        chosen = self._ask_where("Save as", name, (PROJECT_FILTER, MAP_FILTER))
        return chosen is not None and self._save(chosen)

    def may_go(self) -> bool:
        """Whether the present document may be given up: it is saved, or the user says so."""
        self._scene_file.finish()
        if self._scene_file.saved:
            return True
        answer = QMessageBox.question(
            self._window,
            "Unsaved changes",
            self._what_is_unsaved(),
            Button.Save | Button.Discard | Button.Cancel,
            Button.Save,
        )
        if answer != Button.Save:
            return answer == Button.Discard
        can_hold_all = self._scene_file.holds_pictures or self._scene_file.pictures_saved
        self.save() if can_hold_all else self.save_as()
        return self._scene_file.saved

    def _what_is_unsaved(self) -> str:
        if self._scene_file.layout_saved and not self._scene_file.holds_pictures:
            return "The pictures are not saved: a label map cannot hold them, a project can."
        if self._scene_file.layout_saved:
            return "The history has changes that are not saved."
        return "The layout has changes that are not saved."

    def _save(self, path: Path) -> bool:
        if not self._do(lambda: self._scene_file.save(path)):
            return False
        self._remember(path)
        if not self._scene_file.saved:
            self.done.emit(f"{path.name} holds the layout; the pictures need a project (Save as…).")
        return True

    # -- the picture ------------------------------------------------------------------------------

    def save_picture(self) -> None:
        """Ask for a file and save the last picture to it, with its recipe."""
        result = self._studio.result
        if result is None:
            return
        name = f"picture-{result.request.seed}.png"
        path = self._ask_where("Save picture", name, PICTURE_FILTERS, "pictures")
        if path is not None:
            self._do(lambda: save_picture(path, result))

    # -- the work ---------------------------------------------------------------------------------

    def _ask_where(
        self, title: str, name: str, filters: tuple[str, ...], purpose: str = "documents"
    ) -> Path | None:
        start = str(Path(self._store.folder(purpose)) / name)
        kinds = ";;".join(filters)
        chosen, kind = QFileDialog.getSaveFileName(self._window, title, start, kinds)
        if not chosen:
            return None
        path, suffixes = Path(chosen), [_suffix(one) for one in filters]
        if path.suffix.lower() not in suffixes:
            path = path.with_name(path.name + (_suffix(kind) if kind else suffixes[0]))
            if path.exists() and not self._may_replace(path):  # the dialog asked about another name
                return None
        self._store.keep_folder(purpose, path.parent)
        return path

    def _may_replace(self, path: Path) -> bool:
        sentence = f"{path.name} already exists. Replace it?"
        buttons = Button.Yes | Button.No
        answer = QMessageBox.question(self._window, "Replace file", sentence, buttons, Button.No)
        return answer == Button.Yes

    def _remember(self, path: Path) -> None:
        self._store.keep_recent(path)
        self._store.keep_folder("documents", path.resolve().parent)

    def _do(self, work: Callable[[], str | None]) -> bool:
        """Run what reads or writes a file. Whether it went well; if not, nothing has changed."""
        try:
            notice = work()
        except Cancelled:
            return False
        except (InputError, OSError) as error:
            self.failed.emit(failure(error))
            return False
        self.done.emit(notice or "")
        return True


def _suffix(kind: str) -> str:
    """The suffix that a filter such as "PNG (*.png)" means."""
    return kind[kind.rindex("*") + 1 : -1]
