"""A folder of photos without labels, for what learns from pictures alone."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.dataset import Sample, read_photo
from core.feature_cache import find_photos
from core.guide import filling
from core.palette import Palette


class Photo(NamedTuple):
    """A file, and what it is called in tables."""

    image: Path
    name: str


class PhotoFolder:
    """Photos cut to `size`, as `core.dataset.PairDataset` gives them; all that is there is label 0.

    Raises `InputError` for a folder without photos, and for a photo when it cannot be read.
    """

    def __init__(self, folder: Path, palette: Palette, size: tuple[int, int]) -> None:
        self.palette, self.size = palette, size
        self.pairs = [Photo(path, path.stem) for path in find_photos(folder)]

    def __len__(self) -> int:
        return len(self.pairs)

    def sample(self, index: int) -> Sample:
        """A photo, and a layout of nothing."""
        photo = read_photo(self.pairs[index].image)
        return Sample(filling(photo, self.size), np.zeros(self.size, np.uint8))
