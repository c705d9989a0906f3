"""The guidance slider after a sample: an answer at once, and the proper picture when it rests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from app.studio import Studio
from core.request import Engine, SampleRequest

REST = 500  # ms without a move of the slider, before the picture is sampled properly


class InstantGuidance(QObject):
    """Shows what the last picture would be about at the slider's scale, as a preview.

    What the network said while it was made is recombined, one answer on its way at a time. When the
    slider rests, the same picture is sampled at that scale. A running sample needs none of this: it
    reads the slider itself. free: whether nothing else has a say about the picture now. turned:
    such an answer began or ended.
    """

    turned = Signal()

    def __init__(self, studio: Studio, free: Callable[[], bool], parent: QObject) -> None:
        super().__init__(parent)
        self._studio, self._free = studio, free
        self._request: SampleRequest | None = None  # of the picture that is being answered about
        self._wanted = self._asked = 0.0
        self._ticket = 0  # of the answer that is on its way
        self._answered = False
        self._timer = QTimer(self, singleShot=True, interval=REST)
        self._timer.timeout.connect(self._sample)
        studio.status_changed.connect(self._follow)

    @property
    def answering(self) -> bool:
        """Whether a preview is shown or on its way, and the proper picture still to be made."""
        return self._request is not None

    def move(self, scale: float) -> None:
        """The slider is at `scale` now."""
        if not self._may_answer():
            return
        began = not self.answering
        self._request, self._wanted = self._studio.result.request, scale
        self._timer.start()
        self._follow()
        if began:
            self.turned.emit()

    def drop(self) -> None:
        """Give it up; the picture as it is comes back."""
        if self.answering:
            self._end()
            self._studio.show_result(self._studio.result, self._studio.note)

    def _may_answer(self) -> bool:
        studio = self._studio
        return self._free() and not studio.busy and not studio.stale

    def _follow(self) -> None:
        """Ask for the next answer when the last one has come."""
        if not self.answering:
            return
        if not self._may_answer() or self._studio.result.request is not self._request:
            self._end()
        elif self._wanted != self._asked and not self._studio.awaits(self._ticket):
            self._ask(self._request, self._wanted)

    def _ask(self, request: SampleRequest, scale: float) -> None:
        def recombined(engine: Engine) -> tuple[SampleRequest, float, np.ndarray | None]:
            return request, scale, engine.recombine(request, scale)

        self._asked = scale
        self._ticket = self._studio.ask(recombined, self._take)

    def _take(self, answer: tuple[SampleRequest, float, np.ndarray | None]) -> None:
        request, scale, picture = answer
        self._ticket = 0
        if request is not self._request:
            return
        if picture is None:
            self._end()  # that picture cannot be recombined
            return
        self._answered = True
        self._studio.show_picture(picture, f"preview · guidance {scale:.1f}")

    def _sample(self) -> None:
        request, scale, answered = self._request, self._wanted, self._answered
        if request is None:
            return
        if not answered or scale != self._asked:
            self._timer.start()  # the answer is still on its way
        elif scale == request.guidance_scale:
            self.drop()
        else:
            self._end()
            # The preview is nearer to the outcome than anything that forms on the way.
            proper = replace(request, guidance_scale=scale, preview_every=0, draft_steps=0)
            self._studio.sample(proper)

    def _end(self) -> None:
        self._timer.stop()
        self._request, self._answered, self._asked = None, False, 0.0
        self.turned.emit()
