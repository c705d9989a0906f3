"""Which style a picture has, and that it begins with what the instant painter makes of its layout.

Plain data, so that settings, projects and recipes can hold it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from core.errors import RequestError

MAX_STYLE_SEED = 2**31 - 1
MAX_VALUES = 4096  # numbers of a style: far more than any painter has
DIGITS = 5  # of each of them: that is finer than any eye


@dataclass(frozen=True)
class StyleChoice:
    """The style of a seed, or one that a painter read from a picture.

    seed: 0..`MAX_STYLE_SEED`, of the style, or of its textures alone where there are values; None
    for each picture's own seed, so that another picture has another style.
    values: what the painter called `painter` read from a picture; to another painter they mean
    nothing, and the seed counts. source: what that picture is called.
    """

    seed: int | None = None
    values: tuple[float, ...] = ()
    painter: str = ""
    source: str = ""

    @classmethod
    def read(cls, vector: Any, seed: int | None, painter: str, source: str) -> StyleChoice:
        """That of a picture. vector: numbers, as the painter gave them."""
        return cls(seed, tuple(round(float(v), DIGITS) for v in vector), painter, source)

    @property
    def plain(self) -> dict[str, Any]:
        """For JSON: the inverse of `from_plain`."""
        if not self.values:
            return {"seed": self.seed}
        own = {"values": list(self.values), "painter": self.painter, "source": self.source}
        return {"seed": self.seed} | own

    @classmethod
    def from_plain(cls, data: Any) -> StyleChoice:
        """Read what `plain` gave; it may come from anywhere, and what is no use is left out."""
        given = data if isinstance(data, Mapping) else {}
        seed, values = given.get("seed"), given.get("values")
        usable = type(seed) is int and 0 <= seed <= MAX_STYLE_SEED
        choice = cls(seed) if usable else cls()
        texts = [given.get(name) for name in ("painter", "source")]
        known = isinstance(values, list) and 0 < len(values) <= MAX_VALUES
        if known and all(map(_is_number, values)) and all(isinstance(text, str) for text in texts):
            return cls.read(values, choice.seed, *texts)
        return choice

    def of(self, painter: str) -> StyleChoice:
        """The same as far as the painter of that name knows it."""
        return self if self.painter in ("", painter) else StyleChoice(self.seed)

    def at(self, seed: int) -> StyleChoice:
        """The same for the picture of `seed`: with a seed of its own."""
        return self if self.seed is not None else replace(self, seed=seed % (MAX_STYLE_SEED + 1))


@dataclass(frozen=True)
class Painted:
    """Begin with what the instant painter makes of the layout in `style`.

    strength: 0..1, how much of that is forgotten; at 0 it is the outcome itself, at 1 nothing is
    left of it. Raises `RequestError` for another strength.
    """

    style: StyleChoice
    strength: float

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise RequestError(
                f"The strength {self.strength:g} cannot be used; it must be 0 to 1, of which 0 "
                "keeps the instant picture as it is."
            )

    @property
    def plain(self) -> dict[str, Any]:
        """For a recipe: the inverse of `from_plain`."""
        return {"strength": self.strength, "style": self.style.plain}

    @classmethod
    def from_plain(cls, data: Any) -> Painted | None:
        """Read what `plain` gave; None for anything else."""
        strength = data.get("strength") if isinstance(data, Mapping) else None
        if not _is_number(strength) or not 0 <= strength <= 1:
            return None
        return cls(StyleChoice.from_plain(data.get("style")), float(strength))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
