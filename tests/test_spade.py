"""SPADE as the paper has it: the official numbers, the released files, and how it learns."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from core import convert
from core.convert_spade import palette_with_edges
from core.labelmap import Box
from core.model.spade import (
    MultiscaleDiscriminator,
    SpadeEncoder,
    SpadeGenerator,
    SyncedNorm,
    folded,
)
from core.model.spec import SpadeSpec, SpecError
from core.onehot import one_hot
from core.opening import open_model
from core.palette import Palette
from core.pixels import to_pixels
from core.request import Layout
from core.spade_painter import SpadePainter
from tests.reference import GOLDEN, Golden, seeded_tensor

SPADES = ("spade_coco_small", "spade_vae_small")
RELEASES = json.loads((GOLDEN / "spade_release_shapes.json").read_text())


def spade_spec_of(config: dict) -> SpadeSpec:
    """A SpadeSpec from the official options."""
    same = ("ngf", "crop_size", "aspect_ratio", "num_upsampling_layers", "use_vae")
    labels = config["label_classes"] + config["instance_edges"]
    return SpadeSpec(labels, **{name: config[name] for name in same})


def spade_tensor(key: str, shape: list[int], seed: int) -> torch.Tensor:
    """The weights of the golden SPADE numbers: the common rule, and what its README adds."""
    if key.endswith("num_batches_tracked"):
        return torch.tensor(0)
    if key.endswith("running_var"):
        return seeded_tensor(f"{key}.weight", shape, seed).abs()
    value = seeded_tensor(key, shape, seed)
    if key.endswith(("weight_u", "weight_v")):
        return value / value.norm()
    return 0.02 * value if key.startswith("conv_img") else value


def seeded(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    state = {k: spade_tensor(k, list(v.shape), seed) for k, v in module.state_dict().items()}
    module.load_state_dict(state)
    return module.eval().requires_grad_(False)


def shapes(module: torch.nn.Module) -> dict[str, list[int]]:
    return {k: list(v.shape) for k, v in module.state_dict().items()}


@pytest.mark.parametrize("name", SPADES)
def test_the_generator_has_the_official_names_and_numbers(name):
    """Also with spectral norm folded into the weights."""
    golden = Golden(name)
    spec = spade_spec_of(golden.config)
    network = seeded(SpadeGenerator(spec), golden.config["seed"])
    assert shapes(network) == golden.keys()
    style = golden.z if spec.use_vae else None
    torch.testing.assert_close(network(golden.y(), style), golden.out, rtol=1e-4, atol=1e-4)
    plain = SpadeGenerator(spec, folded=True).eval().requires_grad_(False)
    plain.load_state_dict(folded(network.state_dict()))
    torch.testing.assert_close(plain(golden.y(), style), golden.out, rtol=1e-4, atol=1e-4)


def test_the_style_encoder_has_the_official_names_and_numbers():
    golden = Golden("spade_vae_small")
    encoder = seeded(SpadeEncoder(spade_spec_of(golden.config)), golden.config["seed"])
    assert shapes(encoder) == dict(json.loads(str(golden._data["enc_keys"])))
    mean, log_variance = encoder(golden.enc_x)
    torch.testing.assert_close(mean, golden.enc_mu, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(log_variance, golden.enc_logvar, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("release", RELEASES)
def test_the_three_releases_fit_to_the_name(release):
    content = RELEASES[release]
    with torch.device("meta"):
        network = SpadeGenerator(SpadeSpec(content["semantic_nc"]))
    assert shapes(network) == content["shapes"]


@pytest.mark.parametrize("number", ["normal", "more", "most"])
def test_each_number_of_upsamplings_makes_the_size_that_it_should(number):
    """From 1/32, 1/64 or 1/128 of the picture; any multiple of that can be painted."""
    spec = SpadeSpec(2, ngf=2, crop_size=256, num_upsampling_layers=number)
    network = SpadeGenerator(spec).eval()
    size = (spec.multiple, 2 * spec.multiple)
    assert network(torch.zeros(1, 2, *size)).shape[-2:] == size
    assert ("up_4.conv_0.bias" in network.state_dict()) == (number == "most")


def test_wide_pictures_begin_wide():
    """Cityscapes: 256x512 from 8x16."""
    spec = SpadeSpec(36, crop_size=512, aspect_ratio=2.0)
    assert spec.first_size == (8, 16) and spec.picture_size == (256, 512)
    with pytest.raises(SpecError, match="too small"):
        SpadeSpec(2, crop_size=64, num_upsampling_layers="most")


def test_the_discriminator_looks_at_two_scales_and_shows_its_layers():
    judge = MultiscaleDiscriminator(2, ndf=4)
    full, half = judge(torch.zeros(1, 5, 64, 64))
    assert [f.shape[1] for f in full] == [4, 8, 16, 32, 1]
    assert [f.shape[-1] for f in full] == [33, 17, 9, 10, 11] and half[0].shape[-1] == 17


def test_batch_norm_is_torchs():
    """With its statistics of training and of use."""
    ours, theirs = SyncedNorm(3, folded=False), torch.nn.BatchNorm2d(3, affine=False)
    for _ in range(3):
        x = torch.randn(4, 3, 5, 5) * 2 + 1
        torch.testing.assert_close(ours(x), theirs(x))
    assert int(ours.num_batches_tracked) == 3
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


# -- files and pictures ---------------------------------------------------------------------------

SMALL = {"ngf": 4, "crop_size": 64, "z_dim": 8}


@pytest.fixture
def convert_run(tmp_path, palette_file):
    """`convert_run(state, *more)`: status of the command on a file with `state`."""

    def go(state, *more):
        torch.save(state, tmp_path / "latest_net_G.pth")
        words = [tmp_path / "latest_net_G.pth", "--palette", palette_file, "-o", tmp_path / "o.st"]
        return convert.main([str(w) for w in words] + ["--spec", json.dumps(SMALL), *more])

    return go


def trained(spec: SpadeSpec, kind=SpadeGenerator) -> torch.nn.Module:
    """A network whose numbers differ everywhere, as a file would have them."""
    return seeded(kind(spec), 3)


def layout_of(palette, side: int = 64) -> Layout:
    labels = np.zeros((side, side), np.uint8)
    labels[: side // 2] = 1
    labels[40:, 10:50] = 2
    return Layout(labels, palette)


def test_a_released_file_converts_and_paints_the_same_picture(convert_run, tmp_path, palette):
    """Its spectral norm is folded; the picture is the official network's."""
    network = trained(SpadeSpec(3, **SMALL))
    assert convert_run(network.state_dict()) == 0
    painter = open_model(tmp_path / "o.st", "cpu", "float32")
    layout = layout_of(palette)
    picture = painter.paint(layout, painter.random_style(0))
    y = one_hot(torch.from_numpy(layout.labels.copy())[None], 3)
    assert np.abs(picture.astype(int) - to_pixels(network(y))[0]).max() <= 1
    with safe_open(tmp_path / "o.st", "pt") as file:
        assert not [k for k in file.keys() if k.endswith(("_u", "_v", "_orig", "_tracked"))]


