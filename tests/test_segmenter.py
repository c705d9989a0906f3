"""Our own segmenter: its network, its training, and what the engine makes of it."""

import numpy as np
import pytest
import torch

from core.checkpoint import Checkpoint, CheckpointError
from core.dataset import PairDataset, find_pairs
from core.engine import Engine
from core.errors import InputError
from core.jitter import random_crop, relight, roughen
from core.model.segmenter import LabelNet
from core.model.spec import SegmenterSpec, SpecError
from core.palette import LabelClass, Palette
from core.request import RequestError
from core.segmenter import Segmenter, segmenter_path
from core.segmenter_stage import JitteredDataset, SegmenterObjective, SegmenterStage
from core.training import TrainRun, TrainSettings, train
from tests.conftest import randomised

SMALL = SegmenterSpec(3, widths=(8, 8, 8), blocks=(1, 1, 1), head=8)


@pytest.fixture
def make_segmenter(tmp_path, palette):
    """`make_segmenter(name)`: the path of a tiny random segmenter."""

    def make(name="tiny-segmenter.safetensors"):
        state = randomised(LabelNet(SMALL)).state_dict()
        Checkpoint(palette, segmenter=SMALL).save(
            tmp_path / name, {"segmenter": state}, torch.float32
        )
        return tmp_path / name

    return make


@pytest.fixture
def data(photos, palette):
    pairs, _ = find_pairs(photos)
    return PairDataset(pairs, palette, (16, 16), cache_bytes=2**20)


# -- the network ----------------------------------------------------------------------------------


def test_it_answers_at_a_quarter_of_the_picture():
    """Each level halves; the answer has the finest level's size, whatever the proportions."""
    net = randomised(LabelNet(SMALL))
    assert SMALL.multiple == 16
    assert net(torch.zeros(2, 3, 32, 48)).shape == (2, 3, 8, 12)


def test_a_picture_does_not_depend_on_its_batch():
    """Alone or beside another, the same logits."""
    net = randomised(LabelNet(SMALL))
    pictures = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(pictures)[:1], net(pictures[:1]), atol=1e-5, rtol=1e-5)


def test_the_bundled_shape_is_small():
    """At most four megabytes in half precision."""
    parameters = sum(p.numel() for p in LabelNet(SegmenterSpec(19)).parameters())
    assert parameters * 2 <= 4 * 2**20


def test_widths_and_blocks_must_match():
    with pytest.raises(SpecError, match="differ in number"):
        SegmenterSpec(3, widths=(8, 8), blocks=(1,))


# -- what it learns from --------------------------------------------------------------------------


def test_a_crop_keeps_pixels_and_labels_together(data):
    """Crops of any scale: dark ground stays dark, bright sky bright, in the size asked for."""
    sample = data.sample(0)
    for seed in range(20):
        part = random_crop(sample, (16, 16), np.random.default_rng(seed))
        assert part.image.shape == (16, 16, 3) and part.labels.shape == (16, 16)
        grey = part.image.mean(2)
        inner = [grey[part.labels == label] for label in (0, 1)]
        if all(one.size > 20 for one in inner):
            assert np.median(inner[0]) + 60 < np.median(inner[1])


def test_light_and_grain_stay_pictures():
    """uint8 in, uint8 out, near the picture that it was."""
    picture = np.full((16, 16, 3), 120, np.uint8)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        changed = roughen(relight(picture, rng), rng)
        assert changed.dtype == np.uint8 and changed.shape == picture.shape
        assert 60 < changed.mean() < 190


def test_a_sample_follows_from_its_seed(data):
    """The same place of a run gives the same crop, light and target; targets are shares."""
    jittered = JitteredDataset(data)
    one, same, other = (jittered[(0, seed)] for seed in (5, 5, 6))
    assert torch.equal(one["image"], same["image"]) and torch.equal(one["y"], same["y"])
    assert not torch.equal(one["image"], other["image"])
    assert one["y"].shape == (3, 4, 4)
    torch.testing.assert_close(one["y"].sum(0), torch.ones(4, 4))


