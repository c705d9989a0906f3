"""My set and the training on it: who asks what of whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QLabel, QMessageBox, QWidget

from app.reference import Reference
from app.scene import Scene
from app.scene_file import SceneFile
from app.settings import Store, data_folder
from app.studio import Studio
from app.training.child import TrainingChild, tail
from app.training.coverage import Coverage, Covered
from app.training.pair_dialog import Candidate, PairDialog
from app.training.photo_set import PhotoSet, part_under
from app.training.recipe import Recipe, going_on
from app.worker import failure
from core.errors import InputError
from core.request import Failed, ModelInfo
from core.run_status import DONE, FAILED, RunStatus, read_status

if TYPE_CHECKING:
    from app.training.set_dialog import SetDialog

PURPOSE = "set"  # of the folder that is remembered
FIRST_NAME = "mine"  # of a run
FEW, MANY = 4, 16  # pictures a step, on a CPU and elsewhere
NOTHING_TO_PAIR = (
    "There is no picture to go with this scene. Generate one, or load the photo that it was "
    "painted from (Photo to trace…)."
)


class TrainingDesk(QObject):
    """Adds scenes to the set, shows the set, and runs the training.

    told(sentence): something was done. failed(Failed). open_model: opens a weights file.
    """

    told = Signal(str)
    failed = Signal(object)

    def __init__(
        self,
        window: QWidget,
        scene: Scene,
        scene_file: SceneFile,
        studio: Studio,
        reference: Reference,
        store: Store,
        open_model: Callable[[Path], None],
    ) -> None:
        super().__init__(window)
        self._window, self._scene, self._scene_file = window, scene, scene_file
        self._studio, self._reference = studio, reference
        self._store, self._open_model = store, open_model
        folder = store.folder(PURPOSE)
        self.set = PhotoSet(Path(folder) if folder else data_folder() / "my set")
        self.child = TrainingChild(self)
        self.note = QLabel(objectName="faint")  # for the status bar
        self.note.setContentsMargins(8, 0, 8, 0)
        self.note.setToolTip("A training is under way; My set… shows it")
        self.note.hide()
        self.dialog: SetDialog | None = None  # built when first asked for
        self._base: ModelInfo | None = None  # the model that the dialog names
        self._coverage = Coverage(self)
        self._coverage.counted.connect(self._show_coverage)
        self.child.changed.connect(self._on_changed)
        self.child.ended.connect(self._on_ended)
        self._find_run()

    # -- the set ----------------------------------------------------------------------------------

    def ask_add(self) -> None:
        """Ask what goes into the set with this scene, and add both."""
        candidates = self._candidates()
        if not candidates:
            self.failed.emit(Failed(NOTHING_TO_PAIR))
            return
        palette = self._scene.palette
        dialog = PairDialog(candidates, palette, self.dialog_or_window)
        if dialog.exec():
            name, chosen = dialog.name.text(), dialog.candidate
            self._try(lambda: self._add(name, chosen))
        dialog.deleteLater()

    def _add(self, name: str, chosen: Candidate) -> None:
        palette, here = self._scene.palette, self.set
        pair = here.add(name, chosen.labels, chosen.picture, palette)
        count = len(here.pairs())
        pictures = "1 picture" if count == 1 else f"{count} pictures"
        self.told.emit(f"{pair.name} is in the set, which has {pictures} now.")
        self._show_set()

    def _candidates(self) -> list[Candidate]:
        """The photo and the picture, as far as they are there."""
        labels, found = self._scene.labels.copy(), []
        document = self._scene_file.path.stem if self._scene_file.path else "scene"
        photo, result = self._reference.photo, self._studio.result
        if photo is not None:
            name = Path(self._reference.name).stem
            part = part_under(labels, photo.shape[:2])
            found.append(Candidate(f"The photo {self._reference.name}", name, photo, part))
        if result is not None:
            stale = "The scene was painted on since this picture was made."
            note = stale if self._studio.stale else ""
            found.append(Candidate("The picture", document, result.image, labels, note))
        return [one._replace(name=self.set.free_name(one.name), labels=one.labels) for one in found]

    def ask_folder(self) -> None:
        """Ask for another folder for the set."""
        name = QFileDialog.getExistingDirectory(
            self.dialog_or_window, "Folder of my set", str(self.set.folder)
        )
        if name:
            self.use_folder(Path(name))

    def use_folder(self, folder: Path) -> None:
        """From now on the set is the one in `folder`."""
        self.set = PhotoSet(folder)
        self._store.keep_folder(PURPOSE, folder)
        self._find_run()
        self._list_runs("")
        self._show_set()

    # -- the dialog -------------------------------------------------------------------------------

    @property
    def dialog_or_window(self) -> QWidget:
        """Whoever is in front: a question belongs to it."""
        open_now = self.dialog is not None and self.dialog.isVisible()
        return self.dialog if open_now else self._window

    def show(self) -> None:
        """Show the set and its training."""
        if self.dialog is None:
            from app.training.set_dialog import SetDialog  # read when wanted: docs/decisions/024

            self.dialog = SetDialog(self._window)
            self._connect(self.dialog)
        self._list_runs("")
        self._show_set()
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def _connect(self, dialog: SetDialog) -> None:
        dialog.add_wanted.connect(self.ask_add)
        dialog.folder_wanted.connect(self.ask_folder)
        dialog.start_wanted.connect(self.start)
        dialog.stop_wanted.connect(self.stop)
        dialog.open_wanted.connect(self.open_trained)
        dialog.run_chosen.connect(self._choose_run)
        self._studio.status_changed.connect(self._show_base)

    def _list_runs(self, chosen: str) -> None:
        if self.dialog is not None:
            runs = [path.name for path in self.set.runs()]
            running = self.child.folder.name if self.child.running else ""
            chosen = running or chosen or (runs[0] if runs else FIRST_NAME)
            self.dialog.list_runs(runs, chosen)
            self._show_choices()

    def _choose_run(self) -> None:
        self._show_choices()
        self._show_run()

    def _show_choices(self) -> None:
        """An old run as it was begun; one that learned all its steps gets as many again."""
        before = read_status(self._chosen())
        if before is not None and before.words:
            more = before.steps if before.state == DONE else 0
            self.dialog.show_choices(before.steps + more, "--lora" in before.words)

    def _show_set(self) -> None:
        if self.dialog is None:
            return
        pairs = self.set.pairs()
        self.dialog.show_set(self.set.folder, len(pairs))
        self.dialog.show_problems([])
        try:
            palette = self.set.palette() or self._scene.palette
        except InputError as error:
            self.dialog.show_problems([str(error)])
            palette, pairs = self._scene.palette, []
        self._coverage.count(pairs, palette)
        self._show_run()

    def _show_coverage(self, labels: list[Covered], problems: list[str]) -> None:
        if self.dialog is not None:
            self.dialog.table.show_coverage(labels, self._coverage.palette)
            if problems:
                self.dialog.show_problems(problems)

    # -- the training -----------------------------------------------------------------------------

    def start(self) -> None:
        """Begin the run of the name in the field, or go on with it."""
        self._try(self._start)
        self._show_run()

    def _start(self) -> None:
        name = self.dialog.name.currentText().strip() or FIRST_NAME
        if name != name.strip(". ") or set(name) & set('/\\:*?"<>|'):
            raise InputError(f"{name!r} is no name for a folder. Take letters and numbers.")
        folder, steps = self.set.run_folder(name), self.dialog.steps.value()
        before = self._resumable(folder)
        if before is not None:
            if steps <= before.step:
                raise InputError(
                    f"{name} has learned {before.step} steps already. Give it more, or train "
                    "under another name."
                )
            words = going_on(before.words, steps)
        else:
            words = self._recipe(folder, steps).words()
        self.child.start(folder, words)

    def _recipe(self, folder: Path, steps: int) -> Recipe:
        model, here = self._studio.model, self.set
        pictures = FEW if model.device == "cpu" else MANY
        return Recipe(
            here.folder,
            here.palette_file,
            Path(model.path),
            folder,
            steps,
            self.dialog.small,
            pictures,
        )

    def stop(self) -> None:
        """Let the run save and end."""
        if self.child.running:
            self._try(self.child.stop)

    def open_trained(self) -> None:
        """Open the model of the run that is shown."""
        weights = self._weights(self._chosen())
        if weights.is_file():
            self._open_model(weights)

    def _find_run(self) -> None:
        """Follow a run that another window left running."""
        if not self.child.running:
            any(self.child.follow(folder) for folder in self.set.runs())

    def _chosen(self) -> Path:
        return self.set.run_folder(self.dialog.name.currentText().strip() or FIRST_NAME)

    def _weights(self, folder: Path) -> Path:
        return folder / "weights.safetensors"

    def _resumable(self, folder: Path) -> RunStatus | None:
        """The last word of a run that can be gone on with."""
        status = read_status(folder) if (folder / "state.safetensors").is_file() else None
        return status if status is not None and status.words else None

    def _on_changed(self, status: RunStatus) -> None:
        self.note.setText(f"training {status.step}/{status.steps}")
        self.note.show()
        self._show_run()

    def _on_ended(self, folder: Path, status: RunStatus) -> None:
        self.note.hide()
        self._show_run(ended=status)
        if status.state == FAILED:
            self.failed.emit(Failed(status.text, "\n".join(tail(folder))))
        elif status.state == DONE:
            self.told.emit("The training is done. My set… opens the model.")

    def _show_run(self, _: object = None, ended: RunStatus | None = None) -> None:
        """The run of the name in the field, and what can be done with it."""
        if self.dialog is None:
            return
        folder = self._chosen()
        running = self.child.running
        shown = self.child.status if running else ended or read_status(folder)
        self.dialog.run.show_run(folder, shown, running and self.child.stopping)
        going = "" if running else self._what_can_begin(folder)
        self._base = self._studio.model
        before = self._resumable(folder)
        begun_from = _init_of(before.words) if before else ""
        self.dialog.base.setText(begun_from or _base_text(self._base))
        self.dialog.show_abilities(
            going, running, self.child.stopping, self._weights(folder).is_file()
        )

    def _show_base(self) -> None:
        """Another model may be open by now."""
        if self._studio.model is not self._base:
            self._show_run()

    def _what_can_begin(self, folder: Path) -> str:
        """What the button says, or "" if there is nothing to train on or from."""
        model = self._studio.model
        if self._resumable(folder) is not None:
            return "Continue"
        able = model is not None and model.path and self.set.pairs()
        return "Start" if able else ""

    # -- the end ----------------------------------------------------------------------------------

    def may_close(self) -> bool:
        """Whether the window may close: no run is under way, or the user decided about it."""
        if not self.child.running:
            return True
        box = QMessageBox(self._window)
        box.setWindowTitle("Training is under way")
        box.setText("What should become of the training?")
        box.setInformativeText(
            "Left alone it goes on without the window, and My set… shows it next time. Stopped, it "
            "saves what it has learned, and can be continued."
        )
        leave = box.addButton("Leave it running", QMessageBox.ButtonRole.AcceptRole)
        stop = box.addButton("Stop it", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(leave)
        box.exec()
        if box.clickedButton() is stop:
            self.stop()
        return box.clickedButton() in (leave, stop)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (InputError, OSError) as error:
            self.failed.emit(failure(error))


def _init_of(words: tuple[str, ...]) -> str:
    """The name of the model that a run was begun from."""
    found = dict(zip(words, words[1:], strict=False)).get("--init", "")
    path = Path(found)
    return path.parent.name if path.stem == "weights" else path.stem


def _base_text(model: ModelInfo | None) -> str:
    """What a run would start from, or why it cannot."""
    if model is None:
        return "no model is open"
    return model.name if model.path else f"{model.name} cannot be trained on; open another model"
