"""Where guidance by words and pictures lies: its dock, its files, and the picture made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDockWidget, QWidget

from app.drop import DropArea
from app.guiding.term import PICTURE_KINDS, WORDS, ReferencePicture, Term, kinds_of, most_of
from app.panels.guide import GuidePanel
from app.picture_files import ask_picture, opened_picture
from app.reader import Reader
from app.settings import Store
from app.studio import Studio
from core.conversion import label_counts
from core.request import Failed, ModelInfo, Result, SampleRequest

REST = 500  # ms without a change, before the picture is made again
NO_GUIDE = (
    "{name} has no encoder of guidance beside it, so only a picture's colours can guide. "
    "Train one (core.train --stage guidance), or open weights that have one."
)
NO_WORDS = (
    "The encoder of guidance beside {name} learned no words, so only pictures can guide. "
    "Train one with captions (core.train --stage guidance)."
)
NO_STEPS = (
    "{name} paints whole pictures in one pass; words and references cannot guide it. "
    "Open a diffusion model."
)
NO_PICTURE = "There is no picture yet to be like. Generate one first."


class GuidingDesk(QObject):
    """Brings the scene's table, its panel and the studio together.

    free: whether nothing else has a say about the picture now. chosen: pictures that are chosen in
    the history, the present one first. failed(Failed).
    """

    failed = Signal(object)

    def __init__(
        self,
        window: QWidget,
        studio: Studio,
        store: Store,
        reader: Reader,
        acts: dict[str, QAction],
        free: Callable[[], bool],
        chosen: Callable[[], list[Result]],
    ) -> None:
        super().__init__(window)
        self._window, self._studio, self._store, self._reader = window, studio, store, reader
        self._scene, self._wanted = studio.scene, studio.scene.wanted
        self._free, self._chosen = free, chosen
        adding = ("another_line", "reference_file", "reference_last", "references_chosen")
        self.panel = GuidePanel([acts[name] for name in adding], store.prompts, self._labels)
        self._dock: QDockWidget | None = None
        self._model: ModelInfo | None = None
        self._timer = QTimer(self, singleShot=True, interval=REST)
        self._timer.timeout.connect(self._make_again)
        self._connect()
        self._show_abilities()
        self._show()

    def _connect(self) -> None:
        self.panel.edited.connect(self._edit)
        self.panel.entered.connect(self._studio.generate)
        self.panel.removed.connect(self._remove)
        self._wanted.changed.connect(self._show)
        self._studio.status_changed.connect(self._follow)
        self._studio.made.connect(self._remember)
        DropArea(self.panel, self.take)

    def hang(self, dock: QDockWidget) -> None:
        """The dock that holds the panel."""
        self._dock = dock

    # -- wishes -----------------------------------------------------------------------------------

    def prompt(self) -> None:
        """Give the keys to the words."""
        self._open()
        self.panel.focus_words()

    def add_line(self) -> None:
        """Another line of words, with a scope of its own."""
        self._open()
        self.panel.focus_words(self._wanted.add(Term()))

    def ask(self) -> None:
        """Ask for a picture to be like."""
        path = ask_picture(self._window, self._store, "Reference picture", "references")
        if path is not None:
            self.take(path)

    def take(self, path: Path) -> None:
        """Be like the picture in a file, from now on."""
        picture = opened_picture(self._reader, path, self.failed.emit)
        if picture is not None:
            self._add(picture, path.name)

    def add_last(self) -> None:
        """Be like the last picture."""
        self._add_results([self._studio.result] if self._studio.result else [])

    def add_chosen(self) -> None:
        """Be like those that are chosen in the history."""
        self._add_results(self._chosen())

    def note_guidance(self) -> None:
        """The guidance slider moved: of a picture with terms there is no quick answer."""
        if self._studio.result is not None and self._studio.result.request.terms:
            self._wait()

    # -- the table --------------------------------------------------------------------------------

    def _add_results(self, results: list[Result]) -> None:
        if not results:
            self.failed.emit(Failed(NO_PICTURE))
        for result in results:
            self._add(result.image, f"seed {result.request.seed}")

    def _add(self, picture: np.ndarray, name: str) -> None:
        kinds = [kind for kind in PICTURE_KINDS if kind in kinds_of(self._studio.model)]
        if not kinds:
            self.failed.emit(Failed(_missing(self._studio.model)))
            return
        kind = kinds[0]
        reference = ReferencePicture.of(picture, name)
        self._wanted.add(Term(kind, min(1.0, most_of(kind)), picture=reference))
        self._open()
        self._wait()

    def _edit(self, key: int, changes: dict) -> None:
        self._wanted.change(key, **changes)
        if "text" not in changes:  # words wait for Enter
            self._wait()

    def _remove(self, key: int) -> None:
        self._wanted.remove(key)
        self._wait()

    def _labels(self) -> tuple[list[str], list[str]]:
        """Names of the scene's labels, the largest first, and of those that it has not."""
        palette, counts = self._scene.palette, label_counts(self._scene.labels)
        present = sorted(np.flatnonzero(counts).tolist(), key=lambda label: -counts[label])
        others = [c.name for c in palette.classes if not counts[c.id] and not c.hidden]
        return [palette[label].name for label in present], others

    # -- the picture again ------------------------------------------------------------------------

    def _wait(self) -> None:
        """Until no change comes any more. A running sample has the weights already."""
        if not self._studio.busy:
            self._timer.start()

    def _make_again(self) -> None:
        """The last picture as the table wants it now, unless something else is going on."""
        studio = self._studio
        if not self._free() or studio.busy or studio.stale or studio.note:
            return
        before = studio.result.request

        def guided(present: SampleRequest) -> SampleRequest:
            scale, every = present.guidance_scale, present.preview_every
            return replace(before, terms=present.terms, guidance_scale=scale, preview_every=every)

        studio.resample(guided)

    def _remember(self, result: Result) -> None:
        for term in result.request.terms:
            if term.kind == WORDS and term.text not in self._store.prompts()[:1]:
                self._store.keep_prompt(term.text)

    # -- showing ----------------------------------------------------------------------------------

    def _show(self) -> None:
        self.panel.show_table(self._wanted.table)

    def _follow(self) -> None:
        if self._studio.busy:
            self._timer.stop()
        if self._studio.model is not self._model:
            self._model = self._studio.model
            self._show_abilities()

    def _show_abilities(self) -> None:
        model = self._model
        vocabulary = model.vocabulary if model else None
        self.panel.show_abilities(kinds_of(model), vocabulary, _missing(model))

    def _open(self) -> None:
        if self._dock is not None:
            self._dock.show()
            self._dock.raise_()


def _missing(model: ModelInfo | None) -> str:
    """A sentence about what a model cannot follow, and the way out; "" for nothing."""
    if model is None or model.vocabulary is not None:
        return ""
    if not kinds_of(model):
        return NO_STEPS.format(name=model.name)
    return (NO_WORDS if model.guidance else NO_GUIDE).format(name=model.name)
