"""Networks as large as the papers': what they need of memory, shown on small ones."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from core.checkpoint import Checkpoint
from core.engine import Engine
from core.model.spec import ModelSpec
from core.model.unet import SDMUNet
from core.request import Layout, Result, SampleRequest
from core.tensor_file import Entry, write_tensors


def picture(path, palette):
    """Of a guided walk."""
    labels = np.arange(16 * 16, dtype=np.uint8).reshape(16, 16) % 3
    request = SampleRequest(Layout(labels, palette), steps=3, guidance_scale=2.0)
    engine = Engine.open(path, "cpu", "float32")
    (made,) = (e.image for e in engine.sample(request) if isinstance(e, Result))
    return made


def test_a_picture_does_not_depend_on_what_memory_holds(make_checkpoint, palette, monkeypatch):
    """With the embedding of every norm held, or none, each branch for itself: the same bytes."""
    path = make_checkpoint()
    monkeypatch.setattr("core.denoiser.MAX_PAIRED", 0)
    held = picture(path, palette)
    monkeypatch.setattr("core.embedding.MAX_HELD", 0)
    monkeypatch.setattr("core.denoiser.MAX_PAIRED", 96 * 96)
    assert np.array_equal(picture(path, palette), held)


def test_tensors_are_placed_as_they_come_from_the_file(make_checkpoint):
    """Every one in the engine's precision and order, and a copy of what was mapped."""
    path = make_checkpoint(latent=True)
    stored = Checkpoint.open(path).load_unet().state_dict()
    unet = Engine.open(path, "cpu", "bfloat16").unet
    for name, value in unet.state_dict().items():
        assert torch.equal(value, stored[name].to(torch.bfloat16))
        assert value.ndim != 4 or value.is_contiguous(memory_format=torch.channels_last)
        assert value.untyped_storage().nbytes() == value.nbytes


CHILD = """
import sys
from resource import RUSAGE_SELF, getrusage
from core.engine import Engine
before = getrusage(RUSAGE_SELF).ru_maxrss
engine = Engine.open(sys.argv[1], "cpu", sys.argv[2])
print(getrusage(RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss counts in KiB on Linux")
@pytest.mark.parametrize("precision, copies", [("bfloat16", 1), ("float32", 2)])
def test_no_second_copy_is_in_memory(tmp_path, palette, precision, copies):
    """A network of 200 MB in bfloat16 opens in that, or in twice that as float32, and a little."""
    spec = ModelSpec(num_classes=3, channel_mult=(1, 2, 2), model_channels=192)
    with torch.device("meta"):
        shapes = {name: tuple(v.shape) for name, v in SDMUNet(spec).state_dict().items()}
    entries = [
        Entry(f"unet.{name}", shape, lambda shape=shape: torch.zeros(shape))
        for name, shape in shapes.items()
    ]
    path = tmp_path / "large.safetensors"
    write_tensors(path, entries, torch.bfloat16, Checkpoint(palette, spec).metadata())
    size = path.stat().st_size
    assert size > 1.5e8
    command = [sys.executable, "-c", CHILD, str(path), precision]
    grown = int(subprocess.run(command, check=True, capture_output=True).stdout) * 1024
    assert grown < copies * size + 0.4 * size
