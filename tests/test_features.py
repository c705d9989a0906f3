"""Feature networks: their preparation, a small one against torch's own layers, and the cache."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file

from core import feature_cache
from core.errors import InputError
from core.feature_cache import find_photos, photo_features
from core.features import (
    FeatureNetwork,
    PlacesNetwork,
    for_inception,
    for_places,
    open_inception,
    open_places,
    tensorflow_resize,
)


def places_tensors(widths=(4, 4, 6, 6, 8), seed=0):
    """Random values under the Places network's own names: the stem's width, then four layers'."""
    generator = torch.Generator().manual_seed(seed)

    def conv(name, outer, inner, side):
        tensors[f"{name}.weight"] = torch.randn(outer, inner, side, side, generator=generator) / 4

    def norm(name, width):
        for part in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{name}.{part}"] = torch.rand(width, generator=generator) + 0.5

    tensors = {}
    conv("conv1", widths[0], 3, 7)
    norm("bn1", widths[0])
    for layer, (inner, outer) in enumerate(zip(widths, widths[1:]), start=1):
        for block, width in enumerate((inner, outer)):
            name = f"layer{layer}.{block}"
            conv(f"{name}.conv1", outer, width, 3)
            conv(f"{name}.conv2", outer, outer, 3)
            norm(f"{name}.bn1", outer)
            norm(f"{name}.bn2", outer)
            if block == 0 and layer > 1:
                conv(f"{name}.downsample.0", outer, inner, 1)
                norm(f"{name}.downsample.1", outer)
    return tensors


def plain_places(x, tensors):
    """The same network with batch normalisation as torch has it, layer by layer."""

    def step(x, conv, bn, stride):
        weight = tensors[f"{conv}.weight"]
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        parts = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(tensors[f"{bn}.{part}"] for part in parts))

    x = F.relu(step(x, "conv1", "bn1", 2))
    for layer in (1, 2, 3, 4):
        for block in (0, 1):
            name, stride = f"layer{layer}.{block}", 2 if block == 0 and layer > 1 else 1
            inner = F.relu(step(x, f"{name}.conv1", f"{name}.bn1", stride))
            if f"{name}.downsample.0.weight" in tensors:
                x = step(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
            x = F.relu(x + step(inner, f"{name}.conv2", f"{name}.bn2", 1))
    return F.adaptive_avg_pool2d(x, 1).flatten(1)


def test_folding_the_normalisation_changes_nothing():
    """The network equals its parts one after the other."""
    tensors, x = places_tensors(), torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        ours, wanted = PlacesNetwork(tensors)(x), plain_places(x, tensors)
    assert ours.shape == (2, 8)
    torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-4)


def test_a_places_file_gives_features_of_any_picture(tmp_path):
    """Half precision on disk, 224x224 inside; the identity follows the file."""
    path, other = tmp_path / "places.safetensors", tmp_path / "other.safetensors"
    save_file({k: v.half() for k, v in places_tensors().items()}, path)
    save_file(places_tensors(seed=1), other)
    network = open_places(path)
    images = [np.full((40, 60, 3), value, np.uint8) for value in range(0, 90, 10)]
    features = network(images)
    assert features.shape == (9, 8) and features.dtype == np.float32
    assert np.allclose(features[3:4], network(images[3:4]), rtol=1e-4)
    assert network.identity != open_places(other).identity


@pytest.mark.parametrize("content", [None, b"no tensors", {"fc.weight": torch.zeros(2, 2)}])
def test_a_file_that_is_no_places_network_is_named(tmp_path, content):
    """Missing, damaged, or another network."""
    path = tmp_path / "odd.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        save_file(content, path)
    with pytest.raises(InputError, match="odd.safetensors"):
        open_places(path)


def test_places_sees_the_statistics_of_imagenet():
    """Mid grey is a little above the mean."""
    tensor = for_places(np.full((20, 30, 3), 128, np.uint8))
    assert tensor.shape == (3, 224, 224)
    assert tensor[:, 0, 0].tolist() == pytest.approx([0.07406, 0.20518, 0.42654], abs=1e-4)


