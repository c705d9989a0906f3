"""The encoder of guidance: evidence from captions and photos, and a short training that works."""

import tomllib

import numpy as np
import pytest
import torch

from core.captions import Evidence, measures, ranked, read_table
from core.dataset import PairDataset, Sample, find_pairs
from core.errors import InputError
from core.guidance_stage import (
    SceneDataset,
    SceneObjective,
    SceneStage,
    bag_of,
    contrast,
    fitted_words,
)
from core.guide import Guide
from core.model.scene_encoder import SceneEncoder
from core.model.spec import SceneEncoderSpec
from core.palette import Palette
from core.schedule import ScheduleSpec
from core.train import main
from core.training import TrainRun, TrainSettings, train
from core.words import Vocabulary
from tests.conftest import randomised

WORDS = """
[concepts.lake]
group = "place"
synonyms = ["pond"]
tags = ["wet"]
[concepts.plain]
group = "place"
tags = ["dry"]
[concepts.grand]
group = "mood"
scores = ["awe"]
[mixes.marsh]
group = "place"
of = { lake = 1.0, plain = 1.0 }
"""
SPEC = dict(widths=(16, 24), blocks=(1, 1), embedding=16)


@pytest.fixture
def captioned(photos):
    """The tiny photos with captions, a file of words, and scores: photos 0 to 2 are wet."""
    lines = ["id,scene,scene_p,scene2,scene2_p,tags"]
    lines += [
        f"{i:02d},lake/natural,0.4,field,0.1,{'wet;cold' if i < 3 else 'dry'}" for i in range(6)
    ]
    (photos / "captions.csv").write_text("\n".join(lines))
    (photos / "scores.csv").write_text("id,awe\n" + "\n".join(f"{i:02d},{i}" for i in range(6)))
    (photos / "words.toml").write_text(WORDS)
    return photos


@pytest.fixture
def data(photos, palette) -> PairDataset:
    return PairDataset(find_pairs(photos)[0], palette, (24, 24))


# -- evidence -------------------------------------------------------------------------------------


def test_evidence_of_every_kind(captioned, data):
    """Tags, scenes by twice their probability, labels by their share, scores by their rank."""
    words = {
        "concepts": {
            "wet": {"tags": ["wet"]},
            "lake": {"scenes": ["lake"]},
            "sky": {"labels": {"sky": 1.0}},
            "awe": {"scores": ["awe"]},
            "any": {"tags": ["cold"], "scores": ["awe"]},
        }
    }
    tables = [read_table(captioned / name) for name in ("captions.csv", "scores.csv")]
    found = Evidence(words, *tables).targets(data)
    assert found.shape == (6, 5) and found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0], [1, 1, 1, 0, 0, 0])
    np.testing.assert_allclose(found[:, 1], 0.8)
    np.testing.assert_allclose(found[0, 2], 8 / 24, atol=0.01)
    np.testing.assert_allclose(
        found[:, 3], [0, 0, 0, 0, (4 / 6 - 0.65) / 0.35, (5 / 6 - 0.65) / 0.35]
    )
    np.testing.assert_allclose(found[:, 4], np.maximum(found[:, 0], found[:, 3]))


def test_every_score_is_standardised(captioned, data):
    """Mean 0, deviation 1; a photo that the table leaves out has the mean, others what they had."""
    scores = read_table(captioned / "scores.csv")
    del scores["02"]
    found = Evidence({"concepts": {}}, {}, scores).every_score(data)
    assert found.shape == (6, 1) and found[2] == 0 and found.mean() == pytest.approx(0, abs=1e-6)
    assert found[5, 0] - found[4, 0] == pytest.approx(1 / np.std([0, 1, 3, 4, 5]), abs=1e-4)
    assert Evidence({"concepts": {}}, {}, {}).every_score(data).shape == (6, 0)
    scores["00"]["awe"] = "much"
    with pytest.raises(InputError, match="The table of scores cannot be read: .*'much'"):
        Evidence({"concepts": {}}, {}, scores).every_score(data)


def test_without_captions_measures_remain(data):
    """A photo that no table has shows what is measured of it."""
    words = {"concepts": {"wet": {"tags": ["wet"]}, "dark": {"measures": ["dark"]}}}
    found = Evidence(words, {}, {}).targets(data)
    assert found[:, 0].max() == 0 and found[:, 1].max() > 0


def test_ranks():
    """Below two thirds nothing; ties and unknown values are no evidence."""
    column = np.array([[0.0], [0], [0], [0], [0], [0], [0], [1], [2], [np.nan]])
    found = ranked(column)[:, 0]
    assert found[:7].max() == 0 and found[9] == 0 and 0 < found[7] < found[8] < 1
    assert ranked(np.full((5, 1), 3.0)).max() == 0 and ranked(np.full((5, 1), np.nan)).max() == 0


