"""What was measured, kept in files by content: a run that was stopped goes on where it was.

A file is found again whatever run, folder or guidance scale the same pictures come from, and never
for other pictures or another network: nothing has to be thrown away by hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from core.archive import read_array, write_array


class Findings:
    """Arrays in `folder`, each under the name of what it follows from; None keeps nothing."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def of(
        self, how: str, given: Sequence[np.ndarray], find: Callable[[], np.ndarray]
    ) -> np.ndarray:
        """What `find` gives, or what it gave earlier.

        how: changes with whatever the result depends on beside `given`; empty for what has no name,
        which is never kept. Raises `OutputError` if the folder cannot be written.
        """
        if self.folder is None or not how:
            return find()
        path = self.folder / f"{_key(how, given)}.npz"
        found = load_array(path)
        if found is None:
            found = find()
            save_array(path, found)
        return found


def _key(how: str, given: Sequence[np.ndarray]) -> str:
    digest = hashlib.sha256(how.encode())
    for array in given:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()[:32]


def load_array(path: Path) -> np.ndarray | None:
    """What `save_array` wrote, or None: a file that is missing or damaged is made again."""
    return read_array(path, "found")


def save_array(path: Path, array: np.ndarray) -> None:
    """Raises `OutputError` if it cannot be written."""
    write_array(path, "found", array, packed=True)
