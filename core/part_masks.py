"""Label maps that come as one mask a part, as of faces: merged in the palette's order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from core.data_trees import DatasetError, Pair
from core.palette import Palette


def merged_parts(pair: Pair, palette: Palette, read: Callable[[Path], np.ndarray]) -> np.ndarray:
    """Ids uint8 `[H, W]`: each part where its mask is not 0, later labels over earlier ones.

    A part's name is the name or a synonym of its label. read: a file's pixels, `[H, W]` or `[H, W,
    channels]`. Raises `DatasetError` naming the file.
    """
    labels: np.ndarray | None = None
    for label, part in sorted((_label(pair, part, palette), part) for part in pair.parts):
        path = pair.part_file(part)
        mask = read(path)
        mask = mask if mask.ndim == 2 else mask[..., 0]
        if labels is None:
            labels = np.full(mask.shape, palette.erase_id, np.uint8)
        if mask.shape != labels.shape:
            raise DatasetError(
                f"{path} is {mask.shape[1]}x{mask.shape[0]}, but the masks before it are "
                f"{labels.shape[1]}x{labels.shape[0]}. All of a photo must have the same size."
            )
        labels[mask != 0] = label
    return labels


def _label(pair: Pair, part: str, palette: Palette) -> int:
    label = palette.find(part)
    if label is None:
        raise DatasetError(
            f"{pair.part_file(part)} is of the part {part!r}, which no label of palette "
            f"{palette.name!r} is called. Add it there as a synonym, or give another --palette."
        )
    return label
