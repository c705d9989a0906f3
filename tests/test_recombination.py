"""Another guidance scale at once: the branches' outputs recombined, without the network."""

import numpy as np
import pytest

from core.request import Layout, Result, SampleRequest


@pytest.fixture
def layout(palette):
    labels = np.zeros((32, 32), np.uint8)
    labels[:15] = 1
    return Layout(labels, palette)


def made(engine, layout, **fields):
    fields = {"steps": 4, "guidance_scale": 2.0, "preview_every": 0, **fields}
    return [e for e in engine.sample(SampleRequest(layout, **fields)) if isinstance(e, Result)]


def difference(a, b):
    return np.abs(a.astype(int) - b).mean()


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "ddim", "ddpm"])
def test_the_same_scale_gives_the_same_picture(engine, layout, sampler):
    """What was kept is enough to walk the way again, also with the noise of a random sampler."""
    [result] = made(engine, layout, sampler=sampler)
    again = engine.recombine(result.request, 2.0)
    assert again.dtype == np.uint8 and again.shape == result.image.shape
    assert difference(again, result.image) < 0.5  # half precision


def test_it_is_nearer_to_the_other_scale_than_the_old_picture_is(engine, layout):
    """It stands in for the picture that a proper sample will make."""
    [old] = made(engine, layout, steps=10)
    quick = engine.recombine(old.request, 4.0)
    [proper] = made(engine, layout, steps=10, guidance_scale=4.0)
    assert difference(quick, proper.image) < 0.9 * difference(old.image, proper.image)


def test_the_network_is_not_asked(engine, layout, monkeypatch):
    """That is why it is at once."""
    [result] = made(engine, layout)
    for part in ("encode", "decode", "embed_scaled"):
        monkeypatch.setattr(engine.unet, part, None)
    assert engine.recombine(result.request, 3.0) is not None


def test_only_the_last_guided_picture_can_be_recombined(engine, layout):
    """An equal request that it did not come from, and an older picture, cannot."""
    [old] = made(engine, layout)
    [last] = made(engine, layout)
    assert engine.recombine(old.request, 3.0) is None
    assert engine.recombine(SampleRequest(layout), 3.0) is None
    assert engine.recombine(last.request, 3.0) is not None


def test_where_guidance_begins_late_it_does_so_again(engine, layout):
    """The steps before are walked as they were, whatever the scale."""
    [result] = made(engine, layout, steps=8, guidance_start=0.5)
    again = engine.recombine(result.request, 2.0)
    assert difference(again, result.image) < 0.5
    assert difference(engine.recombine(result.request, 4.0), result.image) > 0.1


@pytest.mark.parametrize("fields", [{"guidance_scale": 1.0}, {"count": 2}])
def test_without_both_branches_of_one_picture_there_is_nothing(engine, layout, fields):
    """Guidance was off, or many pictures were made at once."""
    for result in made(engine, layout, **fields):
        assert engine.recombine(result.request, 3.0) is None


def test_a_long_tape_is_given_up(engine, layout, monkeypatch):
    """A walk that would take gigabytes to keep is not kept."""
    monkeypatch.setattr("core.recombination.MAX_TAPE", 1000)
    [result] = made(engine, layout)
    assert engine.recombine(result.request, 3.0) is None
