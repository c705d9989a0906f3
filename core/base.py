"""The model that a small file of low-rank updates rides on: its name, and how to find it again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError
from core.fingerprint import fingerprint

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"  # the models that come along


class BaseError(InputError):
    """The weights that a file rides on are not there, or are others."""


@dataclass(frozen=True)
class Base:
    """What the header of a low-rank file says of the weights under it."""

    name: str  # of the file
    fingerprint: str  # of its tensors; see `core.fingerprint`
    place: str = ""  # path of the file as seen from the folder of the run
    rank: int = 0  # of the updates
    scale: float = 1.0  # what they are multiplied by

    @classmethod
    def of(cls, path: str | Path, folder: str | Path, rank: int) -> Base:
        """The file at `path`, for a low-rank file that will lie in `folder`."""
        path = Path(path)
        try:
            place = os.path.relpath(path.resolve(), Path(folder).resolve())
        except ValueError:  # another drive
            place = ""
        return cls(path.name, fingerprint(path), Path(place).as_posix(), rank)

    def find(self, rider: Path) -> Path:
        """The base of the file `rider`. Raises `BaseError` if nothing with its tensors is found.

        Looked for beside it, where it was when `rider` was trained, and among the models that come
        along.
        """
        there = [path for path in self._places(rider) if path.is_file()]
        for path in there:
            if fingerprint(path) == self.fingerprint:
                return path
        if there:
            raise BaseError(
                f"{rider} was trained on a {self.name} with other weights than {there[0]} has. "
                f"Put the one that it was trained on beside {rider.name}."
            )
        folders = ", ".join(str(path.parent) for path in self._places(rider))
        raise BaseError(
            f"{rider} needs {self.name}, the model that it was trained on; it is in none of "
            f"{folders}. Put it beside {rider.name}."
        )

    def _places(self, rider: Path) -> Iterator[Path]:
        """Where it may be, each place once; `rider` itself may have the same name."""
        folder, seen = rider.resolve().parent, {rider.resolve()}
        for place in (folder / self.name, folder / (self.place or self.name), WEIGHTS / self.name):
            path = place.resolve()
            if path not in seen:
                seen.add(path)
                yield path
