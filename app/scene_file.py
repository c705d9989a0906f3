"""Which file the document lives in, and the way between the two."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from app.commands import UndoStack
from app.examples import EXAMPLES, PALETTE
from app.history import History, read_result
from app.label_controls import from_plain
from app.pen import SHAPES, Pen
from app.project import Project, is_project, read_project, write_project
from app.scene import Scene
from app.session import LeftBehind
from app.settings import GenerateSettings
from app.shelf import read_history
from app.studio import Studio
from app.tools import TOOLS
from core.errors import InputError
from core.files import unwritable
from core.labelmap import LabelImage, read_labels, write_labels
from core.palette import Palette
from core.request import Result
from core.style import StyleChoice

MAP_SUFFIX = ".png"


class SceneFile:
    """The document's file: a project, or a label map. `path` is None until it has one of its own.

    Every method either does all it says or raises `InputError` or `OSError` and changes nothing.
    Those that replace the document return a sentence about what could not be read, or "".
    """

    def __init__(
        self, scene: Scene, undo_stack: UndoStack, pen: Pen, studio: Studio, history: History
    ) -> None:
        self.path: Path | None = None
        self.holds_pictures = True  # whether the file is a project; a label map is not
        self._scene, self._undo_stack, self._pen = scene, undo_stack, pen
        self._studio, self._history = studio, history

    # -- what is saved ----------------------------------------------------------------------------

    @property
    def saved(self) -> bool:
        """Whether the document is as it was when opened or last saved, pictures and all."""
        return self.layout_saved and self.pictures_saved

    @property
    def layout_saved(self) -> bool:
        """The same of the label map alone."""
        return self._undo_stack.isClean()

    @property
    def pictures_saved(self) -> bool:
        """The same of the history alone."""
        return self._history.saved

    @property
    def palette(self) -> Palette:
        """The one that label maps are read with."""
        return self._scene.palette

    # -- opening ----------------------------------------------------------------------------------

    def new(self) -> str:
        """An empty map of the present size."""
        width, height = self._scene.size
        empty = np.full((height, width), self._scene.palette.erase_id, np.uint8)
        return self._adopt(Document(None, Project(empty, self._scene.palette)))

    def take(self, document: Document) -> str:
        """Replace the document by one that was read from its file."""
        return self._adopt(document) or document.notice

    def open_example(self, layout: Path = EXAMPLES[0].layout) -> str:
        """A scene that comes with the program, in its palette."""
        scene = self._scene
        palette = scene.palette if scene.palette.name == PALETTE else Palette.load(PALETTE)
        return self._adopt(Document(None, Project(read_labels(layout, palette).labels, palette)))

    def restore(self, left: LeftBehind, project: Project) -> str:
        """Go on where a program that ended badly was: its document, unsaved, in its session.

        project: what is in its recovery copy.
        """
        home = Path(project.home) if project.home else None
        shelf = self._history.shelf
        self._settle()
        is_map = home is not None and not is_project(home)
        shelf.attach(None)
        if home is not None and not is_map:
            with suppress(OSError, BadZipFile):  # then its pictures are missing, as told below
                shelf.attach(home)
        shelf.session.take_over(left)
        there = tuple(r for r in project.records if all(shelf.has(name) for name in r.files))
        lost = len(project.records) - len(there)
        notice = self._show(Document(home, replace(project, records=there), is_map))
        self._undo_stack.resetClean()
        self._history.mark_unsaved()
        return f"{home} cannot be read; pictures that are lost with it: {lost}." if lost else notice

    def _adopt(self, document: Document) -> str:
        """Let the present document go, with its session, and take another."""
        self._settle()
        self._history.shelf.attach(None if document.is_map else document.path)
        self._history.shelf.session.discard()
        return self._show(document)

    def finish(self) -> None:
        """Return when every picture is on disk and counted."""
        self._history.finish()

    def _settle(self) -> None:
        """Nothing of the present document is on its way any more."""
        self._studio.forget_result()
        self.finish()

    def _show(self, document: Document) -> str:
        project = document.project
        self._history.adopt(project.records, project.palettes)
        self.path, self.holds_pictures = document.path, not document.is_map
        self._scene.replace(project.labels, project.palette)
        self._scene.controls.adopt(from_plain(project.controls))
        self._scene.wanted.adopt(project.wanted)
        self._undo_stack.clear()
        self._studio.change_settings(_settings(project.generate, self._studio.settings))
        _fill_hand(self._pen, project.pen)
        shown = self._history.find(project.picture)
        try:
            self._studio.show_result(self._history.result(shown, document.shown) if shown else None)
        except InputError as error:
            return str(error)
        return ""

    # -- saving -----------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write the document to `path`, which becomes its file.

        A project, unless the name ends in .png: then the label map alone.
        """
        if path.suffix.lower() == MAP_SUFFIX:
            write_labels(path, self._scene.labels, self._scene.palette)
            self.holds_pictures = False
        else:
            self._save_project(path)
            self.holds_pictures = True
        self.path = path
        self._undo_stack.setClean()

    def snapshot(self) -> Project:
        """The document as it is now, with arrays of its own: a writer may take its time."""
        shown = self._history.record_of(self._studio.result)
        return Project(
            self._scene.labels.copy(),
            self._scene.palette,
            asdict(self._studio.settings),
            _hand(self._pen),
            shown.id if shown else "",
            self._history.records,
            self._history.palettes,
            str(self.path or ""),
            self._scene.controls.plain,
            self._scene.wanted.plain,
        )

    def _save_project(self, path: Path) -> None:
        self.finish()
        shelf, before = self._history.shelf, self._history.shelf.project
        try:
            write_project(path, replace(self.snapshot(), home=""), shelf)
        except OSError as error:
            if shelf.project != before:
                with suppress(OSError, BadZipFile):  # that one may be gone, too
                    shelf.attach(before)
            raise InputError(unwritable(path, error)) from error
        shelf.attach(path)
        self._history.mark_saved()


