"""LPIPS: our network with random weights against the reference package's, and its use."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.errors import InputError
from core.perceptual import LPIPS, PairDistances

ALEX = ((0, 64, 3, 11), (3, 192, 64, 5), (6, 384, 192, 3), (8, 256, 384, 3), (10, 256, 256, 3))
VGG_WIDTHS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
VGG_PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)


def lpips_tensors(convolutions=ALEX, heads=(64, 192, 384, 256, 256), seed=0):
    """Random weights under the names of our LPIPS files."""
    rng, tensors = np.random.RandomState(seed), {}
    for place, outer, inner, side in convolutions:
        weight = rng.randn(outer, inner, side, side) / (inner * side**2 / 2) ** 0.5
        tensors[f"features.{place}.weight"] = torch.from_numpy(weight).float()
        tensors[f"features.{place}.bias"] = torch.from_numpy(rng.randn(outer) / 10).float()
    for k, width in enumerate(heads):
        weight = rng.rand(1, width, 1, 1) / width
        tensors[f"lin{k}.weight"] = torch.from_numpy(weight).float()
    return tensors


def vgg_tensors():
    inner = (3, *VGG_WIDTHS)
    convolutions = [(p, o, i, 3) for p, o, i in zip(VGG_PLACES, VGG_WIDTHS, inner)]
    return lpips_tensors(convolutions, (64, 128, 256, 512, 512))


def pictures():
    """Two batches of two pictures `[2, 3, 64, 80]` in [-1, 1]."""
    rng = np.random.RandomState(1)
    return (torch.from_numpy(rng.uniform(-1, 1, (2, 3, 64, 80))).float() for _ in range(2))


# What lpips 0.1.4 gives for these weights and pictures: the test below runs where it is installed.
REST = "model.1.weight"
REFERENCE = {"alex": (0.0110537987, 0.011465162), "vgg": (0.00872270484, 0.00880962797)}


@pytest.mark.parametrize("kind, tensors", [("alex", lpips_tensors), ("vgg", vgg_tensors)])
def test_the_distance_is_that_of_the_reference(tmp_path, kind, tensors):
    """Stored figures of the package, for random weights."""
    save_file(tensors(), tmp_path / "net.safetensors")
    with torch.inference_mode():
        found = LPIPS(tmp_path / "net.safetensors").eval()(*pictures())
    assert found.tolist() == pytest.approx(REFERENCE[kind], rel=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("kind, tensors", [("alex", lpips_tensors), ("vgg", vgg_tensors)])
def test_the_stored_figures_are_those_of_the_package(kind, tensors):
    """The extra `reference` brings it; the weights are ours, nothing is downloaded."""
    lpips = pytest.importorskip("lpips")
    package = lpips.LPIPS(net=kind, pretrained=False, pnet_rand=True, verbose=False).eval()
    own = package.state_dict()
    for name, tensor in tensors().items():
        head, place, part = (*name.split("."), "")[:3]
        # It keeps torchvision's layers in slices, under their own numbers, and the heads twice.
        layer, spare = f".{place}.{part}", head.replace("lin", "lins.")
        names = (layer,) if head == "features" else (f"{head}.{REST}", f"{spare}.{REST}")
        keys = [key for key in own if key.endswith(names) and ("slice" in key or names[1:])]
        assert keys
        for key in keys:
            own[key] = tensor
    package.load_state_dict(own)
    with torch.inference_mode():
        found = package(*pictures()).flatten()
    assert found.tolist() == pytest.approx(REFERENCE[kind], rel=1e-5)


def test_every_picture_is_looked_at_once(tmp_path):
    """Ten distances of five pictures are those of the network, pair by pair."""
    path = tmp_path / "net.safetensors"
    save_file(lpips_tensors(), path)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (32, 40, 3)).astype(np.uint8) for _ in range(5)]
    distance, network = PairDistances.open(path), LPIPS(path).eval()
    found = distance(images)
    x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        wanted = [network(x[i : i + 1], x[j : j + 1]) for i in range(5) for j in range(i + 1, 5)]
    assert found == pytest.approx([float(one) for one in wanted], rel=1e-5) and len(found) == 10


def test_a_file_that_is_no_network_is_named(tmp_path):
    """Missing, or with other tensors."""
    save_file({"a": torch.zeros(1)}, tmp_path / "odd.safetensors")
    for name in ("odd.safetensors", "none.safetensors"):
        with pytest.raises(InputError, match=name):
            LPIPS(tmp_path / name)
