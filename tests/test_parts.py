"""An edit in several places: what is taken together, and that its parts add up to one edit."""

from dataclasses import replace

import numpy as np
import pytest

from core.crop import Crop
from core.engine import Engine
from core.parts import MOST, parts_of
from core.regions import feather
from core.request import Inpaint, Layout, Result, SampleRequest, Started

SIZE = (512, 512)


def boxes(size, *corners, side=20):
    """Squares with their upper left corners there."""
    region = np.zeros(size, bool)
    for y, x in corners:
        region[y : y + side, x : x + side] = True
    return region


def an_edit(picture, region, **options):
    return Inpaint(picture, region, feather(region, 8), **options)


def divided(*corners, side=20, **options):
    region = boxes(SIZE, *corners, side=side)
    edit = an_edit(np.zeros((*SIZE, 3), np.uint8), region, **options)
    return edit, parts_of(edit, SIZE, 8, 32)


def work(edit):
    box = Crop.of(edit, SIZE, 8, 32).box
    return box.width * box.height


def test_places_far_apart_are_parts():
    """Each has its own region and its own blend; together they are the edit, and cost less."""
    edit, parts = divided((10, 10), (470, 480))
    assert len(parts) == 2 and sum(map(work, parts)) < work(edit) / 4
    assert np.array_equal(sum(p.region.astype(int) for p in parts), edit.region)
    assert np.array_equal(sum(p.blend for p in parts), edit.blend)
    for part in parts:
        assert part.blend[part.region].min() == 1 and (part.blend > 0).sum() > part.region.sum()


@pytest.mark.parametrize("corners", [[(10, 10), (10, 40)], [(200, 200)], [(10, 10), (20, 460)]])
def test_places_that_one_crop_holds_well_are_one(corners):
    """A second walk would cost more than the pixels between them."""
    edit, parts = divided(*corners)
    assert parts == [edit]


def test_an_inverted_edit_is_one_walk():
    edit, parts = divided((10, 10), (470, 480), invert=True)
    assert parts == [edit]


def test_a_canvas_smaller_than_the_context_is_one():
    """Even of few pixels."""
    region = boxes((16, 16), (2, 2), side=4)
    edit = an_edit(np.zeros((16, 16, 3), np.uint8), region)
    assert parts_of(edit, (16, 16), 8, 8) == [edit]


def test_a_sprinkle_of_pixels_is_quickly_divided():
    """Hundreds of places become few before they are compared."""
    rng = np.random.default_rng(0)
    _, parts = divided(*rng.integers(0, 500, (400, 2)).tolist(), side=2)
    assert 1 <= len(parts) <= MOST


@pytest.fixture
def engine(make_checkpoint):
    return Engine.open(make_checkpoint(latent=True), "cpu", "float32")


@pytest.fixture
def request_(engine, palette, monkeypatch):
    """An edit at both ends of a long canvas, where only pixels cost anything."""
    monkeypatch.setattr("core.parts.FIXED", 0)
    size = (64, 320)
    layout = Layout(np.ones(size, np.uint8), palette)
    region = boxes(size, (20, 10), (20, 290))
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    edit = an_edit(picture, region)
    assert len(parts_of(edit, size, 8, engine.info.multiple)) == 2
    return SampleRequest(layout, steps=3, seed=4, inpaint=edit, preview_every=1)


def test_parts_are_edits_one_after_the_other(engine, request_):
    """The events are those of one sample; the picture is that of both edits in turn."""
    *before, result = engine.sample(request_)
    assert isinstance(before[0], Started) and before[0].steps == 6
    assert [e.step for e in before[1:]] == [1, 2, 3, 4, 5, 6]
    assert isinstance(result, Result) and result.request.inpaint is request_.inpaint
    picture = request_.inpaint.picture
    for part in parts_of(request_.inpaint, (64, 320), 8, engine.info.multiple):
        single = replace(request_, inpaint=replace(part, picture=picture))
        *_, made = engine.sample(single)
        picture = made.image
    assert np.array_equal(result.image, picture)
    outside = request_.inpaint.blend == 0
    assert np.array_equal(result.image[outside], request_.inpaint.picture[outside])
    inside = request_.inpaint.region
    assert not np.array_equal(result.image[inside], request_.inpaint.picture[inside])


def test_a_moving_slider_can_be_played_again(engine, request_):
    """The scales of all steps are those of the parts, one after the other."""
    scales = iter([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    *_, moved = engine.sample(request_, lambda: next(scales))
    assert moved.request.scales == (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    *_, again = engine.sample(moved.request)
    assert np.array_equal(again.image, moved.image)


def test_states_go_on_from_part_to_part(engine, request_):
    """With the old picture's states the whole picture's come back, changed in both places."""
    *_, old = engine.sample(replace(request_, inpaint=None, keep_trajectory=True))
    edit = replace(request_.inpaint, picture=old.image, trajectory=old.trajectory)
    *_, new = engine.sample(replace(request_, seed=9, inpaint=edit, keep_trajectory=True))
    differs = (new.trajectory.x0[-1] != old.trajectory.x0[-1]).any(axis=(0, 1))
    assert differs[:4].any() and differs[-4:].any() and not differs[16:24].any()