# -- reading, in any thread -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Document:
    """What a file holds.

    path: None for what has no file yet. is_map: it is a label map, no project. shown: its present
    picture, if that was read already. notice: a sentence about what has no label, or "".
    """

    path: Path | None
    project: Project
    is_map: bool = False
    shown: Result | None = None
    notice: str = ""


def read_document(path: Path, palette: Palette) -> Document:
    """Read a project, or a label map of `palette`. Raises `InputError` or `OSError`."""
    if is_project(path):
        project = read_project(path)
        return Document(path, project, shown=_read_shown(path, project))
    found = read_labels(path, palette)
    notice = _notice(path, found, palette)
    return Document(path, Project(found.labels, palette), is_map=True, notice=notice)


def _read_shown(path: Path, project: Project) -> Result | None:
    """The present picture of a project; None if there is none. One that is damaged is told of by
    who needs it."""
    record = next((record for record in project.records if record.id == project.picture), None)
    if record is not None:
        with suppress(InputError, OSError, BadZipFile), ZipFile(path) as archive:
            return read_result(record, project.palettes, partial(read_history, archive))
    return None


def _notice(path: Path, found: LabelImage, palette: Palette) -> str:
    if not found.unplaced:
        return ""
    nothing = palette[palette.erase_id].name
    return (
        f"{found.unplaced:.1%} of {path.name} (read as {found.kind}) has no label in this "
        f"palette; those pixels became {nothing!r}."
    )


# -- settings and pen as plain data ---------------------------------------------------------------


def _settings(plain: Mapping[str, Any], present: GenerateSettings) -> GenerateSettings:
    """The settings of a file; what is missing or of a wrong type stays as at `present`."""
    kinds = {field.name: type(getattr(present, field.name)) for field in fields(present)}
    usable = {name: plain[name] for name, kind in kinds.items() if type(plain.get(name)) is kind}
    if "style" in plain:
        usable["style"] = StyleChoice.from_plain(plain["style"])
    return replace(present, **usable).checked()


def _hand(pen: Pen) -> dict[str, Any]:
    names = [pen.palette[label].name for label in (pen.label, pen.previous_label)]
    return {
        "tool": pen.tool,
        "labels": names,
        "diameter": pen.diameter,
        "shape": pen.shape,
        "contiguous": pen.contiguous,
    }


def _fill_hand(pen: Pen, plain: Mapping[str, Any]) -> None:
    """Take up what a file tells of the pen, as far as it makes sense."""
    names = plain.get("labels")
    for name in reversed(names if isinstance(names, list) else []):
        label = pen.palette.find(str(name))
        if label is not None:
            pen.choose(label)
    if isinstance(plain.get("diameter"), int):
        pen.resize(plain["diameter"])
    if plain.get("tool") in TOOLS:
        pen.use(plain["tool"])
    if plain.get("shape") in SHAPES:
        pen.reshape(plain["shape"])
    if isinstance(plain.get("contiguous"), bool):
        pen.set_contiguous(plain["contiguous"])
