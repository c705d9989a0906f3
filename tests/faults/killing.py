"""Writes in a loop and is killed: `python -m tests.faults.killing KIND COUNT FOLDER` checks what is
left. KIND: "export" or "train".

Not in the tests' own process: each writer is a fork, which wants a parent without threads.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from app.export_plan import Source, plan, products
from core import train
from core.checkpoint import Checkpoint
from core.files import ABANDONED
from core.labelmap import read_labels
from core.openraster import read_ora
from core.palette import Palette
from core.picture import read_picture
from core.request import Layout, Result, SampleRequest
from core.run_folder import RunFolder
from core.training import read_state

PALETTE = Palette.load("landscape")
LONGEST = 0.2  # seconds from the first whole version to the kill: several writes
PATIENCE = 5.0  # seconds until a part of a file must have been seen
EXPORTS = ("png", "jpeg", "webp", "tiff", "ora", "own", "ids")
SIDE = 96  # pixels of what is exported
TINY = {
    "model_channels": 16,
    "num_res_blocks": 1,
    "channel_mult": [1, 2],
    "attention_resolutions": [],
    "spade_hidden": 8,
}

Tell = Callable[[int], None]  # such a version is on disk, all of it


# -- export ---------------------------------------------------------------------------------------


def export(folder: Path, tell: Tell) -> None:
    """Export versions 1, 2, 3, …: every label, and the seed, is the version's number."""
    version = 0
    while True:
        version += 1
        labels = np.full((SIDE, SIDE), version % 19, np.uint8)
        pixels = np.random.default_rng(version).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        request = SampleRequest(Layout(labels, PALETTE), seed=version % 19)
        source = Source(labels, PALETTE, (Result(pixels, request, 0.1),))
        chosen = [product for product in products(source) if product.key in EXPORTS]
        for job in plan(chosen, source, folder, "{what}"):
            job.write()
        tell(version)


def check_export(folder: Path, told: int) -> None:
    """Every file is whole, and of the last version told or of the next."""
    found = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    assert len(found) == len(EXPORTS), found
    for path in found:
        assert _version(path) in (told % 19, (told + 1) % 19), path


def _version(path: Path) -> int:
    if path.stem == "picture":
        picture = read_picture(path)
        assert (picture.layout.labels == picture.recipe["seed"]).all()
        assert picture.image.shape == (SIDE, SIDE, 3)
        return picture.recipe["seed"]
    read = read_ora if path.suffix == ".ora" else read_labels
    labels = read(path, PALETTE).labels
    assert len(np.unique(labels)) == 1
    return int(labels[0, 0])


# -- train ----------------------------------------------------------------------------------------


def learn(folder: Path, tell: Tell, steps: int = 10_000, resume: bool = False) -> int:
    """Train a tiny model and save at every step. The exit status."""
    save = RunFolder.save

    def saving(self: RunFolder, stage: object, run: object, *rest: object) -> None:
        save(self, stage, run, *rest)
        tell(run.step)

    RunFolder.save = saving
    words = ["--data", folder / "photos", "--palette", "landscape", "--out", folder / "run"]
    words += ["--spec", json.dumps(TINY), "--size", 16, "--batch", 1, "--threads", 1]
    words += ["--precision", "float32", "--steps", steps, "--save-every", 1, "--log-every", 1]
    words += ["--sheet-every", 0, *(["--resume"] if resume else [])]
    os.dup2(os.open(folder / "said", os.O_WRONLY | os.O_CREAT), 2)
    return train.main([str(word) for word in words])


def begin_learning(folder: Path, tell: Tell) -> None:
    """`learn` on two photos."""
    for part, values in (("images", [(9, 9, 9), (200, 99, 9)]), ("labels", [3, 4])):
        (folder / "photos" / part).mkdir(parents=True)
        for number, value in enumerate(values):
            mode = "RGB" if part == "images" else "L"
            picture = Image.new(mode, (16, 16), value)
            picture.save(folder / "photos" / part / f"{number}.png")
    learn(folder, tell)


def check_learning(folder: Path, told: int) -> None:
    """State and weights are whole, the log has whole rows, and the run goes on from there."""
    run = folder / "run"
    header, tensors = read_state(run / "state.safetensors")
    assert header["step"] in (told, told + 1) and tensors
    checkpoint = Checkpoint.open(run / "weights.safetensors")
    assert checkpoint.training["step"] in (told, told + 1, told + 2)
    assert checkpoint.load_unet(lambda tensor: tensor.clone()) is not None
    head, *rows = (run / "log.csv").read_text().splitlines()
    assert all(row.count(",") == head.count(",") for row in rows)
    for part in run.glob(".*.part"):
        os.utime(part, (time.time() - ABANDONED - 60,) * 2)
    resumed = os.fork()
    if resumed == 0:
        steps = header["step"] + 2
        os._exit(learn(folder, lambda step: None, steps, resume=True))
    assert os.waitstatus_to_exitcode(os.waitpid(resumed, 0)[1]) == 0, (folder / "said").read_text()
    assert not list(run.glob(".*.part")), "what was cut off is tidied away"
    assert read_state(run / "state.safetensors")[0]["step"] == header["step"] + 2


# -- the kill -------------------------------------------------------------------------------------

KINDS = {"export": (export, check_export), "train": (begin_learning, check_learning)}


def kill_in_the_middle(
    work: Callable[[Path, Tell], None], folder: Path, wait: float, seen: bool
) -> int:
    """Kill a writer `wait` seconds after its first version; if `seen`, as soon after that as there
    is a part of a file. The last version that it told."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        work(folder, lambda version: os.write(writer, version.to_bytes(4, "big")))
    os.close(writer)
    first = os.read(reader, 4)
    time.sleep(wait)
    end = time.monotonic() + PATIENCE
    while seen and time.monotonic() < end and not any(folder.rglob(".*.part")):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as pipe:
        told = first + pipe.read()
    return int.from_bytes(told[-4:], "big")


def main(kind: str, count: int, folder: Path) -> None:
    """Kill `count` writers and tell in how many cases a write was cut off."""
    (work, check), chance, cut_off = KINDS[kind], random.Random(count), 0
    for number in range(count):
        place = folder / str(number)
        place.mkdir()
        told = kill_in_the_middle(work, place, chance.uniform(0, LONGEST), seen=number % 2 == 1)
        cut_off += any(place.rglob(".*.part"))
        check(place, told)
    print(f"{kind}: {count} killed, {cut_off} in the middle of a write")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
