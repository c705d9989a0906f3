"""Which tensors a safetensors file holds, as a short text: to know a file again under any name."""

from __future__ import annotations

import hashlib
import json
import mmap
from pathlib import Path

from core.errors import InputError
from core.files import reason


def fingerprint(path: str | Path) -> str:
    """SHA-256, in hex, of the names, types, shapes and bytes of all tensors in `path`.

    Neither the order of the tensors nor the text in the header counts. About a gigabyte a second;
    nothing is held in memory. Raises `InputError` if it is no safetensors file.
    """
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _of_tensors(memoryview(data))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no complete safetensors file.") from error


def _of_tensors(data: memoryview) -> str:
    with data:
        length = int.from_bytes(data[:8], "little")
        entries = json.loads(bytes(data[8 : 8 + length]))
        entries.pop("__metadata__", None)
        found, start = hashlib.sha256(), 8 + length
        for name, entry in sorted(entries.items()):
            found.update(json.dumps([name, entry["dtype"], entry["shape"]]).encode())
            first, last = entry["data_offsets"]
            if start + last > len(data):
                raise ValueError(name)
            with data[start + first : start + last] as tensor:
                found.update(tensor)
        return found.hexdigest()
