"""Weights that move while a picture is made: what acts, and what the picture tells of it."""

from dataclasses import replace

import numpy as np
import pytest

from core.engine import Engine
from core.errors import InputError
from core.request import Layout, Result, SampleRequest
from core.term_weights import TermWeights, joined, part_of
from core.terms import GuidanceTerm

REFERENCE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
COLOURS = GuidanceTerm("colours", 1.0, reference=REFERENCE)


@pytest.fixture
def engine(make_checkpoint):
    return Engine.open(make_checkpoint(latent=True), device="cpu", precision="float32")


def result(engine, palette, *terms, live=None) -> Result:
    layout = Layout(np.zeros((64, 64), np.uint8), palette)
    asked = SampleRequest(layout, steps=4, guidance_scale=1.0, preview_every=0, terms=terms)
    (made,) = (e for e in engine.sample(asked, None, live) if isinstance(e, Result))
    return made


def test_a_weight_acts_from_the_next_step_and_is_remembered(engine, palette):
    """The request of the result makes exactly that picture again."""
    weights = iter([(0.0,), (0.0,), (1.0,), (1.0,)])
    moved = result(engine, palette, COLOURS, live=lambda: next(weights))
    assert moved.request.terms[0].weight == (0.0, 0.0, 1.0, 1.0)
    assert moved.request.recipe()["terms"][0]["weight"] == (0.0, 0.0, 1.0, 1.0)
    again = result(engine, palette, *moved.request.terms)
    np.testing.assert_array_equal(again.image, moved.image)
    still = result(engine, palette, COLOURS)
    assert still.request.terms == (COLOURS,) and (still.image != moved.image).any()


def test_a_term_at_rest_may_come_to_life(engine, palette):
    """Weight 0 at the start is not left out while a slider may move it; unmoved it does nothing."""
    off, plain = replace(COLOURS, weight=0.0), result(engine, palette)
    unmoved = result(engine, palette, off, live=lambda: (0.0,))
    np.testing.assert_array_equal(unmoved.image, plain.image)
    assert unmoved.request.terms[0].weight == 0.0
    raised = result(engine, palette, off, live=lambda: (1.0,))
    assert (raised.image != plain.image).any() and raised.request.terms[0].weight == 1.0


def test_before_the_first_step_a_weight_is_the_first():
    """A constraint may act before anything was denoised."""
    weights = TermWeights((replace(COLOURS, weight=(0.5, 1.0)),))
    assert weights.of(0) == 0.5
    step = weights.following(lambda x, t: None)
    seen = [(step(None, t), weights.of(0))[1] for t in (9, 6, 3)]
    assert seen == [0.5, 1.0, 1.0] and weights.told() == weights.terms


def test_weights_of_parts_are_those_of_the_whole():
    """Cut for each part's steps, and put together again."""
    moved, still = replace(COLOURS, weight=(0.0, 0.5, 1.0)), COLOURS
    parts = [part_of((moved, still), before, count, 3) for before, count in ((0, 1), (1, 2))]
    assert [[t.weight for t in part] for part in parts] == [[0.0, 1.0], [(0.5, 1.0), 1.0]]
    whole = joined(list(zip(parts, (1, 2))))
    assert [t.weight for t in whole] == [(0.0, 0.5, 1.0), 1.0]


@pytest.mark.parametrize("weight", [(), (1.0, 11.0), (float("nan"),)])
def test_every_weight_is_checked(weight):
    with pytest.raises(InputError, match="of guidance by colours cannot be used"):
        replace(COLOURS, weight=weight)
