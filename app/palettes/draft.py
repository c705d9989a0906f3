"""A palette that is being edited: rows in any order, checked only when it is built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from core.palette import MAX_CLASSES, LabelClass, Palette

COLORS_TRIED = 400  # for a new label, to find one that is far from all others


@dataclass
class Row:
    """One label of the draft. origin: its id in the palette that was copied, None if it is new."""

    label: LabelClass
    origin: int | None = None


@dataclass
class Draft:
    """A copy of `palette` to work on. erase: which row erasing leaves behind."""

    palette: Palette
    title: str = ""
    rows: list[Row] = field(default_factory=list)
    erase: int = 0

    def __post_init__(self) -> None:
        self.title = self.palette.title or self.palette.name
        self.rows = [Row(c, c.id) for c in self.palette.classes]
        self.erase = self.palette.erase_id

    @property
    def full(self) -> bool:
        """Whether there is no room for another label."""
        return len(self.rows) >= MAX_CLASSES

    def add(self, after: int) -> int:
        """A new label behind a row, in its group; where it is now."""
        names = {row.label.name for row in self.rows}
        number = next(n for n in range(1, MAX_CLASSES + 1) if f"new label {n}" not in names)
        group = self.rows[after].label.group if self.rows else ""
        label = LabelClass(0, f"new label {number}", self._free_color(), group=group)
        self.rows.insert(after + 1, Row(label))
        self.erase += self.erase > after
        return after + 1

    def remove(self, index: int) -> None:
        """Take a label out; what it paints will be erased. The last one stays."""
        if len(self.rows) == 1:
            return
        gone = self.rows.pop(index).label
        self._rename_partner(gone, "")
        self.erase = 0 if self.erase == index else self.erase - (self.erase > index)

    def move(self, index: int, by: int) -> int:
        """Take a label up or down; where it is now."""
        place = max(0, min(len(self.rows) - 1, index + by))
        erased = self.rows[self.erase]
        self.rows.insert(place, self.rows.pop(index))
        self.erase = next(i for i, row in enumerate(self.rows) if row is erased)
        return place

    def change(self, index: int, **entries: object) -> None:
        """Give a label another name, colour, synonyms or group; its mirror partner follows."""
        before = self.rows[index].label
        self.rows[index].label = replace(before, **entries)
        self._rename_partner(before, self.rows[index].label.name)

    def build(self, name: str) -> Palette:
        """The palette as it is now. PaletteError, in a sentence, for what contradicts itself."""
        unlabeled = None if self.palette.unlabeled is None and self.erase == 0 else self.erase
        classes = tuple(self._classes())
        return replace(
            self.palette, name=name, title=self.title.strip(), classes=classes, unlabeled=unlabeled
        )

    def places(self) -> dict[int, int]:
        """Id in the palette that was copied → id in this one."""
        return {row.origin: i for i, row in enumerate(self.rows) if row.origin is not None}

    def _classes(self) -> Iterator[LabelClass]:
        """The labels with their new ids. A data set's files keep their meaning: a label that moved
        still answers to the raw values that it had, and a new one takes one that is free."""
        raws = [self._raw(row, index) for index, row in enumerate(self.rows)]
        taken = {value for raw in raws for value in raw or ()}
        free = (value for value in range(256) if value not in taken)
        for index, (row, raw) in enumerate(zip(self.rows, raws, strict=True)):
            raw = (next(free, index),) if raw is None else raw
            yield replace(row.label, id=index, raw=() if raw == (index,) else raw)

    def _raw(self, row: Row, index: int) -> tuple[int, ...] | None:
        if row.label.raw:
            return row.label.raw
        return None if row.origin is None else (row.origin,)

    def _rename_partner(self, label: LabelClass, name: str) -> None:
        for row in self.rows:
            if label.flip and row.label.flip == label.name:
                row.label = replace(row.label, flip=name)

    def _free_color(self) -> tuple[int, int, int]:
        """The colour, of many, that is farthest from those in use."""
        used = np.array([row.label.color for row in self.rows] or [(0, 0, 0)])
        tried = np.random.default_rng(len(self.rows)).integers(24, 232, (COLORS_TRIED, 3))
        gaps = np.linalg.norm(tried[:, None] - used[None], axis=2).min(axis=1)
        red, green, blue = tried[gaps.argmax()].tolist()
        return red, green, blue
