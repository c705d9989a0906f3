"""What can be exported, and which files a choice of it makes: no widgets here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from app.picture_file import save_picture
from core.conversion import Conversion, label_counts
from core.encodings import ENCODINGS, Encoding, write
from core.errors import InputError
from core.openraster import write_ora
from core.palette import Palette
from core.picture import QUALITY
from core.request import Result

PLACEHOLDERS = ("name", "what", "seed", "number")
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')  # in a file name, on one system or another


class ExportError(InputError):
    """A choice of exports cannot be written."""


class Source(NamedTuple):
    """What is exported. results: the pictures, the present one first."""

    labels: np.ndarray  # uint8 [H, W]
    palette: Palette
    results: tuple[Result, ...] = ()
    name: str = "scene"  # of the document


@dataclass(frozen=True)
class Product:
    """One kind of file. per_picture: there is one for each result, else one for the layout.

    what: stands for it in a file name. write: a file, returning a sentence about what could not go
    into it, or "". note: what is lost or changed on the way, for people. possible: False if nothing
    of the layout would be left.
    """

    key: str
    title: str
    what: str
    suffix: str
    write: Callable[[Path, Source, Result | None, int], str]
    per_picture: bool = False
    note: str = ""
    possible: bool = True


class Job(NamedTuple):
    """One file to write. write: as that of `Product`."""

    path: Path
    write: Callable[[], str]


# -- kinds of file --------------------------------------------------------------------------------


def products(source: Source) -> list[Product]:
    """Everything that `source` can be exported as; pictures are there without results, too."""
    return [*_pictures(), *_layouts(), *_datasets(source)]


def _pictures() -> Iterable[Product]:
    kinds = (
        ("png", "Picture as PNG", ".png", ""),
        ("jpeg", "Picture as JPEG", ".jpg", "smaller, not lossless"),
        ("webp", "Picture as WebP", ".webp", "smaller; lossless at quality 100"),
        ("tiff", "Picture as 16-bit TIFF", ".tif", "for grading: the 8 bits of the model, widened"),
    )
    for key, title, suffix, note in kinds:
        yield Product(key, title, "picture", suffix, _write_result, per_picture=True, note=note)


def _write_result(path: Path, source: Source, result: Result, quality: int) -> str:
    return save_picture(path, result, quality)


def _layouts() -> Iterable[Product]:
    title = "OpenRaster, a layer per label"
    yield Product("ora", title, "layers", ".ora", _write_ora, note="for Krita and GIMP")
    kinds = (
        ("own", "Label map of SDM Studio", "labels"),
        ("ids", "Label map, gray values = ids", "ids"),
        ("colors", "Colour map", "colours"),
    )
    for name, title, what in kinds:
        yield Product(name, title, what, ".png", _encoding_writer(ENCODINGS[name]))


def _write_ora(path: Path, source: Source, result: Result | None, quality: int) -> str:
    picture = source.results[0].image if source.results else None
    write_ora(path, source.labels, source.palette, picture)
    return ""


def _encoding_writer(encoding: Encoding) -> Callable:
    def write_encoding(path: Path, source: Source, result: Result | None, quality: int) -> str:
        write(path, source.labels, source.palette, encoding)
        return ""

    return write_encoding


def _datasets(source: Source) -> Iterable[Product]:
    """The encodings of datasets; a map of another palette is converted by the labels' names."""
    counts = label_counts(source.labels)
    for encoding in ENCODINGS.values():
        if not encoding.palette or not encoding.write:
            continue
        if encoding.palette == source.palette.name:
            write_it, note, possible = _encoding_writer(encoding), "", True
        else:
            write_it, note, possible = _converted(encoding, source, counts)
        what = encoding.name.replace("_", "-")
        yield Product(
            encoding.name, encoding.title, what, ".png", write_it, note=note, possible=possible
        )


def _converted(
    encoding: Encoding, source: Source, counts: np.ndarray
) -> tuple[Callable, str, bool]:
    """How to write it, what is lost, and whether anything is left."""
    target = Palette.load(encoding.palette)
    conversion = Conversion.between(source.palette, target)
    painted = [i for i in np.flatnonzero(counts).tolist() if i != source.palette.erase_id]
    unplaced = conversion.unplaced(painted)
    lost = sum(int(counts[i]) for i in unplaced) / source.labels.size
    placed = f"{lost:.1%} finds no label" if lost else "every label finds one"

    def write_converted(path: Path, source: Source, result: Result | None, quality: int) -> str:
        write(path, conversion.convert(source.labels), target, encoding)
        return ""

    possible = not painted or len(unplaced) < len(painted)
    return write_converted, f"converted: {placed}", possible


# -- files ----------------------------------------------------------------------------------------


def plan(
    chosen: Iterable[Product],
    source: Source,
    folder: Path,
    pattern: str = "{name}-{what}",
    quality: int = QUALITY,
) -> list[Job]:
    """The files that a choice makes, in order.

    pattern: a file name without its suffix; `{name}` is the document's, `{what}` the kind of file,
    `{seed}` the picture's and `{number}` its place, from 1. Raises `ExportError` for another word
    in braces, a name that no file can have, or two files of one name.
    """
    jobs: list[Job] = []
    for product in chosen:
        results = source.results if product.per_picture else (None,)
        for number, result in enumerate(results, start=1):
            seed = result.request.seed if result is not None else _seed(source)
            words = {"name": source.name, "what": product.what, "seed": seed, "number": number}
            path = folder / (_fill(pattern, words) + product.suffix)
            jobs.append(Job(path, _job(product, path, source, result, quality)))
    _check_distinct([job.path for job in jobs])
    return jobs


def _job(
    product: Product, path: Path, source: Source, result: Result | None, quality: int
) -> Callable[[], str]:
    return lambda: product.write(path, source, result, quality)


def _seed(source: Source) -> int | str:
    return source.results[0].request.seed if source.results else "map"


def _fill(pattern: str, words: dict) -> str:
    for word in re.findall(r"\{(.*?)\}", pattern):
        if word not in PLACEHOLDERS:
            known = ", ".join(f"{{{one}}}" for one in PLACEHOLDERS)
            raise ExportError(f"There is no {{{word}}} for a file name; use {known}.")
    name = re.sub(r"\{(.*?)\}", lambda match: str(words[match[1]]), pattern).strip()
    if not name or FORBIDDEN.search(name) or name.startswith("."):
        raise ExportError(f"{name!r} cannot be the name of a file; choose another pattern.")
    return name


def _check_distinct(paths: list[Path]) -> None:
    seen = set()
    for path in paths:
        key = path.name.casefold()  # some systems do not tell a from A
        if key in seen:
            raise ExportError(
                f"Two files would be called {path.name}. Put {{what}}, {{seed}} or {{number}} into "
                "the pattern."
            )
        seen.add(key)
