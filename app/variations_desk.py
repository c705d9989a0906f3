"""Where variations lie: the grid in place of the picture, the current one on the canvas."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject
from PySide6.QtGui import QUndoStack
from PySide6.QtWidgets import QDockWidget, QStackedWidget, QWidget

from app.canvas import Canvas
from app.history import History
from app.matches import Matches
from app.panels.variations import VariationsPanel
from app.scene import Scene
from app.studio import Studio
from app.variations import Variations


class VariationsDesk(QObject):
    """Brings `Variations`, its panel and the canvas together.

    `place` goes where the picture was: it shows `picture`, or the grid while there is a choice.
    """

    def __init__(
        self,
        canvas: Canvas,
        studio: Studio,
        undo_stack: QUndoStack,
        history: History,
        picture: QWidget,
        scene: Scene,
        matches: Matches,
    ) -> None:
        super().__init__(canvas)
        self.panel = VariationsPanel()
        self.variations = Variations(studio, undo_stack, history, matches)
        self.place = QStackedWidget()
        self.place.addWidget(picture)
        self.place.addWidget(self.panel)
        self._canvas = canvas
        self._picture: np.ndarray | None = None  # what the canvas shows when there is no choice
        self._opacity = canvas.opacity
        self._connect(studio, undo_stack, scene)

    def _connect(self, studio: Studio, undo_stack: QUndoStack, scene: Scene) -> None:
        studio.picture_changed.connect(self._on_picture)
        self.variations.begun.connect(self._on_begun)
        self.variations.filled.connect(self._on_filled)
        self.variations.left.connect(self._on_left)
        self.panel.begin_wanted.connect(self.variations.begin)
        self.panel.walked.connect(self._show)
        self.panel.taken.connect(self.variations.adopt)
        self.panel.left.connect(self.variations.leave)
        self._canvas.painting.connect(self._on_painting)
        scene.replaced.connect(self.variations.leave)
        undo_stack.indexChanged.connect(self.variations.leave)

    def begin(self) -> None:
        """Ask for variations as the panel says."""
        self.panel.begin()

    def _on_begun(self) -> None:
        if self.place.currentWidget() is not self.panel:
            self._opacity = self._canvas.opacity
            self._turn_to(self.panel, "Variations")
        pictures = self.variations.pictures
        scales = {picture.scale for picture in pictures[self.variations.first :]}
        per_row = (len(pictures) - self.variations.first) // len(scales) if len(scales) > 1 else 0
        self.panel.show_pictures(pictures, per_row)
        self._show(0)

    def _turn_to(self, page: QWidget, title: str) -> None:
        self.place.setCurrentWidget(page)
        dock = self.place.parentWidget()
        if isinstance(dock, QDockWidget):
            dock.setWindowTitle(title)
            dock.show()
            dock.raise_()

    def _on_filled(self, index: int) -> None:
        self.panel.show_picture(index, self.variations.pictures[index])
        if index == self.panel.grid.current():
            self._show(index)

    def _show(self, index: int) -> None:
        """Picture `index` on the canvas, once there is something of it."""
        image = self.variations.whole(index) if self.variations.open else None
        if image is not None:
            self._canvas.show_picture(image)
            self._canvas.set_opacity(0.0)

    def _on_picture(self, picture: np.ndarray | None) -> None:
        self._picture = picture

    def _on_painting(self, painting: bool) -> None:
        if painting:
            self.variations.leave()

    def _on_left(self) -> None:
        self.panel.show_pictures([], 0)
        self._turn_to(self.place.widget(0), "Picture")
        self._canvas.show_picture(self._picture)
        self._canvas.set_opacity(self._opacity)
        self._canvas.setFocus()
