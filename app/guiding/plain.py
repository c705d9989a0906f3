"""The table as plain data for files, and back; a file may hold anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.guiding.term import KINDS, WORDS, ReferencePicture, Table, Term, most_of
from app.guiding.wanted import Wanted
from app.png import decode_picture
from app.table_step import ChangeTable
from core.palette import Palette
from core.terms import GuidanceTerm
from core.words import MAX_TEXT

FOLDER = "guidance"  # of the reference pictures, in a project
MAX_TERMS = 32


def to_plain(table: Table) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """For JSON, and the pictures' files by name."""
    rows, files = [], {}
    for number, term in enumerate(table):
        row: dict[str, Any] = {"kind": term.kind, "weight": term.weight}
        row |= {"labels": list(term.labels)} if term.labels else {}
        if term.picture is None:
            row["text"] = term.text
        else:
            row |= {"picture": f"{FOLDER}/{number}.png", "name": term.picture.name}
            files[row["picture"]] = term.picture.png
        rows.append(row)
    return rows, files


def from_plain(rows: Any, read: Callable[[str], bytes]) -> Table:
    """The inverse of `to_plain`: what is no use is left out. read: gives a file by its name.

    Raises `ValueError` for a picture that is missing or damaged.
    """
    found = []
    for row in rows[:MAX_TERMS] if isinstance(rows, list) else []:
        if not isinstance(row, Mapping) or row.get("kind") not in KINDS:
            continue
        picture = None
        if row["kind"] != WORDS:
            pixels = decode_picture(read(str(row.get("picture"))))
            picture = ReferencePicture.of(pixels, str(row.get("name", "")))
        found.append(_term(row, row["kind"], picture))
    return tuple(found)


def from_recipe(recipe: Mapping[str, Any], present: Table) -> Table:
    """What a picture was guided with. A recipe has references by name alone: those that are there
    stay, others are left out."""
    pictures = {term.picture.name: term.picture for term in present if term.picture}
    found, rows = [], recipe.get("terms")
    for row in rows[:MAX_TERMS] if isinstance(rows, list | tuple) else []:
        kind = row.get("kind") if isinstance(row, Mapping) else None
        if kind == "content" and row.get("spatial"):
            kind = "structure"
        picture = pictures.get(row.get("reference")) if kind in KINDS else None
        if kind == WORDS or (kind in KINDS and picture):
            found.append(_term(row, kind, picture if kind != WORDS else None))
    return tuple(found)


def wanted_step(recipe: Mapping[str, Any], wanted: Wanted) -> ChangeTable | None:
    """The step that guides pictures as one was guided; None if they are."""
    table = from_recipe(recipe, wanted.table)
    if to_plain(table)[0] == to_plain(wanted.plain)[0]:
        return None
    return ChangeTable(wanted, table, "use what guided a picture")


def words_asked(recipe: Mapping[str, Any], palette: Palette) -> tuple[GuidanceTerm, ...]:
    """The words that a picture was guided with, as its request had them.

    Raises `InputError`, `TypeError` or `ValueError` if the recipe does not make any.
    """
    found = []
    for row in recipe.get("terms") or ():
        if row["kind"] == WORDS:
            weight = row["weight"]
            ids = [palette.find(str(name)) for name in row.get("labels", ())]
            found.append(
                GuidanceTerm(
                    WORDS,
                    tuple(weight) if isinstance(weight, list) else weight,
                    row["text"],
                    labels=tuple(label for label in ids if label is not None),
                )
            )
    return tuple(found)


def _term(row: Mapping[str, Any], kind: str, picture: ReferencePicture | None) -> Term:
    labels = row.get("labels", ())
    labels = tuple(map(str, labels)) if isinstance(labels, list | tuple) else ()
    text = str(row.get("text", ""))[:MAX_TEXT] if kind == WORDS else ""
    return Term(kind, _weight(row.get("weight"), kind), text, picture, labels)


def _weight(weight: Any, kind: str) -> float:
    """The last value of one that moved."""
    if isinstance(weight, Sequence) and not isinstance(weight, str) and weight:
        weight = weight[-1]
    if not isinstance(weight, int | float) or weight != weight:
        return 1.0
    return float(min(max(weight, 0.0), most_of(kind)))
