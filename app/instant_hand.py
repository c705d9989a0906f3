"""The instant hand: what is painted is repainted at once, by the painter beside the model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from PySide6.QtCore import QObject, QRect, Qt, QTimer, Signal

from app.scene import Scene
from app.studio import Studio
from core.labelmap import NO_BOX, Box, nearest_resize
from core.painting import style_for
from core.request import Engine, Layout, RequestError, Result, SampleRequest
from core.style import Painted

FRAME = 25  # ms from one part to the next at least: the eye sees no more
MARGIN = 16  # pixels around a stroke that change with it so much that it shows
MAX_PIXELS = 512 * 512  # of an instant picture; that of a larger scene is made smaller
NOTE = "instant"


@dataclass(frozen=True, eq=False)
class Part:
    """What the painter made. about: of which scene and style; box: None for the whole picture."""

    about: tuple
    request: SampleRequest
    box: Box | None
    pixels: np.ndarray = field(repr=False)
    seconds: float
    painter: str


class InstantHand(QObject):
    """Has the dirty rectangle painted while the pen is down, and the whole picture when it is up.

    One part is on its way at a time; what is painted meanwhile becomes the next one. A part shows
    its own rectangle alone; the whole picture, which also shows what changes further away, is the
    studio's last result. free: whether nothing else has a say about the picture now. takes_over:
    the next picture comes in the place of another maker's. rested: nothing is on its way any more.
    """

    takes_over = Signal()
    rested = Signal()

    def __init__(
        self, scene: Scene, studio: Studio, free: Callable[[], bool], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._scene, self._studio, self._free = scene, studio, free
        self._dirty, self._whole, self._down = NO_BOX, False, False
        self._picture: np.ndarray | None = None  # as it is shown, with all its parts
        self._about: tuple = ()  # of which style (as it was chosen), seed and scene that is
        self._mine = False  # whether it is what is shown
        self._loose = False  # whether it has parts that the rest of it does not know of
        self._ticket = 0  # of what is on its way
        self._sent: SampleRequest | None = None
        self._last = 0.0  # when a part was asked for
        self._timer = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._paint)
        studio.quick_made.connect(self._give_way)
        studio.made.connect(self._give_way)

    @property
    def able(self) -> bool:
        """Whether there is a painter, and no label holds pixels of the last picture: it cannot keep
        them, and its own picture would take that one's place."""
        model, held = self._studio.model, self._scene.controls.table.values()
        spared = any(control.locked or control.strength < 1 for control in held)
        return model is not None and model.painter != "" and not spared

    @property
    def busy(self) -> bool:
        """Whether something is on its way, or about to be."""
        return self._wants or self._studio.awaits(self._ticket)

    @property
    def _wants(self) -> bool:
        return self._whole or not self._dirty.empty

    # -- wishes -----------------------------------------------------------------------------------

    def change(self, rect: QRect) -> None:
        """A rectangle of the scene was painted; this is in the way of the stroke."""
        self._dirty = self._dirty.union(Box(*rect.getRect()))
        self.look()

    def pen(self, down: bool) -> None:
        """A gesture on the canvas began or ended: then the whole picture follows its parts."""
        self._down = down
        if not down and self._loose and self._mine:
            self.renew()

    def renew(self) -> None:
        """Paint all of it."""
        self._whole = True
        self.look()

    def follow_settings(self) -> None:
        """Paint all of it if the style is another one, or if nothing else is to be seen now."""
        settings = self._studio.settings
        alone = settings.instant_strength == 0 and not self._mine
        if self._picture is None or self._about[0] != settings.style or alone:
            self.renew()

    def forget(self) -> None:
        """Nothing is to be painted, and nothing is known of the picture."""
        self._timer.stop()
        self._dirty, self._whole, self._picture, self._ticket = NO_BOX, False, None, 0
        self._sent, self._loose = None, False

    def look(self) -> None:
        """Paint as soon as it can be done."""
        if self._wants and not self._timer.isActive() and not self._studio.awaits(self._ticket):
            passed = 1000 * (time.monotonic() - self._last)
            self._timer.start(max(0, math.ceil(FRAME - passed)))

    # -- painting ---------------------------------------------------------------------------------

    def _paint(self) -> None:
        if not self.able:
            self.forget()
        if not self._wants or not self._free():
            return
        try:
            layout = self._studio.reading.layout()
        except RequestError:  # the model knows other labels: whoever samples asks about them
            self.forget()
            return
        if self._studio.busy in ("quick", "picture"):
            self._studio.cancel()  # what it makes is outdated
        settings, size = self._studio.settings, self._size(layout)
        style = settings.style.at(settings.seed)
        about = settings.style, style, self._studio.model.painter, size, layout.size
        whole = self._whole or not self._down or self._picture is None or about != self._about
        box = None if whole else self._box(layout)
        request = SampleRequest(
            layout,
            seed=settings.seed,
            size=None if size == layout.size else size,
            preview_every=0,
            painted=Painted(style.of(self._studio.model.painter), 0),
        )
        question = partial(_part, about, request, size, box)
        self._ticket = self._studio.ask(question, self._take)
        if self._ticket:
            self._dirty, self._whole, self._last = NO_BOX, False, time.monotonic()
            self._sent = request

    def _size(self, layout: Layout) -> tuple[int, int]:
        """(height, width) of the picture."""
        height, width = layout.size
        scale, multiple = min(1, math.sqrt(MAX_PIXELS / (height * width))), self._multiple
        height, width = (max(1, round(s * scale / multiple)) * multiple for s in layout.size)
        return height, width

    @property
    def _multiple(self) -> int:
        return self._studio.model.multiple

    def _box(self, layout: Layout) -> Box:
        """The dirty rectangle, and what changes with it, in pixels of the picture."""
        shape = self._picture.shape[:2]
        down, across = (mine / its for mine, its in zip(shape, layout.size, strict=True))
        box = self._dirty
        left, top = math.floor(box.x * across), math.floor(box.y * down)
        right = math.ceil((box.x + box.width) * across)
        bottom = math.ceil((box.y + box.height) * down)
        size = right - left + 2 * MARGIN, bottom - top + 2 * MARGIN
        return Box(left - MARGIN, top - MARGIN, *size).clip(shape)

    def _take(self, part: Part) -> None:
        if part.request is not self._sent:
            return  # it was asked for before the document, or live painting, ended
        self._ticket, self._sent = 0, None
        if self._free():
            self._show(part)
        self.look()
        if not self.busy:
            self.rested.emit()

    def _show(self, part: Part) -> None:
        if not self._mine:
            self.takes_over.emit()
        if part.box is None:
            self._picture, self._about, self._loose = part.pixels, part.about, False
            result = Result(part.pixels, part.request, part.seconds, part.painter)
            self._studio.show_result(result, NOTE)
        elif self._picture is not None and part.about == self._about:
            self._picture = self._picture.copy()  # the last one may be somebody's
            self._picture[part.box.slices] = part.pixels
            self._loose = True
            self._studio.show_picture(self._picture, f"{NOTE} · {1000 * part.seconds:.0f} ms")
        self._mine = True

    def _give_way(self, result: Result) -> None:
        self._mine = self._loose = False


def _part(
    about: tuple, request: SampleRequest, size: tuple[int, int], box: Box | None, engine: Engine
) -> Part:
    """Have it painted. Called in the worker thread."""
    began, painter, layout = time.perf_counter(), engine.painter, request.layout
    if size != layout.size:
        instances = layout.instances
        if instances is not None:
            instances = nearest_resize(instances, size)
        layout = Layout(nearest_resize(layout.labels, size), layout.palette, instances)
    pixels = painter.paint(layout, style_for(painter, request.painted.style, request.seed), box)
    return Part(about, request, box, pixels, time.perf_counter() - began, painter.info.name)
