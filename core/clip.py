"""CLIP from a file that the user has, by the extra `[clip]` (open_clip); no weights come along.

Files: OpenAI's own (TorchScript), plain state dicts with the names of either, safetensors too.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from core.errors import InputError
from core.official import OfficialError, read_state
from core.seen import Seen

PACKAGE, INSTALL = "open_clip", "pip install open_clip_torch"
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
ORIGINAL = "input_resolution"  # in files of OpenAI alone: these networks have another GELU
STYLE_LEVELS = 4  # of a transformer, whose blocks are all alike


class Clip:
    """A CLIP network with its tokenizer. device, dtype: where it computes."""

    def __init__(self, network: Any, tokenize: Any) -> None:
        self.network, self.tokenize = network, tokenize
        self.size: int = _side(network.visual.image_size)
        self.width: int = network.text_projection.shape[1]

    @classmethod
    def open(cls, path: Path) -> Clip:
        """Raises `InputError`, one sentence, without the extra and for any other file."""
        if find_spec(PACKAGE) is None:
            raise InputError(f"Guidance by CLIP needs the extra [clip]: {INSTALL}")
        state = read_clip(path)
        open_clip = import_module(PACKAGE)
        model = import_module(f"{PACKAGE}.model")
        try:
            quick = ORIGINAL in state
            made = model.build_model_from_openai_state_dict(dict(state), quick, torch.float32)
        except (KeyError, RuntimeError, AssertionError, ZeroDivisionError) as error:
            raise InputError(f"{path} is no CLIP that can be read: {error}.") from error
        return cls(made.float().eval().requires_grad_(False), open_clip.tokenize)

    def to(self, device: torch.device) -> Clip:
        """The same on another device, in float32."""
        return Clip(self.network.to(device), self.tokenize)

    def look(self, pictures: Tensor) -> Seen:
        """What is to be seen of pictures `[N, 3, H, W]` in [-1, 1]; differentiable."""
        x, visual = prepared(pictures.float(), self.size), self.network.visual
        if hasattr(visual, "attnpool"):
            return _resnet(visual, x)
        return _transformer(visual, x)

    @torch.no_grad()
    def text(self, sentences: Sequence[str]) -> Tensor:
        """Embeddings float32 `[N, D]`, of length 1."""
        device = self.network.text_projection.device
        tokens = self.tokenize(list(sentences), self.network.context_length).to(device)
        return F.normalize(self.network.encode_text(tokens).float(), dim=1)


def read_clip(path: Path) -> dict[str, Tensor]:
    """The tensors of a file. Raises `InputError` if it is none."""
    path = Path(path)
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path} cannot be read as a CLIP file: {error}.") from error
    try:
        return read_state(path)
    except OfficialError:
        if not path.is_file():
            raise
        script = _of_script(path)
        if script is None:
            raise
        return script


def _of_script(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a TorchScript file, as OpenAI's are; None for what is none."""
    try:
        with warnings.catch_warnings():  # deprecated, but these files exist only so
            warnings.simplefilter("ignore", DeprecationWarning)
            return dict(torch.jit.load(path, map_location="cpu").state_dict())
    except RuntimeError:
        return None


def prepared(pictures: Tensor, side: int) -> Tensor:
    """Pictures in [-1, 1] at `side` x `side` pixels, in CLIP's own units."""
    if pictures.shape[-2:] != (side, side):
        size = (side, side)
        pictures = F.interpolate(
            pictures, size, mode="bicubic", antialias=True, align_corners=False
        )
    mean, deviation = (torch.tensor(v, device=pictures.device) for v in (MEAN, DEVIATION))
    return ((pictures + 1) / 2 - mean[:, None, None]) / deviation[:, None, None]


def _resnet(visual: Any, x: Tensor) -> Seen:
    x, layers = visual.stem(x), []
    for layer in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
        x = layer(x)
        layers.append(x)
    pool = visual.attnpool
    values = pool.c_proj(pool.v_proj(x.flatten(2).transpose(1, 2)))
    places = values.transpose(1, 2).unflatten(2, x.shape[-2:])
    return Seen(F.normalize(pool(x), dim=1), places, tuple(layers))


def _transformer(visual: Any, x: Tensor) -> Seen:
    count = len(visual.transformer.resblocks)
    taken = sorted({count * (n + 1) // STYLE_LEVELS - 1 for n in range(STYLE_LEVELS)} - {-1})
    found = visual.forward_intermediates(x, indices=taken)
    layers = tuple(found["image_intermediates"])
    tokens = visual.ln_post(layers[-1].flatten(2).transpose(1, 2))
    tokens = tokens if visual.proj is None else tokens @ visual.proj
    places = tokens.transpose(1, 2).unflatten(2, layers[-1].shape[-2:])
    return Seen(F.normalize(found["image_features"], dim=1), places, layers)


def _side(size: int | Sequence[int]) -> int:
    return size if isinstance(size, int) else size[0]
