"""Label images of the full ADE20K, which has thousands of classes and numbers for them.

A pixel is class R // 10 * 256 + G, and B tells instances apart. The numbers are those of one
release; what they mean says a file beside each image: NAME.json of the release of 2021,
NAME_atr.txt of that of 2016. So names come from there, never from a table of ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from core.palette import Palette, normalise

FILE = re.compile(r"(?P<name>.+)_(seg|parts_(?P<level>\d+))$")  # of a label image, without suffix
TOP = 150  # the red byte of the last thousand classes
MAX_NOTES = 1 << 26  # bytes of a file of names: no real one comes near


def class_numbers(rgb: np.ndarray) -> np.ndarray:
    """int64 `[n]`: the class of each colour, uint8 `[n, 3]`; 0 is nothing."""
    red, green = rgb[:, 0].astype(np.int64), rgb[:, 1].astype(np.int64)
    return red // 10 * 256 + green


def fits(rgb: np.ndarray) -> bool:
    """Whether every colour could be a class: the red byte counts in tens."""
    return bool((rgb[:, 0] % 10 == 0).all() and (rgb[:, 0] <= TOP).all())


def names_beside(path: Path, rgb: np.ndarray) -> tuple[str, ...]:
    """What the file beside a label image calls each of its colours, uint8 `[n, 3]`.

    A name is a list of words, "car, auto, automobile"; "" where there is none. Empty without such
    a file, or if it cannot be read.
    """
    found = FILE.fullmatch(path.stem)
    if not found or not fits(rgb):
        return ()
    names: dict[int, str] = {}
    with suppress(OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        names = _of_json(_text(path.with_name(f"{found['name']}.json")))
    if not names:
        with suppress(OSError, ValueError):
            notes = _text(path.with_name(f"{found['name']}_atr.txt"))
            names = _of_notes(notes, rgb, level=int(found["level"] or 0))
    return tuple(names.get(number, "") for number in class_numbers(rgb).tolist()) if names else ()


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_NOTES:
        raise ValueError("no file of names is as long")
    return path.read_text(encoding="utf-8", errors="replace")


def _of_json(text: str) -> dict[int, str]:
    """Class number → name: each object tells its own."""
    objects = json.loads(text)["annotation"]["object"]
    return _agreed((int(one["name_ndx"]), str(one["name"])) for one in _listed(objects))


def _listed(objects: Any) -> list:
    return [objects] if isinstance(objects, dict) else objects  # a single one is not in a list


def _of_notes(text: str, rgb: np.ndarray, level: int) -> dict[int, str]:
    """The same from lines of "instance # part level # cropped # name # …".

    An instance's number is the rank of its blue byte in the image; 0 there is nothing.
    """
    rows = [line.split("#") for line in text.splitlines()]
    names = {int(row[0]): row[3].strip() for row in rows if len(row) > 3 and int(row[1]) == level}
    ranks = {blue: rank for rank, blue in enumerate(np.unique(rgb[rgb[:, 2] > 0, 2]).tolist(), 1)}
    pairs = zip(class_numbers(rgb).tolist(), rgb[:, 2].tolist(), strict=True)
    return _agreed((number, names.get(ranks.get(blue, 0), "")) for number, blue in pairs)


def _agreed(pairs: Iterable[tuple[int, str]]) -> dict[int, str]:
    """The pairs as a table, without the numbers that are called in two ways."""
    names: dict[int, set[str]] = {}
    for number, name in pairs:
        if name:
            names.setdefault(number, set()).add(name)
    return {number: found.pop() for number, found in names.items() if len(found) == 1}


def place(name: str, palette: Palette) -> int | None:
    """The visible label of which one of the words in `name` is the name, or else a synonym."""
    found = [palette.find(word) for word in words(name)]
    shown = [label for label in found if label is not None and not palette[label].hidden]
    called = {normalise(word) for word in words(name)}
    by_name = [label for label in shown if normalise(palette[label].name) in called]
    return next(iter([*by_name, *shown]), None)


def words(name: str) -> Iterator[str]:
    """The words of a name such as "car, auto, automobile"."""
    return filter(None, (word.strip() for word in name.split(",")))
