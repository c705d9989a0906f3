"""Writing files so that nobody ever finds half of one."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import InputError, OutputError

ABANDONED = 3600  # seconds: no write takes that long
REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full",
    errno.EFBIG: "the file is too large for the disk",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "the system does not allow it",
    errno.EPERM: "the system does not allow it",
    errno.ENOENT: "there is no such file or folder; perhaps it was moved or deleted",
    errno.EIO: "the disk fails",
}
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it when the block ends well.

    The data is on disk before the name changes, and the name before this returns: after a crash
    `path` is the old file or the new one, whole. If the block raises (a full disk, say) the old
    file stays and the part is removed; what a killed program left of a part goes an hour later.
    Raises `OSError` if the folder cannot be written.
    """
    path = Path(path).resolve()  # a link stays a link
    _remove_old_parts(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o666 & ~_umask())  # mkstemp gives 0600; a saved file follows the user's umask
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
        _sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A block that writes `path`: an `OSError` in it becomes an `OutputError` that names the path.

    With `atomic_path` inside, the old file is then still whole.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(unwritable(path, error)) from error


def unwritable(path: Path, error: BaseException) -> str:
    """The sentences about a file that did not get onto the disk: why, and the way out."""
    way = "Make room on it, or choose" if _number(error) in FULL else "Choose"
    return f"{path} cannot be written: {reason(error)}. {way} another place."


def reason(error: BaseException) -> str:
    """Why something could not be read or written, as the end of a sentence."""
    told = str(getattr(error, "strerror", None) or error).strip().rstrip(".")
    return REASONS.get(_number(error), told)


def _number(error: BaseException) -> int:
    """The system's number of an error; libraries tell it as "(os error 28)"."""
    found = re.search(r"\(os error (\d+)\)", str(error))
    return getattr(error, "errno", None) or int(found[1] if found else 0)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex. Raises `InputError` if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}.") from error


def _remove_old_parts(path: Path) -> None:
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with suppress(OSError):  # somebody else's, or gone by now
            if time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink()


def _sync_folder(folder: Path) -> None:
    """Put the folder's names on disk, where a system lets a folder be opened (Windows does not)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems refuse: the file is there all the same
            os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
