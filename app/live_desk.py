"""Live painting in the window: hears the scene, asks the policy, and gets its pictures made."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QAction

from app.canvas import Canvas
from app.commands import UndoStack
from app.instant_hand import InstantHand
from app.live import OTHERS, PAUSE, Due, Live, Pace, Tempo
from app.settings import Store
from app.studio import Studio
from app.tips import set_tip
from core.request import Failed, ModelInfo, Result, SampleRequest

LIVE_TIP = "The picture follows the brush ({live})"
REFINE_TIP = (
    "While live: make a full picture when the hand rests for a second.\n"
    "With an instant painter, off leaves the picture to the painter alone."
)
KEEP_TIP = "Put the live picture into the history ({keep_picture})"


class LiveDesk(QObject):
    """Makes a quick picture of every pause, and a full one when the hand rests.

    All pictures have the seed of the settings, so that they stay themselves. Quick ones are shown
    as the last result, but only those that `keep` is asked for come into the history.
    choosing: whether the user looks at variations or proposals, which are not to be interrupted.
    Where an instant painter lies beside the model, it is the hand that shows every change, and
    these pictures are for the hand that rests. passing: the next picture is another maker's.
    """

    passing = Signal()

    def __init__(
        self,
        canvas: Canvas,
        undo_stack: UndoStack,
        studio: Studio,
        store: Store,
        acts: dict[str, QAction],
        choosing: Callable[[], bool],
    ) -> None:
        super().__init__(canvas)
        self._scene, self._studio, self._store = canvas.scene, studio, store
        self._acts, self._choosing = acts, choosing
        self._live = Live(refine=store.flag("refine", default=True))
        self._tempo = Tempo()
        self._refining = False  # whether the full picture under way was not asked for by the user
        self._sent = False  # whether a quick picture is on its way
        self._quick: Result | None = None  # the last one that came
        self._asked: object = None  # the palettes about which the user was asked
        self._timer = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._act)
        self.hand = InstantHand(self._scene, studio, self._may_paint, self)
        self._connect(canvas, undo_stack)
        self._begin()

    def _connect(self, canvas: Canvas, undo_stack: UndoStack) -> None:
        self._scene.changed.connect(self._on_changed)
        self._scene.replaced.connect(self._on_replaced)
        self.hand.takes_over.connect(self.passing)
        self.hand.rested.connect(self._look)
        undo_stack.cleared.connect(self._forget)
        canvas.painting.connect(self._on_painting)
        self._studio.quick_made.connect(self._take)
        self._studio.made.connect(self._on_made)
        self._studio.failed.connect(self._on_failed)
        self._studio.status_changed.connect(self._follow)
        self._studio.picture_changed.connect(self._show_keep)

    def _begin(self) -> None:
        live, refine, keep = (self._acts[name] for name in ("live", "refine", "keep_picture"))
        for action, tip in ((live, LIVE_TIP), (refine, REFINE_TIP), (keep, KEEP_TIP)):
            set_tip(action, tip)
        live.setCheckable(True)
        refine.setCheckable(True)
        refine.setChecked(self._live.refine)
        refine.toggled.connect(self._choose_refining)
        live.toggled.connect(self._turn)
        if self._store.flag("live"):
            live.setChecked(True)
            self._live.settle()  # a picture that was there before is not replaced by itself
        self._show_keep()

    @property
    def on(self) -> bool:
        """Whether live painting is on."""
        return self._live.on

    # -- wishes -----------------------------------------------------------------------------------

    def note(self) -> None:
        """The scene changed, or a setting that its picture depends on."""
        if self._live.on:
            if self.hand.able:
                self.hand.follow_settings()
            self._live.changed(time.monotonic())
            if not self._timer.isActive():
                self._timer.start(math.ceil(1000 * PAUSE))

    def keep(self) -> None:
        """Put the live picture that is shown into the history."""
        if self._studio.result is not None and self._studio.note:
            self._studio.accept(self._studio.result)

    def give_up(self) -> None:
        """What was on its way was cancelled: nothing more before the next change."""
        self._live.settle()
        self._timer.stop()
        self.hand.forget()

    def turn_off(self) -> None:
        """Stop at once."""
        self._acts["live"].setChecked(False)

    def stop(self) -> None:
        """The window closes."""
        self._timer.stop()
        self._live.sleep()
        self.hand.forget()

    def _turn(self, on: bool) -> None:
        self._store.keep_flag("live", on)
        self._asked = None
        self._tempo.begin()
        self._live.turn(on, time.monotonic(), wanting=on and self._studio.stale)
        self._studio.set_live(on)
        busy = self._studio.busy
        if not on and (busy == "quick" or (self._refining and busy == "picture")):
            self._studio.cancel()
        self.hand.forget()
        if on and self.hand.able and self._studio.stale:
            self.hand.renew()
        self._look()

    def _choose_refining(self, refine: bool) -> None:
        self._store.keep_flag("refine", refine)
        self._look()

    # -- what happens -----------------------------------------------------------------------------

    def _on_changed(self, rect: QRect) -> None:
        # This is in the way of the stroke: nothing more is done here.
        if self._live.on:
            if self.hand.able:
                self.hand.change(rect)
            self._live.changed(time.monotonic())
            if not self._timer.isActive():
                self._timer.start(math.ceil(1000 * PAUSE))

    def _on_replaced(self) -> None:
        self.hand.forget()
        if self._live.on and self.hand.able:
            self.hand.renew()
        self.note()

    def _on_painting(self, painting: bool) -> None:
        self._live.pen(painting)
        if self._live.on:
            self.hand.pen(painting)
        self._look()

    def _forget(self) -> None:
        """Another document, which may have its picture."""
        self._live.settle()
        self.hand.forget()
        self._look()

    def _take(self, result: Result) -> None:
        self._quick, self._sent = result, False
        if self.hand.able:
            self.passing.emit()
        self._live.shown(time.monotonic())
        self._tempo.took(result.seconds)
        self._look()

    def _on_made(self, result: Result) -> None:
        if result is not self._quick and self._studio.purpose != "variations":
            self._wake()
            self._live.full_shown()

    def _on_failed(self, _: Failed) -> None:
        if self._sent or self.hand.busy:
            self.hand.forget()
            self.turn_off()  # or it would fail again with every stroke

    def _follow(self) -> None:
        """Something may have ended, or another model is there."""
        if self._live.asleep and self._palettes() != self._asked:
            self._wake()
        busy = self._busy()
        self._sent = self._sent and busy == "quick"
        if not busy:
            self._live.idle()
        if self._live.on:
            self.hand.look()
            self._look()

    # -- what is to be made -----------------------------------------------------------------------

    def _look(self) -> None:
        """Set the timer for what is due next."""
        now = time.monotonic()
        due = self._due(now)
        if due is None:
            self._timer.stop()
        else:
            self._timer.start(max(0, math.ceil(1000 * (due.at - now))))

    def _busy(self) -> str:
        if self._choosing():
            return "proposal"
        if self._studio.model is None:
            return "loading"
        return self._studio.busy or ("quick" if self.hand.busy else "")

    def _may_paint(self) -> bool:
        """Whether the instant hand does not interrupt what must not be."""
        return not self._choosing() and self._studio.busy not in OTHERS

    def _due(self, now: float) -> Due | None:
        keeps_it = self.hand.able and self._studio.settings.instant_strength == 0
        self._live.refine = self._acts["refine"].isChecked() and not keeps_it
        self._live.instant = self.hand.able
        return self._live.due(now, self._busy())

    def _act(self) -> None:
        now = time.monotonic()
        due = self._due(now)
        if due is None:
            return
        if due.at > now:
            self._look()
            return
        request = self._studio.request()
        if request is None:
            self._sleep()
        elif due.what == "quick":
            self._make_quick(request)
            self._live.began("quick", now)
        else:
            self._refining = True
            self._live.began("full", now)
            if self.hand.able:
                self.passing.emit()
            # Until it is there the quick picture shows more than what forms on the way.
            self._studio.sample(replace(request, preview_every=0, draft_steps=0))

    def _make_quick(self, request: SampleRequest) -> None:
        model = self._studio.model
        pace = self._tempo.pace((model, self._scene.size))
        quick = _quickened(request, pace, model)
        self._refining, self._sent = False, True
        self._studio.sample_quick(quick)

    def _sleep(self) -> None:
        """The user was asked something, or told what is wrong: once, not at each stroke."""
        self._asked = self._palettes()
        self._live.sleep()
        self._studio.set_live(False)

    def _wake(self) -> None:
        if self._live.asleep:
            self._live.wake()
            self._studio.set_live(self._live.on)

    def _palettes(self) -> object:
        model = self._studio.model
        return self._scene.palette, model and model.palette

    def _show_keep(self) -> None:
        self._acts["keep_picture"].setEnabled(bool(self._studio.note))


def _quickened(request: SampleRequest, pace: Pace, model: ModelInfo) -> SampleRequest:
    """The same picture in few steps, and perhaps smaller, but not than the model's own size."""
    size = request.size
    if pace.scale < 1 and request.inpaint is None:
        sides = zip(request.layout.size, model.size, strict=True)
        height, width = (max(min(side, own), round(side * pace.scale)) for side, own in sides)
        size = height, width
    return replace(
        request,
        steps=pace.steps,
        sampler="dpmpp_2m",
        student=model.student,
        size=size,
        preview_every=0,
        draft_steps=0,
        keep_trajectory=False,
    )
