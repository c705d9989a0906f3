"""The encoder of guidance that comes with the landscape model: its words, and what they do."""

import numpy as np
import pytest
import torch

from core.engine import Engine
from core.guide import Guide
from core.labelmap import nearest_resize, read_labels
from core.request import Layout, Result, SampleRequest
from core.sample import DEFAULT_WEIGHTS
from core.sentences import packaged
from core.terms import GuidanceTerm
from core.words import UnknownWord, Vocabulary, read_words
from tests.test_readme import ROOT


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.open(DEFAULT_WEIGHTS, device="cpu")


@pytest.fixture(scope="module")
def layout(engine) -> Layout:
    """An example scene, small."""
    path = sorted((ROOT / "app" / "examples").glob("*.png"))[0]
    labels = nearest_resize(read_labels(path, engine.info.palette).labels, (128, 128))
    return Layout(labels, engine.info.palette)


def picture(engine: Engine, layout: Layout, *terms: GuidanceTerm) -> np.ndarray:
    request = SampleRequest(layout, steps=6, preview_every=0, terms=terms)
    return next(e.image for e in engine.sample(request) if isinstance(e, Result))


def test_it_knows_the_bundled_words(engine):
    """The file's own vocabulary is that of core/words.toml."""
    assert engine.info.vocabulary == Vocabulary.from_dict(read_words())
    assert engine.info.guidance


def test_opposite_words_are_far_apart(engine):
    """Synonyms are one; what excludes each other is not alike."""
    text = engine.guide.text
    assert torch.equal(text("dusk"), text("sunset"))
    assert float((text("sunny") * text("not sunny")).sum()) == pytest.approx(-1, abs=1e-4)
    alike = float((text("snow") * text("ice")).sum())
    assert alike > float((text("snow") * text("warm")).sum()) + 0.3


@pytest.mark.skipif(packaged() is None, reason="the extra [text] is not installed")
def test_sentences_mean_what_they_say(engine):
    """Words that are in no list: each sentence is nearer to what it says."""
    text = engine.guide.text
    for sentence, word, other in (
        ("the sun goes down behind the ridge", "sunset", "snow"),
        ("a blizzard buries everything", "snow", "sunny"),
        ("scorched ground that has seen no rain for months", "dry", "lush"),
    ):
        said = text(sentence)
        assert float((said * text(word)).sum()) > float((said * text(other)).sum()) + 0.1, sentence


def test_without_the_extra_the_bundled_file_says_so(engine):
    """Its phrases are there; the sentence encoder is what is missing."""
    alone = Guide(engine.guide.encoder, engine.info.vocabulary, 1000)
    with pytest.raises(UnknownWord, match="Free sentences need the extra"):
        alone.text("a blizzard")


def test_words_do_what_they_say(engine, layout):
    """Night is darker, golden light is warmer; the layout's places keep their labels."""
    plain = picture(engine, layout).astype(float)
    night = picture(engine, layout, GuidanceTerm("text", text="night")).astype(float)
    golden = picture(engine, layout, GuidanceTerm("text", text="golden sunset")).astype(float)
    assert night.mean() < plain.mean() - 10
    warmth = [p[..., 0].mean() - p[..., 2].mean() for p in (plain, golden)]
    assert warmth[1] > warmth[0] + 15


def test_a_reference_is_followed(engine, layout):
    """A dark red picture as the colours of another."""
    reference = np.full((64, 64, 3), (120, 20, 10), np.uint8)
    made = picture(engine, layout, GuidanceTerm("colours", reference=reference)).astype(float)
    assert made[..., 0].mean() > made[..., 2].mean() + 40
