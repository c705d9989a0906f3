"""From one palette to another: which label becomes which, and what finds no place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np

from core.palette import LabelClass, Palette, normalise

BY_NAME, BY_SYNONYM, BY_PART, BY_HAND, NOWHERE = "name", "synonym", "part of name", "you", "–"
VAGUE = {"other", "stuff", "merged", "general"}  # what datasets put behind a name to fill a list
STRIP = 1 << 20  # pixels counted at once; the counts come as float32, exact up to 2^24


class Match(NamedTuple):
    """Where one label goes. target: an id of the other palette, or None: it becomes unlabeled."""

    target: int | None
    how: str  # `BY_NAME`, `BY_SYNONYM`, `BY_PART`, `BY_HAND` or `NOWHERE`


@dataclass(frozen=True)
class Conversion:
    """A place in `target` for every label of `source`.

    matches: one per label of `source`, in the order of the ids.
    """

    source: Palette
    target: Palette
    matches: tuple[Match, ...]

    @classmethod
    def between(cls, source: Palette, target: Palette) -> Conversion:
        """Match by name, then by synonym, then by the telling part of a dataset's raw name."""
        if same_labels(source, target):
            return cls(source, target, tuple(Match(c.id, BY_NAME) for c in source.classes))
        heads = _heads(target)
        return cls(source, target, tuple(_match(label, target, heads) for label in source.classes))

    @classmethod
    def by_hand(cls, source: Palette, target: Palette, places: Mapping[int, int]) -> Conversion:
        """The label `i` becomes `places[i]`; one that is not in it becomes unlabeled."""
        wanted = (places.get(label.id) for label in source.classes)
        matches = (Match(t, NOWHERE if t is None else BY_HAND) for t in wanted)
        return cls(source, target, tuple(matches))

    def moved(self, label: int, target: int | None) -> Conversion:
        """The same with another place for `label`, chosen by a person."""
        matches = list(self.matches)
        matches[label] = Match(target, BY_HAND)
        return replace(self, matches=tuple(matches))

    @cached_property
    def table(self) -> np.ndarray:
        """uint8 `[256]`: id of the source → id of the target; what has no place is erased."""
        table = np.full(256, self.target.erase_id, np.uint8)
        for label, match in enumerate(self.matches):
            if match.target is not None:
                table[label] = match.target
        return table

    @property
    def plain(self) -> bool:
        """Whether every id keeps its number and its name: only looks or words differ."""
        return same_labels(self.source, self.target)

    def unplaced(self, labels: Iterable[int]) -> list[int]:
        """Those of `labels` that have no place; the unlabeled id needs none."""
        return [i for i in labels if self.matches[i].target is None and i != self.source.erase_id]

    def unsettled(self, labels: Iterable[int]) -> list[int]:
        """Those of `labels` that no word matched and that nobody has decided about."""
        return [i for i in self.unplaced(labels) if self.matches[i].how == NOWHERE]

    def convert(self, labels: np.ndarray) -> np.ndarray:
        """A copy of a label map of the source, uint8 `[H, W]`, with ids of the target."""
        return cv2.LUT(labels, self.table) if labels.size else labels.copy()


def label_counts(labels: np.ndarray) -> np.ndarray:
    """int64 `[256]`: pixels of every id in a label map, uint8 `[H, W]`."""
    return sum(strip_counts(labels), np.zeros(256, np.int64))


def strip_counts(labels: np.ndarray) -> Iterator[np.ndarray]:
    """The same in parts to be added, a few milliseconds each, for who has other things to do."""
    rows = max(1, STRIP // max(1, labels.shape[1]))
    for top in range(0, labels.shape[0], rows):
        strip = np.ascontiguousarray(labels[top : top + rows])
        # ten times as fast as numpy's counting or a sort
        yield cv2.calcHist([strip], [0], None, [256], [0, 256]).ravel().astype(np.int64)


def same_labels(one: Palette, other: Palette) -> bool:
    """Whether every id has the same name in both: a map of one can be read as one of the other."""
    return [c.name for c in one.classes] == [c.name for c in other.classes]


def _match(label: LabelClass, target: Palette, heads: Mapping[str, int]) -> Match:
    for found, how in _candidates(label, target, heads):
        if found is not None and not target[found].hidden:
            return Match(found, how)
    return Match(None, NOWHERE)


def _candidates(
    label: LabelClass, target: Palette, heads: Mapping[str, int]
) -> Iterator[tuple[int | None, str]]:
    """Places to try, the surest first; hidden ones among them."""
    places = [target.find(word) for word in (label.name, *label.synonyms)]
    yield places[0], BY_NAME if _is_called(target, places[0], label.name) else BY_SYNONYM
    for place, word in zip(places, (label.name, *label.synonyms), strict=True):
        if _is_called(target, place, word):  # says more than a synonym that both have
            yield place, BY_SYNONYM
    for place in places:
        yield place, BY_SYNONYM
    head, noun = _parts(label.name)
    for place in (target.find(head), heads.get(head), heads.get(noun)):
        yield place, BY_PART
    if _is_called(target, target.find(noun), noun):  # a hot dog is no animal, though a dog is one
        yield target.find(noun), BY_PART


def _is_called(palette: Palette, place: int | None, name: str) -> bool:
    return place is not None and normalise(palette[place].name) == normalise(name)


def _parts(name: str) -> tuple[str, str]:
    """The parts of a raw name that say what it is: "wall-brick" is a wall, a "pool table" a table.

    Datasets write the kind behind a hyphen; where there is none, English has the noun at the end.
    A part that is not there is "".
    """
    head, *kind = (normalise(part) for part in name.split("-"))
    words = [word for word in head.split() if word not in VAGUE]
    return " ".join(words), words[-1] if len(words) > 1 and not kind else ""


def _heads(palette: Palette) -> dict[str, int]:
    """The part before a hyphen → a visible label that begins so, the vague one if there is one."""
    shown = [c for c in palette.classes if "-" in c.name and not c.hidden]
    vague_last = sorted(reversed(shown), key=lambda c: c.name.rpartition("-")[2] in VAGUE)
    return {normalise(c.name.partition("-")[0]): c.id for c in vague_last}
