"""A quick share of `python -m tests.fuzz`, and what the fuzz itself must catch."""

import io
import os
import socket
import subprocess
import time
import zipfile
import zlib
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from core.errors import InputError
from tests.fuzz import guard, mutations
from tests.fuzz.__main__ import main
from tests.fuzz.guard import ACCEPTED, REFUSED, VIOLATION, judge
from tests.fuzz.readers import READERS, Reader
from tests.fuzz.run import Tally, case_of, first_cases, run

QUICK = 12  # cases by chance of each reader, beside the good ones


@pytest.fixture(autouse=True)
def watched():
    guard.install()


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_quick_share_of_the_fuzz(reader):
    """Good files of a reader are taken or refused, bad ones too, and nothing else happens."""
    hostile = len(first_cases(reader)) - len(reader.seeds())
    first = range(hostile, hostile + len(reader.seeds()))
    chance = range(first.stop, first.stop + QUICK)
    tally = Tally(reader.name)
    for number, outcome in run(reader, [*first, *chance], seed=7):
        tally.count(number, outcome)
    assert tally.violations == [] and tally.accepted > 0


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_the_whole_fuzz():
    """The command of docs/reliability.md."""
    assert main(["--cases", "20000", "--seed", "0"]) == 0


def test_a_case_is_the_same_every_time():
    """What a run found can be looked at again."""
    for reader in READERS[:3]:
        number = len(first_cases(reader)) + 5
        assert case_of(reader, 3, number) == case_of(reader, 3, number)
        assert case_of(reader, 3, number) != case_of(reader, 4, number)


# -- the fuzz catches what it is there for --------------------------------------------------------


def refuse(text):
    raise InputError(text)


def loop():
    while True:
        pass


def fill_memory():
    np.ones(guard.MOST_MEMORY // 8 + 2**27, np.float64)


FAULTS = {
    "KeyError": lambda place: {}["a"],
    "does not name the file": lambda place: refuse("It is damaged."),
    "does not end": lambda place: refuse(f"{place} is damaged"),
    "cannot be shown": lambda place: refuse(f"{place}\nis damaged."),
    "characters": lambda place: refuse(f"{place} is {'x' * 2000}."),
    "it touched open": lambda place: (place.parent / "outside").write_text("x"),
    "it touched os.mkdir": lambda place: (place.parent / "folder").mkdir(),
    "it touched os.remove": lambda place: (place.parent / "nothing").unlink(missing_ok=True),
    "it touched os.system": lambda place: os.system("true"),
    "it touched subprocess": lambda place: subprocess.run(["true"]),
    "it touched socket": lambda place: socket.create_connection(("127.0.0.1", 9), timeout=0.1),
    "it touched pickle": lambda place: __import__("pickle").loads(b"cos\ngetcwd\n(tR."),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_a_violation(fault, tmp_path):
    """Each kind, by its own name."""
    place = tmp_path / "place"
    place.mkdir()
    outcome = judge(lambda: FAULTS[fault](place), place, str(place))
    assert outcome.kind == VIOLATION and fault in outcome.reason


def test_time_and_memory_are_bounded(tmp_path, monkeypatch):
    """A case that takes too much of either is a violation, whatever it gives."""
    monkeypatch.setattr(guard, "MOST_MEMORY", 1 << 26)
    assert "MB" in judge(fill_memory, tmp_path).reason
    monkeypatch.setattr(guard, "SLOWEST", -1.0)
    assert " s" in judge(lambda: None, tmp_path).reason
    monkeypatch.setattr(guard, "HANGING", 0.05)
    assert "hangs" in judge(loop, tmp_path).reason
    monkeypatch.setattr(guard, "HANGING", 60.0)
    monkeypatch.setattr(guard, "SLEEPING", 0.1)
    assert "hangs" in judge(lambda: time.sleep(60), tmp_path).reason


def test_what_is_right_is_no_violation(tmp_path):
    """A value, a good sentence, and a file in its own place."""
    assert judge(lambda: (tmp_path / "mine").write_text("x"), tmp_path).kind == ACCEPTED
    said = f"{tmp_path}/a.png is damaged. Open another."
    assert judge(lambda: refuse(said), tmp_path, f"{tmp_path}/a.png").kind == REFUSED
    assert judge(lambda: refuse(said), tmp_path, never_refuses=True).kind == VIOLATION


def die(path: Path) -> None:
    if path.read_bytes() == b"die":
        os.abort()


def test_a_crash_is_counted_and_the_rest_goes_on(monkeypatch, capsys, tmp_path):
    """A reader that takes its process with it does not take the run."""
    mortal = Reader("mortal", "file", lambda: [b"live", b"die", b"live"], die)
    monkeypatch.setattr("tests.fuzz.__main__.READERS", (mortal,))
    assert main(["--cases", "3", "--seed", "0", "--keep", str(tmp_path)]) == 1
    assert "| mortal | 3 | 2 | 0 | 1 |" in capsys.readouterr().out


def test_the_canary_would_sing(tmp_path, monkeypatch):
    """The hostile pickles do run code where somebody opens them as pickles: the fuzz proves it."""
    import pickle

    monkeypatch.chdir(tmp_path)
    for data in mutations.hostile_pickles()[:3]:
        pickle.loads(data)
        assert (tmp_path / mutations.CANARY).exists()
        (tmp_path / mutations.CANARY).unlink()


# -- the mutations --------------------------------------------------------------------------------


def test_an_edited_png_is_still_a_png():
    """Its checksums are right, so that the edit gets behind the door."""
    from tests.fuzz import seeds

    whole = seeds.label_images()[0]
    assert mutations.png_of(mutations.png_chunks(whole)) == whole
    for number in range(30):
        changed = mutations.mutate_png(whole, Random(number))
        assert changed.startswith(mutations.PNG)
        assert mutations.png_of(mutations.png_chunks(changed)) == changed


def test_a_zip_bomb_unpacks_to_a_gigabyte():
    """And its directory says so, or lies."""
    info = zipfile.ZipInfo("a.png")
    for lying, size in ((False, mutations.BOMB), (True, 1000)):
        data = mutations.zip_with_bomb([(info, b"x")], 0, lying)
        assert len(data) < 2**21
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.getinfo("a.png").file_size == size
    assert len(zlib.decompressobj(-15).decompress(mutations.zero_bomb(), 2**24)) == 2**24


def test_torch_keeps_to_one_thread():
    """A case's time is its own."""
    assert torch.get_num_threads() == 1
