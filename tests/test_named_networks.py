"""Networks of torchvision and timm by name, with stand-ins for the packages."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from core.errors import InputError
from core.evaluate import main
from core.named_networks import open_named, preparation
from tests.test_evaluate import PaintedEngine, make_data, metrics_of


class Classifier(nn.Module):
    """Mean colours, then a classifier as torchvision's networks have one or another."""

    def __init__(self, head="fc", deep=False):
        super().__init__()
        last = nn.Linear(3, 5)
        setattr(self, head, nn.Sequential(nn.Identity(), last) if deep else last)
        self._head = head

    def forward(self, x):
        return getattr(self, self._head)(x.mean((2, 3)))

    def reset_classifier(self, classes):
        assert classes == 0
        self.fc = nn.Identity()


@pytest.fixture
def packages(monkeypatch):
    """Stand-ins for both; what they were asked for."""
    asked = []
    networks = {
        "plain": lambda: Classifier(),
        "deep": lambda: Classifier("classifier", True),
        "odd": lambda: Classifier("verdict"),
    }

    def get_model(name, weights):
        asked.append((name, weights))
        return networks[name]()

    def create_model(name, pretrained):
        asked.append((name, pretrained))
        return Classifier()

    config = {"input_size": (3, 16, 32), "mean": (0.5,) * 3, "std": (0.25,) * 3}
    config["interpolation"] = "bicubic"
    torchvision, timm = ModuleType("torchvision"), ModuleType("timm")
    models, data = ModuleType("torchvision.models"), ModuleType("timm.data")
    models.list_models, models.get_model = lambda: list(networks), get_model
    data.resolve_model_data_config = lambda module: config
    timm.is_model, timm.create_model = lambda name: name == "Plain.tag", create_model
    torchvision.models, timm.data = models, data
    for module in (torchvision, models, timm, data):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return SimpleNamespace(asked=asked)


def grey(value):
    return np.full((10, 20, 3), value, np.uint8)


@pytest.mark.parametrize("name", ["plain", "deep"])
def test_torchvision_without_its_classifier(packages, name):
    """Three features and no five classes, of the package's own weights."""
    network = open_named(f"torchvision:{name}")
    (features,) = network([grey(255)])
    assert packages.asked == [(name, "DEFAULT")] and network.name == name
    assert features == pytest.approx([2.2489, 2.4286, 2.64], abs=1e-3)


def test_timm_says_how_it_wants_its_pictures(packages):
    """Size, mean and deviation of its configuration."""
    network = open_named("timm:Plain.tag")
    assert network.prepare(grey(255)).shape == (3, 16, 32)
    assert network([grey(255)])[0] == pytest.approx([2, 2, 2])
    assert packages.asked == [("Plain.tag", True)] and network.name == "plain.tag"


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_weights_from_a_file(packages, tmp_path, suffix):
    """Nothing is fetched then; another file, another identity."""
    identities = []
    for value in (0.0, 1.0):
        tensors = {"fc.weight": torch.zeros(5, 3), "fc.bias": torch.full((5,), value)}
        path = tmp_path / f"{value}.{suffix}"
        save_file(tensors, path) if suffix == "safetensors" else torch.save(tensors, path)
        identities.append(open_named(f"torchvision:plain={path}").identity)
    assert packages.asked[0] == ("plain", None)
    save_file({"a": torch.zeros(1)}, tmp_path / "odd.safetensors")
    (tmp_path / "bad.pth").write_bytes(b"nothing")
    for name in ("odd.safetensors", "bad.pth", "none.pth"):
        with pytest.raises(InputError, match=name):
            open_named(f"timm:Plain.tag={tmp_path / name}")


@pytest.mark.parametrize(
    "text, words",
    [
        ("resnet50", "write torchvision:NAME"),
        ("keras:resnet50", "write torchvision:NAME"),
        ("timm:", "write torchvision:NAME"),
        ("torchvision:none", "no network 'none'"),
        ("timm:none", "no network 'none'"),
        ("torchvision:odd", "classifies"),
    ],
)
def test_what_is_no_network_is_refused(packages, text, words):
    """In a sentence that says what to write."""
    with pytest.raises(InputError, match=words):
        open_named(text)


@pytest.mark.parametrize("package", ["torchvision", "timm"])
def test_a_missing_package_says_how_to_install_it(monkeypatch, package):
    """Both are optional."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=f"pip install {package}"):
        open_named(f"{package}:resnet18")


def test_a_package_for_another_torch_is_told(monkeypatch):
    """It stops in the middle of its own import, with an error of its own."""

    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(InputError, match="torchvision does not fit.*nms.*belongs to torch"):
        open_named("torchvision:resnet18")


def test_the_preparation_keeps_the_whole_picture():
    """Squeezed, not cropped: left is black, right is white."""
    image = np.zeros((8, 32, 3), np.uint8)
    image[:, 16:] = 255
    prepared = preparation((4, 8), (0.0,) * 3, (1.0,) * 3, "bilinear")(image)
    assert prepared.shape == (3, 4, 8)
    assert prepared[0, 0, [0, 7]].tolist() == [0, 1]


def test_the_command_has_distances_by_that_name(packages, tmp_path, capsys):
    """Beside the others, in the table and in the files."""
    data, out = make_data(tmp_path), tmp_path / "out"
    reference = tmp_path / "reference"
    reference.mkdir()
    for i in range(6):
        noise = np.random.default_rng(i).integers(0, 255, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(noise).save(reference / f"{i}.png")
    options = ("--data", data, "--weights", data / "w", "--seeds", 2, "--threads", 1, "--out", out)
    networks = ("--reference", reference, "--features", "torchvision:plain", "timm:Plain.tag")
    arguments = [str(a) for a in (*options, *networks)]
    assert main(arguments, open_engine=lambda path: PaintedEngine()) == 0
    figures = metrics_of(out)["pictures"]
    assert figures["fd_plain"] > 0 and "kd_plain.tag_deviation" in figures
    printed = capsys.readouterr().out
    assert "FD-plain" in printed and "KD-plain.tag" in printed and "deviation" in printed
    assert "| FD-plain.tag |" in (out / "report.md").read_text(encoding="utf-8")
