"""Which picture shows what was painted: the match of every finished picture that is on view."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from weakref import WeakKeyDictionary, ref

from PySide6.QtCore import QObject, QTimer, Signal

from app.looking import Look, Looking
from app.png import shrunk
from app.studio import Status, Studio
from core.conversion import same_labels
from core.matching import Match, compare
from core.request import Result

REST = 300  # ms after which a live picture is worth a look
LOOK_SIDE = 1024  # pixels of the longer side: the segmenter looks no closer


class Matches(QObject):
    """Knows the match of a picture for as long as somebody holds the picture.

    found(about, Match): that of the picture which was wanted as `about`. turned: another picture is
    the present one, or its match has become known.
    """

    found = Signal(object, object)
    turned = Signal()

    def __init__(self, studio: Studio, looking: Looking) -> None:
        super().__init__()
        self._studio, self._looking = studio, looking
        self._known: WeakKeyDictionary[Result, Match] = WeakKeyDictionary()
        self._wanted: dict[Hashable, ref[Result]] = {}
        self._shown: Result | None = None
        looking.seen.connect(self._take)
        self._timer = QTimer(self, singleShot=True, interval=REST)
        self._timer.timeout.connect(self._want_present)
        studio.status_changed.connect(self._follow)

    @property
    def present(self) -> Match | None:
        """Of the last result, if it is known."""
        return self.of(self._studio.result)

    def of(self, result: Result | None) -> Match | None:
        """The match of a picture; None while it is not known."""
        return None if result is None else self._known.get(result)

    def want(self, result: Result, about: Hashable | None = None) -> None:
        """Have a picture compared with its layout, when there is time.

        about: what `found` will call it, the picture itself if None. Only a small copy of the
        picture waits.
        """
        about, model, layout = about or result, self._studio.model, result.request.layout
        if result in self._known or about in self._wanted or not self._looking.able:
            return
        if same_labels(layout.palette, model.palette):
            self._wanted[about] = ref(result)
            small = shrunk(result.image, LOOK_SIDE)
            self._looking.want(
                Look(about, small, partial(compare, layout, ceiling=model.ceiling or None))
            )

    def forget(self, about: Hashable) -> None:
        """Nobody waits for this match any more: whoever makes picture after picture would leave a
        long queue of copies behind."""
        if self._wanted.pop(about, None) is not None:
            self._looking.forget(about)

    def _want_present(self) -> None:
        if self._studio.result is not None:
            self.want(self._studio.result)

    def _take(self, about: Hashable, answer: object) -> None:
        if about not in self._wanted:
            return
        result = self._wanted.pop(about)()
        if result is not None:
            self._known[result] = answer
        self.found.emit(about, answer)
        if result is not None and result is self._studio.result:
            self.turned.emit()

    def _follow(self, _: Status) -> None:
        result = self._studio.result
        if self._studio.note:  # a live picture may be followed by another one at once
            self._timer.start()
        else:
            self._want_present()
        if result is not self._shown:
            self.forget(self._shown)
            self._shown = result
            self.turned.emit()
