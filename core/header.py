"""What a checkpoint says about itself, read without torch: before the model itself is open."""

from __future__ import annotations

import json
from pathlib import Path

from core.errors import InputError
from core.files import reason
from core.palette import Palette

HEADER_KEY = "sdm-studio"
LONGEST = 100 * 2**20  # bytes of a header; the format's own limit


def read_header(path: str | Path) -> dict:
    """The JSON under our key in a safetensors file. Raises `InputError` if there is none."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if 0 < length < LONGEST else None
        text = header["__metadata__"][HEADER_KEY]
        return json.loads(text)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is no checkpoint of SDM Studio.") from error


def palette_of(path: str | Path) -> Palette:
    """The palette that a checkpoint was trained on. Raises `InputError`."""
    header = read_header(path)
    try:
        return Palette.from_dict(header["palette"], where=str(path))
    except (KeyError, TypeError) as error:
        raise InputError(f"The header of {path} has no palette.") from error
