"""What a request may say of a picture that is there: frozen, checked, in the recipe."""

import json

import numpy as np
import pytest

from core.request import Inpaint, Layout, RequestError, SampleRequest, Start, Trajectory

PICTURE = np.zeros((8, 12, 3), np.uint8)
REGION = np.eye(8, 12, dtype=bool)
BLEND = REGION.astype(np.float32)
STATES = np.zeros((2, 4, 1, 2), np.float32)


def test_the_arrays_are_frozen_copies():
    """Painting on goes on while the request waits."""
    picture, region = PICTURE.copy(), REGION.copy()
    edit = Inpaint(picture, region, BLEND)
    picture[:], region[:] = 9, False
    assert edit.picture.max() == 0 and edit.region.sum() == 8 and edit.size == (8, 12)
    with pytest.raises(ValueError, match="read-only"):
        edit.blend[0, 0] = 1
    assert Inpaint(edit.picture, edit.region, edit.blend).picture is edit.picture  # no second copy


def test_a_trajectory_is_kept_in_half_precision():
    """Some megabytes a picture, in numpy."""
    kept = Trajectory((900, 20), STATES, STATES)
    assert kept.states.dtype == kept.x0.dtype == np.float16 and len(kept) == 2


@pytest.mark.parametrize(
    "fields, says",
    [
        (dict(strength=0.0), "strength 0.0"),
        (dict(strength=1.5), "strength 1.5"),
        (dict(resample=0), "resample 0"),
        (dict(region=np.zeros((8, 12), bool)), "region to repaint is empty"),
        (dict(region=np.ones((8, 8), bool)), "region.*bool"),
        (dict(blend=BLEND.astype(np.float64)), "blend.*float32.*float64"),
        (dict(blend=BLEND * 2), r"\[0, 1\]"),
        (dict(blend=BLEND * np.nan), r"\[0, 1\]"),
        (dict(picture=PICTURE[..., 0]), r"uint8 \[H, W, 3\]"),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused(fields, says):
    """The value and what it may be are named."""
    with pytest.raises(RequestError, match=says):
        Inpaint(**{"picture": PICTURE, "region": REGION, "blend": BLEND, **fields})


@pytest.mark.parametrize("times", [(), (900,), (20, 900), (900, -1)])
def test_a_trajectory_falls(times):
    """One state for each timestep, from noisy to clean."""
    with pytest.raises(RequestError, match="falling timesteps"):
        Trajectory(times, STATES, STATES)


def test_a_start_is_one_state():
    """Not a batch, and not the clean picture."""
    for x, t in ((STATES, 5), (STATES[0], -1)):
        with pytest.raises(RequestError, match="one state"):
            Start(x, t)


def test_the_recipe_tells_of_the_edit_without_its_arrays(palette):
    """It is JSON, and a plain picture's has no word of edits."""
    layout = Layout(np.zeros((8, 12), np.uint8), palette)
    edit = Inpaint(PICTURE, REGION, BLEND, strength=0.5, invert=True)
    recipe = json.loads(json.dumps(SampleRequest(layout, inpaint=edit).recipe()))
    assert recipe["inpaint"] == {
        "strength": 0.5,
        "resample": 1,
        "known": "inverted",
        "share": round(8 / 96, 4),
    }
    forked = SampleRequest(layout, start=Start(STATES[0], 40)).recipe()
    assert forked["start"] == {"t": 40, "clean": False}
    assert not {"inpaint", "start"} & set(SampleRequest(layout).recipe())


def test_a_fork_may_be_an_edit_too(palette):
    """It walks on from a state, and keeps what is not in the region; the recipe tells both."""
    layout = Layout(np.zeros((8, 12), np.uint8), palette)
    edit, start = Inpaint(PICTURE, REGION, BLEND), Start(STATES[0], 40)
    assert SampleRequest(layout, inpaint=edit, start=start).recipe().keys() >= {"inpaint", "start"}
