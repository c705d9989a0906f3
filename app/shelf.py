"""Where the files of the history lie: in the session's folder, else in the project's zip."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO
from zipfile import ZipFile

from app.session import Session
from core.archive import DAMAGE, read_member
from core.errors import InputError
from core.files import atomic_path, writing

LARGEST = 2**29  # bytes of a file of the history: none of ours comes near


class Shelf:
    """Finds a file by its name, such as `history/ID.png`, and reads it when it is needed.

    The project's zip stays open, so its pictures are there even when somebody replaces the file.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._archive: ZipFile | None = None

    @property
    def project(self) -> Path | None:
        """The project whose pictures are at hand."""
        return Path(self._archive.filename) if self._archive else None

    def attach(self, path: Path | None) -> None:
        """Take the pictures of the project in `path`, or of none; an error leaves all as it was."""
        archive = ZipFile(path) if path else None
        self.detach()
        self._archive = archive

    def detach(self) -> None:
        """Close the project's zip."""
        if self._archive is not None:
            self._archive.close()
            self._archive = None

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        if self.session.find(name):
            return True
        return self._archive is not None and name in self._archive.NameToInfo

    def open(self, name: str) -> BinaryIO:
        """The file, opened for reading. Raises `InputError` if it is missing."""
        path = self.session.find(name)
        try:
            if path:
                return path.open("rb")
            if self._archive is not None:
                return self._archive.open(name)
        except (OSError, *DAMAGE) as error:
            raise _unreadable(name) from error
        raise _unreadable(name)

    def read(self, name: str) -> bytes:
        """The bytes of the file. Raises `InputError` if it is missing or damaged."""
        if not self.session.find(name) and self._archive is not None:
            return read_history(self._archive, name)
        with self.open(name) as file:
            try:
                return file.read()
            except OSError as error:
                raise _unreadable(name) from error

    def rescue(self, name: str) -> None:
        """Have the file in the session's folder too: the project is about to lose it."""
        if not self.session.find(name):
            put(self.session.folder, name, self.read(name))

    def drop(self, name: str) -> None:
        """Delete the file from the session's folder."""
        path = self.session.find(name)
        if path:
            path.unlink(missing_ok=True)


def read_history(archive: ZipFile, name: str) -> bytes:
    """The bytes of a file of the history in a project. Raises `InputError` if it is damaged."""
    try:
        return read_member(archive, name, LARGEST)
    except (OSError, *DAMAGE) as error:
        raise _unreadable(name) from error


def put(folder: Path, name: str, data: bytes) -> None:
    """Write the file `name` into `folder`, whole or not at all. Raises `OutputError`."""
    path = folder / name
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            part.write_bytes(data)


def _unreadable(name: str) -> InputError:
    return InputError(
        f"The file {name} of the history is missing or damaged. "
        "Delete its picture from the history; the others are not touched."
    )
