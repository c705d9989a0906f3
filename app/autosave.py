"""The recovery copy: written while there is something to lose, gone when there is not."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from app.history import History
from app.project import Project, write_copy
from app.scene import Scene
from app.scene_file import SceneFile
from app.session import COPY
from app.worker import failure
from app.writer import Writer
from core.request import Failed

EVERY = 60_000  # ms


class Autosave(QObject):
    """Writes a copy of the unsaved document every minute and after every picture.

    The window's thread only copies the arrays; the writer's thread packs them and waits for the
    disk. One copy is on its way at a time, however many pictures come: the next one has them all.
    """

    def __init__(
        self, scene: Scene, scene_file: SceneFile, history: History, writer: Writer
    ) -> None:
        super().__init__()
        self._scene, self._scene_file = scene, scene_file
        self._history, self._writer = history, writer
        self._session = history.shelf.session
        self._written: tuple[int, int] | None = None  # the state that the copy holds
        self._writing = self._finished = False
        self._timer = QTimer(self, interval=EVERY)
        self._timer.timeout.connect(self.review)
        self._timer.start()
        history.kept.connect(self.review)

    def review(self, *_: object) -> None:
        """Bring the copy up to date: write it, leave it, or delete it."""
        if self._finished:
            return
        if self._scene_file.saved:
            self.forget()
        elif self._state() != self._written and not self._writing:
            self._write()

    def forget(self) -> None:
        """Delete the copy: the document is on disk as it is."""
        if self._written is not None or self._session.find(COPY):
            drop = partial(self._history.shelf.drop, COPY)
            self._writer.submit(drop, partial(self._note, None))

    def finish(self) -> None:
        """The program ends well: nothing is left behind."""
        self._timer.stop()
        self._finished = True
        self._writer.stop()
        self._history.shelf.detach()
        self._session.discard()

    def _state(self) -> tuple[int, int]:
        return self._scene.revision, self._history.revision

    def _write(self) -> None:
        try:
            path = self._session.copy
        except OSError as error:
            self._writer.failed.emit(failure(error))
            return
        self._writing = True
        write = partial(_try_to_write, path, self._scene_file.snapshot())
        self._writer.submit(write, partial(self._on_written, self._state()))

    def _on_written(self, state: tuple[int, int], failed: Failed | None) -> None:
        self._writing = False
        if failed is not None:  # the next minute may be better
            self._writer.failed.emit(failed)
            return
        self._note(state, None)
        self.review()

    def _note(self, state: tuple[int, int] | None, _outcome: object) -> None:
        self._written = state


def _try_to_write(path: Path, project: Project) -> Failed | None:
    """Write the copy, in the writer's thread; what went wrong, or None."""
    try:
        write_copy(path, project)
    except Exception as error:
        return failure(error)
    return None
