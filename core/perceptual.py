"""LPIPS: the distance between two pictures as a network sees it (Zhang et al., arXiv 1801.03924).

The network comes from a file that the caller names; it is used to train and to measure and is no
part of the product.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from core.errors import InputError
from core.files import file_digest
from core.pixels import from_pixels

# (index in torchvision's `features`, stride, padding, max-pool before it); a tap follows each.
ALEX = ((0, 4, 2, False), (3, 1, 2, True), (6, 1, 1, True), (8, 1, 1, False), (10, 1, 1, False))
TAPS = 5  # feature maps that are compared
VGG_GROUPS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))


class LPIPS(nn.Module):
    """Distance `[N]` of pictures `[N, 3, H, W]` in [-1, 1]; 0 for equal pictures, about 1 at most.

    The file holds `features.N.*` (AlexNet or VGG-16, told apart by shape) and `linK.weight`.
    Weights are frozen; gradients flow to the pictures. Raises `InputError` if the file is not such
    a file.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        tensors = _read(Path(path))
        self.is_alex = tensors["features.0.weight"].shape[-1] == 11
        for name, tensor in tensors.items():
            self.register_buffer(name.replace(".", "_"), tensor.float(), persistent=False)
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1), False)
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1), False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.compare(self.features(a), self.features(b))

    def compare(self, a: list[Tensor], b: list[Tensor]) -> Tensor:
        """The distance of pictures by their `features`."""
        return sum(self._distance(k, fa, fb) for k, (fa, fb) in enumerate(zip(a, b, strict=True)))

    def features(self, x: Tensor) -> list[Tensor]:
        """The `TAPS` feature maps that are compared, finest first."""
        x = (x - self.shift) / self.scale
        return self._alex(x) if self.is_alex else self._vgg(x)

    @property
    def widths(self) -> list[int]:
        """Channels of each of the `features`."""
        return [getattr(self, f"lin{k}_weight").shape[1] for k in range(TAPS)]

    @property
    def smallest(self) -> int:
        """Pixels that each side of a picture must have at least."""
        return 31 if self.is_alex else 16

    def _distance(self, k: int, a: Tensor, b: Tensor) -> Tensor:
        difference = (_unit(a) - _unit(b)) ** 2
        return F.conv2d(difference, getattr(self, f"lin{k}_weight")).mean((1, 2, 3))

    def _conv(self, x: Tensor, index: int, **options) -> Tensor:
        weight, bias = (getattr(self, f"features_{index}_{part}") for part in ("weight", "bias"))
        return F.relu(F.conv2d(x, weight, bias, **options))

    def _alex(self, x: Tensor) -> list[Tensor]:
        taps = []
        for index, stride, padding, pool in ALEX:
            x = F.max_pool2d(x, 3, 2) if pool else x
            x = self._conv(x, index, stride=stride, padding=padding)
            taps.append(x)
        return taps

    def _vgg(self, x: Tensor) -> list[Tensor]:
        taps = []
        for group in VGG_GROUPS:
            x = F.max_pool2d(x, 2) if taps else x
            for index in group:
                x = self._conv(x, index, padding=1)
            taps.append(x)
        return taps


class PairDistances:
    """The LPIPS distances of every two of some pictures.

    identity: changes with the network's file.
    """

    def __init__(self, network: LPIPS, identity: str) -> None:
        self._network, self.identity = network, identity

    @classmethod
    def open(cls, path: Path) -> PairDistances:
        """With the network of `path`. Raises `InputError` if it is none."""
        return cls(LPIPS(path).eval(), f"lpips {file_digest(path)}")

    @torch.inference_mode()
    def __call__(self, images: Sequence[np.ndarray]) -> list[float]:
        """images: uint8 `[H, W, 3]` of one size. Each is looked at once."""
        seen = [self._network.features(from_pixels(image[None])) for image in images]
        return [float(self._network.compare(a, b)) for a, b in combinations(seen, 2)]


def _unit(features: Tensor) -> Tensor:
    """Each pixel's feature vector scaled to length 1 (the reference adds 1e-10 to the length)."""
    features = features.float()
    return features / (features.square().sum(1, keepdim=True).add(1e-20).sqrt() + 1e-10)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as an LPIPS network: {error}.") from error
    if "features.0.weight" not in tensors or "lin0.weight" not in tensors:
        raise InputError(
            f"{path} is no LPIPS network: features.0.weight or lin0.weight is missing."
        )
    return tensors
