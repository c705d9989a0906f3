"""Guidance terms through the whole engine: checked, followed, masked, and remembered."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.checkpoint import Checkpoint, CheckpointError
from core.crop import Crop
from core.engine import Engine
from core.errors import InputError
from core.guidance import TERMS as KINDS
from core.guide import Guide, Terms, filling, guide_path
from core.labelmap import Box
from core.model.scene_encoder import SceneEncoder
from core.model.spec import SceneEncoderSpec
from core.palette import Palette
from core.request import Inpaint, Layout, RequestError, Result, SampleRequest
from core.terms import GuidanceTerm
from core.words import Vocabulary, Word
from tests.conftest import randomised

VOCABULARY = Vocabulary((Word("fog", "weather", ("mist",)), Word("sun", "weather")))
SHAPE = dict(widths=(8, 12), blocks=(1, 1), embedding=6, words=2)
REFERENCE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


@pytest.fixture
def make_guide(tmp_path, palette):
    """`make_guide(in_channels, vocabulary, tints)`: the file of an encoder beside
    tiny.safetensors."""

    def make(in_channels: int = 4, vocabulary: Vocabulary | None = VOCABULARY, tints: int = 0):
        words = len(vocabulary.concepts) if vocabulary else 0
        patch = 1 if in_channels > 3 else 4
        shape = {**SHAPE, "words": words, "patch": patch, "tints": tints}
        spec = SceneEncoderSpec(in_channels, **shape)
        encoder = randomised(SceneEncoder(spec))
        path = guide_path(tmp_path / "tiny.safetensors")
        header = Checkpoint(palette, guidance=spec, vocabulary=vocabulary)
        header.save(path, {"guidance": encoder.state_dict()}, torch.float32)
        return path

    return make


@pytest.fixture
def engine(make_checkpoint, make_guide):
    """A tiny latent engine with an encoder of guidance."""
    make_guide()
    return Engine.open(make_checkpoint(latent=True), device="cpu", precision="float32")


def request(palette, *terms, **settings) -> SampleRequest:
    labels = np.zeros((64, 64), np.uint8)
    labels[:32] = 1
    settings = {"steps": 4, "guidance_scale": 1.0, "preview_every": 0} | settings
    return SampleRequest(Layout(labels, palette), terms=terms, **settings)


def pictures(engine, asked) -> list[np.ndarray]:
    return [event.image for event in engine.sample(asked) if isinstance(event, Result)]


TERMS = {
    "text": GuidanceTerm("text", 3.0, "mist, no sun"),
    "content": GuidanceTerm("content", 3.0, reference=REFERENCE),
    "structure": GuidanceTerm("content", 3.0, reference=REFERENCE, spatial=True),
    "style": GuidanceTerm("style", 3.0, reference=REFERENCE),
    "colours": GuidanceTerm("colours", 1.0, reference=REFERENCE),
}


def test_an_engine_tells_what_it_understands(engine, make_checkpoint):
    """Words where there is an encoder beside the model; nothing without it."""
    assert engine.info.guidance and engine.info.vocabulary == VOCABULARY
    alone = Engine.open(make_checkpoint(latent=True, name="alone.safetensors"), device="cpu")
    assert not alone.info.guidance and alone.info.vocabulary is None


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "ddim", "ddpm"])
@pytest.mark.parametrize("kind", TERMS)
def test_every_term_changes_the_picture_with_every_sampler(engine, palette, kind, sampler):
    """And weight 0 is the picture without it, bit for bit."""
    settings = {"sampler": sampler, "steps": 3}
    (plain,) = pictures(engine, request(palette, **settings))
    (pulled,) = pictures(engine, request(palette, TERMS[kind], **settings))
    assert (plain != pulled).mean() > 0.02
    off = replace(TERMS[kind], weight=0.0)
    (same,) = pictures(engine, request(palette, off, **settings))
    np.testing.assert_array_equal(same, plain)


def test_a_guided_picture_does_not_depend_on_its_batch(engine, palette):
    """Seed 1 alone is seed 1 of two."""
    terms = (TERMS["text"], TERMS["style"], TERMS["colours"])
    both = pictures(engine, request(palette, *terms, count=2, guidance_scale=1.5))
    (second,) = pictures(engine, request(palette, *terms, seed=1, guidance_scale=1.5))
    np.testing.assert_array_equal(both[1], second)


@pytest.mark.parametrize("kind", ["text", "colours"])
def test_a_picture_in_pixels_is_guided_too(make_checkpoint, make_guide, palette, kind):
    """The encoder reads whatever x is."""
    make_guide(in_channels=3)
    engine = Engine.open(make_checkpoint(), device="cpu", precision="float32")
    plain, pulled = (pictures(engine, request(palette, *t))[0] for t in ((), (TERMS[kind],)))
    assert (plain != pulled).mean() > 0.02


def test_the_paper_s_rule_is_another(engine, palette):
    """The raw gradient, with weights of its own scale."""
    term = replace(TERMS["text"], weight=0.01)
    for sampler in ("ddpm", "ddim"):
        even, paper = (
            pictures(engine, request(palette, term, sampler=sampler, term_rule=rule))[0]
            for rule in ("even", "paper")
        )
        assert (even != paper).any()


def test_a_label_s_term_acts_in_its_label(engine, palette):
    """A latent pixel half under the label gets half of it; an edit's region is the limit."""
    asked = request(palette)
    crop = Crop.whole((64, 64), 8)
    terms = Terms(asked, engine.guide, engine.schedule, crop, engine.encode, 1)
    assert terms.mask(GuidanceTerm("text", text="fog"), engine.device) is None
    mask = terms.mask(GuidanceTerm("text", text="fog", labels=(1,)), engine.device)
    assert mask.shape == (1, 1, 8, 8)
    assert float(mask[0, 0, :4].min()) == 1 and float(mask[0, 0, 4:].max()) == 0
    region = np.zeros((64, 64), bool)
    region[:, :32] = True
    edit = Inpaint(np.zeros((64, 64, 3), np.uint8), region, region.astype(np.float32))
    asked = request(palette, inpaint=edit)
    terms = Terms(asked, engine.guide, engine.schedule, crop, engine.encode, 1)
    mask = terms.mask(GuidanceTerm("text", text="fog", labels=(1,)), engine.device)
    assert float(mask.sum()) == 16 and float(mask[0, 0, :4, :4].min()) == 1


