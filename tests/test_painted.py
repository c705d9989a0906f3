"""Pictures that begin with what the instant painter makes of a layout."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from core.checkpoint import Checkpoint, CheckpointError
from core.engine import Engine
from core.model.instant import InstantNet
from core.opening import open_model
from core.painting import style_for
from core.palette import Palette
from core.request import Layout, Preview, RequestError, Result, SampleRequest, Start
from core.style import Painted, StyleChoice
from tests.conftest import randomised
from tests.test_instant import SPEC


@pytest.fixture
def put_painter(tmp_path):
    """`put_painter(palette)`: a tiny painter beside the tiny model."""

    def put(palette):
        path = tmp_path / "tiny-instant.safetensors"
        state = randomised(InstantNet(SPEC)).state_dict()
        Checkpoint(palette, spade=SPEC).save(path, {"spade": state}, torch.float32)
        return path

    return put


@pytest.fixture
def engine(make_checkpoint, put_painter, palette):
    """A tiny model of latents with a painter beside it."""
    put_painter(palette)
    return Engine.open(make_checkpoint(latent=True), device="cpu", precision="float32")


@pytest.fixture
def request_(palette):
    labels = np.zeros((64, 96), np.uint8)
    labels[:30], labels[40:, 20:60] = 1, 2
    return SampleRequest(Layout(labels, palette), steps=4, seed=5, preview_every=0)


def made(engine, request):
    *_, last = engine.sample(request)
    assert isinstance(last, Result)
    return last


def test_a_model_tells_of_its_painter(engine, make_checkpoint):
    assert engine.info.painter == "tiny-instant"
    alone = Engine.open(make_checkpoint(latent=True, name="other.safetensors"), device="cpu")
    assert alone.painter is None and alone.info.painter == ""


def test_strength_0_is_the_painters_own_picture(engine, request_):
    """Nothing is sampled; the recipe names the painter and nothing of a sampler."""
    choice = StyleChoice(9)
    result = made(engine, replace(request_, painted=Painted(choice, 0)))
    style = style_for(engine.painter, choice, 0)
    assert np.array_equal(result.image, engine.painter.paint(request_.layout, style))
    recipe = result.request.recipe(result.weights)
    assert recipe["weights"] == "tiny-instant" and "sampler" not in recipe
    assert recipe["painted"] == {"strength": 0, "style": {"seed": 9}}
    assert np.array_equal(made(engine, result.request).image, result.image)


def test_strength_1_keeps_nothing_of_it_but_less_does(engine, request_):
    """From full noise on two styles differ little, from half of it on much; and both are again
    what they were."""
    told = [Painted(StyleChoice(seed), s) for s in (1.0, 0.25) for seed in (1, 2)]
    pictures = [made(engine, replace(request_, painted=p)).image.astype(int) for p in told]
    gaps = [np.abs(a - b).mean() for a, b in (pictures[:2], pictures[2:])]
    assert gaps[1] > 2 * gaps[0]
    again = made(engine, replace(request_, painted=told[2]))
    assert np.array_equal(again.image, pictures[2]) and again.request.painted == told[2]


def test_any_style_is_that_of_each_pictures_own_seed(engine, request_):
    """Three pictures at once begin as each would alone, in three styles; recipes need no more."""
    request = replace(request_, painted=Painted(StyleChoice(), 0.5), count=3)
    results = [e for e in engine.sample(request) if isinstance(e, Result)]
    assert len({result.image.tobytes() for result in results}) == 3
    for result in results:
        assert result.request.painted == Painted(StyleChoice(), 0.5)
        told = Painted(StyleChoice(result.request.seed), 0.5)
        alone = made(engine, replace(request_, painted=told, seed=result.request.seed))
        assert np.array_equal(alone.image, result.image)


def test_the_instant_picture_is_the_first_that_shows(engine, request_):
    request = replace(request_, painted=Painted(StyleChoice(3), 0.5), preview_every=1)
    events = [e for e in engine.sample(request) if isinstance(e, Preview)]
    own = engine.painter.paint(request_.layout, style_for(engine.painter, StyleChoice(3), 0))
    assert events[0].step == 0 and np.array_equal(events[0].images[0], own)


def test_a_style_of_a_picture_counts_for_its_painter_alone(engine):
    vector = np.linspace(-1, 1, 6)
    mine = StyleChoice.read(vector, 3, "tiny-instant", "a.jpg")
    assert np.allclose(style_for(engine.painter, mine, 0).vector, vector, atol=1e-4)
    other = StyleChoice.read(vector, 3, "another", "a.jpg")
    seeded = engine.painter.random_style(3)
    assert np.array_equal(style_for(engine.painter, other, 0).vector, seeded.vector)


@pytest.mark.parametrize(
    "choice", [StyleChoice(7), StyleChoice.read((0.25, -1.5), 7, "tiny-instant", "a.jpg")]
)
def test_a_choice_survives_json(choice):
    assert StyleChoice.from_plain(json.loads(json.dumps(choice.plain))) == choice
    told = Painted(choice, 0.3)
    assert Painted.from_plain(json.loads(json.dumps(told.plain))) == told


@pytest.mark.parametrize(
    "plain", [None, 3, {"seed": -1}, {"seed": True}, {"values": ["x"]}, {"values": [float("nan")]}]
)
def test_what_is_no_style_is_the_first_one(plain):
    assert StyleChoice.from_plain(plain) == StyleChoice()
    assert Painted.from_plain({"strength": 2, "style": plain}) is None


def test_what_cannot_be_has_its_sentence(engine, request_, make_checkpoint, put_painter):
    told = Painted(StyleChoice(), 0.5)
    alone = Engine.open(make_checkpoint(latent=True, name="other.safetensors"), device="cpu")
    with pytest.raises(RequestError, match="other has no instant painter"):
        alone.sample(replace(request_, painted=told))
    with pytest.raises(RequestError, match="instant picture as well"):
        replace(request_, painted=told, start=Start(np.zeros((4, 8, 12)), 3))
    with pytest.raises(RequestError, match="0 to 1"):
        Painted(StyleChoice(), 1.5)
    put_painter(Palette.load("landscape"))
    with pytest.raises(CheckpointError, match="no painter for tiny"):
        Engine.open(make_checkpoint(latent=True), device="cpu")


def test_a_painter_is_an_engine_with_itself_for_a_painter(put_painter, palette, request_):
    """Whatever is asked of it, it paints, and tells so."""
    painter = open_model(put_painter(palette), "cpu", "float32")
    assert painter.painter is painter and painter.info.painter == "tiny-instant"
    result = made(painter, request_)
    assert np.array_equal(
        result.image, painter.paint(request_.layout, painter.random_style(request_.seed))
    )
    told = made(painter, replace(request_, painted=Painted(StyleChoice(8), 0.5)))
    assert told.request.painted == Painted(StyleChoice(8), 0)
