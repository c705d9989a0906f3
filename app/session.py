"""The folder of a running program in the user's data folder: what a crash must not take away."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from PySide6.QtCore import QLockFile

COPY = "recovery.sdms"  # the recovery copy: a project whose pictures lie beside it
LOCK = "lock"
YOUNG = 60.0  # seconds in which a new folder may have no copy, or even no lock, yet


@dataclass(frozen=True)
class LeftBehind:
    """The session of a program that ended without tidying up. While this lives, it is ours."""

    folder: Path
    lock: QLockFile

    @property
    def copy(self) -> Path:
        """Its recovery copy."""
        return self.folder / COPY

    @property
    def when(self) -> datetime:
        """When the copy was written, local time."""
        return datetime.fromtimestamp(self.copy.stat().st_mtime)

    def remove(self) -> None:
        """Delete it for good."""
        self.lock.unlock()
        shutil.rmtree(self.folder, ignore_errors=True)


class Session:
    """A folder for the document in the window, made when first needed and locked while in use.

    The lock holds the process id, so another program can tell a living session from one that was
    left behind, and several programs can run at once.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held: tuple[Path, QLockFile] | None = None

    @property
    def folder(self) -> Path:
        """The folder. Raises `OSError` if it cannot be made."""
        if self._held is None:
            folder = self._root / uuid4().hex
            folder.mkdir(parents=True)
            lock = _lock(folder)
            if not lock.tryLock(1000):  # another program may look in at this very moment
                shutil.rmtree(folder, ignore_errors=True)
                raise OSError(f"{folder} cannot be locked; is the disk full or read-only?")
            self._held = folder, lock
        return self._held[0]

    @property
    def copy(self) -> Path:
        """Where the recovery copy goes."""
        return self.folder / COPY

    def find(self, name: str) -> Path | None:
        """The file `name` in the folder, if it is there."""
        path = self._held and self._held[0] / name
        return path if path and path.is_file() else None

    def discard(self) -> None:
        """The document is safe or given up: delete the folder. The next use makes another."""
        if self._held is not None:
            LeftBehind(*self._held).remove()
            self._held = None

    def take_over(self, left: LeftBehind) -> None:
        """Go on in a folder that was left behind: what lies there is as safe as before."""
        self.discard()
        self._held = left.folder, left.lock


def left_behind(root: Path) -> list[LeftBehind]:
    """The sessions with a recovery copy that no living program holds, newest first.

    They are locked for us, so no other program offers them too. Those without a copy hold nothing
    that could be restored and are deleted.
    """
    found = []
    for folder in root.iterdir() if root.is_dir() else ():
        if not folder.is_dir():
            continue
        left = LeftBehind(folder, _lock(folder))
        if not left.lock.tryLock(0):
            continue
        if left.copy.is_file():
            found.append(left)
        elif time.time() - folder.stat().st_mtime > YOUNG:
            left.remove()
    return sorted(found, key=lambda left: left.when, reverse=True)


def _lock(folder: Path) -> QLockFile:
    lock = QLockFile(str(folder / LOCK))
    lock.setStaleLockTime(0)  # stale means: its process is gone, however old it is
    return lock
