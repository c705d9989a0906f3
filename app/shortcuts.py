"""Which keys ask for what: the program's own, and those that the user chose instead."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction, QKeySequence

from app.actions import Wish
from app.settings import Store

RESERVED = {  # keys that the canvas needs, and for what
    "Space": "pans while it is held",
    "Return": "puts the tool down on the canvas",
    "Enter": "puts the tool down on the canvas",
    **dict.fromkeys(("Left", "Right", "Up", "Down"), "moves the cursor on the canvas"),
}


class Shortcuts(QObject):
    """The keys of every wish. Keys are texts such as "Ctrl+Shift+S"; one never has two meanings.

    changed: some wish has other keys.
    """

    changed = Signal()

    def __init__(self, wishes: Iterable[Wish], store: Store) -> None:
        super().__init__()
        self.wishes = {wish.name: wish for wish in wishes}
        self._store = store
        self._own = self._usable(store.keys())

    def _usable(self, stored: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
        """What a settings file says, as far as it can be followed: it may be of another version."""
        own: dict[str, tuple[str, ...]] = {}
        for name, keys in stored.items():
            if name in self.wishes:
                own[name] = tuple(filter(None, map(portable, keys)))
        return own

    def keys(self, name: str) -> tuple[str, ...]:
        """The keys of a wish; the first is the one to show."""
        return self._own.get(name, self.default(name))

    def default(self, name: str) -> tuple[str, ...]:
        """The program's own keys of a wish."""
        return tuple(portable(key) for key in self.wishes[name].keys)

    def changed_names(self) -> list[str]:
        """The wishes that have other keys than the program's own."""
        return list(self._own)

    def owner(self, key: str) -> str | None:
        """The wish that has `key` now."""
        return next((name for name in self.wishes if key in self.keys(name)), None)

    def shown(self) -> dict[str, str]:
        """The first key of each wish as people read it; "" without one."""
        return {name: readable(*self.keys(name)[:1]) for name in self.wishes}

    # -- changing ---------------------------------------------------------------------------------

    def assign(self, name: str, keys: tuple[str, ...]) -> None:
        """Give a wish these keys and no others; who had one of them loses it."""
        self._give(name, tuple(map(portable, keys)))
        self._keep()

    def reset(self, name: str) -> None:
        """Give a wish the program's own keys back."""
        self._give(name, self.default(name))
        self._keep()

    def reset_all(self) -> None:
        """Every wish has the program's own keys again."""
        self._own.clear()
        self._keep()

    def _give(self, name: str, keys: tuple[str, ...]) -> None:
        for other in self.wishes:
            if other != name and set(keys) & set(self.keys(other)):
                self._set(other, tuple(k for k in self.keys(other) if k not in keys))
        self._set(name, keys)

    def _set(self, name: str, keys: tuple[str, ...]) -> None:
        if keys == self.default(name):
            self._own.pop(name, None)
        else:
            self._own[name] = keys

    def _keep(self) -> None:
        self._store.keep_keys({name: list(keys) for name, keys in self._own.items()})
        self.changed.emit()

    def apply(self, actions: dict[str, QAction]) -> None:
        """Put the keys on the actions, and into their tooltips."""
        shown = self.shown()
        for name, action in actions.items():
            action.setShortcuts([QKeySequence(key) for key in self.keys(name)])
            text = action.text().rstrip("…")
            action.setToolTip(f"{text} ({shown[name]})" if shown[name] else text)


def portable(key: str) -> str:
    """A key in the one spelling that is compared and kept; "" if there is no such key."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.PortableText)


def readable(*keys: str) -> str:
    """Keys as people read them on this system; both keys that say Enter are that."""
    native = QKeySequence.SequenceFormat.NativeText
    texts = (QKeySequence(key).toString(native).replace("Return", "Enter") for key in keys)
    return " or ".join(dict.fromkeys(texts))
