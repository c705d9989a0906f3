"""Free sentences: word pieces, a network of BERT's kind, and what a guide makes of them."""

import json
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.checkpoint import Checkpoint
from core.errors import InputError
from core.guide import Guide
from core.kept_encoding import KeptEncoding
from core.model.scene_encoder import SceneEncoder
from core.model.spec import SceneEncoderSpec
from core.phrases import Phrases, scene_shares, spoken
from core.sentences import PARTS, Bert, SentenceReader, Shape, clauses, packaged
from core.train import main
from core.word_pieces import WordPieces, plain_words
from core.words import UnknownWord, Vocabulary, Word
from tests.conftest import randomised

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "fog", "##gy", "a", "lake", ",", "##s", "日", "cafe"]
NUMBERS = {piece: number for number, piece in enumerate(PIECES)}
SHAPE = {
    "vocab_size": len(PIECES),
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "hidden_act": "gelu",
}


@pytest.fixture
def folder(tmp_path):
    """A tiny sentence encoder with random weights, as its kind is published."""
    torch.manual_seed(3)
    place = tmp_path / "sentences"
    place.mkdir()
    config = {k: v for k, v in SHAPE.items() if k in Shape.__dataclass_fields__}
    network = randomised(Bert(Shape(**config)))
    (place / "config.json").write_text(json.dumps(SHAPE))
    (place / "tokenizer.json").write_text(json.dumps({"model": {"vocab": NUMBERS}}))
    extra = {"pooler.dense.weight": torch.zeros(8, 8)}  # of the published files; not used
    save_file(network.state_dict() | extra, place / "model.safetensors")
    return place


def test_words_come_apart_into_pieces():
    """The longest first; accents and capitals are nothing; marks and ideographs stand alone."""
    pieces = WordPieces(NUMBERS)
    assert pieces("Foggy LAKES, a café", 99) == [2, 4, 5, 7, 9, 8, 6, 11, 3]
    assert pieces("日日 snow", 99) == [2, 10, 10, 1, 3]
    assert pieces("a a a a a", 4) == [2, 6, 6, 3]
    assert list(plain_words("it's\tdusk—now\x00")) == ["it", "'", "s", "dusk", "—", "now"]


def test_the_network_is_bert(folder):
    """The same numbers as torch's own encoder layers with the same weights."""
    reader = SentenceReader(folder)
    found = reader(["a foggy lake"])
    bert, _ = reader._opened
    x = torch.tensor([[2, 6, 4, 5, 7, 3]])
    own = bert.embeddings
    x = own.word_embeddings(x) + own.position_embeddings.weight[:6]
    x = x + own.token_type_embeddings.weight[0]
    x = own.LayerNorm(x)
    for layer in bert.encoder["layer"]:
        theirs = torch.nn.TransformerEncoderLayer(8, 2, 12, 0.0, "gelu", 1e-12, batch_first=True)
        theirs.load_state_dict(renamed(layer.state_dict()))
        x = theirs.eval()(x)
    wanted = torch.nn.functional.normalize(x.mean(1))
    torch.testing.assert_close(found, wanted.detach(), atol=1e-5, rtol=0)


