"""A set of one's own: the folder of photos and label maps that `core.train` reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from app.file_kinds import IMAGES
from core.conversion import same_labels
from core.errors import InputError
from core.files import atomic_path, writing
from core.labelmap import nearest_resize, open_image, write_labels
from core.palette import Palette
from core.picture import write_picture

PALETTE_FILE = "palette.toml"
SUFFIXES = {pattern.removeprefix("*") for pattern in IMAGES.split()}
LARGEST = 1024  # pixels of the shorter side; no model here is trained on larger pictures


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

        A large picture is made smaller (`LARGEST`), and the map is brought to its size. Raises
        `InputError` if the set is labelled in another palette, or cannot be written; then nothing
        of the pair stays.
        """
        new = self._palette_changes(palette)
        picture, name = shrunk(picture), self.free_name(name)
        images, maps = self.folder / "images", self.folder / "labels"
        pair = Pair(name, images / f"{name}.png", maps / f"{name}.png")
        with writing(self.folder):
            for folder in (images, maps):
                folder.mkdir(parents=True, exist_ok=True)
        if new:
            palette.save(self.palette_file)
        write_map(pair.labels, nearest_resize(labels, picture.shape[:2]), palette)
        try:
            write_picture(pair.image, picture, {})
        except InputError:
            pair.labels.unlink(missing_ok=True)
            raise
        return pair

    def _palette_changes(self, palette: Palette) -> bool:
        """Whether the set takes this palette: its first, or its own with further labels.

        A palette that the set's goes further than means the same by its ids.
        """
        mine = self.palette()
        if mine is not None and (same_labels(mine, palette) or goes_further(mine, palette)):
            return False
        if mine is not None and not goes_further(palette, mine):
            raise InputError(
                f"The set in {self.folder} is labelled in palette {mine.name!r}, this scene in "
                f"{palette.name!r}. Convert the scene (Palette menu), or choose another folder "
                "for the set."
            )
        return True

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


def write_map(path: Path, labels: np.ndarray, palette: Palette) -> None:
    """Save a map with the values that the palette's datasets have, as `core.train` reads them.

    Raises `InputError` if the place cannot be written.
    """
    values = np.array([c.raw[0] if c.raw else c.id for c in palette.classes], np.uint8)
    if (values == np.arange(len(values))).all():  # nearly always: then with its colours
        write_labels(path, labels, palette)
        return
    with writing(path), atomic_path(path) as part:
        Image.fromarray(values[labels]).save(part, "PNG")


def read_map(path: Path, palette: Palette) -> np.ndarray:
    """The map in `path`, uint8 `[H, W]`, as `core.train` reads it. Raises `InputError`."""
    values = np.asarray(open_image(path))
    if values.ndim != 2 or values.dtype != np.uint8:
        raise InputError(f"{path} is no label map: it has more than one channel of 8 bits.")
    ids = palette.raw_to_id[values]
    if ids.min() < 0:
        raise InputError(
            f"{path} has the value {values[ids < 0].min()}, which is no id of palette "
            f"{palette.name!r}."
        )
    return ids.astype(np.uint8)


def goes_further(palette: Palette, mine: Palette) -> bool:
    """Whether `palette` has the labels of `mine` under their ids, and more behind them."""
    names = [label.name for label in palette.classes]
    kept = names[: len(mine)] == [label.name for label in mine.classes]
    alike = palette.unlabeled == mine.unlabeled and palette.instance_edges == mine.instance_edges
    return kept and alike and len(palette) > len(mine)


def shrunk(picture: np.ndarray) -> np.ndarray:
    """A picture, uint8 `[h, w, 3]`, whose shorter side is `LARGEST` at most."""
    height, width = picture.shape[:2]
    scale = LARGEST / min(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


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
