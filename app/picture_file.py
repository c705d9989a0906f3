"""A picture as a PNG that knows how it was made."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from PySide6.QtCore import QIODevice, QSaveFile

from app.imaging import labels_png, picture_png
from core.request import RECIPE_KEY, Result

LABELS_KEY = "sdm-studio:labels"  # text chunk: the label map as base64 of an 8-bit palette PNG


def save_picture(path: Path, result: Result) -> None:
    """Write the picture with its recipe. On `OSError` an old file is still whole."""
    request = result.request
    labels = labels_png(request.layout.labels, request.layout.palette.colors)
    texts = {
        RECIPE_KEY: json.dumps(request.recipe(result.weights)),
        LABELS_KEY: base64.b64encode(labels).decode("ascii"),
    }
    _replace(path, picture_png(result.image, texts))


def _replace(path: Path, data: bytes) -> None:
    file = QSaveFile(str(path))
    file.open(QIODevice.OpenModeFlag.WriteOnly)
    file.write(data)
    if not file.commit():
        raise OSError(f"{path} could not be written: {file.errorString()}.")
