"""Every kind of file on a disk that is really full: `python -m tests.faults.small_disk FOLDER WAY`.

WAY "limit": no file may grow beyond some kilobytes (RLIMIT_FSIZE). WAY "disk": FOLDER lies on a
disk of a megabyte, which is filled up. In a process of its own, as both are true for all of it.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from app.project import Project, write_copy, write_project
from app.session import Session
from app.shelf import Shelf, put
from core.checkpoint import Checkpoint
from core.encodings import ENCODINGS, write
from core.errors import InputError
from core.labelmap import write_labels
from core.model.spec import ModelSpec
from core.openraster import write_ora
from core.palette import Palette
from core.picture import write_picture

PALETTE = Palette.load("landscape")
LIMIT = 2048  # bytes that a file may have
SPARE = 4096  # bytes that are left on the disk
SIDE = 160  # pixels: of noise, which no format makes small


def writers() -> dict[str, Callable[[Path, int], None]]:
    """Name of a file → what writes a version of it."""

    def pixels(version: int) -> np.ndarray:
        return np.random.default_rng(version).integers(0, 256, (SIDE, SIDE, 3), np.uint8)

    def labels(version: int) -> np.ndarray:
        return np.random.default_rng(version).integers(0, 19, (SIDE, SIDE), np.uint8)

    def project(path: Path, version: int) -> None:
        write_project(path, Project(labels(version), PALETTE), Shelf(Session(path.parent / "s")))

    def checkpoint(path: Path, version: int) -> None:
        tensors = {"unet": {"w": torch.full((SIDE, SIDE), float(version))}}
        spec = ModelSpec(image_size=16, num_classes=19, model_channels=16)
        Checkpoint(PALETTE, spec).save(path, tensors, torch.float32)

    return {
        "scene.sdms": project,
        "copy.sdms": lambda path, v: write_copy(path, Project(labels(v), PALETTE)),
        "map.png": lambda path, v: write_labels(path, labels(v), PALETTE),
        "ids.png": lambda path, v: write(path, labels(v), PALETTE, ENCODINGS["ids"]),
        "layers.ora": lambda path, v: write_ora(path, labels(v), PALETTE),
        "picture.png": lambda path, v: write_picture(path, pixels(v), {"seed": v}),
        "picture.jpg": lambda path, v: write_picture(path, pixels(v), {"seed": v}),
        "picture.webp": lambda path, v: write_picture(path, pixels(v), {"seed": v}),
        "picture.tif": lambda path, v: write_picture(path, pixels(v), {"seed": v}),
        "kept.png": lambda path, v: put(path.parent, path.name, pixels(v).tobytes()),
        "mine.toml": lambda path, v: Palette.load("ade20k").save(path),
        "model.safetensors": checkpoint,
    }


@contextmanager
def limited() -> Iterator[None]:
    """No file may grow beyond `LIMIT`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """The disk has `SPARE` bytes left."""
    room = os.statvfs(folder)
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - SPARE)))
    try:
        yield
    finally:
        ballast.unlink()


def check(folder: Path, full: Callable[[], object], reason: str) -> None:
    """Each file: the old one stays, nothing is left over, one sentence; then it can be written."""
    for name, work in writers().items():
        path = folder / name
        work(path, 1)
        before = path.read_bytes()
        assert len(before) > SPARE, (name, len(before))
        with full():
            try:
                work(path, 2)
            except InputError as error:
                said = str(error)
            except OSError as error:  # a project's: `SceneFile` makes the sentence
                assert name == "scene.sdms", (name, error)
                said = f"{path} cannot be written: {reason}."
            else:
                raise AssertionError(f"{name} was written")
        assert said.startswith(f"{path} cannot be written: {reason}."), said
        assert path.read_bytes() == before, name
        left = sorted(set(os.listdir(folder)) - {name, "s"})
        assert not left, (name, left)
        work(path, 2)
        path.unlink()
    print(f"{len(writers())} kinds of file, each as it was: {reason}")


if __name__ == "__main__":
    place, way = Path(sys.argv[1]), sys.argv[2]
    if way == "limit":
        check(place, limited, "the file is too large for the disk")
    else:
        check(place, lambda: filled(place), "the disk is full")
