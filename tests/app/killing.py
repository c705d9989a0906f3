"""Saves in a loop and is killed: `python -m tests.app.killing COUNT FOLDER` checks what is left.

Not in the tests' own process: each saver is a fork, which wants a parent without threads.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
from PySide6.QtCore import QCoreApplication

from app.history import History
from app.project import Project, read_copy, read_project, write_copy, write_project
from app.session import COPY, Session, left_behind
from app.shelf import Shelf
from app.writer import Writer
from core.palette import Palette
from core.request import Layout, Result, SampleRequest

PALETTE = Palette.load("landscape")
KEPT = 3  # pictures in the history
LONGEST = 0.1  # seconds: about five saves


def save_for_ever(folder: Path, told: int) -> None:
    """Save versions 1, 2, 3, … as copy and as project; write each that is on disk to `told`."""
    QCoreApplication([])
    shelf = Shelf(Session(folder / "sessions"))
    history = History(shelf, Writer(), 2**30)
    for seed in range(KEPT):
        pixels = np.random.default_rng(seed).integers(0, 256, (256, 256, 3)).astype(np.uint8)
        layout = Layout(np.full((256, 256), seed, np.uint8), PALETTE)
        history.keep(Result(pixels, SampleRequest(layout, seed=seed), 0.1))
    history.finish()
    version = 0
    while True:
        version += 1
        labels, plain = np.full((512, 512), version % 19, np.uint8), {"version": version}
        kept = {"records": history.records, "palettes": history.palettes}
        project = Project(labels, PALETTE, plain, **kept)
        write_copy(shelf.session.copy, project)
        write_project(folder / "scene.sdms", project, shelf)
        os.write(told, version.to_bytes(4, "big"))


def kill_in_the_middle(folder: Path, wait: float) -> int:
    """Kill a saver `wait` seconds after its first save. The last version that it told."""
    reader, writer = os.pipe()
    saver = os.fork()
    if saver == 0:
        os.close(reader)
        save_for_ever(folder, writer)
    os.close(writer)
    first = os.read(reader, 4)
    time.sleep(wait)
    os.kill(saver, signal.SIGKILL)
    os.waitpid(saver, 0)
    with os.fdopen(reader, "rb") as pipe:
        told = first + pipe.read()
    return int.from_bytes(told[-4:], "big")


def check(folder: Path, told: int) -> None:
    """The project is the last one told or the next; the copy opens, and its pictures are there."""
    project = read_project(folder / "scene.sdms")
    assert project.generate["version"] in (told, told + 1)
    assert (project.labels == project.generate["version"] % 19).all()
    assert project.palette == PALETTE and len(project.records) == KEPT
    (left,) = left_behind(folder / "sessions")
    copy = read_copy(left.folder / COPY)
    assert copy.generate["version"] in (told, told + 1)
    assert (copy.labels == copy.generate["version"] % 19).all()
    assert all((left.folder / name).is_file() for name in copy.files)


def main(count: int, folder: Path) -> None:
    """Kill `count` savers and tell in how many cases a save was cut off."""
    chance, cut_off = random.Random(count), 0
    for number in range(count):
        place = folder / str(number)
        place.mkdir()
        check(place, kill_in_the_middle(place, chance.uniform(0, LONGEST)))
        cut_off += any(place.rglob(".*.part"))
    print(f"{count} killed, {cut_off} in the middle of a write")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
