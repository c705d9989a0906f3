"""What a training run tells of itself, and how it is stopped from afar."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core import run_status, train
from core.errors import InputError
from core.run_status import STATUS, STOP, STOPPED, Beacon, RunStatus, ask_to_stop, read_status

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A beacon that tells every hundredth of a second."""
    monkeypatch.setattr(run_status, "EVERY", 0.01)


def wait_for(seen, seconds=20.0):
    end = time.monotonic() + seconds
    while not seen() and time.monotonic() < end:
        time.sleep(0.005)
    assert seen()


def test_it_tells_while_it_runs_and_how_it_ended(tmp_path):
    """Step by step, then done; a reader sees each whole."""
    with Beacon(tmp_path, ["--steps", "9"]) as beacon:
        assert read_status(tmp_path).words == ("--steps", "9")
        beacon.tell(state="training", step=4, steps=9)
        wait_for(lambda: read_status(tmp_path).step == 4)
        assert read_status(tmp_path).alive(time.time())
        beacon.tell(state="done")
    assert read_status(tmp_path).state == "done"
    assert not read_status(tmp_path).alive(time.time())
    assert [path.name for path in tmp_path.iterdir()] == [STATUS]


@pytest.mark.parametrize(
    "error, state, text",
    [
        (InputError("The photo is upside down."), "failed", "The photo is upside down."),
        (
            ZeroDivisionError("by zero"),
            "failed",
            "Something unforeseen: ZeroDivisionError: by zero",
        ),
        (KeyboardInterrupt(), "stopped", ""),
    ],
)
def test_it_tells_why_it_ended_early(tmp_path, error, state, text):
    """A sentence, a bug or Ctrl-C."""
    with pytest.raises(type(error)), Beacon(tmp_path, []):
        raise error
    status = read_status(tmp_path)
    assert (status.state, status.text) == (state, text)


def test_a_file_stops_it(tmp_path):
    """The main thread is interrupted, once, and the file is gone; an old one does nothing."""
    ask_to_stop(tmp_path)
    os.utime(tmp_path / STOP, (0, 0))
    with pytest.raises(KeyboardInterrupt), Beacon(tmp_path, []):
        time.sleep(0.1)
        assert not (tmp_path / STOP).exists()
        ask_to_stop(tmp_path)
        wait_for(lambda: False)
    assert not (tmp_path / STOP).exists() and read_status(tmp_path).state == "stopped"


def test_a_run_may_be_stopped_before_it_speaks(tmp_path):
    """The wish is not lost while the program is still being loaded."""
    ask_to_stop(tmp_path)
    with pytest.raises(KeyboardInterrupt), Beacon(tmp_path, []):
        wait_for(lambda: False)
    assert read_status(tmp_path).state == "stopped"


def test_a_silent_run_is_dead():
    """It said it was training, long ago."""
    assert RunStatus("training", time=1000.0).alive(1005.0)
    assert not RunStatus("training", time=1000.0).alive(1060.0)
    assert not RunStatus("done", time=1000.0).alive(1000.0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": 3}', "null"])
def test_a_garbled_status_is_none(tmp_path, text):
    """And so is a missing one."""
    assert read_status(tmp_path) is None
    (tmp_path / STATUS).write_text(text)
    assert read_status(tmp_path) is None


def test_what_a_newer_program_adds_is_left_out(tmp_path):
    """Fields that this one does not know."""
    (tmp_path / STATUS).write_text(json.dumps({"state": "done", "words": [], "mood": "good"}))
    assert read_status(tmp_path) == RunStatus("done")


def test_a_real_run_is_stopped_by_the_file_and_goes_on(photos, palette_file, tmp_path):
    """Like Ctrl-C: status 130, saved, `--resume` goes on."""
    spec = '{"model_channels":16,"num_res_blocks":1,"channel_mult":[1,2],"spade_hidden":8}'
    out = tmp_path / "run"
    words = ["--data", photos, "--palette", palette_file, "--out", out, "--spec", spec]
    words += ["--size", 16, "--batch", 2, "--threads", 1, "--warmup", 1, "--sheet-every", 0]
    words = [str(word) for word in words]
    command = [sys.executable, "-m", "core.train", *words, "--steps"]
    process = subprocess.Popen([*command, "100000"], cwd=ROOT, stderr=subprocess.PIPE)
    wait_for(lambda: (read_status(out) or RunStatus()).step > 2, 60)
    ask_to_stop(out)
    assert process.wait(60) == 130
    process.stderr.close()
    status = read_status(out)
    assert status.state == "stopped" and status.step > 2 and status.words[:2] == tuple(words[:2])
    assert train.main([*words, "--steps", str(status.step + 1), "--resume"]) == 0
    assert read_status(out).state == "done" and read_status(out).step == status.step + 1


def test_a_run_in_the_background_of_a_script_hears_the_wish_too(tmp_path):
    """Such processes are born with Ctrl-C ignored."""
    code = (
        "import signal, sys, time; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from pathlib import Path; from core import run_status\n"
        "run_status.EVERY = 0.01; folder = Path(sys.argv[1])\n"
        "with run_status.Beacon(folder, []):\n"
        "    (folder / run_status.STOP).touch()\n"
        "    for _ in range(3000): time.sleep(0.01)\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, timeout=60, capture_output=True)
    assert done.returncode and read_status(tmp_path).state == STOPPED