def test_styles_come_along_with_the_encoder(convert_run, tmp_path, palette):
    """A VAE shows in the file; its encoder gives pictures' styles; two styles, two pictures."""
    spec = SpadeSpec(3, use_vae=True, **SMALL)
    torch.save(trained(spec, SpadeEncoder).state_dict(), tmp_path / "latest_net_E.pth")
    more = ["--encoder", str(tmp_path / "latest_net_E.pth"), "--store", "bfloat16"]
    assert convert_run(trained(spec).state_dict(), *more) == 0
    painter = SpadePainter.open(tmp_path / "o.st", "cpu", "float32")
    rng = np.random.default_rng(0)
    one, two = (painter.style_of(rng.integers(0, 255, (40, 50, 3), np.uint8)) for _ in range(2))
    assert one.vector.shape == (8,) and not np.allclose(one.vector, two.vector)
    pictures = [painter.paint(layout_of(palette), style) for style in (one, two)]
    assert (pictures[0] != pictures[1]).any()


def test_what_differs_is_named(convert_run, capsys, tmp_path):
    state = dict(trained(SpadeSpec(3, **SMALL)).state_dict())
    state["up_3.conv_0.weight_orig"] = state["up_3.conv_0.weight_orig"][:2]
    state["stranger"] = state.pop("conv_img.bias")
    assert convert_run(state) == 2
    said = capsys.readouterr().err
    assert "up_3.conv_0.weight_orig is [2, 8, 3, 3], expected [4, 8, 3, 3]" in said
    assert "conv_img.bias is missing" in said and "stranger is not expected" in said
    assert "SPADE generator of 3 label channels" in said and not (tmp_path / "o.st").exists()


def test_an_encoder_is_for_a_spade_alone(tmp_path, palette_file, capsys):
    torch.save({"out.2.bias": torch.zeros(6)}, tmp_path / "sdm.pt")
    words = [tmp_path / "sdm.pt", "--palette", palette_file, "-o", tmp_path / "o.st"]
    assert convert.main([*map(str, words), "--encoder", "latest_net_E.pth"]) == 2
    assert "no SPADE generator" in capsys.readouterr().err


def test_the_released_palettes_have_the_released_channels():
    """COCO-Stuff's SPADE read instance edges, Cityscapes is twice as wide as high."""
    for name, release in (("coco_stuff", "coco_pretrained"), ("ade20k", "ade20k_pretrained")):
        assert (
            palette_with_edges(Palette.load(name)).num_channels
            == (RELEASES[release]["semantic_nc"])
        )
    assert palette_with_edges(Palette.load("cityscapes")).num_channels == 36


def test_a_stroke_computes_gamma_and_beta_near_it_alone(convert_run, tmp_path, palette):
    """The part that is cut out is what a painter that never saw the old layout paints."""
    assert convert_run(trained(SpadeSpec(3, **SMALL)).state_dict()) == 0
    painter, fresh = (SpadePainter.open(tmp_path / "o.st", "cpu", "float32") for _ in range(2))
    style, layout = painter.random_style(0), layout_of(palette, 128)
    painter.paint(layout, style)
    seen = []
    last = painter.net.generator.up_3.norm_1.mlp_shared
    last.register_forward_hook(lambda m, a, out: seen.append(out.shape[-2:]))
    labels = layout.labels.copy()
    labels[20:28, 30:40] = 2
    part = painter.paint(Layout(labels, palette), style, Box(20, 10, 40, 30))
    whole = fresh.paint(Layout(labels, palette), style)
    assert seen == [(8 + 8, 10 + 8)]
    assert np.abs(part.astype(int) - whole[10:40, 20:60]).max() <= 1
