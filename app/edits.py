"""Local edits: a part of the picture is made anew, and the outcome is proposed. No widgets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand

from app.commands import Edit, UndoStack
from app.edit_plan import EditSettings, Plan, Planner
from app.history import History
from app.kept import Kept
from app.marks import MARKED, PLAIN, Marks
from app.patch import Patch
from app.reference import Reference
from app.scene import Scene
from app.studio import Status, Studio
from app.worker import failure
from core.errors import InputError
from core.request import MAX_SEED, Failed, Result

NOTHING_CHANGED = "Nothing has changed since the picture was made: paint labels, or mark a region."
NOTHING_MARKED = "No region is marked. Mark what is to be made anew, then repaint it."
NO_PICTURE = "There is no picture to repaint yet. Generate one, or load a photo."
OTHER_CANVAS = "The picture was made for another canvas or palette. Generate it anew first."


class Edits(QObject):
    """What an edit would be, the pictures proposed for it, and what becomes of them.

    proposals: those made so far. index: which one is shown, 0 for the picture as it was. waiting:
    another one is being made. settings_changed: other settings. turned: another proposal is shown,
    or waited for, or it is over. kept: a proposal became the picture. failed(Failed).
    """

    settings_changed = Signal()
    turned = Signal()
    kept = Signal()
    failed = Signal(object)

    def __init__(
        self,
        scene: Scene,
        studio: Studio,
        reference: Reference,
        undo_stack: UndoStack,
        history: History,
    ) -> None:
        super().__init__()
        self.planner = Planner(scene, studio, reference)
        self.proposals: list[Result] = []
        self.index = 0
        self.waiting = False
        self.plan: Plan | None = None  # of the proposals
        self._studio, self._undo_stack, self._history = studio, undo_stack, history
        self._before: Result | None = None  # the last picture when the proposals began
        studio.proposed.connect(self._take)
        studio.failed.connect(self._on_failed)
        studio.status_changed.connect(self._follow)
        scene.replaced.connect(self.drop)
        undo_stack.cleared.connect(self.marks.reset)

    @property
    def open(self) -> bool:
        """Whether there is a choice to make, or will be."""
        return self.waiting or bool(self.proposals)

    @property
    def marks(self) -> Marks:
        """What is marked."""
        return self.planner.marks

    @property
    def settings(self) -> EditSettings:
        """How far an edit goes."""
        return self.planner.settings

    def change_settings(self, settings: EditSettings) -> None:
        """Take other settings, for the next edit."""
        if settings != self.settings:
            self.planner.settings = settings
            self.settings_changed.emit()

    # -- wishes -----------------------------------------------------------------------------------

    def update(self) -> None:
        """Make anew what changed since the picture was made, and what is marked.

        Without a picture, or with one of another canvas, a whole one is made.
        """
        if self.planner.comparable:
            self._begin(self.planner.plan(), NOTHING_CHANGED)
        else:
            self._studio.generate()

    def repaint(self) -> None:
        """Make anew what is marked, whatever else changed."""
        if self.planner.comparable:
            self._begin(self.planner.plan(marks_only=True), NOTHING_MARKED)
        else:
            self.failed.emit(Failed(OTHER_CANVAS if self.planner.base() else NO_PICTURE))

    def clear_marks(self) -> None:
        """Take all marks away, as a step of the undo."""
        before = _cleared(self.marks)
        if before is not None:
            self._undo_stack.push(Edit(self.marks, before, "clear the marks"))

    def _begin(self, plan: Plan | None, why_not: str) -> None:
        if plan is None:
            self.failed.emit(Failed(why_not))
            return
        self._close()
        self.plan, self._before = plan, self._studio.result
        self._propose()

    def _propose(self) -> None:
        plan, made = self.plan, len(self.proposals)
        # The noise of the picture itself changes least; without another layout it changes nothing.
        seed = (plan.base.seed + made + (0 if plan.follows else 1)) % (MAX_SEED + 1)
        self.waiting = self._studio.propose(lambda present: plan.request(present, seed))
        self.turned.emit()

    # -- the choice -------------------------------------------------------------------------------

    def next(self) -> None:
        """The next proposal; behind the last one, another one is made."""
        if self.waiting or not self.open:
            return
        if self.index == len(self.proposals):
            self._propose()
        else:
            self._walk_to(self.index + 1)

    def previous(self) -> None:
        """The proposal before; before the first lies the picture as it was."""
        if self.proposals:
            self._stop_waiting()
            self._walk_to(max(0, self.index - 1))

    def keep(self) -> None:
        """The proposal that is shown becomes the picture, in one step of the undo."""
        if not self.proposals:
            return
        self._stop_waiting()
        chosen = self.proposals[self.index - 1] if self.index else None
        if chosen is None:
            self.drop()
            return
        self._close()
        self._undo_stack.push(KeepEdit(self, self._studio, self._history, chosen))
        self.kept.emit()

    def drop(self) -> None:
        """Give the proposals up; the picture is as it was."""
        if self.open:
            waiting = self.waiting
            self._close()
            if waiting:
                self._studio.cancel()
            else:
                self._studio.show_result(self._studio.result)

    def cancel(self) -> bool:
        """Give up what is being made, or else the proposals. Whether there was anything."""
        if self.waiting and self.proposals:
            self._stop_waiting()
            self._show()
            return True
        was_open = self.open
        self.drop()
        return was_open

    def _stop_waiting(self) -> None:
        if self.waiting:
            self.waiting = False
            self._studio.cancel()

    def _walk_to(self, index: int) -> None:
        self.index = index
        self._show()

    def _show(self) -> None:
        self._studio.show_picture(*self._shown())
        self.turned.emit()

    def _shown(self) -> tuple[np.ndarray, str]:
        if not self.index:
            return self.plan.base.picture, "as it was"
        result = self.proposals[self.index - 1]
        return result.image, f"proposal {self.index} · seed {result.request.seed}"

    def _close(self) -> None:
        if self.open:
            self.proposals, self.index, self.waiting, self.plan = [], 0, False, None
            self.turned.emit()

    # -- what the studio tells --------------------------------------------------------------------

    def _take(self, result: Result) -> None:
        if self.waiting:
            self.waiting = False
            self.proposals.append(result)
            self._walk_to(len(self.proposals))

    def _on_failed(self, _: Failed) -> None:
        if self.waiting:
            self.waiting = False
            if self.proposals:
                self._show()
            else:
                self.turned.emit()

    def _follow(self, status: Status) -> None:
        """A picture of another wish, or another picture looked at, ends the choice."""
        studio = self._studio
        other = status.steps > 0 and studio.purpose != "proposal"
        given_up = self.waiting and not status.steps and status.state != "loading"
        if self.open and (other or given_up or studio.result is not self._before):
            self._close()


class KeepEdit(QUndoCommand):
    """A proposal becomes the picture; the marks that asked for it go, and so does the photo.

    Neither picture stays in memory for it: the history has them.
    """

    def __init__(self, edits: Edits, studio: Studio, history: History, chosen: Result) -> None:
        super().__init__("local edit")
        self._edits, self._studio = edits, studio
        self._before = history.hold(studio.result) if studio.result else None
        self._after = history.hold(chosen)
        self._settings = edits.settings
        self._marks: Patch | None = None
        self._new: Result | None = chosen  # until it is the picture for the first time

    def redo(self) -> None:
        if self._new is not None:
            self._marks = _cleared(self._edits.marks)
            self._studio.accept(self._new)
            self._new = None
        else:
            self._swap_marks()
            self._show(self._after)
        self._edits.change_settings(replace(self._settings, photo=False))

    def undo(self) -> None:
        self._swap_marks()
        self._show(self._before)
        self._edits.change_settings(self._settings)

    def _swap_marks(self) -> None:
        if self._marks is not None:
            self._marks = self._edits.marks.swap(self._marks)

    def _show(self, kept: Kept | None) -> None:
        try:
            self._studio.show_result(kept.result() if kept else None)
        except (InputError, OSError) as error:
            self._studio.failed.emit(failure(error))


def _cleared(marks: Marks) -> Patch | None:
    """Take all marks away; what was there, or None if there were none."""
    marks.begin()
    marks.relabel(MARKED, PLAIN)
    return marks.end()
