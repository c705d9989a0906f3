"""Palettes: what the ids of a label map mean.

A palette is the vocabulary of a dataset: one `LabelClass` per id, with its name, synonyms, display
colour and group, the raw ids that the dataset's own files use for it, and its partner when a
picture is mirrored. Dataset quirks live here, as data, so that no other code asks which dataset it
has.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InputError, brief
from core.files import atomic_path, unwritable

PALETTE_DIR = Path(__file__).resolve().parent.parent / "palettes"
MAX_CLASSES = 256  # ids are stored in uint8
NO_MATCH = 9  # the rank of a label that a search does not find
# What may be given for an entry that is annotated so (annotations are not evaluated: strings).
PLAIN_TYPES = {"str": str, "int": int, "bool": bool, "int | None": int | None}


class PaletteError(InputError):
    """A palette is missing, malformed or contradicts itself."""


@dataclass(frozen=True)
class LabelClass:
    """One label: an id and everything that people and files know it by."""

    id: int
    name: str
    color: tuple[int, int, int]  # sRGB, 0..255; for display only
    synonyms: tuple[str, ...] = ()
    group: str = ""
    raw: tuple[int, ...] = ()  # ids of the dataset's own files; empty: the same as `id`
    flip: str = ""  # name of the label that this one becomes in a mirrored picture
    hidden: bool = False  # never occurs in the data: kept for its id, not offered for painting


@dataclass(frozen=True)
class Palette:
    """An ordered, checked set of labels with ids 0..n-1.

    Raises `PaletteError` on construction if ids are not 0..n-1 in order, if a name is used twice,
    if two visible labels share a synonym or a colour, if two labels claim one raw id, or if
    `unlabeled` or a flip partner does not exist.
    """

    name: str
    classes: tuple[LabelClass, ...]
    title: str = ""
    source: str = ""  # where the vocabulary comes from, for people
    unlabeled: int | None = None  # the id that the eraser paints and that unknown pixels become
    instance_edges: bool = False  # the network also reads an instance-edge channel

    def __post_init__(self) -> None:
        problem = next(_problems(self), None)
        if problem:
            raise PaletteError(f"Palette {self.name!r}: {problem}")

    # -- opening ------------------------------------------------------------------------------

    @classmethod
    def load(cls, name_or_path: str | Path) -> Palette:
        """Open a bundled palette by name (`"landscape"`) or any TOML file by path.

        Raises `PaletteError`, naming the file and the value, for a file that is missing or wrong.
        """
        path = Path(name_or_path)
        if path.suffix != ".toml":
            path = PALETTE_DIR / f"{name_or_path}.toml"
        try:
            return _read(path.read_text(encoding="utf-8"), path)
        except FileNotFoundError:
            known = ", ".join(bundled_palettes())
            raise PaletteError(
                f"There is no palette {str(name_or_path)!r}. Bundled palettes are {known}; "
                "for your own, give the path of a .toml file."
            ) from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
            reason = brief(error)
            raise PaletteError(f"{path} cannot be read as a TOML palette: {reason}.") from error

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str = "palette") -> Palette:
        """Build from plain data, as a TOML file or `to_dict` gives it."""
        classes = data.get("classes") if isinstance(data, Mapping) else None
        if not isinstance(classes, list | tuple):
            raise PaletteError(f"{where} lacks its list of [[classes]].")
        checked = {**data, "classes": tuple(_label_class(item, where) for item in classes)}
        try:
            _check_types(cls, checked)
            return cls(**checked)
        except (PaletteError, TypeError) as error:
            raise PaletteError(f"{where}: {brief(error, 400).removesuffix('.')}.") from None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: the inverse of `from_dict`."""
        return json.loads(json.dumps(asdict(self)))

    def save(self, path: str | Path) -> None:
        """Write a TOML file that `load` reads back as an equal palette; comments are not kept.

        The file appears whole or not at all. Raises `PaletteError` if it cannot be written.
        """
        path = Path(path)
        name = {} if self.name == path.stem else {"name": self.name}
        try:
            with atomic_path(path) as part:
                part.write_text("\n".join(_toml_lines(name, self)), encoding="utf-8")
        except (OSError, UnicodeEncodeError) as error:
            raise PaletteError(unwritable(path, error)) from error

    # -- looking things up ----------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.classes)

    def __getitem__(self, label: int) -> LabelClass:
        return self.classes[label]

    @property
    def num_channels(self) -> int:
        """Channels of the one-hot layout: a channel per label, plus instance edges if used."""
        return len(self.classes) + int(self.instance_edges)

    @property
    def erase_id(self) -> int:
        """The id that erasing leaves behind."""
        return 0 if self.unlabeled is None else self.unlabeled

    @cached_property
    def colors(self) -> np.ndarray:
        """Display colours, uint8 `[n, 3]`, RGB."""
        return np.array([c.color for c in self.classes], np.uint8)

    def find(self, text: str) -> int | None:
        """The id whose name or synonym is `text` (case, spaces and `_-` aside), or None.

        A hidden label is found only where no visible one has the word: to look for a mirror is to
        look for the one that the data has.
        """
        return self._ids_by_word.get(normalise(text))

    def search(self, text: str) -> list[LabelClass]:
        """Visible labels matching `text`, best first; all of them if it is empty.

        A name that starts so comes before a later word of a name, then come synonyms.
        """
        wanted, shown = normalise(text), [c for c in self.classes if not c.hidden]
        if not wanted:
            return shown
        ranked = [(_match_rank(c, wanted), c) for c in shown]
        hits = [(rank, c) for rank, c in ranked if rank < NO_MATCH]
        return [c for _, c in sorted(hits, key=lambda hit: (hit[0], hit[1].id))]

    @cached_property
    def _ids_by_word(self) -> dict[str, int]:
        visible_last = sorted(self.classes, key=lambda c: not c.hidden)
        return {normalise(word): c.id for c in visible_last for word in _words(c)}

    # -- pixels -----------------------------------------------------------------------------------

    @cached_property
    def raw_to_id(self) -> np.ndarray:
        """int16 `[256]`: raw value of the dataset's files → id, -1 where no label claims it."""
        table = np.full(256, -1, np.int16)
        for c in self.classes:
            table[list(c.raw or (c.id,))] = c.id
        return table

    @cached_property
    def flip_ids(self) -> np.ndarray:
        """uint8 `[n]`: the id each label becomes when the picture is mirrored left to right."""
        by_name = {c.name: c.id for c in self.classes}
        return np.array([by_name[c.flip] if c.flip else c.id for c in self.classes], np.uint8)


