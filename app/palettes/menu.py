"""The menu of palettes: the program's, the user's, and what can be done with them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu

from app.palettes.library import Entry, Library
from app.scene import Scene


class PaletteMenu(QMenu):
    """chosen(source): a palette to paint with, as `Palette.load` takes it. Filled when opened, so
    that it lists what is in the folder then."""

    chosen = Signal(object)

    def __init__(self, scene: Scene, library: Library, acts: list[QAction]) -> None:
        super().__init__("Pa&lette")
        self._scene, self._library, self._acts = scene, library, acts
        self._group = QActionGroup(self)
        self.addActions(acts)
        self.aboutToShow.connect(self._fill)

    def _fill(self) -> None:
        self.clear()
        bundled, own = self._library.bundled(), self._library.own()
        palette = self._scene.palette
        current = Entry(palette.title or palette.name, palette.name)
        known = {entry.title for entry in (*bundled, *own)}
        for entries in ([] if current.title in known else [current], bundled, own):
            for entry in entries:
                self._add(entry, entry.title == current.title)
            if entries:
                self.addSeparator()
        self.addActions(self._acts)

    def _add(self, entry: Entry, current: bool) -> None:
        action = self.addAction(entry.title.replace("&", "&&"))
        action.setCheckable(True)
        action.setChecked(current)
        action.setActionGroup(self._group)
        if not current:
            action.triggered.connect(lambda: self.chosen.emit(entry.source))
