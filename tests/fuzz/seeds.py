"""Good files of every kind, made by the program itself or by Pillow: what the fuzz begins with."""

from __future__ import annotations

import io
import json
import tempfile
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from core.checkpoint import Checkpoint
from core.convert_spade import palette_with_edges
from core.labelmap import encode_labels, to_color
from core.model.autoencoder import Autoencoder
from core.model.scene_encoder import SceneEncoder
from core.model.segmenter import LabelNet
from core.model.spade import SpadeGenerator, SpadeNet
from core.model.spec import (
    ModelSpec,
    SceneEncoderSpec,
    SegmenterSpec,
    SpadeSpec,
)
from core.model.unet import SDMUNet
from core.objective import DiffusionObjective
from core.openraster import write_ora
from core.palette import Palette
from core.picture import SUFFIXES, write_picture
from core.request import Layout, Result, SampleRequest
from core.schedule import ScheduleSpec
from core.training import TrainRun, TrainSettings, train
from core.words import Vocabulary
from tests.conftest import TINY, TINY_AUTOENCODER, randomised

SIZE = (12, 16)  # height, width of all pictures
FIELDS = TINY | dict(model_channels=8, channel_mult=(1,), attention_resolutions=(), spade_hidden=4)
SPADE_FIELDS = dict(ngf=1, crop_size=32)


@cache
def palette() -> Palette:
    """Three labels, one of which mirrors another."""
    names = ("ground", "left door", "right door")
    colors = ("#805020", "#80c0ff", "#2040a0")
    rows = [dict(id=i, name=n, color=c) for i, (n, c) in enumerate(zip(names, colors))]
    rows[0] |= {"synonyms": ["soil", "earth"], "group": "land", "raw": [7]}
    rows[1] |= {"flip": "right door"}
    rows[2] |= {"flip": "left door"}
    return Palette.from_dict({"name": "tiny", "classes": rows, "unlabeled": 0})


@cache
def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, SIZE).astype(np.uint8)


@cache
def photo() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


def request() -> SampleRequest:
    return SampleRequest(Layout(labels(), palette()), steps=4, seed=5)


