"""A part of an instant picture: computed of less, and what the whole picture has there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.checkpoint import Checkpoint
from core.embedding import Area
from core.instant import InstantPainter
from core.labelmap import Box, read_labels
from core.model.autoencoder import Autoencoder
from core.model.instant import InstantNet
from core.onehot import one_hot
from core.painters import painter_path
from core.part_decoder import Known, Level, ShuffledConv, UpConv
from core.pixels import to_pixels
from core.request import Layout
from core.sample import DEFAULT_WEIGHTS
from tests.conftest import randomised
from tests.test_instant import SPEC
from tests.test_readme import ROOT

DEEP = replace(
    SPEC, widths=(8, 8, 12), blocks=(1, 2, 2), autoencoder=replace(SPEC.autoencoder, blocks=3)
)
BUNDLED = painter_path(DEFAULT_WEIGHTS)


def painter_of(spec, palette, folder, precision="float32"):
    path = folder / "deep.safetensors"
    state = randomised(InstantNet(spec)).state_dict()
    Checkpoint(palette, spade=spec).save(path, {"spade": state}, torch.float32)
    return InstantPainter.open(path, "cpu", precision)


@pytest.fixture
def painter(palette, tmp_path):
    return painter_of(DEEP, palette, tmp_path)


@pytest.fixture
def layout(palette):
    return Layout(
        np.kron(np.arange(30).reshape(5, 6) % 3, np.ones((64, 64))).astype(np.uint8), palette
    )


@pytest.fixture
def shapes(monkeypatch):
    """Those of what convolutions are given, with their weights'."""
    seen = []
    plain = F.conv2d

    def conv2d(x, weight, *rest, **named):
        seen.append((*x.shape[1:], *weight.shape))
        return plain(x, weight, *rest, **named)

    monkeypatch.setattr(F, "conv2d", conv2d)
    return seen


@torch.inference_mode()
def plainly(painter, layout, style):
    """The picture as the networks themselves make it."""
    net, (height, width) = painter.net, layout.size
    y = one_hot(torch.from_numpy(layout.labels.copy())[None], 3)
    random = torch.Generator().manual_seed(style.seed)
    shapes = net.generator.noise_shapes(height // 8, width // 8)
    noise = [torch.randn(1, *shape, generator=random) for shape in shapes]
    vector = torch.from_numpy(style.vector)[None]
    latents = net.generator(F.avg_pool2d(y, 8), vector, noise)
    decoder = Autoencoder(net.spec.autoencoder).eval()
    decoder.decoder, decoder.hints = net.decoder, net.hints
    decoder.latent_mean, decoder.latent_std = net.latent_mean, net.latent_std
    return to_pixels(decoder.decode(latents, y))[0]


def test_the_whole_picture_is_what_the_networks_make(painter, layout):
    style = painter.random_style(2)
    made = painter.paint(layout, style)
    assert made.std() > 5
    assert np.abs(made.astype(int) - plainly(painter, layout, style)).max() <= 1


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_part_is_the_wholes(palette, layout, tmp_path, precision):
    painter = painter_of(DEEP, palette, tmp_path, precision)
    style = painter.random_style(4)
    whole = painter.paint(layout, style)
    for box in (Box(150, 70, 61, 47), Box(0, 300, 20, 20), Box(301, 0, 83, 1), Box(97, 33, 1, 190)):
        part = painter.paint(layout, style, box)
        assert np.abs(part.astype(int) - whole[box.slices]).max() <= 1


def test_a_part_is_made_of_less(painter, palette, shapes):
    """At the end of a wide picture most of it is never computed."""
    wide = Layout(np.zeros((64, 1536), np.uint8), palette)
    painter.paint(wide, painter.random_style(0))
    whole = max(width for _, _, width, *_ in shapes)
    shapes.clear()
    painter.paint(wide, painter.random_style(0), Box(0, 0, 8, 8))
    assert whole == 1536 and max(width for _, _, width, *_ in shapes) < 64


def test_parts_ask_for_few_sizes(painter, layout, shapes):
    """Every new size of a convolution costs as much as to compute it."""
    style, rng = painter.random_style(0), np.random.default_rng(0)
    for y, x in rng.integers(0, (240, 300), (60, 2)):
        painter.paint(layout, style, Box(int(x), int(y), 81, 81))
    asked = len(shapes)
    assert asked > 60 * 30 and len(set(shapes)) < asked / 10


def test_four_small_convolutions_are_one_behind_an_upsampling():
    torch.manual_seed(0)
    conv, x = torch.nn.Conv2d(5, 3, 3, padding=1), torch.randn(1, 5, 6, 9)
    known, level = Known(x, Area(0, 0, 6, 9)), Level((12, 18), 4)
    with torch.no_grad():
        expected = conv(F.interpolate(x, scale_factor=2, mode="nearest"))
        made, area = UpConv(conv)(known, Area(0, 0, 12, 18), level)
    assert area == Area(0, 0, 12, 18)
    torch.testing.assert_close(made, expected)


@pytest.mark.parametrize("lit", [False, True])
def test_channels_in_another_order_shuffle_to_the_same_pixels(lit):
    torch.manual_seed(0)
    conv, x = torch.nn.Conv2d(5, 12, 3, padding=1), torch.randn(1, 5, 6, 9)
    known, level = Known(x, Area(0, 0, 6, 9)), Level((12, 18), 1)
    with torch.no_grad():
        expected = F.pixel_shuffle(conv(F.silu(x) if lit else x), 2)
        made, area = ShuffledConv(conv, lit)(known, Area(0, 0, 12, 18), level)
    assert area == Area(0, 0, 12, 18)
    torch.testing.assert_close(made, expected)


@pytest.mark.parametrize(
    ("area", "fitted"),
    [
        ((5, 5, 14, 13), (4, 5, 16, 13)),  # nine rows become twelve, on both sides
        ((0, 0, 9, 8), (0, 0, 12, 8)),  # there is nothing above
        ((31, 20, 40, 21), (28, 19, 40, 23)),  # nor below
        ((3, 1, 38, 30), (3, 0, 39, 30)),  # all of thirty is no multiple
    ],
)
def test_an_area_grows_to_multiples(area, fitted):
    assert Area(*area).fitted(4, Area(0, 0, 40, 30)) == Area(*fitted)


@pytest.mark.skipif(not BUNDLED.is_file(), reason="no painter lies beside the model")
def test_a_part_of_the_bundled_painters_is_the_wholes():
    painter = InstantPainter.open(BUNDLED, "cpu")
    paths = sorted((ROOT / "app" / "examples").glob("*.png"))[:2]
    rng = np.random.default_rng(0)
    for seed, path in enumerate(paths):
        labels = read_labels(path, painter.info.palette).labels[:256, :256].copy()
        labels[60:140, 90:150] = 7
        layout, style = Layout(labels, painter.info.palette), painter.random_style(seed)
        whole = painter.paint(layout, style).astype(int)
        for y, x in rng.integers(0, 175, (4, 2)):
            box = Box(int(x), int(y), 81, 81)
            assert np.abs(painter.paint(layout, style, box) - whole[box.slices]).max() <= 1
