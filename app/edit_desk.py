"""Where local edits lie: marks and lines on the canvas, a bar over it, a panel beside it."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDockWidget

from app.canvas import Canvas
from app.commands import UndoStack
from app.edit_plan import Plan
from app.edits import Edits
from app.history import History
from app.marks import MarkingEasel
from app.panels.edit_bar import EditBar
from app.panels.local_edit import LocalEditPanel
from app.reference import Reference
from app.settings import Store
from app.studio import Studio

CHOICE = {  # what the bar offers while there are proposals
    "previous_edit": "◂",
    "next_edit": "▸",
    "keep_edit": "Keep",
    "cancel": "Drop",
}
WAITING = {"cancel": "Stop"}
MARKING = {"repaint": "Repaint", "clear_marks": "Clear", "mark": "Done"}
FLAG = "region"  # remembers whether the region is shown


class EditDesk(QObject):
    """Brings `Edits`, its panel and the canvas together.

    turned: there is something to give up now (`busy`), or there is no more.
    """

    turned = Signal()

    def __init__(
        self,
        canvas: Canvas,
        studio: Studio,
        undo_stack: UndoStack,
        history: History,
        reference: Reference,
        store: Store,
        acts: dict[str, QAction],
    ) -> None:
        super().__init__(canvas)
        self.edits = Edits(canvas.scene, studio, reference, undo_stack, history)
        self.panel = LocalEditPanel()
        self.bar = EditBar(canvas)
        self.marking = False
        self._canvas, self._studio = canvas, studio
        self._reference, self._store, self._acts = reference, store, acts
        self._opacity: float | None = None  # to go back to; None while nothing asks to look
        self._easel = MarkingEasel(canvas, self.edits.marks)
        self._drawn: tuple[bool, Plan | None] = False, None
        for name in CHOICE | MARKING:
            self.bar.add(acts[name])
        acts["mark"].setCheckable(True)
        acts["show_region"].setCheckable(True)
        acts["show_region"].setChecked(store.flag(FLAG))
        self._connect(undo_stack)
        self.review()

    def _connect(self, undo_stack: UndoStack) -> None:
        edits, panel = self.edits, self.panel
        edits.marks.changed.connect(self._canvas.repaint_map)
        edits.marks.replaced.connect(self._forget_drawn)
        edits.turned.connect(self.review)
        edits.kept.connect(self.stop_marking)
        edits.settings_changed.connect(self.review)
        undo_stack.indexChanged.connect(self.review)
        self._studio.status_changed.connect(self.review)
        self._reference.changed.connect(self.review)
        self._canvas.painting.connect(self._on_painting)
        self._acts["show_region"].toggled.connect(self._on_region)
        panel.edited.connect(edits.change_settings)
        panel.mark_wanted.connect(self.mark)
        panel.update_wanted.connect(self._acts["update"].trigger)
        panel.repaint_wanted.connect(self._acts["repaint"].trigger)
        panel.region_wanted.connect(self._acts["show_region"].setChecked)
        panel.opened.connect(self.review)

    # -- wishes -----------------------------------------------------------------------------------

    def update(self) -> None:
        """Make anew what changed, and give the canvas the keys of the choice."""
        self._canvas.setFocus()
        self.edits.update()

    def repaint(self) -> None:
        """Make anew what is marked, and give the canvas the keys of the choice."""
        self._canvas.setFocus()
        self.edits.repaint()

    def mark(self, marking: bool) -> None:
        """Let the tools mark a region (True) or paint labels again."""
        if marking != self.marking:
            self.marking = marking
            self._canvas.work_on(self._easel if marking else None)
            self._canvas.setFocus()
        self.review()

    def stop_marking(self) -> None:
        """Let the tools paint labels again."""
        self.mark(False)

    def show_controls(self) -> None:
        """Bring the panel to the front, and give it the keys."""
        dock = self.panel.parentWidget()
        if isinstance(dock, QDockWidget):
            dock.show()
            dock.raise_()
        self.panel.grow.slider.setFocus()

    def cancel(self) -> bool:
        """Give up what is waited for, the proposals, or marking: the first of them that is there.
        Whether there was anything."""
        if self.edits.cancel():
            return True
        if not self.marking or self._studio.status().can_cancel:
            return False
        self.stop_marking()
        return True

    @property
    def busy(self) -> bool:
        """Whether there is anything that `cancel` gives up."""
        return self.edits.open or self.marking

    # -- showing ----------------------------------------------------------------------------------

    def review(self, *_: object) -> None:
        """Show how things are; between two gestures only."""
        if self._canvas.busy:
            return
        self._look()
        self._show_region()
        self._show_controls()
        self._say()

    def _show_controls(self) -> None:
        edits, acts = self.edits, self._acts
        able = self._studio.status().can_generate
        marked = bool(edits.marks.labels.any())
        acts["update"].setEnabled(able)
        acts["repaint"].setEnabled(able and marked)
        acts["clear_marks"].setEnabled(marked)
        acts["mark"].setChecked(self.marking)
        for name in ("keep_edit", "next_edit", "previous_edit"):
            acts[name].setEnabled(bool(edits.proposals))
        self.panel.show_marking(self.marking, marked, able)
        self.panel.show_region(acts["show_region"].isChecked())
        self.panel.show_photo(self._reference.name, edits.planner.of_photo)
        if self.panel.isVisible():
            self.panel.show_edit(edits.settings, edits.planner.preview())

    def _show_region(self) -> None:
        """Tint what is marked, and draw the lines if they are wanted; nothing hides a proposal."""
        marks, choosing = self.edits.marks, self.edits.open
        lines = self._acts["show_region"].isChecked() or (self.marking and not choosing)
        plan = (self.edits.plan or self.edits.planner.preview()) if lines else None
        tinted = not choosing and (self.marking or bool(marks.labels.any()))
        if (tinted, plan) == self._drawn:
            return
        self._drawn = tinted, plan
        region, blend = plan.masks if plan else (None, None)
        self._canvas.region_view.show(
            marks.labels if tinted else None, region, None if blend is None else blend > 0
        )

    def _forget_drawn(self) -> None:
        self._drawn = not self._drawn[0], None
        self.review()

    def _say(self) -> None:
        edits, made = self.edits, len(self.edits.proposals)
        if edits.waiting:
            self._bar(f"Making proposal {made + 1}…", WAITING)
        elif edits.open and not edits.index:
            self._bar("The picture as it was", CHOICE)
        elif edits.open:
            seed = edits.proposals[edits.index - 1].request.seed
            self._bar(f"Proposal {edits.index} of {made} · seed {seed}", CHOICE)
        elif self.marking:
            self._bar("Mark what is to be made anew", MARKING)
        else:
            self._bar("", {})

    def _bar(self, sentence: str, texts: Mapping[str, str]) -> None:
        self.bar.say(sentence, {self._acts[name]: text for name, text in texts.items()})

    def _look(self) -> None:
        """Show the picture alone while it is marked or chosen, and the layout again after it."""
        looking = self.busy
        if looking and self._opacity is None:
            self._opacity = self._canvas.opacity
            self._canvas.set_opacity(0.0)
            self.turned.emit()
        elif not looking and self._opacity is not None:
            if self._canvas.opacity == 0.0:
                self._canvas.set_opacity(self._opacity)
            self._opacity = None
            self.turned.emit()

    def _on_painting(self, painting: bool) -> None:
        """Who paints labels wants to see them, also beside a proposal."""
        if not painting:
            self.review()
        elif self._opacity is not None and not self.marking:
            self._canvas.set_opacity(self._opacity)

    def _on_region(self, shown: bool) -> None:
        self._store.keep_flag(FLAG, shown)
        self.review()
