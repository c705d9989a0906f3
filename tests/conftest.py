"""Tiny models and data sets that the tests make for themselves."""

from __future__ import annotations

import gc
import socket

import cv2
import numpy as np
import pytest
import torch

from core.checkpoint import Checkpoint
from core.engine import Engine
from core.model.autoencoder import Autoencoder
from core.model.spec import AutoencoderSpec, ModelSpec
from core.model.unet import SDMUNet
from core.palette import Palette

TINY = dict(
    image_size=16,
    model_channels=16,
    num_classes=3,
    num_res_blocks=1,
    channel_mult=(1, 2),
    attention_resolutions=(2,),
    num_head_channels=16,
    spade_hidden=8,
)
TINY_AUTOENCODER = AutoencoderSpec(quarter_width=8, eighth_width=8, half_width=4, blocks=1)


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tiny networks are quicker on one thread, and the numbers do not depend on the machine."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def cache_of_its_own(tmp_path_factory):
    """Indexes of data folders go into a folder of the tests, not into the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def tidy():
    """Once there was a window, nobody collects garbage but its event loop, and this."""
    yield
    if not gc.isenabled():
        from app.garbage import collect_if_due

        collect_if_due()


@pytest.fixture
def no_network(monkeypatch):
    """Every way of Python to another machine is an error, told at the end even if it was caught."""
    tried = []

    def refuse(*arguments, **_):
        tried.append(arguments)
        raise OSError("the network was used")

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)
    yield
    assert tried == []


@pytest.fixture
def palette() -> Palette:
    """Three labels: ground, sky, water."""
    names = (
        ("ground", "soil", "#805020"),
        ("sky", "heaven", "#80c0ff"),
        ("water", "lake", "#2040a0"),
    )
    classes = [dict(id=i, name=n, synonyms=[s], color=c) for i, (n, s, c) in enumerate(names)]
    return Palette.from_dict({"name": "tiny", "classes": classes, "unlabeled": 0})


def randomised(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Random values in every parameter: the zero layers of a fresh network would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 and len(parameter) else 4
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan_in**0.5)
    return module.eval().requires_grad_(False)


@pytest.fixture
def make_unet():
    """`make_unet(**fields)`: a tiny random U-Net."""
    return lambda **fields: randomised(SDMUNet(ModelSpec(**{**TINY, **fields})))


LATENT = dict(
    image_size=64,
    in_channels=4,
    out_channels=8,
    layout_resize="area",
    prediction="v",
    autoencoder=TINY_AUTOENCODER,
)


@pytest.fixture
def make_checkpoint(tmp_path, palette, make_unet):
    """`make_checkpoint(latent=False, **fields)`: the path of a tiny checkpoint."""

    def make(latent: bool = False, name: str = "tiny.safetensors", **fields):
        unet = make_unet(**(LATENT if latent else {}), **fields)
        modules = {"unet": unet.state_dict()}
        if latent:
            modules["autoencoder"] = randomised(Autoencoder(TINY_AUTOENCODER)).state_dict()
        checkpoint = Checkpoint(palette, unet.spec, training={"step": 7}, licence="MIT")
        checkpoint.save(tmp_path / name, modules, torch.float32)
        return tmp_path / name

    return make


@pytest.fixture(params=[False, True], ids=["pixels", "latents"])
def engine(request, make_checkpoint):
    """A tiny engine of either kind, in float32."""
    return Engine.open(make_checkpoint(latent=request.param), device="cpu", precision="float32")


@pytest.fixture
def photos(tmp_path):
    """A data folder with six pairs of 24x32 pixels: bright sky over dark ground, some water."""
    rng = np.random.default_rng(0)
    for part in ("images", "labels"):
        (tmp_path / "photos" / part).mkdir(parents=True)
    for i in range(6):
        labels = np.zeros((24, 32), np.uint8)
        labels[: 8 + i] = 1
        labels[18:, 4 * i :] = 2
        image = np.array([[60, 40, 20], [250, 200, 120], [200, 80, 40]], np.uint8)[labels]
        noisy = np.clip(image + rng.integers(-9, 9, image.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "photos" / "images" / f"{i:02d}.png"), noisy)
        cv2.imwrite(str(tmp_path / "photos" / "labels" / f"{i:02d}.png"), labels)
    return tmp_path / "photos"


@pytest.fixture
def palette_file(tmp_path, palette):
    """The tiny palette as a user's own TOML file."""
    lines = ['title = "Tiny"', "unlabeled = 0"]
    for c in palette.classes:
        lines += ["[[classes]]", f"id = {c.id}", f'name = "{c.name}"', f"color = {list(c.color)}"]
    (tmp_path / "tiny.toml").write_text("\n".join(lines))
    return tmp_path / "tiny.toml"
