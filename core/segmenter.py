"""Our own segmenter, opened and ready: which label does each pixel of a picture look like?

It is trained with the palette of the model that it lies beside (docs/decisions/010).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from core.checkpoint import Checkpoint
from core.conversion import same_labels
from core.errors import InputError
from core.files import file_digest
from core.matching import resize_shares
from core.model.segmenter import LabelNet
from core.palette import Palette
from core.pixels import from_pixels

SHORT_SIDE = 192  # pixels: as good as 256 for the bundled one, in half the time
LONG_SIDE = 2048  # of a panorama; then its short side becomes smaller


def segmenter_path(weights: Path | None) -> Path | None:
    """Where the segmenter of a checkpoint lies: `NAME-segmenter.safetensors` beside it."""
    return weights and weights.with_name(f"{weights.stem}-segmenter{weights.suffix}")


class Segmenter:
    """Labels the pixels of pictures; also a `core.measure.Segment`.

    model: in eval mode. palette: what its labels mean. identity: changes with its file.
    """

    def __init__(self, model: LabelNet, palette: Palette, identity: str = "") -> None:
        self.model, self.palette, self.identity = model, palette, identity
        weight = next(model.parameters())
        self._device, self._dtype = weight.device, weight.dtype

    @classmethod
    def open(cls, path: Path, palette: Palette) -> Segmenter:
        """Open a checkpoint of `core.train --stage segmenter`, in float32.

        Raises `InputError` if it is something else, or finds the labels of another palette.
        """
        checkpoint = Checkpoint.open(path)
        if not same_labels(checkpoint.palette, palette):
            raise InputError(
                f"{path} finds the labels of palette {checkpoint.palette.name!r}, not those of "
                f"{palette.name!r}. Take it away, or train one on that palette."
            )
        return cls(checkpoint.load_segmenter(), checkpoint.palette, f"own {file_digest(path)}")

    def to(self, device: torch.device, dtype: torch.dtype) -> Segmenter:
        """The same on another device and in another precision."""
        model = self.model.to(device, dtype).to(memory_format=torch.channels_last)
        return Segmenter(model, self.palette)  # other precision, other bits: no identity

    @torch.inference_mode()
    def probabilities(self, picture: np.ndarray) -> np.ndarray:
        """How likely each label is, float32 `[labels, h, w]`, of a picture uint8 `[H, W, 3]`.

        h and w are a quarter of the size at which the network looks, not of the picture's own.
        """
        size = self.seen_size(*picture.shape[:2])
        shrinks = size[0] * size[1] < picture.shape[0] * picture.shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        pixels = cv2.resize(picture, size[::-1], interpolation=how)
        x = from_pixels(pixels[None]).to(self._device, self._dtype)
        logits = self.model(x.contiguous(memory_format=torch.channels_last)).float()
        return F.softmax(logits, dim=1)[0].cpu().numpy()

    def seen_size(self, height: int, width: int) -> tuple[int, int]:
        """The (height, width) at which the network looks at a picture of this size."""
        scale = min(SHORT_SIDE / min(height, width), LONG_SIDE / max(height, width))
        multiple = self.model.spec.multiple
        rows, columns = (max(1, round(v * scale / multiple)) * multiple for v in (height, width))
        return rows, columns

    @property
    def ceiling(self) -> tuple[float, ...]:
        """How plain each label is to it on real photos; see `core.matching.compare`."""
        return tuple(self.model.ceiling.float().tolist())

    def __call__(self, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The most likely label of each pixel, uint8 `[height, width]` = `size`."""
        return resize_shares(self.probabilities(image), size).argmax(0).astype(np.uint8)

    @property
    def tells(self) -> frozenset[int]:
        """The labels that it can find: all of its palette."""
        return frozenset(range(len(self.palette)))
