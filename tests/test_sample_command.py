"""`python -m core.sample` with a scripted engine: what it writes, what it says, how it exits."""

import json

import numpy as np
import pytest
from PIL import Image

from core.labelmap import write_labels
from core.palette import PALETTE_DIR, Palette
from core.request import RECIPE_KEY, Failed, ModelInfo, Preview, Result, Started, Stepped
from core.sample import main

PALETTE = Palette.load("landscape")


class PaintedEngine:
    """Colours the layout instead of sampling it; `script` may add an event before the results."""

    info = ModelInfo("painted", PALETTE, (8, 8), 8, "cpu", "float32")

    def __init__(self, script=None):
        self.requests, self.closed, self.script = [], 0, script

    def sample(self, request, guidance_scale=None):
        self.requests.append(request)
        image = PALETTE.colors[request.layout.labels]
        try:
            yield Started(request, 2)
            yield Preview((image,) * request.count, 1, 2)
            if self.script:
                yield self.script()
            yield Stepped(2, 2)
            for seed in request.seeds:
                yield Result(image, request.single(seed), 0.1, "painted")
        finally:
            self.closed += 1


@pytest.fixture
def layout(tmp_path):
    path = tmp_path / "lake.png"
    write_labels(path, np.full((8, 12), 16, np.uint8), PALETTE)
    return path


def run(*arguments, engine=None):
    engine = engine or PaintedEngine()
    return main([str(a) for a in arguments], open_engine=lambda path: engine)


def test_a_picture_for_each_seed_with_its_recipe(layout, tmp_path, capsys):
    """Every file is named by layout and seed and can be made again from its own metadata."""
    out = tmp_path / "out"
    assert run(layout, "-o", out, "--seed", 7, "--count", 2, "--guidance", 2, "--steps", 9) == 0
    assert sorted(p.name for p in out.iterdir()) == ["lake_7.png", "lake_8.png"]
    picture = Image.open(out / "lake_8.png")
    recipe = json.loads(picture.text[RECIPE_KEY])
    assert (np.array(picture) == PALETTE.colors[16]).all() and picture.size == (12, 8)
    assert recipe["seed"] == 8 and recipe["guidance_scale"] == 2 and recipe["steps"] == 9
    assert recipe["weights"] == "painted" and recipe["layout"] == "lake.png"
    assert capsys.readouterr().out.split() == [str(out / "lake_7.png"), str(out / "lake_8.png")]


def test_the_options_reach_the_engine(layout, tmp_path):
    """Size is height x width, and a respacing goes down as it was written."""
    engine = PaintedEngine()
    options = ("--size", "16x24", "--steps", "ddim25", "--sampler", "ddim")
    assert run(layout, "-o", tmp_path / "one.png", *options, engine=engine) == 0
    (request,) = engine.requests
    assert (request.size, request.steps, request.sampler) == ((16, 24), "ddim25", "ddim")
    assert request.preview_every == 0 and (tmp_path / "one.png").is_file()


def test_a_bad_file_among_many_is_named_and_the_rest_is_made(layout, tmp_path, capsys):
    """One damaged label map costs one picture, not the others."""
    (tmp_path / "broken.png").write_bytes(b"no image")
    out = tmp_path / "out"
    assert run(tmp_path, "-o", out) == 1
    assert [p.name for p in out.iterdir()] == ["lake_0.png"]
    assert "broken.png" in capsys.readouterr().err


