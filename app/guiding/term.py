"""One thing that pictures should be like, as the document holds it. Nothing here knows Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from app.png import encode_picture, shrunk
from core.errors import InputError
from core.repaint import frozen
from core.request import ModelInfo
from core.terms import GuidanceTerm
from core.words import Vocabulary

WORDS = "text"
PICTURE_KINDS = ("style", "content", "structure", "colours")  # the first is a new one's
KINDS = (WORDS, *PICTURE_KINDS)
MOST = 3.0  # of a weight: from 2 on pictures suffer
SIDE = 512  # pixels of a reference's longer side: the encoders of guidance look at fewer


@dataclass(frozen=True, eq=False)
class ReferencePicture:
    """A picture to be like. pixels: uint8 `[h, w, 3]`, read-only, at most `SIDE` long."""

    pixels: np.ndarray = field(repr=False)
    name: str

    @classmethod
    def of(cls, picture: np.ndarray, name: str) -> ReferencePicture:
        """Of a picture of any size."""
        return cls(frozen(shrunk(picture, SIDE)), name)

    @cached_property
    def png(self) -> bytes:
        """For a file."""
        return encode_picture(self.pixels)


@dataclass(frozen=True)
class Term:
    """A row of the dock. "structure" is content place by place.

    text: of "text". picture: of all others. labels: names of those where it acts; none for
    everywhere. key: which row it is, whatever else changes.
    """

    kind: str = WORDS
    weight: float = 1.0
    text: str = ""
    picture: ReferencePicture | None = None
    labels: tuple[str, ...] = ()
    key: int = 0

    @property
    def empty(self) -> bool:
        """Whether it asks for nothing: a line without words."""
        return self.kind == WORDS and not self.text.strip()

    def asked(self, labels: tuple[int, ...], text: str) -> GuidanceTerm:
        """The same for a request. labels: ids where it acts. text: as the model can read it."""
        if self.kind == WORDS:
            return GuidanceTerm(WORDS, self.weight, text, labels=labels)
        kind = "content" if self.kind == "structure" else self.kind
        return GuidanceTerm(
            kind,
            self.weight,
            reference=self.picture.pixels,
            name=self.picture.name,
            labels=labels,
            spatial=self.kind == "structure",
        )


Table = tuple[Term, ...]


def most_of(kind: str) -> float:
    """Up to where a slider goes: of colours 1 is all already."""
    return 1.0 if kind == "colours" else MOST


def kinds_of(model: ModelInfo | None) -> tuple[str, ...]:
    """The kinds that a model can follow; all while it is not known, none if it paints at once."""
    if model is None:
        return KINDS
    if model.painter == model.name:
        return ()
    words = (WORDS,) if model.vocabulary is not None else ()
    return words + (PICTURE_KINDS if model.guidance else ("colours",))


def readable(text: str, vocabulary: Vocabulary | None) -> str:
    """What of a text can be read now: without the words that are not known, such as half ones.

    "" if nothing is left.
    """
    if vocabulary is None:
        return text
    for unknown in vocabulary.unknown(text):
        place = text.lower().find(unknown.word)
        text = text[:place] + text[place + len(unknown.word) :]
    try:
        vocabulary.check(text)
    except InputError:
        return ""
    return text.strip()


def asked_of(
    table: Iterable[Term],
    model: ModelInfo | None,
    ids: Callable[[tuple[str, ...]], tuple[int, ...]],
    patient: bool,
) -> list[tuple[int, GuidanceTerm]]:
    """Keys and terms of a request. What the model has no way to follow is left out.

    ids: from names of labels to those of them that the layout has. patient: leave out words that
    are not known, for they are still being typed. Raises `InputError` for them if it is not.
    """
    kinds, found = kinds_of(model), []
    vocabulary = model.vocabulary if model else None
    for term in table:
        labels, text = ids(term.labels), term.text.strip()
        if term.empty or term.kind not in kinds or (term.labels and not labels):
            continue
        if term.kind == WORDS and vocabulary is not None:
            if not patient:
                vocabulary.check(text)
            text = readable(text, vocabulary)
        if text or term.kind != WORDS:
            found.append((term.key, term.asked(labels, text)))
    return found
