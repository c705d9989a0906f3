"""The compact generator: what it learns, what it paints, and that a part is a part of the whole."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from core import sample, train
from core.checkpoint import Checkpoint
from core.errors import InputError
from core.instant import TRUNCATION, InstantPainter
from core.instant_objective import InstantDuel, InstantObjective, recalled
from core.label_judge import JUDGED, Seen, pushed
from core.labelmap import Box, write_labels
from core.model.autoencoder import Autoencoder
from core.model.discriminator import LabelDiscriminator
from core.model.instant import Generator, InstantNet, StyleEncoder
from core.model.spec import AutoencoderSpec, InstantSpec
from core.noised_features import NoisedFeatures
from core.request import Layout, RequestError, SampleRequest
from core.schedule import ScheduleSpec
from core.terms import GuidanceTerm
from core.textures import label_products, products_distance, texture_distance
from tests.conftest import TINY_AUTOENCODER, randomised
from tests.learners import learners

SPEC = InstantSpec(
    label_channels=3,
    autoencoder=AutoencoderSpec(
        quarter_width=8, eighth_width=8, half_width=8, full_width=4, blocks=1, layout_labels=3
    ),
    widths=(8, 8, 8),
    blocks=(1, 1, 1),
    hidden=8,
    style=6,
    noise=2,
    image_size=64,
)


@pytest.fixture
def file(tmp_path, palette):
    path = tmp_path / "quick.safetensors"
    state = randomised(InstantNet(SPEC)).state_dict()
    Checkpoint(palette, spade=SPEC).save(path, {"spade": state}, torch.float32)
    return path


@pytest.fixture
def painter(file):
    return InstantPainter.open(file, "cpu", "float32")


@pytest.fixture
def layout(palette):
    labels = np.zeros((160, 192), np.uint8)
    labels[:70] = 1
    labels[100:, 50:130] = 2
    return Layout(labels, palette)


@pytest.mark.parametrize(
    "box", [(70, 60, 25, 19), (0, 0, 30, 11), (150, 121, 42, 39), (91, 5, 1, 1)]
)
def test_a_part_is_what_the_whole_picture_has_there(painter, layout, box):
    style = painter.random_style(4)
    whole = painter.paint(layout, style)
    part = painter.paint(layout, style, Box(*box))
    assert part.shape == (box[3], box[2], 3) and whole.std() > 5
    assert np.abs(part.astype(int) - whole[Box(*box).slices]).max() <= 1


def test_a_label_reaches_no_further_than_is_said(painter, layout):
    """A change of the layout leaves the pixels beyond the generator's and the decoder's reach."""
    style = painter.random_style(1)
    labels = np.zeros((64, 768), np.uint8)
    before = painter.paint(Layout(labels, layout.palette), style)
    labels[:, :8] = 2
    after = painter.paint(Layout(labels, layout.palette), style)
    decoder = 3 * 8 + 4 * 4 + 5 * 2  # at 1/8, 1/4 and above, one block each
    far = 8 + (painter.net.generator.reach + 4) * 8 + decoder  # from a cell that 1/32 aligns
    changed = np.flatnonzero((before != after).any((0, 2)))
    assert 8 <= changed.max() < far


def test_styles_differ_and_a_seed_is_one_style(painter, layout):
    one, again, other = (painter.random_style(seed) for seed in (3, 3, 5))
    assert np.array_equal(one.vector, again.vector) and one.vector.shape == (6,)
    assert np.array_equal(painter.paint(layout, one), painter.paint(layout, again))
    assert (painter.paint(layout, one) != painter.paint(layout, other)).any()


def test_a_style_is_read_from_a_picture_of_any_size(painter):
    """Its mean, not a draw: the same picture has the same style; another has another."""
    dark, light = np.full((50, 70, 3), 20, np.uint8), np.full((50, 70, 3), 220, np.uint8)
    styles = [painter.style_of(p, 9) for p in (dark, dark, light)]
    assert np.array_equal(styles[0].vector, styles[1].vector) and styles[0].seed == 9
    assert not np.allclose(styles[0].vector, styles[2].vector)


def test_it_is_sampled_by_the_same_command(file, tmp_path, layout):
    write_labels(tmp_path / "map.png", layout.labels, layout.palette)
    words = [tmp_path / "map.png", "-o", tmp_path / "out", "--weights", file, "--count", 2]
    assert sample.main([str(w) for w in words]) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["map_0.png", "map_1.png"]


def test_a_random_style_is_one_of_the_photos_that_it_learned_from(palette, tmp_path):
    spec = replace(SPEC, bank=5)
    state = randomised(InstantNet(spec)).state_dict() | {"bank": torch.arange(30.0).reshape(5, 6)}
    path = tmp_path / "banked.safetensors"
    Checkpoint(palette, spade=spec).save(path, {"spade": state}, torch.float32)
    painter = InstantPainter.open(path, "cpu", "float32")
    drawn = [painter.random_style(seed) for seed in range(40)]
    near = {
        round(12 + TRUNCATION * (first - 12), 4) for first in (0, 6, 12, 18, 24)
    }  # the mean: 12
    assert {round(float(style.vector[0]), 4) for style in drawn} == near
    assert np.array_equal(drawn[3].vector, painter.random_style(3).vector)


def test_what_it_cannot_do_has_its_sentence(painter, layout, file):
    with pytest.raises(RequestError, match="outside"):
        painter.paint(layout, painter.random_style(0), Box(500, 0, 3, 3))
    with pytest.raises(RequestError, match="words and references cannot guide it"):
        painter.sample(SampleRequest(layout, terms=(GuidanceTerm("text", text="fog"),)))
    with pytest.raises(InputError, match="SPADE generator alone"):
        Checkpoint.open(file).load_unet()


# -- learning -------------------------------------------------------------------------------------


@pytest.fixture
def features(make_unet):
    return NoisedFeatures(make_unet(in_channels=4, out_channels=8), ScheduleSpec().build())


@pytest.fixture
def objective(features):
    torch.manual_seed(0)
    spec = InstantSpec(3, TINY_AUTOENCODER, (8, 8), (1, 1), 8, 4, 2)
    judge = LabelDiscriminator(features.widths, 3, (8, 8, 8))
    duel = InstantDuel(Generator(spec), StyleEncoder(4), judge)
    return InstantObjective(duel, torch.ones(3), features)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 3, (4, 16, 16), generator=generator)
    return {
        "x0": torch.randn(4, 4, 16, 16, generator=generator),
        "y": torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2).float(),
        "thumbnail": torch.rand(4, 3, 32, 32, generator=generator),
        "seed": torch.tensor([0, 1, 7, 8]),  # two styles of other photos, two of their own
    }


def test_neither_side_learns_from_the_others_loss(objective, batch):
    """Passing teaches the generator (through a photo's style the encoder), judging the judge."""
    assert learners(objective, objective(batch)["passing"]) == {"generator", "style"}
    assert learners(objective, objective(batch)["judging"]) == {"judge"}
    assert learners(objective, objective(batch)["recall"]) == {"generator", "style"}
    assert learners(objective, objective(batch)["prior"]) == {"style"}


def test_the_loss_depends_on_the_seeds_alone(objective, batch):
    first = objective(batch)["loss"]
    assert torch.equal(first, objective(batch)["loss"])
    assert not torch.equal(first, objective({**batch, "seed": batch["seed"] + 7})["loss"])


def test_the_judge_pushes_equally_hard_whatever_its_gain(objective, batch):
    """At the features its gradient has one norm for every sample; so logits of any size do."""
    judge = objective.model.judge
    seen = [torch.randn(4, width, 16 >> k, 16 >> k) for k, width in enumerate(judge_inner(judge))]
    for gain in (1.0, 50.0):
        with torch.no_grad():
            for out in judge.out:
                out.weight.mul_(gain)
        leaves = [part.clone().requires_grad_() for part in seen]
        loss, _ = pushed(judge, Seen(leaves, batch["y"]), torch.ones(3))
        gradients = torch.autograd.grad(loss, leaves)
        sizes = sum(part.square().flatten(1).sum(1) for part in gradients).sqrt()
        torch.testing.assert_close(sizes, torch.full((4,), JUDGED / 4))


def judge_inner(judge):
    return [look[0].in_channels for look in judge.look]


def test_the_eyes_are_shown_the_same_noise_for_the_same_seed(features, batch):
    """So a made picture that is the photo has the photo's features; noise is not what differs."""
    seeds = batch["seed"]
    first, again = features(batch["x0"], seeds), features(batch["x0"], seeds)
    assert [part.shape[1] for part in first] == features.widths
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    other = features(batch["x0"], seeds + 1)
    assert not torch.equal(first[0], other[0])
    assert not any(p.requires_grad for p in features.parameters())


def test_textures_teach_the_generator_alone(objective, batch):
    losses = objective(batch)
    assert losses["texture"] > 0
    assert learners(objective, losses["texture"]) == {"generator", "style"}


def test_products_are_means_over_a_labels_places():
    features = torch.tensor([1.0, 3.0, 5.0, 7.0]).reshape(1, 1, 2, 2)
    shares = torch.tensor([[[1.0, 1], [0, 0]], [[0, 0], [1, 1]]])[None]
    found = label_products(features, shares)
    assert torch.equal(found[0, 0], torch.tensor([[5.0, 2], [2, 1]]))
    assert torch.equal(found[0, 1], torch.tensor([[37.0, 6], [6, 1]]))


def test_textures_are_the_same_wherever_they_lie():
    """Pixels in another order have the same products; blurred ones have not."""
    x = torch.randn(1, 4, 16, 16)
    shares = torch.ones(1, 1, 16, 16)
    order = torch.randperm(256)
    moved = x.flatten(2)[..., order].reshape(x.shape)
    blurred = torch.nn.functional.avg_pool2d(x, 3, 1, 1)
    first, second, third = (label_products(z, shares) for z in (x, moved, blurred))
    torch.testing.assert_close(first, second)
    assert products_distance(third, first).item() > 0.1
    assert texture_distance([x], shares, [x], shares) == 0
    assert texture_distance([blurred], shares, [x], shares) > 0.1


def test_only_own_styles_must_bring_back_the_photo():
    made, x0 = torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    x0[1] = 5
    assert recalled(made, x0, torch.tensor([1.0, 0.0])) == 1
    assert recalled(made, x0, torch.tensor([0.0, 0.0])) == 0


def test_the_command_trains_resumes_and_exports(photos, palette_file, tmp_path, make_checkpoint):
    """From photos to a file that paints; going on is going on."""
    common = ["--data", str(photos), "--palette", str(palette_file), "--stage", "instant"]
    common += ["--autoencoder", str(make_checkpoint(latent=True)), "--size", "64", "--batch", "2"]
    common += ["--out", str(tmp_path / "run"), "--threads", "1"]
    spec = '{"widths": [8, 8], "blocks": [1, 1], "hidden": 8, "style": 4, "noise": 2}'
    assert train.main([*common, "--steps", "2", "--spec", spec, "--save-every", "1"]) == 0
    assert train.main([*common, "--steps", "3", "--spec", spec, "--resume"]) == 0
    with (tmp_path / "run" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["judging"]) > 0
    trained = Checkpoint.open(tmp_path / "run" / "weights.safetensors").load_spade()
    assert trained.bank.shape == (6, 4) and trained.bank.std(0).min() > 0  # six photos, six styles
    first = trained.generator
    words = [*common[:-4], "--out", str(tmp_path / "on"), "--threads", "1", "--lr", "0", "--init"]
    assert train.main([*words, str(tmp_path / "run" / "weights.safetensors"), "--steps", "1"]) == 0
    on = Checkpoint.open(tmp_path / "on" / "weights.safetensors").load_spade().generator
    for a, b in zip(first.parameters(), on.parameters(), strict=True):
        assert torch.equal(a, b)
    painter = InstantPainter.open(tmp_path / "run" / "weights.safetensors", "cpu", "float32")
    labels = np.zeros((32, 32), np.uint8)
    picture = painter.paint(Layout(labels, painter.info.palette), painter.random_style(0))
    assert picture.shape == (32, 32, 3) and painter.info.palette.name == "tiny"


def test_it_needs_an_autoencoder(photos, palette_file, tmp_path, capsys):
    words = ["--data", str(photos), "--palette", str(palette_file), "--stage", "instant"]
    assert train.main([*words, "--out", str(tmp_path / "run"), "--size", "32"]) == 2
    assert "--autoencoder" in capsys.readouterr().err


def test_it_needs_the_diffusion_model_too(photos, palette_file, palette, tmp_path, capsys):
    """What the judge sees through is that model's encoder."""
    alone = tmp_path / "alone.safetensors"
    state = randomised(Autoencoder(TINY_AUTOENCODER)).state_dict()
    Checkpoint(palette, autoencoder=TINY_AUTOENCODER).save(
        alone, {"autoencoder": state}, torch.float32
    )
    words = ["--data", str(photos), "--palette", str(palette_file), "--stage", "instant"]
    words += ["--autoencoder", str(alone), "--out", str(tmp_path / "run"), "--size", "64"]
    assert train.main(words) == 2
    told = capsys.readouterr().err
    assert "alone.safetensors has no U-Net" in told and "give --autoencoder a whole model" in told


def test_what_it_cannot_go_on_from_is_said(
    photos, palette_file, file, tmp_path, make_checkpoint, capsys
):
    model = str(make_checkpoint(latent=True))
    words = ["--data", str(photos), "--palette", str(palette_file), "--stage", "instant"]
    words += ["--autoencoder", model, "--out", str(tmp_path / "run"), "--size", "64"]
    assert train.main([*words, "--init", model]) == 2
    assert "tiny.safetensors holds no compact generator" in capsys.readouterr().err
    assert train.main([*words, "--init", str(file)]) == 2
    assert "quick.safetensors holds a generator of another shape" in capsys.readouterr().err