def test_a_single_bad_file_is_bad_input(tmp_path, capsys):
    """A missing file is one sentence that names it, without a traceback."""
    assert run(tmp_path / "gone.png", "-o", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "gone.png" in error and "Traceback" not in error


def test_a_failed_sample_names_its_layout(layout, tmp_path, capsys):
    """The engine's own sentence comes with the file that it was about."""
    engine = PaintedEngine(lambda: Failed("There is not enough memory."))
    assert run(layout, "-o", tmp_path / "out", engine=engine) == 2
    assert f"{layout}: There is not enough memory." in capsys.readouterr().err


def test_ctrl_c_closes_the_sample_and_leaves_no_half_picture(layout, tmp_path):
    """Stopping is no error: status 130, nothing half written."""

    def interrupt():
        raise KeyboardInterrupt

    engine = PaintedEngine(interrupt)
    assert run(layout, "-o", tmp_path / "out", engine=engine) == 130
    assert engine.closed == 1 and not (tmp_path / "out").exists()


def test_weights_that_cannot_be_opened_are_named(layout, tmp_path, capsys):
    """The real engine refuses a missing checkpoint in a sentence."""
    weights = tmp_path / "none.safetensors"
    assert main([str(layout), "-o", str(tmp_path / "out"), "--weights", str(weights)]) == 2
    assert "none.safetensors" in capsys.readouterr().err


def test_a_palette_of_other_labels_is_refused(layout, tmp_path, capsys):
    """Ids would mean something else, so the first label that differs is named."""
    other = tmp_path / "other.toml"
    text = (PALETTE_DIR / "landscape.toml").read_text(encoding="utf-8")
    other.write_text(text.replace('name = "cloud"', 'name = "nebula"'), encoding="utf-8")
    assert run(layout, "-o", tmp_path / "out", "--palette", other) == 2
    error = capsys.readouterr().err
    assert "'nebula'" in error and "'cloud'" in error


@pytest.mark.parametrize("option", [("--seed", -1), ("--count", 0), ("--sampler", "magic")])
def test_a_bad_option_is_refused_before_sampling(layout, tmp_path, option):
    """No engine is asked for what no request can say."""
    engine = PaintedEngine()
    assert run(layout, "-o", tmp_path / "out", *option, engine=engine) == 2
    assert engine.requests == []


def test_no_picture_overwrites_another_or_a_layout(layout, tmp_path, capsys):
    """Names that collide are refused before any work."""
    (tmp_path / "more").mkdir()
    twin = tmp_path / "more" / "lake.png"
    write_labels(twin, np.zeros((8, 8), np.uint8), PALETTE)
    assert run(layout, twin, "-o", tmp_path / "out") == 2
    assert run(layout, twin, "-o", tmp_path / "one.png") == 2
    assert run(layout, "-o", layout) == 2
    assert "would be overwritten" in capsys.readouterr().err


def test_a_folder_without_layouts_and_a_place_that_takes_none(layout, tmp_path, capsys):
    """Both ends of the command are named when they cannot be used."""
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", "-o", tmp_path / "out") == 2
    assert run(layout, "-o", layout / "out") == 2
    error = capsys.readouterr().err
    assert "empty has no .png" in error and "cannot be written" in error


# -- local edits ----------------------------------------------------------------------------------


@pytest.fixture
def painted(tmp_path):
    """A picture and a mask whose left half is white."""
    picture, mask = tmp_path / "old.png", tmp_path / "mask.png"
    Image.fromarray(np.full((8, 12, 3), 90, np.uint8)).save(picture)
    half = np.zeros((8, 12), np.uint8)
    half[:, :6] = 255
    Image.fromarray(half).save(mask)
    return picture, mask


def test_an_edit_goes_down_with_its_mask(layout, painted, tmp_path):
    """White is the region, the options go with it, and the size is the picture's."""
    engine, (picture, mask) = PaintedEngine(), painted
    options = ("--inpaint", picture, "--mask", mask, "--strength", 0.5, "--resample", 2)
    assert run(layout, "-o", tmp_path / "new.png", *options, engine=engine) == 0
    (request,) = engine.requests
    edit = request.inpaint
    assert request.size == edit.size == (8, 12) and (edit.picture == 90).all()
    assert edit.region[:, :6].all() and not edit.region[:, 6:].any() and edit.blend[0, 0] == 1
    assert (edit.strength, edit.resample, edit.invert) == (0.5, 2, False)


def test_an_edit_that_cannot_be_is_told(layout, painted, tmp_path, capsys):
    """Half an edit, a mask of another size, a black one: each names what is wrong."""
    picture, mask = painted
    small, black = tmp_path / "small.png", tmp_path / "black.png"
    Image.new("L", (4, 4), 255).save(small)
    Image.new("L", (12, 8), 0).save(black)
    cases = (
        (("--inpaint", picture), "both --inpaint"),
        (("--inpaint", picture, "--mask", small), "4x4"),
        (("--inpaint", picture, "--mask", black), "black.png is white"),
        (("--inpaint", picture, "--mask", mask, "--strength", 2), "strength 2.0"),
    )
    for options, says in cases:
        assert run(layout, "-o", tmp_path / "new.png", *options) == 2
        assert says in capsys.readouterr().err
