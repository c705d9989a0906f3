"""Segmenters of every kind of file: each finds the strongest colour, by its own conventions."""

import base64
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from core.errors import InputError
from core.outside_segmenter import OutsideSegmenter, label_shares
from core.segmenter_networks import open_network, scores
from tests.test_evaluate import PALETTE, table

# A 1x1 convolution with the identity: [1, 3, h, w] to the same, as an ONNX file.
IDENTITY_ONNX = base64.b64decode(
    "CAg6cwoPCgF4CgF3EgF5IgRDb252EgFnKjMIAwgDCAEIARABQgF3SiQAAIA/AAAAAAAAAAAAAAAAAACAPwAAAAAAAAAA"
    "AAAAAAAAgD9aHQoBeBIYChYIARISCgIIAQoCCAMKAxIBaAoDEgF3YgkKAXkSBAoCCAFCBAoAEA0="
)


class Strongest(torch.nn.Module):
    """The pixels themselves as scores, or the number of the largest, or a dict as torchvision's."""

    def __init__(self, how="scores"):
        super().__init__()
        self.how = how

    def forward(self, x):
        if self.how == "numbers":
            return x.argmax(1)
        return {"out": x} if self.how == "dict" else x


@pytest.fixture
def classes(tmp_path):
    """Red is sand, green is sea, blue is sky."""
    return table(tmp_path, "0,red,2,sand", "1,green,1,sea", "2,blue,0,sky")


def stripes():
    """Red, green and blue side by side, 12x24."""
    return np.repeat(np.eye(3, dtype=np.uint8)[None] * 255, 8, 1).repeat(12, 0)


def found(segmenter):
    """The labels in the middle of the stripes."""
    return segmenter(stripes(), (12, 24))[6, [4, 12, 20]].tolist()


def torchscript(path, how):
    with pytest.warns(DeprecationWarning):
        traced = torch.jit.trace(Strongest(how), torch.zeros(1, 3, 8, 8), strict=False)
        traced.save(str(path))
    return path


@pytest.mark.parametrize("how", ["scores", "numbers", "dict"])
def test_a_torchscript_network(tmp_path, classes, how):
    """Scores, class numbers, or a dict with either."""
    path = torchscript(tmp_path / "net.pt", how)
    assert found(OutsideSegmenter.open(path, classes, PALETTE, size=(24, 48))) == [2, 1, 0]


def test_an_exported_network(tmp_path, classes):
    """A .pt2 of one size has that size, and refuses another."""
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(Strongest(), (torch.zeros(1, 3, 12, 24),)), path)
    assert found(OutsideSegmenter.open(path, classes, PALETTE)) == [2, 1, 0]
    with pytest.raises(InputError, match="net.pt2 takes pictures of 12x24 only"):
        open_network(path, size=(24, 24))


def test_an_onnx_network(tmp_path, classes):
    """Run by onnxruntime, which the extra `onnx` brings."""
    pytest.importorskip("onnxruntime")
    path = tmp_path / "net.onnx"
    path.write_bytes(IDENTITY_ONNX)
    assert found(OutsideSegmenter.open(path, classes, PALETTE, size=(24, 48))) == [2, 1, 0]
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="net.onnx is not an ONNX network"):
        open_network(path)


class Argument:
    def __init__(self, name, shape):
        self.name, self.shape = name, shape


def runtime_of(shape, seen):
    """An onnxruntime whose networks take `shape` and give their pixels back."""
    runtime = ModuleType("onnxruntime")

    class Session:
        def __init__(self, path, options, providers):
            seen.append(providers)

        def get_inputs(self):
            return [Argument("x", shape)]

        def get_outputs(self):
            return [Argument("y", [1])]

        def run(self, names, given):
            seen.append(given["x"].shape)
            return [given["x"]]

    runtime.InferenceSession = Session
    runtime.SessionOptions = lambda: Argument("options", None)
    runtime.get_available_providers = lambda: ["Other", "CPUExecutionProvider"]
    return runtime


@pytest.mark.parametrize(
    "shape, size, given",
    [
        ([1, 3, 6, 12], None, (1, 3, 6, 12)),
        (["n", 3, "h", "w"], (24, 48), (1, 3, 24, 48)),
        ([1, "h", "w", 3], None, (1, 512, 512, 3)),
    ],
)
def test_an_onnx_network_says_what_it_takes(tmp_path, classes, monkeypatch, shape, size, given):
    """Its own size where it has one; channels first or last."""
    seen = []
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime_of(shape, seen))
    path = tmp_path / "net.onnx"
    path.write_bytes(IDENTITY_ONNX)
    assert found(OutsideSegmenter.open(path, classes, PALETTE, size=size)) == [2, 1, 0]
    assert seen == [["CPUExecutionProvider"], given]


@pytest.mark.parametrize(
    "shape, size, words",
    [([1, 3, 6, 12], (6, 6), "6x12 only"), ([1, 4, 8, 8], None, "a picture"), ([3], None, "a pic")],
)
def test_an_onnx_network_that_does_not_fit(tmp_path, monkeypatch, shape, size, words):
    """Its size is fixed, or it takes no pictures."""
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime_of(shape, []))
    path = tmp_path / "net.onnx"
    path.write_bytes(b"")
    with pytest.raises(InputError, match=words):
        open_network(path, size=size)


@pytest.mark.parametrize("pixels, grey", [("signed", 0.0), ("unit", 0.5), ("raw", 127.5)])
def test_pixels_as_the_network_wants_them(tmp_path, monkeypatch, pixels, grey):
    """The middle between black and white."""
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime_of([1, 3, 2, 1], []))
    path = tmp_path / "net.onnx"
    path.write_bytes(b"")
    image = np.uint8([[[127] * 3], [[128] * 3]])
    assert open_network(path, pixels=pixels)(image).mean() == pytest.approx(grey)


@pytest.mark.parametrize("name", ["net.onnx", "net.tflite"])
def test_a_missing_runtime_says_how_to_install_it(tmp_path, monkeypatch, name):
    """Both are optional."""
    for module in ("onnxruntime", "ai_edge_litert.interpreter"):
        monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match="pip install"):
        open_network(tmp_path / name)


def test_a_file_that_is_no_network_is_named(tmp_path):
    """An unknown suffix, a missing file, weights without a network, a damaged archive."""
    torch.save({"weight": torch.zeros(2)}, tmp_path / "weights.pth")
    (tmp_path / "net.pt2").write_bytes(b"nothing")
    for name in ("net.h5", "none.onnx", "weights.pth", "net.pt2"):
        with pytest.raises(InputError, match=name):
            open_network(tmp_path / name)


def test_an_output_of_another_shape_is_refused():
    """Features of one vector a picture are no segmentation."""
    for found in (np.zeros((1, 151), np.float32), np.zeros((1, 2, 4, 4), np.int64)):
        with pytest.raises(InputError, match="shape"):
            scores(found, True, 3)


def test_the_shares_of_labels_are_a_softmax():
    """Added up over the classes of a label, and 1 in all."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 5, 4)).astype(np.float32) * 30
    membership = np.float32([[1, 0], [0, 1], [0, 1], [1, 0]])
    exact = np.exp(logits.astype(float) - logits.max(-1, keepdims=True))
    wanted = (exact / exact.sum(-1, keepdims=True)) @ membership
    shares = label_shares(logits, membership)
    assert shares.shape == (2, 3, 5) and shares.dtype == np.float32
    assert np.allclose(np.moveaxis(shares, 0, -1), wanted, atol=1e-6)
