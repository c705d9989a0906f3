"""What is done with the pictures of the history: look, use, star, delete, compare."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QWidget

from app.commands import ReplaceScene, UndoStack
from app.file_kinds import PHOTO_FILTER
from app.guiding.plain import wanted_step
from app.history import MIB, History
from app.history_filter import HistoryFilter
from app.panels.compare import ComparePanel
from app.panels.history import HistoryPanel
from app.picture_files import opened_picture
from app.reader import Reader
from app.record import Record
from app.restoring import controls_step, settings_of
from app.scene import Scene
from app.settings import MAX_HISTORY_LIMIT, Store
from app.studio import Studio
from app.worker import failure
from core.errors import InputError
from core.request import Failed, Result


class Gallery(QObject):
    """Between the history and its strip; the studio shows what is looked at. failed(Failed)."""

    failed = Signal(object)

    def __init__(
        self,
        window: QWidget,
        history: History,
        studio: Studio,
        scene: Scene,
        undo_stack: UndoStack,
        store: Store,
        reader: Reader,
    ) -> None:
        super().__init__(window)
        self._window, self._history, self._studio = window, history, studio
        self._scene, self._undo_stack, self._store = scene, undo_stack, store
        self._reader = reader
        self.filter = HistoryFilter(history, self)
        self.compare_window = ComparePanel(window)
        self.compare_window.photo_wanted.connect(self.compare_with_photo)
        self._compared: Result | None = None  # the first of the pair
        self._followed = ""  # id of the picture that the cursor was put on, as it was shown

    def attach(self, panel: HistoryPanel) -> None:
        """Serve the strip."""
        self.panel = panel
        panel.looked_at.connect(self.look)
        panel.taken.connect(self.use)
        panel.filtered.connect(self.filter.show_only)
        self._history.counted.connect(self._show_count)
        self._history.kept.connect(self._follow)
        self._studio.picture_changed.connect(self._follow)
        self._history.failed.connect(self.failed)
        self._show_count()

    # -- wishes -----------------------------------------------------------------------------------

    def go(self) -> None:
        """Give the keys to the strip."""
        self.panel.strip.setFocus()

    def look(self, record: Record) -> None:
        """Show a picture as the last one: it can be saved, and tells what has changed since."""
        result = self._load(record)
        if result is not None:
            self._followed = record.id  # the cursor is there
            self._studio.show_result(result)

    def use(self) -> None:
        """Take the settings of the chosen picture, and its layout as a step of the undo."""
        record = next(iter(self.chosen()), None)
        result = record and self._load(record)
        if result is None:
            return
        layout = result.request.layout
        if not self._scene.holds(layout.labels, layout.palette):
            text = "use a picture's layout"
            self._undo_stack.push(ReplaceScene(self._scene, layout.labels, layout.palette, text))
        if step := controls_step(record.recipe, self._scene.controls):
            self._undo_stack.push(step)
        if step := wanted_step(record.recipe, self._scene.wanted):
            self._undo_stack.push(step)
        self._studio.change_settings(settings_of(record.recipe, self._studio.settings))
        self._studio.show_result(result)

    def star(self) -> None:
        """Give the chosen pictures a star; take it if all of them have one."""
        chosen = self.chosen()
        starred = not all(record.starred for record in chosen)
        self._history.star([record.id for record in chosen], starred)

    def delete(self) -> None:
        """Take the chosen pictures out of the history, as a step of the undo."""
        chosen = self.chosen()
        if not chosen:
            return
        row = self._history.records.index(chosen[0])
        try:
            self._undo_stack.push(self._history.removal([record.id for record in chosen]))
        except (InputError, OSError) as error:
            self.failed.emit(failure(error))
            return
        if self._history.records:
            self._show_row(min(row, len(self._history.records) - 1))

    def compare(self) -> None:
        """Compare the two selected pictures; or the one that is shown with the one before it.

        The only picture is compared with itself, until a photo takes the second place.
        """
        pair = self._pair()
        if not pair:
            self.failed.emit(Failed("There is nothing to compare yet. Generate a picture first."))
            return
        results = [self._load(record) for record in pair]
        if all(results):
            self._compare_with(results[0], results[-1].image, _name(pair[-1]))

    def compare_with_photo(self) -> None:
        """Ask for a picture file and put it in the second place."""
        folder = self._store.folder("pictures")
        ask = QFileDialog.getOpenFileName
        name, _ = ask(self.compare_window, "Compare with", folder, PHOTO_FILTER)
        if name:
            self.compare_with_file(Path(name))

    def compare_with_file(self, path: Path) -> None:
        """Put the picture in `path` in the second place."""
        picture = opened_picture(self._reader, path, self.failed.emit)
        if picture is not None:
            self._store.keep_folder("pictures", path.resolve().parent)
            self._compare_with(self._compared, picture, path.name)

    def ask_limit(self) -> None:
        """Ask how much may be kept; say what would go before it goes."""
        megabytes, sure = QInputDialog.getInt(
            self._window,
            "Space for the history",
            "Megabytes for the pictures of a scene.\n"
            "When they are used up, the oldest pictures without a star go.",
            self._history.limit // MIB,
            1,
            MAX_HISTORY_LIMIT,
        )
        if sure and self._may_lose(self._history.over(megabytes * MIB)):
            self._store.history_limit = megabytes * MIB
            self._history.set_limit(megabytes * MIB)

    def chosen(self) -> list[Record]:
        """The selected pictures, or the one that is shown."""
        shown = self._history.record_of(self._studio.result)
        return self.panel.chosen() or ([shown] if shown else [])

    def results(self) -> list[Result]:
        """The chosen pictures themselves; the one that is shown comes first."""
        shown = self._studio.result
        others = [r for r in self.chosen() if r != self._history.record_of(shown)]
        loaded = [result for record in others if (result := self._load(record))]
        return [shown, *loaded] if shown else loaded

    # -- the work ---------------------------------------------------------------------------------

    def _pair(self) -> list[Record]:
        chosen, records = self.chosen()[:2], self._history.records
        if len(chosen) != 1:
            return chosen or list(records[:2])
        place = records.index(chosen[0])
        others = records[place + 1 :] or records[:place]
        return [*chosen, *others[:1]]

    def _compare_with(self, first: Result, second: np.ndarray, name: str) -> None:
        self._compared = first
        names = f"seed {first.request.seed}", name
        self.compare_window.compare(first.image, second, names)

    def _may_lose(self, records: list[Record]) -> bool:
        if not records:
            return True
        sentence = f"{_pictures(len(records))} without a star will be deleted."
        Button = QMessageBox.StandardButton
        buttons = Button.Ok | Button.Cancel
        title = "Space for the history"
        answer = QMessageBox.question(self._window, title, sentence, buttons, Button.Cancel)
        return answer == Button.Ok

    def _load(self, record: Record) -> Result | None:
        try:
            return self._history.result(record)
        except (InputError, OSError) as error:
            self.failed.emit(failure(error))
            return None

    def _follow(self) -> None:
        """Put the cursor on the picture that is shown: made just now, taken from a grid, or brought
        back by undo. Not again while the user chooses others beside it."""
        record = self._history.record_of(self._studio.result)
        before, self._followed = self._followed, record.id if record else ""
        if self._followed in ("", before):
            return
        row = self._history.records.index(record)
        index = self.filter.mapFromSource(self._history.index(row))
        if index.isValid() and record not in self.panel.chosen():
            self.panel.mark(index.row())

    def _show_row(self, row: int) -> None:
        self.panel.mark(self.filter.mapFromSource(self._history.index(row)).row())
        for record in self.panel.chosen():
            self.look(record)

    def _show_count(self) -> None:
        count, size, limit = len(self._history.records), self._history.size, self._history.limit
        text = f"{_pictures(count)}, {size / MIB:.1f} MB of {limit // MIB} MB"
        self.panel.show_count(text, count == 0)


def _name(record: Record) -> str:
    return f"seed {record.recipe.get('seed')}"


def _pictures(count: int) -> str:
    return f"{count} picture" if count == 1 else f"{count} pictures"
