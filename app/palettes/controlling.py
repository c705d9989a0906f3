"""The wishes about how single labels are sampled: each is a step of the undo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.commands import UndoStack
from app.holding import area_inpaint, is_whole
from app.label_controls import LabelControl, change_of
from app.palettes.control_dialog import ControlDialog, random_seed
from app.palettes.rows import LabelRows, RowWish
from app.pen import Pen
from app.scene import Scene
from app.studio import Studio
from core.request import SampleRequest


class Controlling(QObject):
    """Between the scene's table of controls, the dialog that shows one of them, and the studio."""

    def __init__(
        self,
        window: QWidget,
        scene: Scene,
        pen: Pen,
        undo_stack: UndoStack,
        studio: Studio,
        rows: LabelRows,
    ) -> None:
        super().__init__(window)
        self._scene, self._pen, self._undo_stack = scene, pen, undo_stack
        self._studio = studio
        self.dialog = ControlDialog(window)
        self.dialog.changed.connect(self.change)
        self.dialog.new_seed_wanted.connect(self.new_seed)
        for changed in (scene.controls.changed, scene.replaced, pen.changed):
            changed.connect(self._show)
        rows.more += [
            RowWish("Lock", self.lock, lambda label: self._of(label).locked),
            RowWish("New seed for this label", self.new_seed),
            RowWish("Label controls…", self.open),
        ]

    # -- wishes -----------------------------------------------------------------------------------

    def open(self, label: int | None = None) -> None:
        """Show the controls of a label, which is taken in hand; None for the one that is."""
        if label is not None:
            self._pen.choose(label)
        self._show()
        self.dialog.show()
        self.dialog.activateWindow()

    def change(self, label: int, control: LabelControl) -> None:
        """Sample a label so from now on."""
        name = self._scene.palette[label].name
        step = change_of(self._scene.controls, name, control)
        if step is not None:
            self._undo_stack.push(step)

    def lock(self, label: int | None = None) -> None:
        """Keep the pixels of a label as they are, or no longer; None for the one in hand."""
        label = self._pen.label if label is None else label
        control = self._of(label)
        self.change(label, replace(control, locked=not control.locked))

    def new_seed(self, label: int | None = None) -> None:
        """Give a label a seed of its own, and make its area anew, also if it was locked; all the
        rest stays, and other locked labels to the pixel.

        Without a picture of this canvas a whole one is made. None for the label in hand.
        """
        label = self._pen.label if label is None else label
        self.change(label, replace(self._of(label), seed=random_seed(), locked=False))
        result, area = self._studio.result, self._scene.labels == label
        if result is None or not is_whole(result, area.shape):
            self._studio.generate()
        elif area.any():
            self._studio.resample(lambda request: self._studio.holding(self._only(request, area)))

    # -- the work ---------------------------------------------------------------------------------

    def _only(self, request: SampleRequest, area: np.ndarray) -> SampleRequest:
        """The request that makes `area` anew in the last picture, with the seed that it had."""
        last = self._studio.result
        inpaint = area_inpaint(last, area, self._studio.states)
        return replace(
            request, inpaint=inpaint, size=inpaint.size, seed=last.request.seed, draft_steps=0
        )

    def _of(self, label: int) -> LabelControl:
        return self._scene.controls.of(self._scene.palette[label].name)

    def _show(self) -> None:
        if self._pen.label < len(self._scene.palette):  # else another is about to be taken in hand
            self.dialog.show_control(
                self._scene.palette[self._pen.label], self._of(self._pen.label)
            )
