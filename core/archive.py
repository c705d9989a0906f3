"""Files inside a zip, read with care: a zip may say what it likes of them."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from struct import error as StructError
from zipfile import BadZipFile, ZipFile

import numpy as np

from core.files import atomic_path, writing

MAX_ARRAY = 2**29  # bytes of an array that was kept: none of ours comes near

# What Python's zip reader raises on a damaged or forged file, beside `OSError`.
DAMAGE = (
    BadZipFile,
    EOFError,
    KeyError,
    OverflowError,
    RuntimeError,
    StructError,
    ValueError,
    zlib.error,
)


def read_member(archive: ZipFile, name: str, limit: int) -> bytes:
    """The bytes of the file `name` in a zip.

    No more is unpacked than the zip says that there is: one that lies about a gigabyte in a
    kilobyte is found out at its first bytes. Raises `ValueError` for a file above `limit` bytes,
    `KeyError` for one that is missing, and any other of `DAMAGE`, or `OSError`.
    """
    info = archive.getinfo(name)
    if info.file_size > limit:
        raise ValueError(f"its file {name!r:.200} would take {info.file_size:,} bytes")
    with archive.open(info) as file:
        return file.read(info.file_size)


def read_array(path: Path, name: str) -> np.ndarray | None:
    """An array out of an .npz file; None if it is missing, damaged, too large or of objects."""
    try:
        with ZipFile(path) as archive:
            data = read_member(archive, f"{name}.npy", MAX_ARRAY)
        return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception:  # numpy reads a header as Python's own literals: it raises nearly anything
        return None


def write_array(path: Path, name: str, array: np.ndarray, packed: bool = False) -> None:
    """What `read_array` reads again. Raises `OutputError` if it cannot be written."""
    save = np.savez_compressed if packed else np.savez
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part, part.open("wb") as file:
            save(file, **{name: array})
