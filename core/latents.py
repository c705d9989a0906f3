"""The data of a latent model: every crop encoded once, mirrored copies too, kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from core.dataset import PairDataset, Sample, cut, mirror, to_tensors
from core.device import pick_precision
from core.labelmap import layout_edges
from core.model.autoencoder import Autoencoder
from core.palette import Palette
from core.pixels import from_pixels

ENCODE_BATCH = 8  # photos at a time


class LatentDataset(Dataset):
    """Latents beside label coverage. An item is asked for by `(index, seed)`; some are mirrored.

    Gives `x0` float16 `[C, h, w]`, `y` float32 `[num_classes, h, w]` (each label's share of the
    latent pixel) and `seed`; with `thumbnail`, the crop at so many pixels a side too, float32 `[3,
    thumbnail, thumbnail]` in [-1, 1]. Every photo gives `crops` pictures of `size`: first its
    middle, then places that a generator with the photo's number chooses. An index counts crops.
    """

    def __init__(
        self,
        pairs: PairDataset,
        autoencoder: Autoencoder,
        progress: Callable[[Iterator], Iterator] = iter,
        crops: int = 1,
        thumbnail: int = 0,
    ) -> None:
        self.palette, self.size, self.pairs = pairs.palette, pairs.size, pairs
        self.factor, self.crops = autoencoder.spec.factor, crops
        self.samples: list[Sample] = []
        self.thumbnail, self.thumbnails = thumbnail, []
        starts = range(0, len(pairs), ENCODE_BATCH)
        self.latents = torch.cat([self._encode(start, autoencoder) for start in progress(starts)])

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, item: tuple[int, int]) -> dict[str, Tensor | int]:
        index, seed = item
        flipped = int(np.random.default_rng(seed).random() < 0.5)
        sample = self.samples[index]
        if flipped:
            sample = mirror(sample, self.palette)
        y = coverage(sample.labels, sample.instances, self.palette, self.factor)
        gives = {"x0": self.latents[index, flipped], "y": y, "seed": seed}
        if self.thumbnail:
            small = self.thumbnails[index]
            gives["thumbnail"] = from_pixels((small[:, ::-1] if flipped else small)[None])[0]
        return gives

    @torch.no_grad()
    def _encode(self, start: int, autoencoder: Autoencoder) -> Tensor:
        """float16 `[N, 2, C, h, w]` of the next photos' crops and their mirror images."""
        indices = range(start, min(start + ENCODE_BATCH, len(self.pairs)))
        samples = [c for i in indices for c in self._crops(i)]
        self.samples += [Sample(s.image[:0].copy(), s.labels.copy(), s.instances) for s in samples]
        if self.thumbnail:
            self.thumbnails += [thumbnail_of(s.image, self.thumbnail) for s in samples]
        pairs = [m for s in samples for m in (s, mirror(s, self.palette))]
        both = [to_tensors(s, self.palette)["image"] for s in pairs]
        device = autoencoder.latent_mean.device
        parts = torch.stack(both).split(2 * ENCODE_BATCH)
        with torch.autocast(device.type, pick_precision(device)):
            latents = [autoencoder.encode(part.to(device)).half().cpu() for part in parts]
        return torch.cat(latents).unflatten(0, (-1, 2))

    def _crops(self, index: int) -> Iterator[Sample]:
        """The middle of a photo, then places by chance; as many as there is room for others."""
        sample, rng = self.pairs.sample(index), np.random.default_rng(index)
        spare = [have - want for have, want in zip(sample.labels.shape, self.size, strict=True)]
        yield cut(sample, spare[0] // 2, spare[1] // 2, self.size)
        for _ in range(self.crops - 1 if any(spare) else 0):
            top, left = (int(rng.integers(room + 1)) for room in spare)
            yield cut(sample, top, left, self.size)


def thumbnail_of(image: np.ndarray, side: int) -> np.ndarray:
    """A picture uint8 `[H, W, 3]` at `side` x `side` pixels, whatever its proportions."""
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)


def coverage(
    labels: np.ndarray, instances: np.ndarray | None, palette: Palette, factor: int
) -> Tensor:
    """float32 `[num_channels, H / factor, W / factor]`: each label's share of a latent pixel.

    Equals average-pooling the one-hot layout, which it never builds: counting is a hundred times
    quicker, and training does it for every sample.
    """
    edges = layout_edges(labels, instances) if palette.instance_edges else None
    return shares_of(labels, edges, palette, factor)


def shares_of(
    labels: np.ndarray, edges: np.ndarray | None, palette: Palette, factor: int
) -> Tensor:
    """The same of a part of a layout whose edges (bool `[H, W]`) are known; channels last."""
    height, width = (side // factor for side in labels.shape)
    cells = np.arange(height * width).reshape(height, 1, width, 1) * len(palette)
    places = cells + labels.reshape(height, factor, width, factor)
    counts = np.bincount(places.ravel(), minlength=height * width * len(palette))
    shares = torch.from_numpy(counts.reshape(height, width, -1)).float().div_(factor**2)
    if edges is not None:
        marked = torch.from_numpy(edges)[None].float()
        marked = torch.nn.functional.avg_pool2d(marked, factor)
        shares = torch.cat([shares, marked.permute(1, 2, 0)], dim=2)
    return shares.permute(2, 0, 1)
