"""Pictures from files: asked for, and read while the window lives on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtWidgets import QFileDialog, QWidget

from app.file_kinds import PHOTO_FILTER
from app.reader import Cancelled, Reader
from app.settings import Store
from app.worker import failure
from core.errors import InputError
from core.picture import read_picture
from core.request import Failed


def ask_picture(parent: QWidget, store: Store, title: str, purpose: str) -> Path | None:
    """The picture that the user chooses, in the folder last used for `purpose`; None for none."""
    name, _ = QFileDialog.getOpenFileName(parent, title, store.folder(purpose), PHOTO_FILTER)
    if not name:
        return None
    store.keep_folder(purpose, Path(name).resolve().parent)
    return Path(name)


def opened_picture(
    reader: Reader, path: Path, tell: Callable[[Failed], object]
) -> np.ndarray | None:
    """The picture in a file, uint8 `[H, W, 3]`; None if it was given up, or `tell` was told why."""
    try:
        return reader.read(path, lambda: read_picture(path).image)
    except Cancelled:
        return None
    except (InputError, OSError) as error:
        tell(failure(error))
        return None
