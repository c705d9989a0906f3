"""The palettes to choose from: those of the program, and the user's own folder of TOML files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from core.files import unwritable
from core.palette import Palette, PaletteError, bundled_palettes, normalise


class Entry(NamedTuple):
    """A palette in a menu. source: what `Palette.load` takes."""

    title: str
    source: str | Path


class Library:
    """folder: the user's own; it need not exist before something is saved in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._titles: dict[tuple, str] = {}

    def bundled(self) -> list[Entry]:
        """Those that come with the program."""
        return [Entry(self._title(name, name, 0), name) for name in bundled_palettes()]

    def own(self) -> list[Entry]:
        """The user's own; one that cannot be read is listed under its file's name."""
        ages = {path: path.stat().st_mtime_ns for path in sorted(self._folder.glob("*.toml"))}
        return [Entry(self._title(path, path.stem, age), path) for path, age in ages.items()]

    def _title(self, source: str | Path, fallback: str, age: int) -> str:
        """Read once, and again when the file is newer."""
        if (source, age) not in self._titles:
            try:
                self._titles[source, age] = Palette.load(source).title or fallback
            except PaletteError:
                self._titles[source, age] = fallback
        return self._titles[source, age]

    def path_for(self, title: str) -> Path:
        """Where a palette of this title is kept. PaletteError if that cannot be a name."""
        name = normalise(title).replace(" ", "_")
        if not name:
            raise PaletteError("The palette needs a title with a letter or a digit in it.")
        if name in bundled_palettes():
            raise PaletteError(
                f"{title!r} is a palette of the program, which stays as it is. "
                "Choose another title for yours."
            )
        return self._folder / f"{name}.toml"

    def save(self, palette: Palette, replaces: Palette) -> None:
        """Write a palette into the folder, over the file of the one that it `replaces`.

        PaletteError if it cannot be written, or if its name is another palette's.
        """
        path = self._folder / f"{palette.name}.toml"
        if path.exists() and not _holds(path, replaces):
            raise PaletteError(
                f"There is another palette with the title {palette.title!r}. "
                "Choose another title for this one."
            )
        self._write(palette, path)

    def copy_of(self, path: Path) -> Path:
        """Where the palette in `path` has its copy in the folder, there or not; it keeps the name
        of its file, so that the same file has the same copy. PaletteError if that is no name."""
        name = normalise(path.stem).replace(" ", "_")
        if not name:
            raise PaletteError(f"{path} needs a name with a letter or a digit in it.")
        return self._folder / f"{name}.toml"

    def would_lose(self, path: Path) -> bool:
        """Whether another palette has the place of the copy of `path`."""
        copy = self.copy_of(path)
        return copy.exists() and not _holds(copy, Palette.load(path))

    def take(self, path: Path) -> None:
        """Copy the palette in `path` into the folder: it is there when `path` is not any more.

        One of that name is replaced. PaletteError if it cannot be read or written.
        """
        palette, copy = Palette.load(path), self.copy_of(path)
        if not _holds(copy, palette):
            self._write(palette, copy)

    def _write(self, palette: Palette, path: Path) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PaletteError(unwritable(self._folder, error)) from error
        palette.save(path)


def _holds(path: Path, palette: Palette) -> bool:
    try:
        return Palette.load(path) == palette
    except PaletteError:
        return False
