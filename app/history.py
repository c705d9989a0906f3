"""The history: every picture that was made, kept losslessly on disk, newest first. No widgets."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary, WeakSet

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, Signal
from PySide6.QtGui import QImage, QUndoCommand

from app import png
from app.imaging import png_image
from app.kept import Kept
from app.record import Record
from app.restoring import request_of
from app.shelf import Shelf, put
from app.worker import failure
from app.writer import Writer
from core.errors import InputError, OutputError
from core.palette import Palette
from core.request import RECIPE_KEY, Failed, Layout, Result

RECORD = Qt.ItemDataRole.UserRole
MIB = 2**20
MOST_UNKEPT = 16  # pictures in memory that wait for room on the disk
UNKEPT = "The picture is not in the history yet; it will be when there is room, or save it now."
THUMBNAILS = 64  # decoded ones in memory, 64 KB each: more than a strip shows at once


class History(QAbstractListModel):
    """A list model of `Record`s. Only records and a few thumbnails are in memory.

    kept(Record): a picture is on disk now. counted: number, size or limit may have changed.
    failed(Failed): a picture could not be written or read.
    """

    kept = Signal(object)
    counted = Signal()
    failed = Signal(object)

    def __init__(self, shelf: Shelf, writer: Writer, limit: int, parent: QObject | None = None):
        super().__init__(parent)
        self.shelf = shelf
        self.revision = 0
        self.palettes: Mapping[str, Palette] = {}
        self._limit = limit
        self._writer = writer
        self._records: list[Record] = []
        self._saved_revision = 0
        self._ids: WeakKeyDictionary[Result, str] = WeakKeyDictionary()
        self._held: WeakSet[Kept] = WeakSet()
        self._unkept: list[Result] = []  # pictures that the disk did not take, oldest first
        self._thumbnails: OrderedDict[str, QImage] = OrderedDict()

    # -- what is there ----------------------------------------------------------------------------

    @property
    def records(self) -> tuple[Record, ...]:
        """All records, newest first."""
        return tuple(self._records)

    @property
    def size(self) -> int:
        """Bytes that the pictures take."""
        return sum(record.size for record in self._records)

    @property
    def limit(self) -> int:
        """Bytes that they may take; then the oldest without a star go."""
        return self._limit

    @property
    def saved(self) -> bool:
        """Whether the project on disk has this same history."""
        return self.revision == self._saved_revision

    def mark_saved(self) -> None:
        """The project is on disk as it is now."""
        self._saved_revision = self.revision
        self.counted.emit()

    def mark_unsaved(self) -> None:
        """No project on disk has this history."""
        self._saved_revision = -1
        self.counted.emit()

    def find(self, id: str | None) -> Record | None:
        """The record with that id."""
        return next((record for record in self._records if record.id == id), None)

    def record_of(self, result: Result | None) -> Record | None:
        """The record of a result that was kept or read here."""
        return self.find(self._ids.get(result)) if result else None

    def result(self, record: Record, known: Result | None = None) -> Result:
        """The picture and the request that made it. Raises `InputError` if a file is damaged.

        known: the same, if somebody has read it already.
        """
        result = known or read_result(record, self.palettes, self.shelf.read)
        self._ids[result] = record.id
        return result

    def hold(self, result: Result) -> Kept:
        """A way back to a picture of this history for who may want it later, such as the undo.

        While that is there the picture's files are, whatever the list still has.
        """
        kept, record = Kept(result, self.result), self.record_of(result)
        if record is not None:
            kept.settle(record)
        self._held.add(kept)
        return kept

    # -- keeping ----------------------------------------------------------------------------------

    def keep(self, result: Result) -> None:
        """Write a picture to disk, in the writer's thread; then it appears in the list.

        One that the disk does not take waits, and is written before the next one.
        """
        waiting, self._unkept = [*self._unkept, result], []
        try:
            folder = self.shelf.session.folder
        except OSError as error:
            for one in waiting:
                self._note(one, failure(error))
            return
        for one in waiting:
            self._writer.submit(partial(_try_to_keep, folder, one), partial(self._note, one))

    def finish(self) -> None:
        """Return when every picture is on disk and in the list, as far as the disk takes it."""
        self._writer.flush()
        if self._unkept:
            self.keep(self._unkept.pop())
            self._writer.flush()

    def _note(self, result: Result, outcome: tuple[Record, Palette] | Failed) -> None:
        """What became of a picture that was to be written."""
        if not isinstance(outcome, Failed):
            self._add(result, outcome)
            return
        self._unkept = [*self._unkept, result][-MOST_UNKEPT:]
        self.failed.emit(replace(outcome, message=f"{outcome.message} {UNKEPT}"))

    def _add(self, result: Result, found: tuple[Record, Palette]) -> None:
        record, palette = found
        self._ids[result] = record.id
        for kept in self._held:
            if kept.is_of(result):
                kept.settle(record)
        self.palettes = {**self.palettes, record.palette: palette}
        self._insert(0, record)
        self._drop_over_limit()
        self.kept.emit(record)

    def adopt(self, records: Iterable[Record], palettes: Mapping[str, Palette]) -> None:
        """The history of another document, as it is in its file."""
        self.beginResetModel()
        self._records, self.palettes = list(records), dict(palettes)
        self._thumbnails.clear()
        self._unkept.clear()
        self.endResetModel()
        self.revision += 1
        self.mark_saved()

    def set_limit(self, limit: int) -> None:
        """Allow `limit` bytes; what is too much goes at once."""
        self._limit = limit
        self._drop_over_limit()
        self.counted.emit()

    def over(self, limit: int) -> list[Record]:
        """What would go at `limit` bytes: the oldest without a star, but never the newest."""
        excess, gone = self.size - limit, []
        for record in reversed(self._records[1:]):
            if excess <= 0:
                break
            if not record.starred:
                gone.append(record)
                excess -= record.size
        return gone

    def _drop_over_limit(self) -> None:
        held = {kept.record.id for kept in self._held if kept.record}
        for record in self.over(self._limit):
            self._take_out(record)
            if record.id in held:
                try:
                    self._rescue(record)
                except (OutputError, OSError) as error:
                    self.failed.emit(failure(error))
            else:
                for name in record.own_files:
                    self.shelf.drop(name)

    def _rescue(self, record: Record) -> None:
        """Bring the files of a picture to safety; a damaged one must be possible to let go.

        Raises `OutputError` or `OSError` if the disk does not take them.
        """
        for name in record.files:
            try:
                self.shelf.rescue(name)
            except OutputError:
                raise
            except InputError:
                continue

    # -- changing ---------------------------------------------------------------------------------

    def star(self, ids: Iterable[str], starred: bool) -> None:
        """Give pictures a star, or take it: a star keeps a picture from the limit."""
        wanted = set(ids)
        for row, record in enumerate(self._records):
            if record.id in wanted and record.starred != starred:
                self._records[row] = replace(record, starred=starred)
                self.dataChanged.emit(self.index(row), self.index(row))
                self._touch()

    def removal(self, ids: Iterable[str]) -> Removal:
        """The step that deletes pictures; their files stay in the session until the document goes.

        Raises `OutputError` or `OSError` if a picture of the project cannot be brought to safety.
        """
        chosen = [record for record in self._records if record.id in set(ids)]
        for record in chosen:
            self._rescue(record)
        return Removal(self, chosen)

    def take_out(self, records: Iterable[Record]) -> list[tuple[int, Record]]:
        """Take pictures off the list. Returns what `put_back` needs: rows and records."""
        ids = {record.id for record in records}
        found = [(row, record) for row, record in enumerate(self._records) if record.id in ids]
        for _, record in found:
            self._take_out(record)
        return found

    def put_back(self, found: Iterable[tuple[int, Record]]) -> None:
        """Undo `take_out`."""
        for row, record in found:
            self._insert(min(row, len(self._records)), record)

    def _insert(self, row: int, record: Record) -> None:
        self.beginInsertRows(QModelIndex(), row, row)
        self._records.insert(row, record)
        self.endInsertRows()
        self._touch()

    def _take_out(self, record: Record) -> None:
        row = self._records.index(record)
        self.beginRemoveRows(QModelIndex(), row, row)
        del self._records[row]
        self.endRemoveRows()
        self._touch()

    def _touch(self) -> None:
        self.revision += 1
        self.counted.emit()

    # -- as a list model --------------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._records)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        record = self._records[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return str(record.recipe.get("seed"))
            case Qt.ItemDataRole.DecorationRole:
                return self._thumbnail(record)
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                return ("starred · " if record.starred else "") + record.caption
            case _ if role == RECORD:
                return record
        return None

    def _thumbnail(self, record: Record) -> QImage:
        """The small picture; a null image if its file is damaged."""
        if record.id not in self._thumbnails:
            data = b""
            with suppress(InputError):
                data = self.shelf.read(record.thumbnail_file)
            self._thumbnails[record.id] = png_image(data)
            if len(self._thumbnails) > THUMBNAILS:
                self._thumbnails.popitem(last=False)
        self._thumbnails.move_to_end(record.id)
        return self._thumbnails[record.id]


class Removal(QUndoCommand):
    """Pictures taken out of the history, as a step that can be taken back."""

    def __init__(self, history: History, records: Iterable[Record]) -> None:
        super().__init__("delete pictures")
        self._history, self._records = history, tuple(records)
        self._found: list[tuple[int, Record]] = []

    def redo(self) -> None:
        self._found = self._history.take_out(self._records)

    def undo(self) -> None:
        self._history.put_back(self._found)


# -- in any thread --------------------------------------------------------------------------------


def read_result(
    record: Record, palettes: Mapping[str, Palette], read: Callable[[str], bytes]
) -> Result:
    """The picture of a record and the request that made it.

    read: gives the bytes of a file by its name. Raises `InputError` if a file is damaged.
    """
    try:
        labels = png.decode_labels(read(record.layout_file))
        instances = None
        if record.instances:
            instances = png.decode_instances(read(record.instances_file))
        layout = Layout(labels, palettes[record.palette], instances)
        picture = png.decode_picture(read(record.picture_file))
        request = request_of(record.recipe, layout)
        if request is None:
            raise ValueError("its recipe is incomplete")
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"The picture of {record.made} cannot be shown: {error}. Delete it from the history."
        ) from error
    return Result(picture, request, record.seconds, str(record.recipe.get("weights", "")))


# -- in the writer's thread -----------------------------------------------------------------------


def _try_to_keep(folder: Path, result: Result) -> tuple[Record, Palette] | Failed:
    """Write the files of a picture; or what went wrong."""
    try:
        return _keep(folder, result)
    except Exception as error:
        return failure(error)


def _keep(folder: Path, result: Result) -> tuple[Record, Palette]:
    """Write the files of a picture into a session's folder."""
    request, layout = result.request, result.request.layout
    recipe = json.loads(json.dumps(request.recipe(result.weights)))
    record = Record(
        id=uuid4().hex,
        made=datetime.now().strftime("%Y-%m-%d %H:%M:%S"),
        seconds=result.seconds,
        recipe=recipe,
        layout=_layout_digest(layout),
        palette=_palette_digest(layout.palette),
        labels=png.labels_present(layout.labels),
        size=0,
        instances=layout.instances is not None,
    )
    _keep_layout(folder, record, layout)
    picture = png.encode_picture(result.image, {RECIPE_KEY: json.dumps(recipe)})
    thumbnail = png.encode_thumbnail(result.image)
    put(folder, record.picture_file, picture)
    put(folder, record.thumbnail_file, thumbnail)
    return replace(record, size=len(picture) + len(thumbnail)), layout.palette


def _keep_layout(folder: Path, record: Record, layout: Layout) -> None:
    if not (folder / record.layout_file).is_file():
        put(folder, record.layout_file, png.encode_labels(layout.labels, layout.palette))
    if record.instances and not (folder / record.instances_file).is_file():
        put(folder, record.instances_file, png.encode_instances(layout.instances))


def _layout_digest(layout: Layout) -> str:
    digest = hashlib.blake2b(layout.labels, digest_size=16)
    digest.update(repr(layout.labels.shape).encode())
    digest.update(_palette_digest(layout.palette).encode())
    if layout.instances is not None:
        digest.update(layout.instances.tobytes())
    return digest.hexdigest()


def _palette_digest(palette: Palette) -> str:
    plain = json.dumps(palette.to_dict(), sort_keys=True)
    return hashlib.blake2b(plain.encode(), digest_size=16).hexdigest()
