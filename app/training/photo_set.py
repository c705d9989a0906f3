"""A set of one's own: the folder of photos and label maps that `core.train` reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.file_kinds import IMAGES
from core.conversion import same_labels
from core.errors import InputError
from core.files import writing
from core.labelmap import nearest_resize, write_labels
from core.palette import Palette
from core.picture import write_picture

PALETTE_FILE = "palette.toml"
SUFFIXES = {pattern.removeprefix("*") for pattern in IMAGES.split()}
LARGE = 2**21  # pixels; a larger photo is kept as JPEG, a PNG of it would take tens of MB
QUALITY = 95


@dataclass(frozen=True)
class Pair:
    """The files of one scene and its photo."""

    name: str
    image: Path
    labels: Path


class PhotoSet:
    """`folder` has images/, labels/, palette.toml and the training runs; it need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.palette_file = folder / PALETTE_FILE

    def palette(self) -> Palette | None:
        """What the labels mean; None while there is nothing in the set.

        Raises `InputError` if the file of the palette cannot be used.
        """
        return Palette.load(self.palette_file) if self.palette_file.is_file() else None

    def pairs(self) -> list[Pair]:
        """All scenes that have their photo, by name."""
        images, maps = (_by_name(self.folder / part) for part in ("images", "labels"))
        return [Pair(name, images[name], maps[name]) for name in sorted(images.keys() & maps)]

    def free_name(self, wanted: str) -> str:
        """`wanted` without what a file's name may not have, or with a number if it is taken."""
        plain = re.sub(r"[^\w. -]", "", wanted).strip(" .") or "scene"
        taken = {part for kind in ("images", "labels") for part in _by_name(self.folder / kind)}
        names = (plain if n == 1 else f"{plain}-{n}" for n in range(1, len(taken) + 2))
        return next(name for name in names if name not in taken)

    def add(self, name: str, labels: np.ndarray, picture: np.ndarray, palette: Palette) -> Pair:
        """Save a scene, uint8 `[H, W]`, with its picture, uint8 `[h, w, 3]`; gives their files.

        The map is brought to the picture's size. Raises `InputError` if the set is labelled in
        another palette, or cannot be written; then nothing of the pair stays.
        """
        self._check_palette(palette)
        suffix = ".jpg" if picture.shape[0] * picture.shape[1] > LARGE else ".png"
        name = self.free_name(name)
        pair = Pair(
            name, self.folder / "images" / (name + suffix), self.folder / "labels" / f"{name}.png"
        )
        with writing(self.folder):
            for file in (pair.image, pair.labels):
                file.parent.mkdir(parents=True, exist_ok=True)
        if not self.palette_file.is_file():
            palette.save(self.palette_file)
        write_labels(pair.labels, nearest_resize(labels, picture.shape[:2]), palette)
        try:
            write_picture(pair.image, picture, {}, quality=QUALITY)
        except InputError:
            pair.labels.unlink(missing_ok=True)
            raise
        return pair

    def _check_palette(self, palette: Palette) -> None:
        mine = self.palette()
        if mine is not None and not same_labels(mine, palette):
            raise InputError(
                f"The set in {self.folder} is labelled in palette {mine.name!r}, this scene in "
                f"{palette.name!r}. Convert the scene (Palette menu), or choose another folder "
                "for the set."
            )

    def runs(self) -> list[Path]:
        """The folders of training runs, the newest first."""
        found = [path for path in (self.folder / "runs").glob("*") if path.is_dir()]
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)

    def run_folder(self, name: str) -> Path:
        """Where the run called `name` is, or will be."""
        return self.folder / "runs" / name


def _by_name(folder: Path) -> dict[str, Path]:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.stem: path for path in files if path.suffix.lower() in SUFFIXES}


def part_under(labels: np.ndarray, photo: tuple[int, int]) -> np.ndarray:
    """The part of a map, uint8 `[H, W]`, that lies over a photo of (height, width) `photo`.

    The photo lies whole in the middle of the map; what the map has beside it is left out.
    """
    height, width = labels.shape
    scale = min(height / photo[0], width / photo[1])
    rows = max(1, min(height, round(photo[0] * scale)))
    columns = max(1, min(width, round(photo[1] * scale)))
    top, left = (height - rows) // 2, (width - columns) // 2
    return labels[top : top + rows, left : left + columns]
