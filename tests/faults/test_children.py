"""A process of its own that dies: the window says so, tidies up, and can begin another."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from app.training import child as training
from app.training.child import TrainingChild
from app.weights_import.child import UNFINISHED, Conversion, Order
from core.files import ABANDONED
from core.run_status import FAILED, read_status
from tests.app import fake_convert

LONG = 60_000  # ms: a process starts slowly on a busy machine
TRAINER = (sys.executable, "-m", "tests.app.fake_training")
CONVERTER = [sys.executable, fake_convert.__file__]

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills as on Unix")


@pytest.fixture
def words(tmp_path):
    """The arguments of a run that takes its time."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "slow").touch()
    return ["--data", str(tmp_path / "set"), "--out", str(tmp_path / "run"), "--steps", "9999"]


def test_a_training_that_is_killed(qapp, qtbot, words, tmp_path, monkeypatch):
    """The sentence tells that it was ended from outside and what is left; another can begin."""
    monkeypatch.setattr(training, "EVERY", 10)
    child, ended = TrainingChild(None, TRAINER), []
    child.ended.connect(lambda folder, status: ended.append(status))
    child.start(tmp_path / "run", words)
    qtbot.waitUntil(lambda: child.status.step > 3, timeout=LONG)
    os.kill(child._process.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: bool(ended), timeout=LONG)
    assert ended[0].state == FAILED and "ended from outside (signal 9)" in ended[0].text
    assert str(tmp_path / "run") in ended[0].text and "Continue" in ended[0].text
    assert not child.running
    short = [*words[:-1], "3"]
    (tmp_path / "set" / "slow").unlink()
    child.start(tmp_path / "other", [w.replace("/run", "/other") for w in short])
    qtbot.waitUntil(lambda: len(ended) == 2, timeout=LONG)
    assert ended[1].state == read_status(tmp_path / "other").state == "done"


@pytest.fixture
def order(tmp_path):
    """`order(wish)`: a foreign file that makes the conversion do something."""

    def make(wish):
        source = tmp_path / "foreign.pt"
        source.write_text(wish)
        return Order(source, "landscape", tmp_path / "weights" / "mine.safetensors", "bfloat16")

    return make


def test_an_import_that_is_killed(qapp, qtbot, order, tmp_path):
    """Nothing is left of it, and the same import works afterwards."""
    conversion, told = Conversion(None, CONVERTER), []
    conversion.failed.connect(told.append)
    conversion.finished.connect(told.append)
    conversion.start(order("slow"))
    qtbot.waitUntil(lambda: any(conversion._folder.iterdir()), timeout=LONG)
    os.kill(conversion._process.processId(), signal.SIGKILL)
    qtbot.waitUntil(lambda: bool(told), timeout=LONG)
    assert "ended unexpectedly" in told[0] and "memory" in told[0]
    assert list((tmp_path / "weights").iterdir()) == []
    conversion.start(order("good"))
    qtbot.waitUntil(lambda: len(told) == 2, timeout=LONG)
    assert told[1] == tmp_path / "weights" / "mine.safetensors" and told[1].is_file()


def test_what_a_killed_window_left_of_an_import_goes(qapp, qtbot, order, tmp_path):
    """With the next import, an hour later; what is younger may be another window's."""
    folder = tmp_path / "weights"
    for name, age in (("old", ABANDONED + 60), ("young", 0)):
        left = folder / f"{UNFINISHED}{name}"
        left.mkdir(parents=True)
        (left / "half.safetensors").write_text("half")
        for path in (left / "half.safetensors", left):
            os.utime(path, (time.time() - age,) * 2)
    conversion, told = Conversion(None, CONVERTER), []
    conversion.finished.connect(told.append)
    conversion.start(order("good"))
    qtbot.waitUntil(lambda: bool(told), timeout=LONG)
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"{UNFINISHED}young", "mine.safetensors"]


def test_a_program_that_is_not_there(qapp, order, tmp_path):
    """The reason is told, and nothing is left."""
    conversion, told = Conversion(None, [str(Path("/nowhere/python"))]), []
    conversion.failed.connect(told.append)
    conversion.start(order("good"))
    deadline = time.monotonic() + 20
    while not told and time.monotonic() < deadline:
        qapp.processEvents()
    assert "cannot be started" in told[0] and not conversion.running
    assert list((tmp_path / "weights").iterdir()) == []
