"""The last picture into a file that knows how it was made."""

from __future__ import annotations

from pathlib import Path

from core.picture import QUALITY, write_picture
from core.request import Result


def save_picture(path: Path, result: Result, quality: int = QUALITY) -> None:
    """Write the picture with its recipe and layout, in the format of the name.

    Raises `OutputError`; an old file is then still whole.
    """
    request = result.request
    recipe = request.recipe(result.weights)
    write_picture(path, result.image, recipe, request.layout, quality)