def test_the_resize_is_that_of_tensorflow_1():
    """Pixel i reads at i H / side, and the last rows repeat the edge."""
    row = torch.tensor([0.0, 10.0]).expand(3, 2, 2)
    assert tensorflow_resize(row, 4)[0, 0].tolist() == [0, 5, 10, 10]
    picture = torch.rand(3, 6, 6)
    torch.testing.assert_close(tensorflow_resize(picture, 6), picture)


def test_inception_sees_128_as_zero():
    """(x - 128) / 128 at 299x299."""
    tensor = for_inception(np.full((25, 40, 3), (0, 128, 192), np.uint8))
    assert tensor.shape == (3, 299, 299)
    assert tensor[:, 150, 7].tolist() == pytest.approx([-1, 0, 0.5])


class Means(torch.nn.Module):
    """Stands in for the Inception: the mean of each channel."""

    def forward(self, x):
        return x.mean((2, 3))


@pytest.fixture
def scripted(tmp_path):
    """A TorchScript file of `Means`."""
    path = tmp_path / "means.pt"
    with pytest.warns(DeprecationWarning):
        torch.jit.trace(Means(), torch.zeros(1, 3, 8, 8)).save(str(path))
    return path


def test_an_inception_file_is_torchscript(scripted, tmp_path):
    """Opened by path, without a warning; another file is refused by name."""
    network = open_inception(scripted)
    (features,) = network([np.full((16, 16, 3), (0, 128, 192), np.uint8)])
    assert features == pytest.approx([-1, 0, 0.5], abs=1e-5)
    (tmp_path / "odd.pt").write_bytes(b"nothing")
    with pytest.raises(InputError, match="odd.pt is no TorchScript"):
        open_inception(tmp_path / "odd.pt")
    with pytest.raises(InputError, match="none.pt cannot be read"):
        open_inception(tmp_path / "none.pt")


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    """Without a file, the network is that of the package, found but not imported."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="--inception.*pip install"):
        open_inception()


# -- the cache ------------------------------------------------------------------------------------


class CountingNetwork:
    """Mean colours, and how many pictures it was asked for."""

    def __init__(self, identity="one"):
        self.seen = 0
        self.network = FeatureNetwork("means", identity, for_places, Means())

    def __call__(self, images):
        self.seen += len(images)
        return self.network(images)

    name = property(lambda self: self.network.name)
    identity = property(lambda self: self.network.identity)


@pytest.fixture
def folder(tmp_path):
    """Five photos of one colour each."""
    (tmp_path / "data" / "images").mkdir(parents=True)
    for i in range(5):
        picture = Image.new("RGB", (8, 8), (50 * i, 0, 0))
        picture.save(tmp_path / "data" / "images" / f"{i}.png")
    return tmp_path / "data"


def test_a_second_run_finds_the_features(folder, tmp_path, monkeypatch):
    """Only a photo or a network that changed is looked at again, with its shard."""
    monkeypatch.setattr(feature_cache, "SHARD", 2)
    photos, cache, network, done = find_photos(folder), tmp_path / "cache", CountingNetwork(), []
    first = photo_features(network, photos, cache, done.append)
    assert first.shape == (5, 3) and network.seen == 5 and sum(done) == 5
    assert (photo_features(network, photos, cache, done.append) == first).all()
    assert network.seen == 5 and sum(done) == 10
    Image.new("RGB", (9, 9)).save(photos[4])
    assert not (photo_features(network, photos, cache) == first).all()
    assert network.seen == 6
    other = CountingNetwork("two")
    photo_features(other, photos, cache)
    assert other.seen == 5


def test_a_damaged_cache_is_made_again(folder, tmp_path):
    """Half a file is no reason to stop."""
    photos, network = find_photos(folder), CountingNetwork()
    first = photo_features(network, photos, tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert (photo_features(network, photos, tmp_path / "cache") == first).all()
    assert network.seen == 10 and len(np.load(file)["features"]) == 5


def test_a_folder_without_photos_is_named(tmp_path):
    """As is a photo that cannot be read."""
    with pytest.raises(InputError, match=str(tmp_path)):
        find_photos(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match="a.png"):
        photo_features(CountingNetwork(), find_photos(tmp_path))