def test_rare_labels_count_more():
    """Twice the weight of a label that is everywhere doubles the loss."""
    net = randomised(LabelNet(SMALL))
    y = torch.zeros(1, 3, 4, 4)
    y[:, 2] = 1
    batch = {"image": torch.zeros(1, 3, 16, 16), "y": y}
    plain = SegmenterObjective(net)(batch)["loss"]
    heavy = SegmenterObjective(net, torch.tensor([1.0, 1.0, 2.0]))(batch)["loss"]
    torch.testing.assert_close(heavy, 2 * plain)


def test_it_learns_the_tiny_photos(data, palette, tmp_path):
    """A hundred steps on six photos: it labels them nearly all right, and the file opens."""
    torch.manual_seed(0)
    stage = SegmenterStage(data, LabelNet(SMALL), torch.device("cpu"))
    settings = TrainSettings(steps=100, batch=6, lr=1e-2, warmup=5, ema_decay=0.9)
    run = TrainRun(stage.objective, settings, torch.device("cpu"))
    batches = (
        torch.utils.data.default_collate([stage.dataset[(i, 100 * step + i)] for i in range(6)])
        for step in range(100)
    )
    losses = [done.losses["loss"] for done in train(run, batches)]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    checkpoint, modules = stage.export(run.ema_state())
    checkpoint.save(tmp_path / "s.safetensors", modules, torch.float16)
    segmenter = Segmenter.open(tmp_path / "s.safetensors", palette)
    sample = data.sample(0)
    right = segmenter(sample.image, sample.labels.shape) == sample.labels
    assert right.mean() > 0.85
    assert all(0.5 < one <= 1 for one in segmenter.ceiling) and min(segmenter.ceiling) < 1
    assert [len(row) for row in stage.sheet(run.ema_state())] == [6, 6, 6]


# -- in use ---------------------------------------------------------------------------------------


def test_probabilities_follow_the_pictures_proportions(make_segmenter, palette):
    """The short side is looked at with 192 pixels; probabilities add up to one."""
    segmenter = Segmenter.open(make_segmenter(), palette)
    assert segmenter.seen_size(128, 192) == (192, 288)
    assert segmenter.seen_size(100, 4000) == (48, 2048)
    found = segmenter.probabilities(np.zeros((64, 96, 3), np.uint8))
    assert found.shape == (3, 48, 72) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)
    assert segmenter(np.zeros((64, 96, 3), np.uint8), (10, 20)).shape == (10, 20)


def test_the_engine_finds_the_segmenter_beside_its_model(make_checkpoint, make_segmenter):
    """NAME-segmenter.safetensors is opened with the model; without it nobody can be asked."""
    path = make_checkpoint()
    picture = np.zeros((64, 64, 3), np.uint8)
    engine = Engine.open(path, device="cpu", precision="float32")
    assert not engine.info.segmenter
    with pytest.raises(RequestError, match="has no segmenter"):
        engine.segment(picture)
    assert make_segmenter() == segmenter_path(path)
    engine = Engine.open(path, device="cpu", precision="float32")
    assert engine.info.segmenter and engine.info.ceiling == (1.0, 1.0, 1.0)
    assert engine.segment(picture).shape == (3, 48, 48)


def test_a_segmenter_of_another_palette_is_refused(make_segmenter):
    """It would see ground where the model paints sky."""
    other = Palette("other", tuple(LabelClass(i, n, (i, i, i)) for i, n in enumerate("abc")))
    with pytest.raises(InputError, match="labels of palette 'tiny', not those of 'other'"):
        Segmenter.open(make_segmenter(), other)


def test_a_segmenter_is_no_model_and_a_model_no_segmenter(make_checkpoint, make_segmenter):
    """Each says what it is instead."""
    with pytest.raises(CheckpointError, match="holds a segmenter alone"):
        Engine.open(make_segmenter())
    with pytest.raises(CheckpointError, match="holds no segmenter"):
        Checkpoint.open(make_checkpoint()).load_segmenter()
