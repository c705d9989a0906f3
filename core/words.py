"""The words that text guidance understands: a sentence becomes weights of concepts.

A concept is something that pictures show or do not, such as fog. A word names a concept, or a mix
of several. What is near nothing known is an error that names neighbours, never a guess. Nothing
here knows torch: the window completes words and says what it does not know while they are typed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from core.errors import InputError

WORDS_FILE = Path(__file__).with_name("words.toml")
MAX_TEXT = 300  # characters of a sentence

# Words that say nothing of a picture.
SILENT = frozenset(
    "a an the of in on at by to into over under above near around beneath and or but with some its "
    "it is be was where there scene scenery landscape picture photo photograph image view weather "
    "mood time season atmosphere feeling colours colors tones very quite rather really more much "
    "slightly little bit somewhat covered full during".split()
)
NEGATIONS = frozenset("not no without never non less nor neither isn't aren't hardly".split())
LISTING = frozenset(
    ("without", "no", "neither", "nor", "less")
)  # these negate "snow and ice" whole
ENDS = frozenset((",", ";", ".", "but", "with"))  # of what a negation reaches
STRONG, WEAK = 1.5, 0.5
ALIKE = 0.68  # of difflib, from which on a known word is offered for an unknown one
DEGREES = dict.fromkeys(("very", "really", "much", "extremely"), STRONG) | dict.fromkeys(
    ("slightly", "little", "bit", "somewhat", "hardly"), WEAK
)


class UnknownWord(InputError):
    """A word that is not in the vocabulary. word: as written. near: known words to offer. more:
    a sentence about how other words could be used too."""

    def __init__(self, word: str, near: tuple[str, ...], more: str = "") -> None:
        self.word, self.near, self.more = word, near, more
        others = f"Near it: {', '.join(near)}. " if near else ""
        super().__init__(
            f"The word {word!r} is not known to the model. {others}Take another, or leave it out."
            f"{more and ' '}{more}"
        )


@dataclass(frozen=True)
class Word:
    """An entry of the vocabulary. of: weights of concepts; a concept is of itself alone."""

    name: str
    group: str
    synonyms: tuple[str, ...] = ()
    of: Mapping[str, float] = field(default_factory=dict)

    @property
    def spellings(self) -> tuple[str, ...]:
        """All that it answers to, its name first."""
        return (self.name, *self.synonyms)


@dataclass(frozen=True)
class Vocabulary:
    """Concepts in the order of a model's word vectors, and mixes of them.

    free: whether a text with other words can be read too, as a whole, by a sentence encoder. more:
    what to do so that it can. Both are of this machine, not of the words, and so of no file.
    Raises `InputError` for a spelling that two entries claim or a mix of what is no concept.
    """

    concepts: tuple[Word, ...]
    mixes: tuple[Word, ...] = ()
    free: bool = field(default=False, compare=False)
    more: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        names, seen = set(self.names), {}
        for word in self.words:
            for spelling in word.spellings:
                if seen.setdefault(spelling, word) is not word:
                    raise InputError(
                        f"The word {spelling!r} stands for both {seen[spelling].name!r} and "
                        f"{word.name!r}."
                    )
        for mix in self.mixes:
            if unknown := sorted(mix.of.keys() - names):
                raise InputError(f"The mix {mix.name!r} is of {unknown[0]!r}, which is no concept.")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Vocabulary:
        """From `{"concepts": {name: {...}}, "mixes": {name: {...}}}`; evidence is not read."""
        try:
            kinds = (
                [_word(n, d) for n, d in data.get(k, {}).items()] for k in ("concepts", "mixes")
            )
            return cls(*map(tuple, kinds))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"A vocabulary cannot be read: {error}.") from error

    def to_dict(self) -> dict[str, Any]:
        """The inverse of `from_dict`."""
        return {
            "concepts": {w.name: _plain(w) for w in self.concepts},
            "mixes": {w.name: _plain(w) | {"of": dict(w.of)} for w in self.mixes},
        }

    @property
    def words(self) -> tuple[Word, ...]:
        return self.concepts + self.mixes

    @property
    def names(self) -> tuple[str, ...]:
        """Of the concepts, in order."""
        return tuple(word.name for word in self.concepts)

    @cached_property
    def spellings(self) -> dict[str, Word]:
        """Every way to write a word, and what it names."""
        return {spelling: word for word in self.words for spelling in word.spellings}

    # -- reading ----------------------------------------------------------------------------------

    def read(self, text: str) -> dict[str, float]:
        """Weights of concepts by name: "a very foggy forest, no snow" is fog, forest, and not snow.

        Raises `UnknownWord` for the first word that it does not know, and `InputError` if nothing
        is asked for at all.
        """
        if len(text) > MAX_TEXT:
            raise InputError(f"The text has {len(text)} characters; {MAX_TEXT} can be read.")
        weights: dict[str, float] = {}
        for word, factor in self._heard(tokens_of(text)):
            for name, weight in (word.of or {word.name: 1.0}).items():
                weights[name] = weights.get(name, 0.0) + factor * weight
        weights = {name: weight for name, weight in weights.items() if weight}
        if not weights:
            raise InputError('The text asks for nothing. Try "sunset", or "foggy, no snow".')
        return weights

    def check(self, text: str) -> None:
        """Raise `InputError` if a text cannot be read, in whatever way."""
        try:
            self.read(text)
        except UnknownWord:
            if not self.free:
                raise

    def _heard(self, tokens: list[str]) -> Iterator[tuple[Word, float]]:
        """The words of a text, each with how much of it is wanted."""
        place = 0
        sign, listing, degree = 1.0, False, 1.0
        while place < len(tokens):
            token = tokens[place]
            word, length = self._longest(tokens[place:])
            place += length
            if word is not None:
                yield word, sign * degree
                degree = 1.0
                joined = tokens[place : place + 1]
                if not (listing and joined in (["and"], ["or"], ["nor"])) and joined != ["or"]:
                    sign, listing = 1.0, False
            elif token in NEGATIONS:
                sign, listing = -1.0, token in LISTING
            elif token in ENDS:
                sign, degree = 1.0, 1.0
            elif token in DEGREES:
                degree = DEGREES[token]
            elif token not in SILENT:
                raise UnknownWord(token, self.near(token), self.more)

    def _longest(self, tokens: list[str]) -> tuple[Word | None, int]:
        """The word that the tokens begin with, and how many of them it takes; None, 1 for none."""
        for length in range(min(4, len(tokens)), 0, -1):
            found = self.spellings.get(" ".join(tokens[:length]))
            if found is None and length == 1:
                found = self._inflected(tokens[0])
            if found is not None:
                return found, length
        return None, 1

    def _inflected(self, token: str) -> Word | None:
        """The word of which this is a plural."""
        ends = (("ies", "y"), ("es", ""), ("s", ""))
        stems = (token[: -len(end)] + new for end, new in ends if token.endswith(end))
        return next((self.spellings[stem] for stem in stems if stem in self.spellings), None)

    # -- help while one types ---------------------------------------------------------------------

    def near(self, word: str, count: int = 3) -> tuple[str, ...]:
        """Known words that are written alike, the nearest first; each of another meaning."""
        alike = get_close_matches(word.lower(), self.spellings, 3 * count, cutoff=ALIKE)
        by_meaning = {self.spellings[spelling].name: spelling for spelling in reversed(alike)}
        return tuple(reversed(by_meaning.values()))[:count]

    def unknown(self, text: str) -> tuple[UnknownWord, ...]:
        """Every word of a text that cannot be read: to be underlined."""
        found, tokens = [], tokens_of(text[:MAX_TEXT])
        while not self.free:
            try:
                list(self._heard(tokens))
                return tuple(found)
            except UnknownWord as error:
                found.append(error)
                tokens = [token for token in tokens if token != error.word]
        return ()

    def complete(self, start: str, count: int = 8) -> tuple[str, ...]:
        """Known words that begin so, names before synonyms; nothing for an empty start."""
        start = " ".join(tokens_of(start))
        fitting = [s for s in self.spellings if start and s.startswith(start)]
        return tuple(sorted(fitting, key=lambda s: (s != self.spellings[s].name, s))[:count])

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Names of the entries by group, in order: for a list of what can be said."""
        found: dict[str, list[str]] = {}
        for word in self.words:
            found.setdefault(word.group, []).append(word.name)
        return {group: tuple(names) for group, names in found.items()}


def tokens_of(text: str) -> list[str]:
    """Words in lower case, and marks that part clauses."""
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*|[,;.]", text.lower().replace("’", "'"))


def _word(name: str, data: Mapping[str, Any]) -> Word:
    of = {str(k): float(v) for k, v in data.get("of", {}).items()}
    return Word(str(name), str(data["group"]), tuple(map(str, data.get("synonyms", ()))), of)


def _plain(word: Word) -> dict[str, Any]:
    return {"group": word.group, "synonyms": list(word.synonyms)}


def read_words(path: Path = WORDS_FILE) -> dict[str, Any]:
    """The whole file of words, evidence too. Raises `InputError` if it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a vocabulary: {error}.") from error
