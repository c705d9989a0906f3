"""A project: a scene, how its pictures are made, and its history, in one file. The file is a zip:

    project.json                what it is: version, palettes, settings, one record per picture
    labels.png                  the label map: 8-bit palette PNG, the values are the ids
    guidance/N.png              reference pictures that guide its pictures, small
    history/ID.png              each picture, lossless
    history/ID.thumb.png        the same, small
    layouts/DIGEST.png          the layouts that the pictures were made from, once each

Pictures are compressed already, so they are stored as they are, and saving copies their bytes. A
recovery copy is the same without `history` and `layouts`: these lie beside it in the session.
"""

from __future__ import annotations

import errno
import json
import shutil
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from struct import error as StructError
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import numpy as np

from app import png
from app.guiding.plain import from_plain, to_plain
from app.guiding.term import Table
from app.record import Record
from app.shelf import Shelf
from core.archive import DAMAGE, read_member
from core.errors import InputError, brief
from core.files import atomic_path, reason, writing
from core.palette import Palette, PaletteError

SUFFIX = ".sdms"
KIND = "SDM Studio project"
VERSION = 1
INDEX, LABELS = "project.json", "labels.png"
MAX_INDEX, MAX_LABELS, MAX_PICTURE = 2**26, 2**27, 2**29  # bytes: no file of ours comes near
MAX_FILES = 200_000
TORN = (BadZipFile, EOFError, StructError, OverflowError, zlib.error)  # no zip any more


@dataclass(frozen=True, eq=False)
class Project:
    """All that a project file holds, but for the bytes of its pictures.

    labels: uint8 `[H, W]`, ids of `palette`. generate, pen, controls: plain data, unchecked; of the
    settings, of the hand, and of how single labels are sampled. picture: id of the record that is
    shown, or "". records: newest first. palettes: those of the records' layouts, by digest. home:
    the file that a recovery copy belongs to, or "". wanted: what pictures should be like.
    """

    labels: np.ndarray
    palette: Palette
    generate: Mapping[str, Any] = field(default_factory=dict)
    pen: Mapping[str, Any] = field(default_factory=dict)
    picture: str = ""
    records: tuple[Record, ...] = ()
    palettes: Mapping[str, Palette] = field(default_factory=dict)
    home: str = ""
    controls: Mapping[str, Any] = field(default_factory=dict)
    wanted: Table = ()

    @property
    def files(self) -> list[str]:
        """The names of all files of the history, each once."""
        return list(dict.fromkeys(name for record in self.records for name in record.files))


# -- writing --------------------------------------------------------------------------------------


def write_project(path: Path, project: Project, shelf: Shelf) -> None:
    """Write the project with its pictures from `shelf`, which lets go of its own zip at the end.

    On `InputError` or `OSError` the file that was there is still whole.
    """
    with atomic_path(path) as part:
        with ZipFile(part, "w") as archive:
            _write_scene(archive, project)
            for name in project.files:
                with shelf.open(name) as source, archive.open(name, "w") as target:
                    _copy(source, target, name)
        shelf.detach()  # Windows replaces no file that is open