@lru_cache(maxsize=8)
def _read(text: str, path: Path) -> Palette:
    """The palette in a TOML file's text. The same text gives the same one: a step back to another
    palette holds it for as long as it can be taken, and it is nearly two hundred labels."""
    return Palette.from_dict({"name": path.stem, **tomllib.loads(text)}, where=str(path))


def bundled_palettes() -> list[str]:
    """Names of the palettes that come with the program."""
    return sorted(path.stem for path in PALETTE_DIR.glob("*.toml"))


def normalise(text: str) -> str:
    """Lower case, with runs of anything but letters and digits (of any script) as one space."""
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()


def hex_color(color: Iterable[int]) -> str:
    """`"#rrggbb"` of three values 0..255."""
    return "#" + bytes(int(v) for v in color).hex()


def _toml_lines(name: Mapping[str, str], palette: Palette) -> Iterator[str]:
    """The lines of a palette's file; what has its default value is left out."""
    heads = ("title", "source", "unlabeled", "instance_edges")
    entries = name | {key: getattr(palette, key) for key in heads}
    yield from _toml_entries(entries, Palette)
    for c in palette.classes:
        yield "\n[[classes]]"
        entries = {f.name: getattr(c, f.name) for f in fields(c)} | {"color": hex_color(c.color)}
        yield from _toml_entries(entries, LabelClass)
    yield ""


def _toml_entries(entries: Mapping[str, Any], kind: type) -> Iterator[str]:
    defaults = {f.name: f.default for f in fields(kind)}
    for key, value in entries.items():
        if value != defaults[key]:
            # JSON's strings, numbers, lists and booleans are TOML's as well, but for DEL.
            yield f"{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")


def _words(label: LabelClass) -> tuple[str, ...]:
    return (label.name, *label.synonyms)


