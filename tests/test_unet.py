"""The U-Net computes what the official one computes, and its three parts are exact."""

import json

import pytest
import torch

from core.model.spec import ModelSpec, SpecError
from core.model.unet import SDMUNet
from tests.reference import GOLDEN, UNETS, Golden, seeded_tensor, spec_of

RELEASES = json.loads((GOLDEN / "sdm_release_shapes.json").read_text())


def relative_error(got: torch.Tensor, expected: torch.Tensor) -> float:
    return float((got - expected).norm() / expected.norm())


@pytest.fixture(scope="module", params=UNETS)
def official(request):
    """A golden file, and our network with the weights it was computed with."""
    golden = Golden(request.param)
    network = SDMUNet(spec_of(golden.config))
    seed = golden.config["seed"]
    state = {key: seeded_tensor(key, shape, seed) for key, shape in golden.keys().items()}
    network.load_state_dict(state, strict=True)
    return golden, network.eval().requires_grad_(False)


def test_equals_the_official_network(official):
    """With the same weights the output is the official one, to 1e-4 in float32."""
    golden, network = official
    assert relative_error(network(golden.x, golden.t, golden.y()), golden.out) < 1e-4


def test_equals_the_official_network_for_the_null_layout(official):
    """The null layout of guidance, all zeros, gives the official output too."""
    golden, network = official
    assert relative_error(network(golden.x, golden.t, 0 * golden.y()), golden.out_null) < 1e-4


@pytest.mark.parametrize("release", RELEASES)
def test_has_the_keys_and_shapes_of_the_release(release):
    """A released state dict would load strictly: every key and shape is the official one."""
    with torch.device("meta"):
        network = SDMUNet(ModelSpec(num_classes=RELEASES[release]["num_classes"]))
    ours = {key: list(value.shape) for key, value in network.state_dict().items()}
    assert ours == dict(RELEASES[release]["shapes"])


def test_the_encoder_never_sees_the_layout(make_unet):
    """Features and skips of one encoding serve both branches of guidance exactly."""
    network, x, t = make_unet(), torch.randn(2, 3, 16, 16), torch.tensor([3, 800])
    y = torch.rand(2, 3, 16, 16)
    encoded = network.encode(x, t)
    for layout in (y, torch.zeros_like(y)):
        parts = network.decode(encoded, network.embed_layout(layout), t)
        assert torch.equal(parts, network(x, t, layout))


def test_one_layout_embedding_serves_a_whole_batch(make_unet):
    """gamma and beta of a single layout broadcast over the pictures of a batch."""
    network, x, t = make_unet(), torch.randn(2, 3, 16, 16), torch.tensor([3, 800])
    y = torch.rand(1, 3, 16, 16)
    shared = network.decode(network.encode(x, t), network.embed_layout(y), t)
    torch.testing.assert_close(shared, network(x, t, y.expand(2, -1, -1, -1)))


def test_the_layout_changes_the_picture(make_unet):
    """Another layout gives another output: the decoder does read it."""
    network, x, t = make_unet(), torch.randn(1, 3, 16, 16), torch.tensor([100])
    y = torch.zeros(1, 3, 16, 16)
    assert relative_error(network(x, t, y + 1), network(x, t, y)) > 1e-2


def test_area_resize_reads_label_shares(make_unet):
    """A layout given fine and the same layout averaged to the network's grid are the same thing."""
    network = make_unet(layout_resize="area")
    fine = torch.rand(1, 3, 64, 64)
    coarse = torch.nn.functional.avg_pool2d(fine, 4)
    ours = network.embed_layout(fine, (16, 16))
    for a, b in zip(ours, network.embed_layout(coarse, (16, 16)), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    "fields",
    [
        dict(resblock_updown=False),
        dict(use_scale_shift_norm=False),
        dict(use_new_attention_order=True, num_head_channels=8),
        dict(num_head_channels=-1, num_heads=4),
    ],
)
def test_every_official_switch_gives_a_working_network(make_unet, fields):
    """The switches that the releases leave alone build networks that run and differ."""
    network = make_unet(**fields)
    out = network(torch.randn(1, 3, 16, 16), torch.tensor([10]), torch.rand(1, 3, 16, 16))
    assert out.shape == (1, 6, 16, 16) and out.isfinite().all()


def test_the_two_attention_orders_differ_only_in_the_order_of_channels(make_unet):
    """New and legacy order agree once the rows of qkv are reordered."""
    from core.model.layers import AttentionBlock

    new, old = AttentionBlock(16, 2, True), AttentionBlock(16, 2, False)
    for parameter in new.parameters():
        torch.nn.init.normal_(parameter)
    old.load_state_dict(new.state_dict())
    order = torch.arange(48).reshape(3, 2, 8).transpose(0, 1).reshape(-1)
    with torch.no_grad():
        old.qkv.weight.copy_(new.qkv.weight[order])
        old.qkv.bias.copy_(new.qkv.bias[order])
    x = torch.randn(1, 16, 4, 4)
    torch.testing.assert_close(new(x), old(x))


def test_the_spec_survives_json():
    """A spec stored and read again is the same spec, tuples and nested autoencoder included."""
    from tests.conftest import LATENT, TINY

    spec = ModelSpec(**{**TINY, **LATENT})
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    "fields, says",
    [
        (dict(out_channels=3), "twice"),
        (dict(prediction="noise"), "noise"),
        (dict(layout_resize="cubic"), "cubic"),
        (dict(colour=1), "colour"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(fields, says):
    """Each contradiction is named."""
    with pytest.raises(SpecError, match=says):
        ModelSpec.from_dict(fields)


@pytest.mark.parametrize("new_order", [False, True])
def test_attention_is_the_same_both_ways(new_order):
    """As sampling runs it and as training does."""
    from core.model.layers import AttentionBlock

    block = AttentionBlock(32, 2, new_order)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x = torch.randn(2, 32, 4, 6).to(memory_format=torch.channels_last)
    with torch.no_grad():
        torch.testing.assert_close(block.eval()(x), block.train()(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("affine", [False, True])
def test_a_norm_over_small_maps_is_the_norm(affine):
    """In bfloat16 it goes by way of float32, and rounds once."""
    from core.model.layers import GroupNorm

    norm = GroupNorm(64, affine).bfloat16().eval()
    for parameter in norm.parameters():
        torch.nn.init.normal_(parameter)
    x = (3 + torch.randn(2, 64, 8, 8)).bfloat16().to(memory_format=torch.channels_last)
    with torch.no_grad():
        exact = torch.nn.functional.group_norm(
            x.double(), 32, *(p.double() for p in (norm.weight, norm.bias)) if affine else ()
        )
        torch.testing.assert_close(norm(x).double(), exact, atol=0.02, rtol=2**-8)
        assert norm(x).is_contiguous(memory_format=torch.channels_last)
