"""Folders and evaluations that processes and hosts share come out as one process makes them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from core import distributed
from core.errors import InputError
from core.evaluate import main as evaluate
from core.labelmap import write_labels
from core.sample import main as sample
from tests.test_evaluate import metrics_of
from tests.test_features import places_tensors
from tests.test_lpips import lpips_tensors
from tests.test_sample_command import PaintedEngine, run

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def layouts(tmp_path, palette):
    """A folder of five label maps of the tiny palette, the fourth of which is none."""
    folder = tmp_path / "layouts"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(5):
        blocks = rng.integers(0, 3, (2, 3)).astype(np.uint8)
        write_labels(folder / f"scene{i}.png", np.kron(blocks, np.ones((8, 8), np.uint8)), palette)
    (folder / "scene3.png").write_bytes(b"no picture")
    return folder


def launched(module, arguments, processes=2, hosts=1):
    """Run a command under torchrun, on as many hosts as there are agents here; what each said."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    words += ["--nnodes", str(hosts), "--rdzv-backend", "c10d", "--local-addr", "127.0.0.1"]
    words += ["--rdzv-endpoint", f"127.0.0.1:{port}", "-m", module, *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    options = {"cwd": ROOT, "env": environment, "text": True}
    options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    agents = [subprocess.Popen(words, **options) for _ in range(hosts)]
    said = [agent.communicate(timeout=600) for agent in agents]
    return [agent.returncode for agent in agents], *map("".join, zip(*said, strict=True))


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def arguments_of(layouts, weights):
    words = [layouts, "--weights", weights, "--steps", 2, "--count", 2, "--threads", 1]
    return [str(word) for word in (*words, "--size", "16x24", "-o")]


def test_two_processes_write_the_files_of_one(layouts, make_checkpoint, tmp_path):
    """Every byte; what cannot be read is named once, and is a failure in both."""
    arguments = arguments_of(layouts, make_checkpoint(latent=True))
    assert sample([*arguments, str(tmp_path / "one")]) == 1
    statuses, out, errors = launched("core.sample", [*arguments, tmp_path / "two"])
    assert statuses == [1] and errors.count("error: ") == 1 and "scene3.png" in errors
    one, two = files_of(tmp_path / "one"), files_of(tmp_path / "two")
    assert one == two and len(one) == 8
    assert sorted(out.split()) == sorted(str(tmp_path / "two" / name) for name in one)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_four_processes_on_two_hosts_write_the_files_of_one(layouts, make_checkpoint, tmp_path):
    """Also the film that one of them makes of all."""
    (layouts / "scene3.png").unlink()
    arguments = arguments_of(layouts, make_checkpoint(latent=True))
    arguments[arguments.index("--count") + 1] = "1"
    film = ("--video", tmp_path / "four" / "film.gif")
    done = launched("core.sample", [*arguments, tmp_path / "four", *film], hosts=2)
    assert done[0] == [0, 0]
    assert (
        sample([*arguments, str(tmp_path / "one"), "--video", str(tmp_path / "one/film.gif")]) == 0
    )
    one, four = files_of(tmp_path / "one"), files_of(tmp_path / "four")
    assert one == four and len(one) == 5


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_four_processes_on_two_hosts_measure_the_same(photos, make_checkpoint, tmp_path):
    """All figures and pictures; only the seconds are those of the run."""
    save_file(places_tensors(), tmp_path / "places.safetensors")
    save_file(lpips_tensors(), tmp_path / "lpips.safetensors")
    words = ("--weights", make_checkpoint(latent=True), "--data", photos, "--seeds", 2, "--real")
    words += ("--lpips", tmp_path / "lpips.safetensors", "--steps", 2, "--threads", 1)
    words += ("--places", tmp_path / "places.safetensors", "--reference", photos, "--sheet", 2)
    assert evaluate([str(word) for word in (*words, "--out", tmp_path / "one")]) == 0
    assert launched("core.evaluate", [*words, "--out", tmp_path / "four"], hosts=2)[0] == [0, 0]
    one, four = (metrics_of(tmp_path / name) for name in ("one", "four"))
    assert one.pop("seconds_per_picture") > 0 and four.pop("seconds_per_picture") > 0
    assert json.dumps(one) == json.dumps(four)
    names = [path.name for path in (tmp_path / "one" / "pictures").iterdir()]
    assert len(names) == 12
    for name in names:
        images = (np.array(Image.open(tmp_path / n / "pictures" / name)) for n in ("one", "four"))
        assert np.array_equal(*images)


def test_processes_that_differ_are_refused(monkeypatch):
    """By the name of what is not the same."""
    monkeypatch.setattr(distributed, "collected", lambda mine: [mine, mine | {"weights": "b"}])
    distributed.check_same(layouts=["a"])
    with pytest.raises(InputError, match="the same weights.*every host"):
        distributed.check_same(layouts=["a"], weights="a")


def test_hosts_of_other_layouts_are_refused(layouts, palette, tmp_path, monkeypatch, capsys):
    """Before anything is sampled."""
    monkeypatch.setattr(distributed, "world", lambda: 2)
    monkeypatch.setattr(distributed, "collected", lambda mine: [mine, mine | {"layouts": ["b"]}])
    engine = PaintedEngine()
    assert run(layouts, "-o", tmp_path / "out", engine=engine) == 2
    assert "do not have the same layouts" in capsys.readouterr().err and engine.requests == []


def test_a_film_needs_all_its_frames(layouts, tmp_path, monkeypatch, capsys):
    """A frame that lies on another host is named."""
    elsewhere = tmp_path / "out" / "elsewhere_0.png"
    monkeypatch.setattr(distributed, "collected", lambda mine: [mine, [(9, [elsewhere])]])
    assert run(layouts, "-o", tmp_path / "out", "--video", tmp_path / "film.gif") == 2
    error = capsys.readouterr().err
    assert "elsewhere_0.png was made on another host" in error
    assert not (tmp_path / "film.gif").exists()