def image_bytes(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@cache
def label_images() -> list[bytes]:
    """A label map in every mode and format that is read."""
    ids, rgb = labels(), to_color(labels(), palette())
    gray, color = Image.fromarray(ids), Image.fromarray(rgb)
    indexed = gray.convert("P")
    indexed.putpalette(palette().colors.tobytes())
    full = np.stack([ids * 10, ids, ids + 1], axis=2)  # as the full ADE20K counts
    return [
        encode_labels(ids, palette()),
        image_bytes(gray),
        image_bytes(indexed, bits=2),
        image_bytes(indexed, transparency=1),
        image_bytes(color),
        image_bytes(color.convert("RGBA")),
        image_bytes(gray.convert("LA")),
        image_bytes(gray.convert("1")),
        image_bytes(gray.convert("I;16")),
        image_bytes(full),
        *(image_bytes(gray, kind) for kind in ("BMP", "TIFF", "PPM", "GIF")),
        *(image_bytes(color, kind) for kind in ("BMP", "TIFF", "PPM", "GIF", "JPEG")),
        image_bytes(color, "TIFF", compression="tiff_lzw"),
        image_bytes(color, "TIFF", compression="tiff_adobe_deflate"),
        image_bytes(color, "WEBP", lossless=True),
    ]


@cache
def pictures() -> list[bytes]:
    """Pictures of ours in every format, and photos that know nothing."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix in SUFFIXES:
            path = Path(folder) / f"picture{suffix}"
            write_picture(path, photo(), request().recipe("tiny"), request().layout)
            found.append(path.read_bytes())
    return [*found, image_bytes(photo()), image_bytes(photo(), "JPEG")]


@cache
def palette_files() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.toml"
        palette().save(path)
        return [path.read_bytes(), path.read_bytes().replace(b"#805020", b"#FF00fF")]


# -- networks -------------------------------------------------------------------------------------


def _saved(checkpoint: Checkpoint, dtype: torch.dtype = torch.float16, **parts: Any) -> bytes:
    modules = {name: randomised(part).state_dict() for name, part in parts.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.safetensors"
        checkpoint.save(path, modules, dtype)
        return path.read_bytes()


@cache
def checkpoints() -> list[bytes]:
    """A tiny file of each kind of network."""
    mine, small = palette(), ModelSpec(**FIELDS)
    latent = ModelSpec(
        **FIELDS | dict(image_size=64, in_channels=4, out_channels=8), autoencoder=TINY_AUTOENCODER
    )
    segmenter = SegmenterSpec(labels=3, widths=(4, 4), blocks=(1, 1), head=4)
    scene = SceneEncoderSpec(in_channels=4, widths=(8, 8), blocks=(1, 1), embedding=8, words=2)
    autoencoder = Autoencoder(TINY_AUTOENCODER)
    return [
        _saved(Checkpoint(mine, small, training={"step": 7}, licence="MIT"), unet=SDMUNet(small)),
        _saved(Checkpoint(mine, small), torch.float32, unet=SDMUNet(small)),
        _saved(Checkpoint(mine, latent), unet=SDMUNet(latent), autoencoder=autoencoder),
        _saved(Checkpoint(mine, autoencoder=TINY_AUTOENCODER), autoencoder=autoencoder),
        _saved(Checkpoint(mine, segmenter=segmenter), segmenter=LabelNet(segmenter)),
        _saved(
            Checkpoint(mine, guidance=scene, vocabulary=vocabulary()), guidance=SceneEncoder(scene)
        ),
    ]


@cache
def spade_checkpoint() -> bytes:
    """A SPADE generator, which is large at its smallest."""
    spec = SpadeSpec(label_channels=3, **SPADE_FIELDS)
    return _saved(Checkpoint(palette(), spade=spec), spade=SpadeNet(spec))


def vocabulary() -> Vocabulary:
    plain = {"group": "sky", "synonyms": ["misty"]}
    mixes = {"gloom": {"group": "light", "of": {"fog": 1.0, "night": 0.5}}}
    concepts = {"fog": plain, "night": {"group": "light"}}
    return Vocabulary.from_dict({"concepts": concepts, "mixes": mixes})


@cache
def official_files() -> list[bytes]:
    """State dicts as their authors save them: new and old format, bare and wrapped; and others."""
    sdm = randomised(SDMUNet(ModelSpec(**FIELDS))).state_dict()
    wrapped = {"state_dict": {f"module.{k}": v for k, v in sdm.items()}, "epoch": 3}
    return [
        _torch_saved(sdm),
        _torch_saved(sdm, _use_new_zipfile_serialization=False),
        _torch_saved(wrapped),
        _torch_saved({"head_0.bias": torch.zeros(2), "fc.weight": torch.zeros(2, 2)}),
        _torch_saved({"a": torch.zeros(2)}),
    ]


@cache
def official_spade() -> bytes:
    """A whole SPADE generator, as its authors save it."""
    channels = palette_with_edges(palette()).num_channels
    spec = SpadeSpec(label_channels=channels, **SPADE_FIELDS)
    return _torch_saved(SpadeGenerator(spec).state_dict())


def _torch_saved(state: Any, **how: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer, **how)
    return buffer.getvalue()


def small_run() -> TrainRun:
    """A training run that has not begun."""
    objective = DiffusionObjective(SDMUNet(ModelSpec(**FIELDS)), ScheduleSpec().build(), 3)
    return TrainRun(objective, TrainSettings(steps=2, batch=1), torch.device("cpu"))


@cache
def states() -> list[bytes]:
    """The state of a training run, after a step."""
    run, seeds = small_run(), torch.zeros(1, dtype=torch.int64)
    whole = {"image": torch.zeros(1, 3, 16, 16), "seed": seeds}
    list(train(run, [whole | {"labels": torch.zeros(1, 16, 16, dtype=torch.uint8)}]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.safetensors"
        run.save(path, {"stage": "diffusion", "palette": palette().to_dict()})
        return [path.read_bytes()]


# -- documents ------------------------------------------------------------------------------------


@cache
def projects() -> list[bytes]:
    """A project with two pictures, one of them with instances, and one without any."""
    from app.guiding.term import ReferencePicture, Term
    from app.history import _keep
    from app.project import Project, write_project
    from app.session import Session
    from app.settings import GenerateSettings
    from app.shelf import Shelf

    with tempfile.TemporaryDirectory() as folder:
        shelf = Shelf(Session(Path(folder) / "sessions"))
        instances = np.arange(labels().size, dtype=np.int32).reshape(SIZE)
        layouts = (Layout(labels(), palette()), Layout(labels(), palette(), instances))
        results = [
            Result(photo(), SampleRequest(layout, seed=seed, guidance_scale=(1.0, 2.0)), 0.5, "t")
            for seed, layout in enumerate(layouts)
        ]
        kept = [_keep(shelf.session.folder, result) for result in results]
        records = tuple(record for record, _ in kept)
        wanted = (
            Term("text", 1.0, "fog"),
            Term("style", 2.0, "", ReferencePicture.of(photo(), "p")),
        )
        full = Project(
            labels(),
            palette(),
            asdict(GenerateSettings()),
            {"tool": "fill", "labels": ["ground", "left door"], "diameter": 3, "shape": "round"},
            records[0].id,
            records,
            {records[0].palette: palette()},
            controls={"ground": {"locked": True, "guidance": 2.0, "seed": 3}},
            wanted=wanted,
        )
        found = []
        for project in (full, Project(labels(), palette())):
            path = Path(folder) / "scene.sdms"
            write_project(path, project, shelf)
            found.append(path.read_bytes())
        shelf.session.discard()
        return found


@cache
def layered() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.ora"
        found = []
        for picture in (None, photo()):
            write_ora(path, labels(), palette(), picture)
            found.append(path.read_bytes())
        return found


# -- plain files ----------------------------------------------------------------------------------

RECIPE_FILES = [
    b"steps = 40\nbatch = 2\nlr = 1e-4\nspec = { image_size = 64 }\nresume = true\nflip = false\n",
    b'data = "photos"\npalette = "landscape"\nscale = [64, 96]\n',
]
OPTIONS = ("steps", "batch", "lr", "spec", "resume", "flip", "data", "palette", "scale")
NOTES_JSON = json.dumps(
    {"annotation": {"object": [{"name_ndx": n, "name": f"thing {n}, stuff"} for n in range(1, 4)]}}
).encode()
NOTES_TEXT = b'001 # 0 # 0 # wall # wall # ""\n002 # 0 # 1 # sky # sky # "blue"\n'
STATUS = json.dumps(
    {"state": "training", "step": 5, "steps": 9, "rate": 1.5, "words": ["--data", "x"], "time": 1e9}
).encode()
LOG = b"step,loss,lr,grad_norm\n1,0.5,1e-4,1\n2,0.4,1e-4,0.9\n3,0.3,1e-4,0.8\n"
PROMPTS = [
    b"a very foggy night, no fog",
    b"fog and night without gloom; misty",
    "l\u2019aube, na\u00efve fog \u2014 nights".encode(),
    b"",
]
SETTINGS = b"""[generate]
steps=40
sampler=ddim
guidance_scale=2.5
seed=77
seed_locked=true
style="{\\"seed\\": 3}"
instant_strength=0.5

[keys]
own="{\\"brush\\": [\\"B\\"]}"

[window]
theme=dark
welcomed=true
geometry=@ByteArray(\\0\\x1)

[files]
recent=/a/b.sdms, /c.png

[history]
limit_mb=300

[guiding]
prompts="[\\"fog\\"]"

[pins]
tiny="{\\"1\\": \\"ground\\"}"
"""


@cache
def arrays() -> list[bytes]:
    """What findings and features are kept in."""
    found = []
    for pack in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        pack(buffer, found=np.zeros((3, 4), np.float32), features=np.ones((3, 4), np.float32))
        found.append(buffer.getvalue())
    buffer = io.BytesIO()
    np.savez(buffer, found=np.array([{"an": "object"}], object), features=np.zeros((3, 1)))
    return [*found, buffer.getvalue()]