def test_measures_see_colours(palette):
    """A blue picture is blue, a brown one with plants is of autumn."""
    labels = np.zeros((32, 32), np.uint8)
    blue = measures(Sample(np.full((32, 32, 3), (30, 60, 220), np.uint8), labels), palette)
    assert blue["blue"] > 0.5 and blue["red"] == 0 and blue["bright"] == -blue["dark"]
    landscape = Palette.load("landscape")
    trees = np.full((32, 32), landscape.find("tree"), np.uint8)
    brown = np.full((32, 32, 3), (180, 90, 20), np.uint8)
    found = measures(Sample(brown, trees), landscape)
    assert found["autumn"] > 0.4 and found["fresh"] == 0
    assert measures(Sample(brown, labels), landscape)["autumn"] == 0  # no plants


def test_a_table_without_ids_is_refused(tmp_path):
    """Named, with what it needs."""
    (tmp_path / "captions.csv").write_text("name,tags\n1,wet\n")
    with pytest.raises(InputError, match="captions.csv is no table with a column 'id'"):
        read_table(tmp_path / "captions.csv")


# -- what is learned ------------------------------------------------------------------------------


def test_the_encoder_s_places_and_embedding_agree():
    """The mean over the places has the embedding's direction; any even size will do."""
    encoder = randomised(SceneEncoder(SceneEncoderSpec(4, **SPEC)))
    seen = encoder(torch.randn(2, 4, 12, 20), torch.tensor([0.1, 0.9]))
    torch.testing.assert_close(seen.embedding.norm(dim=1), torch.ones(2))
    mean = torch.nn.functional.normalize(seen.places.mean((2, 3)))
    torch.testing.assert_close(seen.embedding, mean)
    assert [layer.shape[1:] for layer in seen.layers] == [(16, 6, 10), (24, 3, 5)]


def test_the_encoder_knows_how_much_noise_there_is():
    """The same x at another timestep looks otherwise."""
    encoder = randomised(SceneEncoder(SceneEncoderSpec(4, **SPEC)))
    x = torch.randn(1, 4, 8, 8)
    early, late = (encoder(x, torch.tensor([t])).embedding for t in (0.1, 0.9))
    assert (early - late).abs().max() > 1e-3


def test_the_contrast_is_one_at_chance():
    """Embeddings that are all alike cannot be told apart; their own targets they find at once."""
    alike = torch.nn.functional.normalize(torch.ones(8, 4))
    assert float(contrast(alike, alike)) == pytest.approx(1.0)
    assert float(contrast(torch.eye(8), torch.eye(8))) < 0.01


def test_a_bag_is_true_of_its_picture():
    """Its own words, and the negation of what is not there; the seed decides."""
    targets = torch.tensor([1.0, 0, 0, 0.5, 0])
    bags = torch.stack([bag_of(targets, seed) for seed in range(200)])
    assert (bags[:, 0] >= 0).all() and (bags[:, [1, 2, 4]] <= 0).all()
    assert ((bags != 0).sum(1) <= 3).all() and (bags != 0).any(1).all() and (bags < 0).any()
    torch.testing.assert_close(bag_of(targets, 5), bags[5])


def test_words_are_fitted_to_what_is_seen():
    """The direction in which pictures that show a concept differ from the others."""
    generator = torch.Generator().manual_seed(0)
    targets = (torch.rand(400, 2, generator=generator) > 0.5).float()
    noise = 0.05 * torch.randn(400, 5, generator=generator)
    seen = torch.cat([targets, targets[:, :1], torch.zeros(400, 2)], dim=1) + noise + 3
    first, second = fitted_words(seen, targets)
    torch.testing.assert_close(first, torch.tensor([0.7, 0, 0.7, 0, 0]), rtol=0, atol=0.1)
    torch.testing.assert_close(second, torch.tensor([0, 1.0, 0, 0, 0]), rtol=0, atol=0.1)


def test_without_words_pictures_alone_are_learned(data):
    """Any folder of photos will do."""
    model = SceneEncoder(SceneEncoderSpec(3, patch=4, **SPEC))
    stage = SceneStage(SceneDataset(data, torch.zeros(6, 0)), model, ScheduleSpec(), None, "cpu")
    batch = torch.utils.data.default_collate([stage.dataset[(i, i)] for i in range(6)])
    assert set(stage.objective(batch)) == {"loss", "pictures"}
    assert [len(row) for row in stage.sheet(model.state_dict())] == [6] * 6


