"""The table of what pictures should be like: part of the document, as the label map is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from weakref import WeakKeyDictionary

import numpy as np
from PySide6.QtCore import QObject, Signal

from app.guiding.term import WORDS, Table, Term, asked_of
from core.request import Layout, ModelInfo
from core.terms import GuidanceTerm


class Wanted(QObject):
    """At least one line of words, and it comes first. changed: some row is another one."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._keys = count(1)
        self._rows: WeakKeyDictionary[GuidanceTerm, int] = WeakKeyDictionary()
        self.table: Table = ()
        self.adopt(())

    # -- changing ---------------------------------------------------------------------------------

    def adopt(self, table: Sequence[Term]) -> None:
        """Take another table; rows without a key get one."""
        lines = [term for term in table if term.kind == WORDS] or [Term()]
        pictures = [term for term in table if term.kind != WORDS]
        keyed = (t if t.key else replace(t, key=next(self._keys)) for t in (*lines, *pictures))
        table = tuple(keyed)
        if table != self.table:
            self.table = table
            self.changed.emit()

    def add(self, term: Term) -> int:
        """One more row; its key."""
        key = next(self._keys)
        self.adopt((*self.table, replace(term, key=key)))
        return key

    def change(self, key: int, **changes: object) -> None:
        """Change what a row says."""
        self.adopt([replace(t, **changes) if t.key == key else t for t in self.table])

    def remove(self, key: int) -> None:
        """Take a row away; of the last line of words only its words."""
        self.adopt([term for term in self.table if term.key != key])

    @property
    def plain(self) -> Table:
        """The rows that ask for something."""
        return tuple(term for term in self.table if not term.empty)

    # -- asking -----------------------------------------------------------------------------------

    def terms(
        self,
        layout: Layout,
        model: ModelInfo | None,
        ids: Callable[[tuple[str, ...]], tuple[int, ...]],
        patient: bool,
    ) -> tuple[GuidanceTerm, ...]:
        """For a request of `layout`. ids: from names of labels to theirs in it; see `asked_of`."""

        def there(names: tuple[str, ...]) -> tuple[int, ...]:
            return tuple(label for label in ids(names) if np.any(layout.labels == label))

        found = asked_of(self.table, model, there, patient)
        self._rows.update((term, key) for key, term in found)
        return tuple(term for _, term in found)

    def live_weights(
        self, terms: Sequence[GuidanceTerm]
    ) -> tuple[Callable[[], tuple[float, ...]], ...]:
        """What tells what the rows that these came from weigh, whenever and in which thread it is
        asked; nothing if they came from no row: then they keep their own.
        """
        keys = [self._rows.get(term) for term in terms]
        if all(key is None for key in keys):
            return ()
        own = [term.weights[0] for term in terms]

        def now() -> tuple[float, ...]:
            rows = {term.key: term.weight for term in self.table}
            return tuple(rows.get(key, weight) for key, weight in zip(keys, own, strict=True))

        return (now,)
