"""The style of the instant painter: another one by chance, or one that is read from a picture."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from app.panels.style import StyleRow
from app.picture_files import ask_picture, opened_picture
from app.reader import Reader
from app.reference import Reference
from app.settings import Store
from app.studio import Status, Studio
from app.tips import set_tip
from core.request import Engine
from core.style import StyleChoice

SEEDS = 10_000  # that the dice has: short enough to be told to somebody
TIPS = {
    "another_style": "Another style of the instant painter ({another_style})",
    "any_style": "Each picture has a style of its own, by its seed",
    "style_from": "Read the style from a picture or photo ({style_from})",
    "style_of_photo": "Read the style from the photo to trace",
    "style_of_picture": "Read the style from the picture that is shown",
}


class StyleDesk(QObject):
    """Keeps the row and the commands in step with the settings. failed(Failed).

    follow: called after the user chose another style or strength; `paint` shows a style at once.
    """

    failed = Signal(object)

    def __init__(
        self,
        window: QWidget,
        studio: Studio,
        store: Store,
        reader: Reader,
        reference: Reference,
        acts: dict[str, QAction],
        follow: Callable[[], None],
        paint: Callable[[], None],
    ) -> None:
        super().__init__(window)
        self._window, self._studio, self._store, self._reader = window, studio, store, reader
        self._reference, self._acts = reference, {name: acts[name] for name in TIPS}
        self._follow, self._paint = follow, paint
        self._waiting: tuple[np.ndarray, str] | None = None  # a picture whose style is wanted
        for name, tip in TIPS.items():
            set_tip(acts[name], tip)
        self.row = StyleRow(list(self._acts.values()), acts["another_style"])
        self.row.strength_moved.connect(self._move_strength)
        studio.status_changed.connect(self._on_status)
        studio.settings_changed.connect(lambda _: self._show())
        reference.changed.connect(self._show)
        self._show()

    # -- wishes -----------------------------------------------------------------------------------

    def another(self) -> None:
        """A style by chance."""
        self._waiting = None
        self._choose(StyleChoice(random.randrange(SEEDS)))

    def any(self) -> None:
        """Each picture's own style."""
        self._waiting = None
        self._choose(StyleChoice())

    def ask(self) -> None:
        """Ask for a picture, and take its style."""
        path = ask_picture(self._window, self._store, "Style of a picture", "photos")
        if path is not None:
            self.take(path)

    def take(self, path: Path) -> None:
        """Take the style of the picture in `path`."""
        picture = opened_picture(self._reader, path, self.failed.emit)
        if picture is not None:
            self.read(picture, path.name)

    def take_photo(self) -> None:
        """Take the style of the photo to trace."""
        if self._reference.photo is not None:
            self.read(self._reference.photo, self._reference.name)

    def take_picture(self) -> None:
        """Take the style of the last result."""
        if self._studio.result is not None:
            self.read(self._studio.result.image, f"seed {self._studio.result.request.seed}")

    def read(self, picture: np.ndarray, source: str) -> None:
        """Have the painter read the style of a picture, uint8 `[H, W, 3]`, when it is free."""
        self._waiting = picture, source
        self._go_on()

    # -- reading ----------------------------------------------------------------------------------

    def _go_on(self) -> None:
        if self._waiting is None or not self.able or not self._studio.free:
            return
        (picture, source), seed = self._waiting, self._studio.settings.style.seed

        def question(engine: Engine) -> tuple[np.ndarray, StyleChoice]:
            style = engine.painter.style_of(picture, seed)
            return picture, StyleChoice.read(style.vector, seed, engine.painter.info.name, source)

        self._studio.ask(question, self._on_read)

    def _on_read(self, answer: tuple[np.ndarray, StyleChoice]) -> None:
        picture, style = answer
        if self._waiting is not None and self._waiting[0] is picture:
            self._waiting = None
            self._choose(style)

    def _choose(self, style: StyleChoice) -> None:
        self._studio.change_settings(replace(self._studio.settings, style=style))
        self._follow()
        self._paint()

    def _move_strength(self, strength: float) -> None:
        self._studio.change_settings(replace(self._studio.settings, instant_strength=strength))
        self._follow()

    # -- showing ----------------------------------------------------------------------------------

    @property
    def able(self) -> bool:
        """Whether there is a painter."""
        return self._studio.model is not None and self._studio.model.painter != ""

    def _on_status(self, status: Status) -> None:
        if status.state == "failed":
            self._waiting = None  # perhaps it was this
        self._show()
        self._go_on()

    def _show(self) -> None:
        settings, able = self._studio.settings, self.able
        style = settings.style.of(self._studio.model.painter) if able else settings.style
        name = "Any style" if style.seed is None else f"Style {style.seed}"
        name = style.source if style.values else name
        self.row.show_style(name, settings.instant_strength)
        there = {
            "style_of_photo": self._reference.photo is not None,
            "style_of_picture": self._studio.result is not None,
        }
        for wish, action in self._acts.items():
            action.setEnabled(able and there.get(wish, True))
