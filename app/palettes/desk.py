"""Where the palette's parts come together: panel, pins, labels in use, and how labels are shown."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction

from app.canvas import Canvas
from app.commands import UndoStack
from app.palettes.converting import Converting
from app.palettes.library import Library
from app.palettes.menu import PaletteMenu
from app.palettes.pins import Pins
from app.palettes.used import UsedLabels
from app.panels.palette import PalettePanel
from app.pen import Pen
from app.scene import Scene
from app.settings import Store
from app.studio import Studio

FLAGS = ("borders", "patterns")  # of how labels are shown; remembered


class PaletteDesk(QObject):
    """Gives the wishes about labels and palettes to whom they concern.

    acts: the window's actions by name. panel: for a dock. menu: for the menu bar.
    """

    def __init__(
        self,
        scene: Scene,
        pen: Pen,
        canvas: Canvas,
        undo_stack: UndoStack,
        studio: Studio,
        store: Store,
        library: Library,
        acts: dict[str, QAction],
    ) -> None:
        super().__init__(canvas)
        self._scene, self._pen, self._store, self._acts = scene, pen, store, acts
        self._view = canvas.label_view
        self.pins = Pins(scene.palette, store)
        self.used = UsedLabels(scene)
        self.converting = Converting(canvas, scene, undo_stack, studio, library)
        self.menu = PaletteMenu(scene, library, [acts["load_palette"], acts["edit_palette"]])
        filters = [acts["used_only"], acts["alone"]]
        self.panel = PalettePanel(self.pins, scene.controls, self._view, self.menu, filters)
        self._connect(canvas, undo_stack)
        self._begin()

    def _connect(self, canvas: Canvas, undo_stack: UndoStack) -> None:
        self._scene.replaced.connect(self._follow_scene)
        self._pen.changed.connect(self._follow_pen)
        canvas.painting.connect(self._on_painting)
        undo_stack.indexChanged.connect(self.used.review)
        self.used.found.connect(self.panel.show_used)
        self.menu.chosen.connect(self.converting.choose)
        self.panel.pin_wanted.connect(self.pins.pin)
        self.panel.unpin_wanted.connect(self.pins.unpin)
        self.panel.alone_wanted.connect(self._show_alone)
        for name in ("alone", "used_only", *FLAGS):
            self._acts[name].setCheckable(True)
        self._acts["alone"].toggled.connect(self._follow_pen)
        self._acts["used_only"].toggled.connect(self._list_used)
        self._acts["borders"].toggled.connect(self._view.show_borders)
        self._acts["patterns"].toggled.connect(self._view.show_patterns)

    def _begin(self) -> None:
        for name in FLAGS:
            self._acts[name].setChecked(self._store.flag(name))
            self._acts[name].toggled.connect(partial(self._store.keep_flag, name))
        self._follow_pen()

    # -- wishes -----------------------------------------------------------------------------------

    def step(self, by: int) -> None:
        """Go `by` labels down the list, round its end."""
        self._pen.choose(self.panel.neighbour(by))

    def pin_in_hand(self, digit: int) -> None:
        """Pin the label in hand to a key."""
        self.pins.pin(digit, self._pen.label)

    def _show_alone(self, label: int | None) -> None:
        """From the menu of a row: that label is taken in hand and shown alone."""
        if label is not None:
            self._pen.choose(label)
        self._acts["alone"].setChecked(label is not None)

    def _list_used(self, only: bool) -> None:
        self.used.want(only)
        if not only:
            self.panel.show_used(None)

    # -- following --------------------------------------------------------------------------------

    def _follow_scene(self) -> None:
        """Another map, perhaps of another palette."""
        palette = self._scene.palette
        if palette is not self._pen.palette:
            self.pins.adopt(palette)
            self._pen.adopt(palette)
        self.used.review()

    def _follow_pen(self) -> None:
        self.pins.touch(self._pen.label)
        self._view.show_alone(self._pen.label if self._acts["alone"].isChecked() else None)
        self.panel.show_labels(self._pen.label, self._pen.previous_label)

    def _on_painting(self, painting: bool) -> None:
        if not painting:
            self.used.review()
