"""Which pictures of the history are shown."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QSortFilterProxyModel

from app.history import RECORD, History
from app.record import Record
from core.palette import Palette, normalise


class HistoryFilter(QSortFilterProxyModel):
    """Shows the records that have every word of a text: a label that was painted (synonyms count),
    the beginning of the seed, or a part of the model's or the sampler's name."""

    def __init__(self, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._history = history
        self._words: list[str] = []
        self._starred = False
        self._labels: dict[tuple[str, str], set[int]] = {}  # found by (palette's digest, word)
        self.setSourceModel(history)

    def show_only(self, text: str, starred: bool) -> None:
        """Show the records that have the words of `text`; only those with a star, if so."""
        self._words, self._starred = normalise(text).split(), starred
        self._labels.clear()
        self.invalidate()

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        record = self._history.index(row).data(RECORD)
        if self._starred and not record.starred:
            return False
        return all(self._has(record, word) for word in self._words)

    def _has(self, record: Record, word: str) -> bool:
        recipe = record.recipe
        names = f"{recipe.get('weights', '')} {recipe.get('sampler', '')}"
        if str(recipe.get("seed")).startswith(word) or word in normalise(names):
            return True
        return not self._ids(record.palette, word).isdisjoint(record.labels)

    def _ids(self, digest: str, word: str) -> set[int]:
        key = digest, word
        if key not in self._labels:
            palette: Palette | None = self._history.palettes.get(digest)
            self._labels[key] = {found.id for found in palette.search(word)} if palette else set()
        return self._labels[key]