def _label_class(item: Mapping[str, Any], where: str) -> LabelClass:
    try:
        data = dict(item)
        data["color"] = _color(data["color"])
        data["synonyms"] = _tuple_of(str, data.get("synonyms", ()))
        data["raw"] = _tuple_of(int, data.get("raw", ()))
        _check_types(LabelClass, data)
        return LabelClass(**data)
    except KeyError as error:
        raise PaletteError(f"{where}: the label {brief(item)} lacks its {error}.") from None
    except (TypeError, ValueError) as error:
        raise PaletteError(
            f"{where}: the label {brief(item)} cannot be read: {brief(error)}."
        ) from None


def _check_types(cls: type, data: Mapping[str, Any]) -> None:
    """TypeError if `data` has an entry that `cls` does not, or a plain value of another type."""
    types = {f.name: f.type for f in fields(cls)}
    for key, value in data.items():
        if key not in types:
            raise TypeError(f"there is no entry {key!r} in it")
        wanted = PLAIN_TYPES.get(types[key], object)
        if not isinstance(value, wanted) or (isinstance(value, bool) and types[key] != "bool"):
            raise TypeError(f"{key} = {value!r} must be of type {types[key]}")


def _tuple_of(kind: type, values: Any) -> tuple:
    if not isinstance(values, list | tuple) or any(type(v) is not kind for v in values):
        raise TypeError(f"{values!r} is not a list of type {kind.__name__}")
    return tuple(values)


def _color(value: str | Iterable[int]) -> tuple[int, int, int]:
    if not isinstance(value, str):
        red, green, blue = _tuple_of(int, value)
        return red, green, blue
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError(f"colour {value!r} is not of the form '#rrggbb'")
    red, green, blue = bytes.fromhex(value[1:])
    return red, green, blue


def _match_rank(label: LabelClass, wanted: str) -> int:
    """0 best … NO_MATCH."""
    name = normalise(label.name)
    words = [normalise(s) for s in label.synonyms]
    tests = (
        name == wanted or name.startswith(wanted),
        any(word.startswith(wanted) for word in name.split()),
        wanted in words,
        any(word.startswith(wanted) for s in words for word in (s, *s.split())),
        wanted in name,
    )
    return next((rank for rank, hit in enumerate(tests) if hit), NO_MATCH)


def _problems(palette: Palette) -> Iterable[str]:
    """Every contradiction in the palette, as a sentence each."""
    n = len(palette.classes)
    if not 1 <= n <= MAX_CLASSES:
        yield f"it has {n} labels; 1 to {MAX_CLASSES} are possible."
    for index, c in enumerate(palette.classes):
        if c.id != index:
            yield f"label {c.name!r} has id {c.id}, expected {index}: ids must run 0..n-1 in order."
        if not (len(c.color) == 3 and all(0 <= v <= 255 for v in c.color)):
            yield f"label {c.name!r} has the colour {c.color}; three values of 0..255 are needed."
        if not all(normalise(word) for word in _words(c)):
            yield f"label {c.id} has a name or synonym without a letter or digit: {_words(c)}."
        if any(not 0 <= r <= 255 for r in c.raw):
            yield f"label {c.name!r} has raw ids {c.raw}; they must be 0..255."
    shown = [c for c in palette.classes if not c.hidden]
    words = ((normalise(word), c.name) for c in shown for word in _words(c))
    raw = ((r, c.name) for c in palette.classes for r in c.raw or (c.id,))
    yield from _repeated("name", ((normalise(c.name), c.name) for c in palette.classes))
    yield from _repeated("name or synonym", words)
    yield from _repeated("colour", ((hex_color(c.color), c.name) for c in shown))
    yield from _repeated("raw id", raw)
    names = {c.name: c for c in palette.classes}
    for c in palette.classes:
        if c.flip and (c.flip not in names or names[c.flip].flip != c.name):
            yield f"label {c.name!r} flips to {c.flip!r}, which is missing or does not flip back."
    if palette.unlabeled is not None and not 0 <= palette.unlabeled < n:
        yield f"the unlabeled id {palette.unlabeled} is not one of its {n} ids."


def _repeated(what: str, owned: Iterable[tuple[Any, str]]) -> Iterable[str]:
    seen: dict[Any, str] = {}
    for value, owner in owned:
        if value in seen:
            yield f"the {what} {value!r} is used by both {seen[value]!r} and {owner!r}."
        seen[value] = owner
