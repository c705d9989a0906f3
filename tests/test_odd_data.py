"""Plain data of any shape, made and shrunk by hypothesis: what files hold may be anything."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.guiding.plain import from_plain as terms_from_plain
from app.guiding.plain import from_recipe
from app.label_controls import MAX_FACTOR, MIN_STRENGTH
from app.label_controls import from_plain as controls_from_plain
from app.record import Record
from app.restoring import request_of, settings_of
from app.scene_file import _settings
from app.settings import GenerateSettings
from core.errors import InputError
from core.model.spec import ModelSpec
from core.palette import Palette
from core.request import Layout
from core.style import Painted, StyleChoice
from core.words import Vocabulary
from tests.fuzz import seeds
from tests.fuzz.guard import sentence_fault

quick = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is no fault of the data
)

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", "nan", "../x", "ground", 2**63, -1, 0, 1e308]),
)
ANYTHING = st.recursive(
    ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def like(plain):
    """Plain data of a given shape, in which some parts are anything."""
    if isinstance(plain, dict):
        parts = {key: like(value) | ANYTHING for key, value in plain.items()}
        return st.fixed_dictionaries({}, optional=parts) | st.fixed_dictionaries(parts)
    if isinstance(plain, list | tuple) and plain:
        return st.lists(like(plain[0]) | ANYTHING, max_size=4)
    return st.just(plain)


def refused_well(read):
    """Call `read`; a refusal must be a sentence. Returns what it gave, or None."""
    try:
        return read()
    except InputError as error:
        assert sentence_fault(str(error), "") == ""
        return None


@quick
@given(like(seeds.palette().to_dict()) | ANYTHING)
def test_a_palette_is_whole_or_refused(data):
    """What is taken can be written down and read again."""
    found = refused_well(lambda: Palette.from_dict(data))
    if found is not None:
        assert Palette.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@quick
@given(like(ModelSpec(**seeds.FIELDS).to_dict()))
def test_a_spec_is_whole_or_refused(data):
    """Its numbers are numbers, and no picture of it is without a pixel."""
    try:
        found = refused_well(lambda: ModelSpec.from_dict(data))
    except (TypeError, AttributeError):  # what a header's reader turns into its own error
        return
    assert found is None or (min(found.picture_size) > 0 and found.multiple > 0)


RECIPE = {
    **seeds.request().recipe("tiny"),
    "painted": {"strength": 0.5, "style": {"seed": 3, "values": [0.5], "painter": "p"}},
    "label_controls": {"ground": {"locked": True, "guidance": 2.0}},
    "terms": [{"kind": "text", "weight": [1.0, 2.0], "text": "fog", "labels": ["ground"]}],
    "guidance_scale": [1.0, 2.0],
}


@quick
@given(like(RECIPE))
def test_a_recipe_gives_usable_settings_or_none(recipe):
    """Whatever a picture's metadata say."""
    found = settings_of(recipe, GenerateSettings())
    assert found == found.checked() and type(found.steps) is int and type(found.seed) is int
    from_recipe(recipe, ())


@quick
@given(like(RECIPE))
def test_a_recipe_gives_a_usable_request_or_none(recipe):
    """One that can be sampled, and written down again."""
    layout = Layout(seeds.labels(), seeds.palette())
    found = request_of(recipe, layout)
    if found is not None:
        json.dumps(found.recipe("tiny"))
        assert all(type(side) is int and side > 0 for side in found.size)
        assert type(found.seed) is int and isinstance(found.steps, int | str)
        assert all(np.isfinite(scale) for scale in found.scales)


def test_numbers_of_a_recipe_are_numbers():
    """Found by chance: False passed for a seed, and nothing for a side."""
    layout = Layout(seeds.labels(), seeds.palette())
    assert request_of(RECIPE, layout) is not None
    assert request_of(RECIPE | {"finish": True}, layout).finish
    assert not request_of(RECIPE | {"finish": "yes"}, layout).finish
    for odd in ({"seed": False}, {"height": None}, {"width": "16"}, {"guidance_scale": []}):
        assert request_of({**RECIPE, **odd}, layout) is None


PLAIN_SETTINGS = {"steps": 5, "sampler": "ddim", "guidance_scale": 2.0, "seed": 4}
PLAIN_SETTINGS |= {"seed_locked": True, "style": {"seed": 3}, "instant_strength": 0.5}


@quick
@given(like(PLAIN_SETTINGS))
def test_settings_of_a_project_are_usable(plain):
    """What is of no use stays as it was."""
    found = _settings(plain, GenerateSettings())
    assert found == found.checked()


@quick
@given(like({"ground": {"locked": True, "strength": 0.5, "guidance": 2.0, "seed": 3}}) | ANYTHING)
def test_label_controls_are_usable(plain):
    """Every control is within its bounds."""
    for control in controls_from_plain(plain).values():
        assert MIN_STRENGTH <= control.strength <= 1 and 0 <= control.guidance <= MAX_FACTOR


@quick
@given(like(RECIPE["painted"]) | ANYTHING)
def test_a_style_is_usable(plain):
    """It can be written down and read again."""
    style, painted = StyleChoice.from_plain(plain), Painted.from_plain(plain)
    assert StyleChoice.from_plain(json.loads(json.dumps(style.plain))) == style
    assert painted is None or 0 <= painted.strength <= 1


@quick
@given(like(RECIPE["terms"]) | ANYTHING)
def test_terms_are_usable(rows):
    """Those of words; a picture that is not there is a `ValueError`, which a project tells of."""

    def missing(name):
        raise ValueError("its file is missing")

    try:
        found = terms_from_plain(rows, missing)
    except ValueError:
        return
    assert all(np.isfinite(term.weight) for term in found)


PLAIN_RECORD = {"id": "0" * 32, "made": "2026-01-01 10:00:00", "seconds": 0.5, "recipe": RECIPE}
PLAIN_RECORD |= {"layout": "1" * 32, "palette": "2" * 32, "labels": [0, 1], "size": 10}


@quick
@given(like(PLAIN_RECORD) | ANYTHING)
def test_a_record_is_whole_or_refused(data):
    """Its caption can be shown and its files' names are none that lead elsewhere."""
    try:
        found = Record.from_dict(data)
    except ValueError:
        return
    assert found.caption and all("." not in name.split("/")[0] for name in found.files)


@quick
@given(st.text(max_size=400) | st.lists(st.sampled_from("a no fog, ; night very".split())))
def test_a_prompt_is_read_or_refused(text):
    """Any script, any length; the rest of what the window asks of it, too."""
    said = text if isinstance(text, str) else " ".join(text)
    vocabulary = seeds.vocabulary()
    refused_well(lambda: vocabulary.read(said))
    vocabulary.unknown(said), vocabulary.complete(said)


@quick
@given(like(seeds.vocabulary().to_dict()) | ANYTHING)
def test_a_vocabulary_is_whole_or_refused(data):
    """As a checkpoint's header has it."""
    refused_well(lambda: Vocabulary.from_dict(data))


def test_odd_data_does_reach_the_readers():
    """The strategies make good data as well as bad: else nothing behind the door is looked at."""
    taken = []

    @settings(max_examples=200, deadline=None, database=None, derandomize=True)
    @given(like(PLAIN_SETTINGS))
    def look(plain):
        taken.append(_settings(plain, GenerateSettings()).sampler == "ddim")

    look()
    assert any(taken) and not all(taken)
    with pytest.raises(InputError):
        Palette.from_dict({"classes": []})
