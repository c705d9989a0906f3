"""Everything that keeps the document: its file, its history, its recovery copy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.autosave import Autosave
from app.commands import UndoStack
from app.history import History
from app.pen import Pen
from app.recovery import Recovery
from app.scene import Scene
from app.scene_file import SceneFile
from app.session import Session
from app.settings import Store
from app.shelf import Shelf
from app.studio import Studio
from app.writer import Writer


@dataclass(frozen=True)
class Keeping:
    """The parts, wired to each other."""

    writer: Writer
    history: History
    scene_file: SceneFile
    autosave: Autosave
    recovery: Recovery

    def finish(self) -> None:
        """The program ends well: what is not saved was given up."""
        self.recovery.close()
        self.autosave.finish()


def build_keeping(
    scene: Scene, undo_stack: UndoStack, pen: Pen, studio: Studio, store: Store, data: Path
) -> Keeping:
    """data: the user's data folder; sessions are kept in a folder of it."""
    sessions = data / "sessions"
    writer = Writer()
    history = History(Shelf(Session(sessions)), writer, store.history_limit)
    studio.made.connect(history.keep)
    scene_file = SceneFile(scene, undo_stack, pen, studio, history)
    autosave = Autosave(scene, scene_file, history, writer)
    return Keeping(writer, history, scene_file, autosave, Recovery(sessions))
