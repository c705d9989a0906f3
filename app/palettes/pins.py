"""Labels within reach: pinned on the keys 1 to 9, and the last ones used."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app.settings import Store
from core.palette import Palette

DIGITS = range(1, 10)
RECENTS = 6


class Pins(QObject):
    """Pins are remembered for each palette, by the labels' names; recents last for a session.

    A palette that was never pinned on begins with its first nine labels. palette: whose ids these
    are. changed: a pin or the palette is another. touched: the recents are others.
    """

    changed = Signal()
    touched = Signal()

    def __init__(self, palette: Palette, store: Store) -> None:
        super().__init__()
        self._store = store
        self._recents_of: dict[str, list[str]] = {}
        self.adopt(palette)

    def adopt(self, palette: Palette) -> None:
        """Take the pins and the recents of another palette."""
        self.palette = palette
        names = self._store.pins(palette.name)
        if names is None:
            first = [c.name for c in palette.search("") if c.id != palette.unlabeled]
            names = dict(zip(DIGITS, first, strict=False))
        found = {digit: _id_of(palette, name) for digit, name in names.items()}
        self._pinned = {digit: label for digit, label in found.items() if label is not None}
        recents = self._recents_of.setdefault(palette.name, [])
        found = (_id_of(palette, name) for name in recents)
        self.recents = [label for label in found if label is not None]
        self.changed.emit()

    def label_on(self, digit: int) -> int | None:
        """The label on a key, or None."""
        return self._pinned.get(digit)

    def digit_of(self, label: int) -> int | None:
        """The key of a label, or None."""
        return next((digit for digit, pinned in self._pinned.items() if pinned == label), None)

    def pin(self, digit: int, label: int) -> None:
        """Put a label on a key; it leaves the one that it was on."""
        self.unpin(label)
        self._pinned[digit] = label
        self._keep()

    def unpin(self, label: int) -> None:
        """Take a label off its key."""
        digit = self.digit_of(label)
        if digit is not None:
            del self._pinned[digit]
            self._keep()

    def touch(self, label: int) -> None:
        """The label was taken in hand: the newest of the recents."""
        if self.recents[:1] != [label]:
            self.recents = [label, *(other for other in self.recents if other != label)][:RECENTS]
            names = [self.palette[other].name for other in self.recents]
            self._recents_of[self.palette.name] = names
            self.touched.emit()

    def _keep(self) -> None:
        names = {digit: self.palette[label].name for digit, label in self._pinned.items()}
        self._store.keep_pins(self.palette.name, names)
        self.changed.emit()


def _id_of(palette: Palette, name: str) -> int | None:
    return next((c.id for c in palette.classes if c.name == name and not c.hidden), None)
