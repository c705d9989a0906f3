"""A picture into a file that knows how it was made."""

from __future__ import annotations

from pathlib import Path

from core.picture import QUALITY, write_picture
from core.request import Result


def save_picture(path: Path, result: Result, quality: int = QUALITY) -> str:
    """Write the picture with its recipe and layout, in the format of the name.

    Returns a sentence about what the file does not carry, or "". Raises `OutputError`; an old file
    is then still whole.
    """
    request = result.request
    recipe = request.recipe(result.weights)
    if write_picture(path, result.image, recipe, request.layout, quality):
        return ""
    return (
        f"{path.name} is without its layout, which is too large for a JPEG; "
        "PNG, WebP and TIFF carry it."
    )
