"""Sentences as the numbers of word pieces, for networks of BERT's kind that know lower case alone.

A word that the list does not have is taken apart into the longest pieces that it does have.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping

CONTINUES = "##"  # how pieces begin that stand inside a word
LONGEST = 100  # characters of a word; longer ones are unknown
UNKNOWN, FIRST, LAST = "[UNK]", "[CLS]", "[SEP]"
IDEOGRAPHS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2FA1F))


class WordPieces:
    """pieces: number of each. Raises `KeyError` if one of those that every list has is missing."""

    def __init__(self, pieces: Mapping[str, int]) -> None:
        self.pieces = pieces
        self.unknown, self.first, self.last = (pieces[p] for p in (UNKNOWN, FIRST, LAST))

    def __call__(self, text: str, most: int) -> list[int]:
        """The numbers of a sentence, at most so many, with those that mark its ends."""
        inner = [number for word in plain_words(text) for number in self._word(word)]
        return [self.first, *inner[: most - 2], self.last]

    def _word(self, word: str) -> list[int]:
        found, start = [], 0
        while start < len(word) <= LONGEST:
            lead = CONTINUES if start else ""
            ends = range(len(word), start, -1)
            end = next((e for e in ends if lead + word[start:e] in self.pieces), None)
            if end is None:
                return [self.unknown]
            found.append(self.pieces[lead + word[start:end]])
            start = end
        return found or [self.unknown]


def plain_words(text: str) -> Iterator[str]:
    """Words in lower case without accents; every mark and every ideograph is a word of its own."""
    spread = "".join(_apart(c) for c in text if not _is_control(c))
    lower = unicodedata.normalize("NFD", spread.lower())
    bare = "".join(c for c in lower if unicodedata.category(c) != "Mn")
    for part in bare.split():
        start = 0
        for place, char in enumerate(part):
            if _is_mark(char):
                yield from filter(None, (part[start:place], char))
                start = place + 1
        if part[start:]:
            yield part[start:]


def _apart(char: str) -> str:
    code = ord(char)
    return f" {char} " if any(low <= code <= high for low, high in IDEOGRAPHS) else char


def _is_control(char: str) -> bool:
    return char not in "\t\n\r" and unicodedata.category(char).startswith("C")


def _is_mark(char: str) -> bool:
    ascii_mark = 33 <= ord(char) <= 126 and not char.isalnum()
    return ascii_mark or unicodedata.category(char).startswith("P")