def test_it_learns_words_in_a_few_steps(data, captioned, tmp_path):
    """Water on the right of a photo is a lake, through a little noise too; the file opens."""
    torch.manual_seed(0)
    words = tomllib.loads(WORDS)
    targets = torch.tensor([[1.0, 0, 0]] * 3 + [[0, 1.0, 0]] * 3)
    model = SceneEncoder(SceneEncoderSpec(3, patch=4, words=3, **SPEC))
    vocabulary, cpu = Vocabulary.from_dict(words), torch.device("cpu")
    stage = SceneStage(SceneDataset(data, targets), model, ScheduleSpec(), vocabulary, cpu)
    run = TrainRun(stage.objective, TrainSettings(80, 6, lr=5e-3, warmup=5, ema_decay=0.9), cpu)
    batches = (
        torch.utils.data.default_collate([stage.dataset[(i, 100 * step + i)] for i in range(6)])
        for step in range(80)
    )
    losses = [done.losses["loss"] for done in train(run, batches)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    checkpoint, modules = stage.export(run.ema_state())
    checkpoint.save(tmp_path / "g.safetensors", modules, torch.float16)
    guide = Guide.open(tmp_path / "g.safetensors", 3)
    x0 = torch.stack([stage.dataset.x0(i) for i in range(6)])
    with torch.no_grad():
        likeness = guide.look(x0, -1).embedding @ guide.text("pond, not plain").T
    assert likeness[:3].min() > likeness[3:].max()
    assert len(stage.sheet(run.ema_state())) == 3


def test_a_sample_s_loss_follows_from_its_seed(data):
    """Noise, timestep and words, whatever the batch before it was."""
    model = randomised(SceneEncoder(SceneEncoderSpec(3, patch=4, words=2, **SPEC)))
    dataset = SceneDataset(data, torch.rand(6, 2, generator=torch.Generator().manual_seed(0)))
    objective = SceneObjective(model, ScheduleSpec().build())
    batches = [
        torch.utils.data.default_collate([dataset[(i, s + i)] for i in range(4)]) for s in (0, 0, 9)
    ]
    one, same, other = (float(objective(batch)["loss"]) for batch in batches)
    assert one == same != other


def test_the_command_trains_with_captions(captioned, palette_file, tmp_path):
    """`--stage guidance` on pixels, with words and scores of one's own; then on from its file."""
    out = tmp_path / "run"
    spec = '{"widths": [8, 12], "blocks": [1, 1], "embedding": 8, "patch": 4}'
    common = f"--data {captioned} --palette {palette_file} --stage guidance --batch 4 --size 24"
    options = common.split() + ["--spec", spec, "--vocabulary", str(captioned / "words.toml")]
    options += ["--scores", str(captioned / "scores.csv")]
    assert main([*options, "--out", str(out), "--steps", "2"]) == 0
    guide = Guide.open(out / "weights.safetensors", 3)
    assert guide.vocabulary.names == ("lake", "plain", "grand")
    tint = guide.tint(guide.text("lake"), Palette.load(str(palette_file)))
    assert tint.shape == (3, 3) and tint.abs().max() > 0
    again = [*options, "--out", str(tmp_path / "on"), "--steps", "1", "--init"]
    assert main([*again, str(out / "weights.safetensors")]) == 0


def test_scores_of_another_network_are_learned(data):
    """As targets of the noisy pictures; what only training needs is in no file."""
    model = SceneEncoder(SceneEncoderSpec(3, patch=4, **SPEC))
    plain = set(model.state_dict())
    dataset = SceneDataset(data, torch.zeros(6, 0), torch.randn(6, 3))
    stage = SceneStage(dataset, model, ScheduleSpec(), None, torch.device("cpu"))
    batch = torch.utils.data.default_collate([dataset[(i, i)] for i in range(4)])
    losses = stage.objective(batch)
    assert set(losses) == {"loss", "pictures", "scores"}
    losses["loss"].backward()
    assert min(p.grad.abs().sum() for p in (model.teacher.weight, model.stem.weight)) > 0
    _, modules = stage.export(model.state_dict())
    assert set(modules["guidance"]) == plain


def test_words_need_captions(photos, palette_file, tmp_path, capsys):
    """Named, and nothing is begun."""
    (photos / "words.toml").write_text(WORDS)
    command = f"--data {photos} --palette {palette_file} --stage guidance --size 24"
    words = f"--out {tmp_path / 'run'} --vocabulary {photos / 'words.toml'}"
    assert main(f"{command} {words}".split()) == 2
    assert "captions.csv is missing" in capsys.readouterr().err
