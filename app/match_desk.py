"""Where the match of the picture is shown: the caption's figure, the heat-map and the list."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDockWidget

from app.matches import Matches
from app.panels.match import MatchPanel
from app.panels.result import ResultPanel
from app.percent import percent
from app.png import shrunk
from app.studio import Studio
from core.matching import Match, heat_picture

HEAT_SIDE = 1024  # pixels of the heat-map's longer side: it has no finer detail
NO_SEGMENTER = "This model has no segmenter: nothing can tell what its pictures show."
NO_PICTURE = "Generate a picture to see how well it matches the layout."
LOOKING = "Looking at the picture…"


class MatchDesk(QObject):
    """Brings `Matches`, the list and the picture together. panel: for the dock, given by `hang`."""

    def __init__(
        self, studio: Studio, matches: Matches, result_panel: ResultPanel, acts: dict[str, QAction]
    ) -> None:
        super().__init__(result_panel)
        self.panel = MatchPanel([acts["fix_label"], acts["best_of"]])
        self._studio, self._matches, self._result_panel = studio, matches, result_panel
        self._switch, self._fix = acts["differences"], acts["fix_label"]
        self._switch.setCheckable(True)
        self._dock: QDockWidget | None = None
        self._picture: np.ndarray | None = None  # what is on view
        self._listed: Match | str | None = None
        self._switch.toggled.connect(self._on_switch)
        studio.picture_changed.connect(self._on_picture)
        studio.status_changed.connect(self._show_list)
        matches.turned.connect(self._show)
        self._show()

    def hang(self, dock: QDockWidget) -> None:
        """The dock that holds the list: it comes and goes with the heat-map."""
        self._dock = dock

    def _on_switch(self, on: bool) -> None:
        self._dock.setVisible(on)
        if on:
            self._dock.raise_()
        self._show_heat()

    def _on_picture(self, picture: np.ndarray | None) -> None:
        self._picture = picture
        self._show_heat()

    def _show(self) -> None:
        match = self._matches.present
        if match is not None:
            self._switch.setIconText(f"match {percent(match.agreement)}")  # what its button says
        self._switch.setEnabled(match is not None or self._switch.isChecked())
        self._fix.setEnabled(match is not None)
        self._result_panel.show_match(match is not None)
        self._show_list()
        self._show_heat()

    def _show_list(self) -> None:
        listed = self._matches.present or self._why_none()
        if listed is self._listed:
            return
        self._listed = listed
        if isinstance(listed, Match):
            self.panel.show_match(listed)
        else:
            self.panel.show_nothing(listed)

    def _why_none(self) -> str:
        model = self._studio.model
        if model is not None and not model.segmenter:
            return NO_SEGMENTER
        return NO_PICTURE if self._studio.result is None else LOOKING

    def _show_heat(self) -> None:
        """The heat-map, while it is wanted and the present picture is the one on view."""
        match, result = self._matches.present, self._studio.result
        there = match is not None and self._picture is result.image
        heat = None
        if self._switch.isChecked() and there:
            heat = heat_picture(shrunk(result.image, HEAT_SIDE), match.disagreement)
        self._result_panel.show_heat(heat)
