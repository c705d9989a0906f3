"""What a reading of a label image could not place, as labels that a person can place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from core.ade_full import class_numbers, words
from core.conversion import Conversion
from core.encodings import Codes
from core.palette import MAX_CLASSES, LabelClass, Palette, normalise
from core.recognition import Guess

Color = tuple[int, int, int]
BY_YOU = "The rest was placed by hand."


@dataclass(frozen=True, eq=False)
class Rest:
    """Labels that stand for what was not placed, the most frequent first; 0 for all the others.

    counts: int64 `[256]`, pixels of each. codes: for each label, which of the image's codes it is.
    """

    palette: Palette
    counts: np.ndarray
    codes: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, guess: Guess) -> Rest:
        """As many labels as a palette can have."""
        codes, groups = guess.codes, _groups(guess)
        chosen = sorted(groups, key=lambda name: -codes.counts[groups[name]].sum())
        chosen = chosen[: MAX_CLASSES - 1]
        counts = np.zeros(256, np.int64)
        counts[1 : len(chosen) + 1] = [codes.counts[groups[name]].sum() for name in chosen]
        counts[0] = codes.counts.sum() - counts.sum()
        colors = _distinct(tuple(codes.rgb[groups[name][0]].tolist()) for name in chosen)
        labels = [
            LabelClass(i, name, color)
            for i, (name, color) in enumerate(zip(chosen, colors, strict=True), start=1)
        ]
        nothing = LabelClass(0, "everything else", next(_distinct([(0, 0, 0)], labels)))
        palette = Palette("rest", (nothing, *labels), title="The rest", unlabeled=0)
        none = np.zeros(0, np.int64)
        return cls(palette, counts, (none, *(groups[name] for name in chosen)))

    def placed(self, guess: Guess, conversion: Conversion) -> Guess:
        """The same reading with the places that a person gave to the rest."""
        ids = guess.ids.copy()
        for label, match in enumerate(conversion.matches):
            if match.target is not None:
                ids[self.codes[label]] = match.target
        counts = guess.codes.counts
        unplaced = float(counts[ids < 0].sum() / counts.sum())
        why = guess.why if guess.why.endswith(BY_YOU) else f"{guess.why} {BY_YOU}"
        return replace(guess, ids=ids, unplaced=unplaced, why=why)


def _groups(guess: Guess) -> dict[str, np.ndarray]:
    """Name → codes of what was not placed; the instances of a class are one."""
    found: dict[str, list[int]] = {}
    names: dict[str, str] = {}  # as a palette compares them, for it has each name once
    for index in np.flatnonzero(guess.ids < 0).tolist():
        name = _name(guess, index)
        found.setdefault(names.setdefault(normalise(name), name), []).append(index)
    return {name: np.array(indices) for name, indices in found.items()}


def _name(guess: Guess, index: int) -> str:
    """What to call a code."""
    codes: Codes = guess.codes
    if codes.clear[index]:
        return "transparent"
    if guess.encoding.name == "ade20k_full":
        number = int(class_numbers(codes.rgb[index : index + 1])[0])
        called = codes.called[index] if codes.called else ""
        return next(words(called), f"class {number}")
    if codes.values is not None:
        return f"value {codes.values[index]}"
    return "colour #{:02x}{:02x}{:02x}".format(*codes.rgb[index].tolist())


def _distinct(colors: Iterable[Color], labels: Iterable[LabelClass] = ()) -> Iterator[Color]:
    """The colours, each moved a little where another label has it: a palette has each once."""
    used = {label.color for label in labels}
    for red, green, blue in colors:
        while (red, green, blue) in used:
            blue, green = (blue + 1) % 256, (green + (blue == 255)) % 256
        used.add((red, green, blue))
        yield red, green, blue