def test_a_word_changes_each_label_in_its_own_way(make_checkpoint, make_guide, palette):
    """As far as a place is covered by it, in a crop as in the whole; not with other labels."""
    make_guide(tints=len(palette))
    engine = Engine.open(make_checkpoint(latent=True), device="cpu", precision="float32")
    fog = GuidanceTerm("text", text="fog")
    asked = request(palette, fog)
    terms = Terms(asked, engine.guide, engine.schedule, Crop.whole((64, 64), 8), engine.encode, 1)
    found = terms._pull(fog)
    changes = engine.guide.tint(engine.guide.text("fog"), palette)
    assert found.kind.tint > 0 and found.tint.shape == (1, 4, 8, 8)
    for rows, label in ((slice(4), 1), (slice(4, 8), 0)):
        wanted = changes[label, :, None, None].expand(4, 4, 8)
        torch.testing.assert_close(found.tint[0, :, rows], wanted)
    crop = Crop((64, 64), Box(16, 24, 32, 32), 8)
    part = Terms(asked, engine.guide, engine.schedule, crop, engine.encode, 1)._pull(fog)
    torch.testing.assert_close(part.tint, found.tint[..., 3:7, 2:6])
    assert engine.guide.tint(engine.guide.text("fog"), Palette.load("landscape")) is None


def test_words_of_an_encoder_without_tints_pull_alone(engine, palette):
    """Files of older versions: the gradient alone, and farther."""
    crop = Crop.whole((64, 64), 8)
    fog = GuidanceTerm("text", text="fog")
    terms = Terms(request(palette, fog), engine.guide, engine.schedule, crop, engine.encode, 1)
    found = terms._pull(fog)
    assert found.tint is None and found.kind == KINDS["text"]
    assert found.kind.stride > KINDS["tinted"].stride


@pytest.mark.parametrize("kind", TERMS)
def test_an_edit_follows_terms_inside_its_region_only(engine, palette, kind):
    """What must stay is bit-identical; what is made anew differs from the edit without the term."""
    (old,) = pictures(engine, request(palette))
    region = np.zeros((64, 64), bool)
    region[16:48, 16:48] = True
    edit = Inpaint(old, region, region.astype(np.float32))
    plain, pulled = (
        pictures(engine, request(palette, *terms, seed=2, inpaint=edit))[0]
        for terms in ((), (TERMS[kind],))
    )
    np.testing.assert_array_equal(pulled[~region], old[~region])
    assert (plain[region] != pulled[region]).mean() > 0.02


