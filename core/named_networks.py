"""Feature networks of torchvision and timm by name: other eyes than those of FID.

A name is `torchvision:resnet50` or `timm:convnext_tiny.fb_in22k`; the package brings its own
weights, or `=FILE` behind the name says where they lie.
"""

from __future__ import annotations

import hashlib
import importlib
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from core.device import pick_device
from core.errors import InputError
from core.features import IMAGENET_MEAN, IMAGENET_STD, FeatureNetwork

SIDE = 224  # pixels, of torchvision's networks
HEADS = ("fc", "classifier", "heads", "head")  # what torchvision calls the last part


def open_named(text: str) -> FeatureNetwork:
    """The network of `PACKAGE:NAME` or `PACKAGE:NAME=FILE`, up to its last pooling.

    Raises `InputError` if the package is not installed or does not know the name, or if the file
    holds other weights.
    """
    package, _, rest = text.partition(":")
    name, _, file = rest.partition("=")
    if package not in PACKAGES or not name:
        raise InputError(f"{text!r} is no network; write torchvision:NAME or timm:NAME.")
    module, prepare = PACKAGES[package](_installed(package), name, Path(file) if file else None)
    module = module.eval().requires_grad_(False)
    identity = f"{package}:{name} {_digest(module.state_dict())}"
    module = module.to(pick_device(), memory_format=torch.channels_last)
    return FeatureNetwork(name.lower(), identity, prepare, module)


def _torchvision(package: Any, name: str, file: Path | None) -> tuple[nn.Module, Callable]:
    if name not in package.models.list_models():
        raise InputError(f"torchvision has no network {name!r}.")
    module = package.models.get_model(name, weights=None if file else "DEFAULT")
    _fill(module, file, name)
    head = next((part for part in HEADS if hasattr(module, part)), None)
    if head is None:
        raise InputError(f"torchvision:{name} is no network that classifies pictures.")
    if isinstance(getattr(module, head), nn.Sequential):
        getattr(module, head)[-1] = nn.Identity()
    else:
        setattr(module, head, nn.Identity())
    return module, preparation((SIDE, SIDE), IMAGENET_MEAN, IMAGENET_STD, "bilinear")


def _timm(package: Any, name: str, file: Path | None) -> tuple[nn.Module, Callable]:
    if not package.is_model(name):
        raise InputError(f"timm has no network {name!r}.")
    module = package.create_model(name, pretrained=file is None)
    _fill(module, file, name)
    module.reset_classifier(0)
    how = package.data.resolve_model_data_config(module)
    size = tuple(how["input_size"][1:])
    return module, preparation(size, how["mean"], how["std"], how["interpolation"])


PACKAGES = {"torchvision": _torchvision, "timm": _timm}


def preparation(
    size: tuple[int, int],
    mean: tuple[float, ...],
    deviation: tuple[float, ...],
    interpolation: str,
) -> Callable[[np.ndarray], Tensor]:
    """From a picture uint8 `[H, W, 3]` to float32 `[3, *size]`: whole, antialiased, normalised."""
    filters = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
    chosen = filters.get(interpolation, Image.Resampling.BILINEAR)

    def prepare(image: np.ndarray) -> Tensor:
        resized = Image.fromarray(image).resize(size[::-1], chosen)
        numbers = np.asarray(resized, np.float32) / 255
        normal = (numbers - np.float32(mean)) / np.float32(deviation)
        return torch.from_numpy(normal).permute(2, 0, 1)

    return prepare


def _fill(module: nn.Module, file: Path | None, name: str) -> None:
    """Load the weights of `file`, if there is one."""
    if file is None:
        return
    try:
        if file.suffix.lower() == ".safetensors":
            tensors = load_file(file)
        else:
            tensors = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, SafetensorError, pickle.UnpicklingError) as error:
        raise InputError(f"{file} cannot be read as weights: {error}") from error
    try:
        module.load_state_dict(tensors)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise InputError(f"{file} has the weights of another network than {name}.") from error


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy())
    return digest.hexdigest()


def _installed(package: str) -> Any:
    try:
        found = importlib.import_module(package)
        importlib.import_module({"torchvision": "torchvision.models", "timm": "timm.data"}[package])
    except ImportError:
        raise InputError(
            f"{package} is not installed: `pip install {package}` (it comes with the extra "
            "`features`)."
        ) from None
    except (RuntimeError, AttributeError) as error:  # it was made for another torch
        raise InputError(
            f"The installed {package} does not fit the installed torch ({error}). Install the "
            f"{package} that belongs to torch {torch.__version__}, from where torch came."
        ) from error
    return found
