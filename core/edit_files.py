"""A local edit from files: a picture, and a black and white mask of what to paint anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.errors import InputError
from core.picture import read_picture
from core.regions import feather, feather_radius
from core.repaint import Inpaint

WHITE = 128  # from this brightness on, a pixel of a mask is to be repainted


def read_edit(
    picture: Path, mask: Path, strength: float = 1.0, resample: int = 1, invert: bool = False
) -> Inpaint:
    """The edit of these two files, blended with an automatic radius.

    Raises `InputError` if one cannot be read, if they differ in size, or if nothing is white.
    """
    image, marked = read_picture(picture).image, read_picture(mask).image
    if image.shape != marked.shape:
        raise InputError(
            f"The mask {mask} is {_by(marked)}, but the picture {picture} is {_by(image)}. They "
            "must be of one size."
        )
    region = marked.mean(axis=2) >= WHITE
    if not region.any():
        raise InputError(f"Nothing in the mask {mask} is white. White is what will be repainted.")
    blend = feather(region, feather_radius(region))
    return Inpaint(image, region, blend, strength, resample, invert=invert)


def _by(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