def write_copy(path: Path, project: Project) -> None:
    """Write a recovery copy: the pictures are not in it. Raises `OutputError`."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)  # somebody may have tidied up
        with atomic_path(path) as part, ZipFile(part, "w") as archive:
            _write_scene(archive, project)


def _write_scene(archive: ZipFile, project: Project) -> None:
    height, width = project.labels.shape
    guidance, references = to_plain(project.wanted)
    index = {
        "kind": KIND,
        "version": VERSION,
        "size": [width, height],
        "palette": project.palette.to_dict(),
        "generate": dict(project.generate),
        "pen": dict(project.pen),
        "controls": dict(project.controls),
        "guidance": guidance,
        "picture": project.picture,
        "history": [record.to_dict() for record in project.records],
        "palettes": {digest: p.to_dict() for digest, p in project.palettes.items()},
        "home": project.home,
    }
    archive.writestr(INDEX, json.dumps(index), compress_type=ZIP_DEFLATED, compresslevel=6)
    archive.writestr(LABELS, png.encode_labels(project.labels, project.palette))
    for name, data in references.items():
        archive.writestr(name, data)


def _copy(source: Any, target: Any, name: str) -> None:
    try:
        shutil.copyfileobj(source, target, 2**20)
    except BadZipFile as error:
        raise InputError(
            f"The file {name} of the history is damaged. Delete its picture, then save again."
        ) from error


# -- reading --------------------------------------------------------------------------------------


def is_project(path: Path) -> bool:
    """Whether the file is a zip or is named as a project is."""
    try:
        with path.open("rb") as file:
            return path.suffix.lower() == SUFFIX or file.read(4) == b"PK\x03\x04"
    except OSError:
        return path.suffix.lower() == SUFFIX


def read_project(path: Path) -> Project:
    """Open a project. Raises `InputError`, naming the file, for anything but a whole one."""
    return _read(path, inside=True)


def read_copy(path: Path) -> Project:
    """Open a recovery copy, whose pictures lie beside it."""
    return _read(path, inside=False)


def _read(path: Path, inside: bool) -> Project:
    try:
        with ZipFile(path) as archive:
            names = _checked_names(archive)
            project = _project(archive)
            missing = [name for name in project.files if name not in names] if inside else []
            if missing:
                raise ValueError(f"its file {missing[0]} is missing")
            return project
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except PaletteError as error:
        raise InputError(f"{path} cannot be opened: {error}") from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # it points to a place before its own beginning
            raise _torn(path) from error
        raise InputError(f"{path} cannot be read: {reason(error)}.") from error
    except TORN as error:
        raise _torn(path) from error
    except DAMAGE as error:
        told = brief(error, 400).removesuffix(".")
        raise InputError(f"{path} cannot be opened: {told}.") from error


def _torn(path: Path) -> InputError:
    return InputError(
        f"{path} is not a whole project file: it is damaged or was cut off. "
        "Open an older copy of it."
    )


def _checked_names(archive: ZipFile) -> set[str]:
    """The names in the archive. They never become paths, yet odd ones tell of a forged file."""
    found = archive.infolist()
    names = {info.filename for info in found}
    if len(found) > MAX_FILES or len(names) != len(found):
        raise ValueError("it holds too many files, or one twice")
    for info in found:
        parts = PurePosixPath(info.filename).parts
        if not parts or parts[0] == "/" or ".." in parts or set(info.filename) & set("\\:"):
            raise ValueError(f"it holds a file with the name {info.filename!r}")
        if info.file_size > MAX_PICTURE:
            raise ValueError(f"its file {info.filename} would take {info.file_size:,} bytes")
    return names


def _project(archive: ZipFile) -> Project:
    index = _read_index(archive)
    palette = _palette(index.get("palette"))
    width, height = _part(index, "size", list)
    labels = _read_labels(archive, palette, (height, width))
    palettes = {digest: _palette(data) for digest, data in _part(index, "palettes", dict).items()}
    records = tuple(Record.from_dict(data) for data in _part(index, "history", list))
    _check_records(records, palettes)
    index.setdefault("controls", {})  # the first projects had none
    plain = {name: _part(index, name, dict) for name in ("generate", "pen", "controls")}
    texts = {name: _part(index, name, str) for name in ("picture", "home")}
    wanted = from_plain(index.get("guidance"), lambda name: _member(archive, name, MAX_LABELS))
    return Project(
        labels, palette, records=records, palettes=palettes, wanted=wanted, **plain, **texts
    )


def _palette(data: Any) -> Palette:
    if not isinstance(data, dict):
        raise ValueError(f"a palette in its {INDEX} is damaged")
    return Palette.from_dict(data, where="a palette in it")


def _read_index(archive: ZipFile) -> dict:
    try:
        index = json.loads(_member(archive, INDEX, MAX_INDEX))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"its {INDEX} is damaged") from error
    if not isinstance(index, dict) or index.get("kind") != KIND:
        raise ValueError("it is a zip file, but not a project of SDM Studio")
    version = index.get("version")
    if not isinstance(version, int) or version < 1:
        raise ValueError(f"it has the version {version!r}, which no program wrote")
    if version > VERSION:
        raise ValueError(
            f"a newer SDM Studio wrote it (version {version}; this program reads {VERSION}). "
            "Get the newer program"
        )
    return index


def _part(index: Mapping, name: str, kind: type) -> Any:
    value = index.get(name)
    if not isinstance(value, kind):
        raise ValueError(f"its {INDEX} lacks {name!r}")
    return value


def _member(archive: ZipFile, name: str, limit: int) -> bytes:
    try:
        return read_member(archive, name, limit)
    except KeyError:
        raise ValueError(f"its file {brief(name)} is missing") from None


def _read_labels(archive: ZipFile, palette: Palette, size: tuple[int, int]) -> np.ndarray:
    labels = png.decode_labels(_member(archive, LABELS, MAX_LABELS))
    if labels.shape != size:
        raise ValueError(f"its label map is {labels.shape[1]} × {labels.shape[0]}, not as told")
    highest = int(labels.max())
    if highest >= len(palette):
        raise ValueError(
            f"its label map has the id {highest}, but its palette {palette.name!r} ends at "
            f"{len(palette) - 1}"
        )
    return labels


def _check_records(records: Iterable[Record], palettes: Mapping[str, Palette]) -> None:
    seen = set()
    for record in records:
        if record.palette not in palettes or record.id in seen:
            raise ValueError("the records of its history contradict each other")
        seen.add(record.id)