def renamed(own: dict) -> dict:
    """The weights of a layer under torch's names."""
    found = {}
    for kind in ("weight", "bias"):
        parts = [own[f"attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
        found[f"self_attn.in_proj_{kind}"] = torch.cat(parts)
        for theirs, mine in {
            "self_attn.out_proj": "attention.output.dense",
            "norm1": "attention.output.LayerNorm",
            "linear1": "intermediate.dense",
            "linear2": "output.dense",
            "norm2": "output.LayerNorm",
        }.items():
            found[f"{theirs}.{kind}"] = own[f"{mine}.{kind}"]
    return found


def test_a_zip_file_is_read_as_its_folder(folder, tmp_path):
    """And what is no sentence encoder is named."""
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name in PARTS:
            file.write(folder / name, name)
    torch.testing.assert_close(SentenceReader(path)(["a lake"]), SentenceReader(folder)(["a lake"]))
    with pytest.raises(InputError, match="nothing.zip cannot be read as a sentence encoder"):
        SentenceReader(tmp_path / "nothing.zip")(["a lake"])
    (folder / "config.json").write_text(json.dumps(SHAPE | {"hidden_size": 16}))
    with pytest.raises(InputError, match="sentences is no sentence encoder of BERT's kind"):
        SentenceReader(folder)(["a lake"])


@pytest.mark.skipif(packaged() is None, reason="the extra [text] is not installed")
def test_the_package_knows_what_is_alike():
    """MiniLM itself: a kitten is a cat."""
    cat, kitten, bread = SentenceReader(packaged())(["cat", "kitten", "a recipe for bread"])
    assert float(cat @ kitten) == pytest.approx(0.788, abs=0.002) and float(cat @ bread) < 0.25


@pytest.mark.parametrize(
    "text, wanted, unwanted",
    [
        ("a forest without snow", "a forest", "snow"),
        ("no clouds, a calm lake", "a calm lake", "clouds"),
        ("mist but not rain, and a pier", "mist but, and a pier", "rain"),
        ("never windy", "", "windy"),
    ],
)
def test_what_should_not_be_there(text, wanted, unwanted):
    assert clauses(text) == (wanted, unwanted)


# -- phrases --------------------------------------------------------------------------------------

VOCABULARY = Vocabulary(
    (Word("fog", "weather", ("mist",)), Word("sun", "weather")),
    (Word("glow", "light", (), {"fog": 1.0, "sun": 1.0}),),
)


def read(sentences) -> torch.Tensor:
    """Sentences by how often they have some letters, of length 1."""
    rows = [[s.count(letter) + 0.1 for letter in "fogmistunlw"] for s in sentences]
    return torch.nn.functional.normalize(torch.tensor(rows), dim=1)


def test_phrases_mean_their_words_and_scenes():
    """Spellings alone and in a sentence, pairs, and what enough photos show."""
    captions = {f"{i}": {"scene": "field/wild", "scene_p": "0.4"} for i in range(9)}
    captions["9"] = {"scene": "pier", "scene_p": "0.9"}
    phrases = Phrases(VOCABULARY, captions, list(captions), read)
    assert phrases.shown.shape == (10, 1) and phrases.shown[:9].min() == np.float32(0.4)
    found = dict(zip(phrases.sentences, phrases.weights.tolist(), strict=True))
    assert found["mist"] == found["a fog landscape"] == [1, 0, 0]
    assert found["glow"] == [1, 1, 0] and found["wild field"] == [0, 0, 1]
    assert any(row[:2] == [1, 1] for s, row in found.items() if "," in s)
    assert spoken("pier") == "pier" and scene_shares({}, ["a"])[0] == []


@pytest.fixture
def guide() -> Guide:
    """With a phrasebook of its vocabulary."""
    phrases = Phrases(VOCABULARY, {}, [], read)
    count, width = phrases.embeddings.shape
    spec = SceneEncoderSpec(
        4, widths=(8,), blocks=(1,), embedding=6, words=2, sentence=width, phrases=count
    )
    encoder = randomised(SceneEncoder(spec))
    words = torch.nn.functional.normalize(encoder.words)
    encoder.load_state_dict(encoder.state_dict() | phrases.fitted(words))
    return Guide(encoder, VOCABULARY, 1000, read)


def test_a_sentence_means_what_is_near_it(guide):
    """Known words keep their own vectors; others are read as a whole; negations count."""
    assert guide.vocabulary.free and guide.vocabulary.unknown("misty islets") == ()
    fog, sun = guide.text("fog"), guide.text("sun")
    islets = guide.text("mist mist oo")
    assert float((islets * fog).sum()) > float((islets * sun).sum())
    torch.testing.assert_close(guide.text("no oo mist"), -guide.text("oo mist"))
    assert guide.text("sunn sunn without misst").norm() == pytest.approx(1)


def test_without_the_extra_it_says_what_is_missing(guide):
    """The word is named, and the command that helps."""
    alone = Guide(guide.encoder, VOCABULARY, 1000)
    with pytest.raises(UnknownWord, match="'islets' is not known.*need the extra .text.: pip"):
        alone.text("mist, islets")
    assert alone.vocabulary == guide.vocabulary  # this is of the machine, not of the words


def test_a_file_without_phrases_knows_nothing_of_them(tmp_path, palette):
    """No sentences and no advice: an extra would not help."""
    spec = SceneEncoderSpec(4, widths=(8,), blocks=(1,), embedding=6, words=2)
    header = Checkpoint(palette, guidance=spec, vocabulary=VOCABULARY)
    path = tmp_path / "x-guidance.safetensors"
    header.save(path, {"guidance": SceneEncoder(spec).state_dict()}, torch.float32)
    opened = Guide.open(path, 4)
    assert not opened.vocabulary.free and opened.vocabulary.more == ""


def test_the_command_fits_phrases(photos, palette_file, folder, tmp_path, monkeypatch, capsys):
    """`--sentences`: what is missing is said before a photo is read; else it is all in the file."""
    (photos / "words.toml").write_text('[concepts.lake]\ngroup = "place"\ntags = ["wet"]\n')
    out = tmp_path / "run"
    command = f"--data {photos} --palette {palette_file} --stage guidance --size 24 --batch 4"
    command += f" --sentences --steps 1 --out {out} --sheet-every 0"
    spec = '{"widths": [8], "blocks": [1], "embedding": 6, "patch": 4}'
    asked = [*command.split(), "--spec", spec]
    assert main(asked) == 2
    assert "--sentences needs captions" in capsys.readouterr().err
    lines = [f"{i:02d},lake/natural,0.4,field,0.1,{'wet' if i < 3 else 'dry'}" for i in range(6)]
    heading = "id,scene,scene_p,scene2,scene2_p,tags"
    (photos / "captions.csv").write_text("\n".join([heading, *lines]))
    asked += ["--vocabulary", str(photos / "words.toml")]
    monkeypatch.setattr("core.make_guidance.packaged", lambda: None)
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert "needs the extra [text]" in said and "reading photos" not in said
    monkeypatch.setattr("core.make_guidance.packaged", lambda: folder)
    assert main(asked) == 0
    opened = Guide.open(out / "weights.safetensors", 3)
    assert opened.encoder.spec.sentence == 8
    near = opened.encoder.phrases(SentenceReader(folder)(["lake"]))
    torch.testing.assert_close(near.norm(dim=1), torch.ones(1))


# -- references -----------------------------------------------------------------------------------


def test_references_are_encoded_once():
    """The same pixels are the same picture; the oldest of many is forgotten."""
    asked = []

    def encode(pictures):
        asked.append(int(pictures[0, 0, 0, 0]))
        return torch.tensor([float(pictures.sum())])

    kept = KeptEncoding(encode)
    pictures = [np.full((1, 4, 4, 3), n, np.uint8) for n in range(9)]
    assert kept(pictures[1]) is kept(pictures[1].copy()) and asked == [1]
    for picture in pictures:
        kept(picture)
    kept(pictures[1])
    assert asked == [1, 0, 2, 3, 4, 5, 6, 7, 8]
    kept(pictures[0])
    assert asked[-1] == 0