def test_a_guided_picture_is_not_recombined(engine, palette):
    """The tape does not know the terms: the slider samples anew instead."""
    asked = request(palette, TERMS["text"], guidance_scale=2.0)
    (result,) = (e for e in engine.sample(asked) if isinstance(e, Result))
    assert engine.recombine(result.request, 1.5) is None


# -- what cannot be followed ----------------------------------------------------------------------


def test_what_an_engine_cannot_follow_is_said_before_the_first_event(
    engine, make_checkpoint, palette
):
    """An unknown word with its neighbours; an encoder that is not there."""
    with pytest.raises(InputError, match="'misty' is not known.*Near it: mist"):
        engine.sample(request(palette, GuidanceTerm("text", text="misty")))
    alone = Engine.open(make_checkpoint(latent=True, name="alone.safetensors"), device="cpu")
    with pytest.raises(RequestError, match="alone has no encoder of guidance by style"):
        alone.sample(request(palette, TERMS["style"]))
    assert pictures(alone, request(palette, TERMS["colours"]))


def test_an_encoder_without_words_takes_references_alone(make_checkpoint, make_guide, palette):
    """Trained without captions."""
    make_guide(vocabulary=None)
    engine = Engine.open(make_checkpoint(latent=True), device="cpu", precision="float32")
    assert engine.info.guidance and engine.info.vocabulary is None
    with pytest.raises(RequestError, match="learned no words"):
        engine.sample(request(palette, TERMS["text"]))
    assert pictures(engine, request(palette, TERMS["content"]))


def test_an_encoder_of_other_latents_is_refused(make_guide):
    """It would read noise."""
    with pytest.raises(CheckpointError, match="reads 4 channels, but the model has 8"):
        Guide.open(make_guide(), 8)


def test_an_encoder_is_no_model(make_guide):
    """It says what it is instead."""
    with pytest.raises(CheckpointError, match="holds an encoder of guidance alone"):
        Engine.open(make_guide())


@pytest.mark.parametrize(
    "fields, sentence",
    [
        (dict(kind="sound"), "no guidance by 'sound'"),
        (dict(kind="text", text=" "), "needs some words"),
        (dict(kind="text", text="fog", weight=11), "weight 11 of guidance by text"),
        (dict(kind="text", text="fog", weight=float("nan")), "weight nan"),
        (dict(kind="style"), "needs a reference picture"),
        (dict(kind="style", reference=np.zeros((4, 4), np.uint8)), "uint8 .H, W, 3."),
        (dict(kind="colours", reference=REFERENCE, coarse=0), "coarseness 0"),
    ],
)
def test_a_term_that_cannot_be_is_refused(fields, sentence):
    """One sentence each."""
    with pytest.raises(RequestError, match=sentence):
        GuidanceTerm(**fields)


def test_a_term_of_a_label_that_is_not_there_is_refused(palette):
    """Named by its number."""
    with pytest.raises(RequestError, match="acts on label 9, but palette 'tiny' ends at 2"):
        request(palette, GuidanceTerm("text", text="fog", labels=(9,)))


def test_terms_are_in_the_recipe(palette):
    """By names, without pixels."""
    asked = request(
        palette,
        GuidanceTerm("text", 2.0, "fog", labels=(1,)),
        GuidanceTerm("colours", reference=REFERENCE, name="dune.jpg"),
    )
    assert asked.recipe()["terms"] == [
        {"kind": "text", "weight": 2.0, "text": "fog", "labels": ["sky"]},
        {"kind": "colours", "weight": 1.0, "reference": "dune.jpg", "coarse": 32},
    ]
    assert "terms" not in request(palette).recipe()


def test_a_reference_fills_the_canvas():
    """Its middle in the canvas' proportions; nothing is stretched."""
    picture = np.zeros((40, 100, 3), np.uint8)
    picture[:, 30:70] = 200
    assert filling(picture, (80, 80)).min() == 200
    assert filling(picture, (20, 50)).shape == (20, 50, 3)
