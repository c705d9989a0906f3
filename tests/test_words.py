"""Sentences become weights of concepts; what is not known is named, with neighbours."""

import pytest

from core.errors import InputError
from core.palette import Palette
from core.words import UnknownWord, Vocabulary, Word, read_words


@pytest.fixture(scope="module")
def words() -> Vocabulary:
    """The bundled vocabulary."""
    return Vocabulary.from_dict(read_words())


@pytest.mark.parametrize(
    "text, weights",
    [
        ("sunset", {"sunset": 1}),
        ("Dusk", {"sunset": 1}),
        ("the mountains at dusk", {"mountain": 1, "sunset": 1}),
        ("golden hour", {"golden": 1}),
        ("not foggy", {"foggy": -1}),
        ("without snow", {"snow": -1}),
        ("no people", {"people": -1}),
        ("not foggy and warm", {"foggy": -1, "warm": 1}),
        ("without snow and ice", {"snow": -1, "ice": -1}),
        ("no snow or ice, sunny", {"snow": -1, "ice": -1, "sunny": 1}),
        ("very foggy, slightly warm", {"foggy": 1.5, "warm": 0.5}),
        ("sunsets over valleys", {"sunset": 1, "valley": 1}),
        ("not stormy", {"dark": -1, "dramatic": -0.8, "clouds": -0.6, "waves": -0.5}),
    ],
)
def test_what_a_text_asks_for(words, text, weights):
    """Synonyms, several words, negation and degrees."""
    found = words.read(text)
    assert {name: found[name] for name in weights} == pytest.approx(weights)
    assert len(found) == len(weights) or text == "not stormy"


def test_the_bundled_vocabulary_is_large_and_sorted(words):
    """At least a hundred words, each of one of six groups."""
    assert len(words.spellings) > 400 and len(words.concepts) >= 70
    assert set(words.groups()) == {"light", "weather", "season", "place", "thing", "mood"}
    assert "winter" in words.groups()["season"]


def test_every_label_of_the_file_is_one_of_the_landscape_palette():
    """A slip in the file would be evidence that never comes."""
    palette = Palette.load("landscape")
    named = {k for c in read_words()["concepts"].values() for k in c.get("labels", {})}
    assert named and named <= {label.name for label in palette.classes}


def test_an_unknown_word_is_named_with_neighbours(words):
    """Never a guess: the window offers what is near."""
    with pytest.raises(UnknownWord, match="'foggi' is not known.*Near it: foggy") as caught:
        words.read("a foggi valley")
    assert caught.value.word == "foggi" and caught.value.near[0] == "foggy"
    assert [e.word for e in words.unknown("a foggi valley with dinosaurs")] == [
        "foggi",
        "dinosaurs",
    ]
    assert words.unknown("a foggy valley") == ()


@pytest.mark.parametrize("text", ["", "  ,", "the", "snow, no snow"])
def test_a_text_that_asks_for_nothing_is_refused(words, text):
    """The sentence says what one could write."""
    with pytest.raises(InputError, match="asks for nothing"):
        words.read(text)


def test_a_text_has_a_limit(words):
    """A novel pasted by mistake is refused before it is parsed."""
    with pytest.raises(InputError, match="300 can be read"):
        words.read("snow " * 100)


def test_completion_offers_names_first(words):
    """What begins so; nothing for nothing."""
    assert words.complete("sn")[:2] == ("snow", "snowfield")
    assert words.complete("golden h") == ("golden hour",)
    assert words.complete("") == () and words.complete("qq") == ()


def test_a_vocabulary_goes_through_plain_data(words):
    """As in a checkpoint's header; the evidence is not needed any more."""
    assert Vocabulary.from_dict(words.to_dict()) == words


def test_two_meanings_of_one_spelling_are_refused():
    """One sentence says which."""
    fog, mist = Word("fog", "weather", ("mist",)), Word("mist", "weather")
    with pytest.raises(InputError, match="'mist' stands for both 'fog' and 'mist'"):
        Vocabulary((fog, mist))
    with pytest.raises(InputError, match="is of 'hail', which is no concept"):
        Vocabulary((fog,), (Word("storm", "weather", of={"hail": 1.0}),))


def test_a_file_that_is_no_vocabulary_is_refused(tmp_path):
    """Named, with what is wrong in it."""
    (tmp_path / "words.toml").write_text("[concepts.fog\n")
    with pytest.raises(InputError, match="words.toml cannot be read as a vocabulary"):
        read_words(tmp_path / "words.toml")
    with pytest.raises(InputError, match="cannot be read: 'group'"):
        Vocabulary.from_dict({"concepts": {"fog": {}}})
