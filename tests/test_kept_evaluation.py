"""An evaluation that was stopped goes on, one that several processes share comes out the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from core.evaluate import main
from core.findings import Findings
from core.picture import read_picture
from core.request import Result
from tests.test_evaluate import PaintedEngine, by_color, make_data, metrics_of, run
from tests.test_features import places_tensors
from tests.test_lpips import lpips_tensors

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def data(tmp_path):
    """See `make_data`."""
    return make_data(tmp_path)


class Counting:
    """`by_color` with a name, and how often it was asked."""

    identity = "by color"

    def __init__(self):
        self.asked = 0

    def __call__(self, image, size):
        self.asked += 1
        return by_color(image, size)


def measured(data, out, *options, engine, segment):
    arguments = ("--weights", data / "w", "--data", data, "--out", out, "--threads", 1, *options)
    networks = ("--segmenter", "net.tflite", "--segmenter-classes", "classes.csv")
    return main(
        [str(a) for a in (*arguments, *networks)],
        open_engine=lambda path: engine,
        open_segmenter=lambda *files: segment,
    )


class MarkingEngine(PaintedEngine):
    """No two of its pictures are the same: a pixel of the sky has the seed in it."""

    def sample(self, request, guidance_scale=None):
        for event in super().sample(request):
            if isinstance(event, Result):
                event.image[0, 0] = (event.request.seed, 1, 2)
            yield event


class Stopping(MarkingEngine):
    """Ctrl-C in the second layout."""

    def sample(self, request, guidance_scale=None):
        if len(self.seeds) == 3:
            raise KeyboardInterrupt
        yield from super().sample(request)


def test_a_stopped_evaluation_goes_on_where_it_was(data, tmp_path):
    """Only what is missing is sampled and segmented; the figures are those of a whole run."""
    out, segment = tmp_path / "out", Counting()
    options = ("--seeds", 3, "--real")
    assert measured(data, out, *options, engine=Stopping(), segment=segment) == 130
    assert segment.asked == 3 and not (out / "metrics.json").exists()
    engine = MarkingEngine()
    assert measured(data, out, *options, engine=engine, segment=segment) == 0
    assert engine.seeds == [3, 4, 5] and segment.asked == 3 + 3 + 1  # the photos are alike
    again = MarkingEngine()
    assert measured(data, out, *options, engine=again, segment=segment) == 0
    assert again.seeds == [] and segment.asked == 7
    whole = tmp_path / "whole"
    assert measured(data, whole, *options, engine=MarkingEngine(), segment=Counting()) == 0
    one, other = metrics_of(out), metrics_of(whole)
    assert one.pop("seconds_per_picture") > 0 and other.pop("seconds_per_picture") > 0
    assert one == other and one["pictures"]["segmented"] == 6


def test_half_a_layout_is_completed(data, tmp_path):
    """A picture that is missing is made again, and those after it; the first one is kept."""
    out = tmp_path / "out"
    assert run(data, "--weights", "w", "--seeds", 3, "--out", out) == 0
    (out / "pictures" / "b_4.png").unlink()
    engine = PaintedEngine()
    assert run(data, "--weights", "w", "--seeds", 3, "--out", out, engine=engine) == 0
    assert engine.seeds == [4, 5] and (out / "pictures" / "b_4.png").is_file()


def test_a_kept_picture_says_how_it_was_made(data, tmp_path):
    """It can be made again from its file alone, as any picture of the program."""
    out = tmp_path / "out"
    assert run(data, "--weights", "w", "--guidance", 2, "--out", out) == 0
    found = read_picture(out / "pictures" / "b_1.png")
    assert found.recipe["guidance_scale"] == 2 and found.recipe["seed"] == 1
    assert len(found.recipe["weights_sha256"]) == 64 and found.layout.labels.shape == (8, 8)


def test_pictures_of_another_student_are_refused(data, tmp_path, capsys):
    """They depend on the file beside the weights, too."""
    out, student = ("--student", "--out", tmp_path / "out"), data / "w-student"
    student.write_bytes(b"one")
    assert run(data, "--weights", "w", *out) == 0 and run(data, "--weights", "w", *out) == 0
    student.write_bytes(b"another")
    assert run(data, "--weights", "w", *out) == 2
    assert "student_sha256" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda folder: ("--guidance", 3), "guidance_scale 1.5 where it is 3.0 now"),
        (lambda folder: ("--steps", 4), "steps 25 where it is 4 now"),
        (lambda folder: (folder / "w").write_bytes(b"other"), "weights_sha256"),
        (lambda folder: repainted(folder / "labels" / "a.png"), "another layout"),
    ],
)
def test_pictures_of_other_settings_are_refused(data, tmp_path, capsys, change, words):
    """Never measured under a wrong name: the sentence says which file, and what differs."""
    out = tmp_path / "out"
    assert run(data, "--weights", "w", "--out", out) == 0
    more = change(data)
    options = more if isinstance(more, tuple) else ()
    capsys.readouterr()
    assert run(data, "--weights", "w", "--out", out, *options) == 2
    said = capsys.readouterr().err
    assert words in said and "a_0.png" in said and "another --out" in said


def repainted(path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)


def test_some_seeds_are_enough_for_the_agreement(data, tmp_path):
    """--agreement-seeds 1 segments the first picture of each layout, the rest is only sampled."""
    out, segment, engine = tmp_path / "out", Counting(), MarkingEngine()
    options = ("--seeds", 3, "--agreement-seeds", 1)
    assert measured(data, out, *options, engine=engine, segment=segment) == 0
    figures = metrics_of(out)["pictures"]
    assert segment.asked == 2 and len(engine.seeds) == 6
    assert figures["segmented"] == 2 and figures["count"] == 6
    assert run(data, "--weights", "w", "--agreement-seeds", 0) == 2


def test_findings_follow_from_what_was_given(tmp_path):
    """Other bytes, another shape or another measure are found anew; a damaged file too."""
    findings, asked = Findings(tmp_path / "found"), []

    def find():
        asked.append(1)
        return np.arange(len(asked))

    a = np.zeros((2, 3), np.uint8)
    assert findings.of("one", [a], find).tolist() == [0]
    assert findings.of("one", [a.copy()], find).tolist() == [0]
    assert findings.of("one", [a.reshape(3, 2)], find).tolist() == [0, 1]
    assert findings.of("two", [a], find).tolist() == [0, 1, 2]
    assert findings.of("", [a], find).tolist() == [0, 1, 2, 3]
    assert len(list((tmp_path / "found").iterdir())) == 3
    for path in (tmp_path / "found").iterdir():
        path.write_bytes(b"damaged")
    assert findings.of("one", [a], find).tolist() == [0, 1, 2, 3, 4]


def test_torchrun_with_two_processes_measures_the_same(photos, make_checkpoint, tmp_path):
    """All figures and sheets of two processes are those of one, to the last digit."""
    weights = make_checkpoint(latent=True)
    save_file(places_tensors(), tmp_path / "places.safetensors")
    save_file(lpips_tensors(), tmp_path / "lpips.safetensors")
    options = (
        *("--weights", weights, "--data", photos, "--seeds", 2, "--steps", 2, "--real"),
        *("--lpips", tmp_path / "lpips.safetensors", "--places", tmp_path / "places.safetensors"),
        *("--reference", photos, "--nearest", 3, "--sheet", 2, "--threads", 1),
    )
    arguments = [str(option) for option in options]
    torchrun = "-m torch.distributed.run --nproc-per-node 2 -m core.evaluate".split()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, *torchrun, *arguments, "--out", str(tmp_path / "two")],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.count("LPIPS diversity") == 1
    assert main([*arguments, "--out", str(tmp_path / "one")]) == 0
    one, two = (metrics_of(tmp_path / name) for name in ("one", "two"))
    assert one.pop("seconds_per_picture") > 0 and two.pop("seconds_per_picture") > 0
    assert json.dumps(one) == json.dumps(two) and one["pictures"]["count"] == 12
    for sheet in ("sheet.png", "nearest.png"):
        images = (Image.open(tmp_path / name / sheet) for name in ("one", "two"))
        assert np.array_equal(*map(np.array, images))


def test_several_processes_need_a_folder(data, monkeypatch, capsys):
    """They meet there."""
    monkeypatch.setattr("core.distributed.world", lambda: 2)
    assert run(data, "--weights", "w") == 2
    assert "give --out" in capsys.readouterr().err
