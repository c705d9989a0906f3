"""A fork walks on from a state of a picture; what a trajectory keeps can be looked at."""

import numpy as np
import pytest

from core.engine import Engine
from core.request import Layout, Result, SampleRequest, Start

STEPS = 6


@pytest.fixture(params=[False, True], ids=["pixels", "latents"])
def engine(request, make_checkpoint):
    """A tiny engine of either kind, in float32."""
    return Engine.open(make_checkpoint(latent=request.param), device="cpu", precision="float32")


@pytest.fixture
def plain(palette):
    """A request that keeps its states."""
    labels = np.zeros((32, 32), np.uint8)
    labels[:16] = 1
    return SampleRequest(
        Layout(labels, palette), steps=STEPS, seed=4, keep_trajectory=True, guidance_scale=2.0
    )


def made(engine, request, **fields):
    request = SampleRequest(**{**vars(request), **fields})
    [result] = (e for e in engine.sample(request) if isinstance(e, Result))
    return result


def forked(engine, result, place, **fields):
    trajectory = result.trajectory
    start = Start(trajectory.states[place], trajectory.timesteps[place])
    return made(engine, result.request, start=start, **fields)


def apart(one, other):
    """The mean difference of two pictures, in grey levels."""
    return float(np.abs(one.image.astype(int) - other.image).mean())


def test_the_last_prediction_is_the_picture(engine, plain):
    """What the scrubber shows at its end is what was made, to the rounding of float16."""
    result = made(engine, plain)
    picture = engine.picture_of(result.trajectory.x0[-1], result.request.layout)
    assert picture.dtype == np.uint8 and len(result.trajectory) == STEPS
    assert np.abs(picture.astype(int) - result.image).mean() < 0.5
    assert (
        np.abs(
            engine.picture_of(result.trajectory.x0[0], result.request.layout).astype(int)
            - result.image
        ).mean()
        > 5
    )


@pytest.mark.parametrize("sampler, eta", [("ddim", 0), ("ddim", 1), ("ddpm", 0)])
@pytest.mark.parametrize("place", [0, 3])
def test_a_fork_with_nothing_changed_is_the_same_picture(engine, plain, sampler, eta, place):
    """To the rounding of float16, half a grey level; also where noise is drawn at every step."""
    result = made(engine, plain, sampler=sampler, eta=eta)
    assert apart(forked(engine, result, place), result) < 0.5


def test_a_multistep_rule_begins_anew(engine, plain):
    """dpmpp_2m has no step before the fork to lean on: a little different, except at the ends."""
    result = made(engine, plain, sampler="dpmpp_2m")
    assert apart(forked(engine, result, 0), result) < 0.5
    assert apart(forked(engine, result, STEPS - 1), result) < 0.5
    assert apart(forked(engine, result, 3), result) > 0


def test_another_seed_is_another_picture_where_noise_is_drawn(engine, plain):
    """The same state, then other noise."""
    result = made(engine, plain, sampler="ddpm")
    assert apart(forked(engine, result, 2, seed=5), result) > 5


def test_without_noise_of_its_own_a_sampler_needs_some(engine, plain):
    """ddim from the same state is the same picture at any seed; from a prediction it is not."""
    result = made(engine, plain, sampler="ddim")
    assert apart(forked(engine, result, 2, seed=5), result) < 0.5
    x0, t = result.trajectory.x0[2], result.trajectory.timesteps[2]
    fresh = [made(engine, result.request, seed=s, start=Start(x0, t, clean=True)) for s in (4, 5)]
    assert apart(*fresh) > 5


def test_a_fork_takes_another_layout_and_guidance(engine, plain, palette):
    """From the same state, with what is asked for now."""
    result = made(engine, plain, sampler="ddim")
    other = Layout(np.full((32, 32), 2, np.uint8), palette)
    assert apart(forked(engine, result, 2, layout=other), result) > 2
    assert apart(forked(engine, result, 2, guidance_scale=5.0), result) > 2
