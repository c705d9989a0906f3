"""SPADE as the paper has it: the official numbers, the released files, and how it learns."""

from __future__ import annotations

import json

import pytest
import torch

from core.model.spade import (
    MultiscaleDiscriminator,
    SpadeEncoder,
    SpadeGenerator,
    SyncedNorm,
    folded,
)
from core.model.spec import SpadeSpec, SpecError
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
