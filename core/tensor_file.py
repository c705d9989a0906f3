"""Writing a safetensors file tensor by tensor: never more than one of them in memory.

The format: the header's length (8 bytes, little endian), the header (JSON: dtype, shape and place
of every tensor, and text under `__metadata__`), then the bytes of the tensors one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from core.files import atomic_path

NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
ALIGNMENT = 8  # bytes: the data begins at a multiple of it, as the format's own writer has it


class Entry(NamedTuple):
    """A tensor that is made when its turn comes."""

    name: str
    shape: tuple[int, ...]
    make: Callable[[], Tensor]


def is_finite(tensor: Tensor) -> bool:
    """Whether all values are numbers, neither NaN nor infinite.

    The smallest and the largest tell: a fifth of a second for a billion of them.
    """
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    low, high = torch.aminmax(tensor.float() if tensor.itemsize == 1 else tensor)
    return bool(low.isfinite() and high.isfinite())


def write_tensors(
    path: Path,
    entries: Iterable[Entry],
    dtype: torch.dtype,
    metadata: Mapping[str, str],
    progress: Callable[[list[Entry]], Iterable[Entry]] = iter,
) -> None:
    """Write `entries` in `dtype`, in the order of their names, atomically. Raises `OSError`."""
    entries = sorted(entries)
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    place = 0
    for entry in entries:
        size = dtype.itemsize * torch.Size(entry.shape).numel()
        places = [place, place + size]
        header[entry.name] = {
            "dtype": NAMES[dtype],
            "shape": list(entry.shape),
            "data_offsets": places,
        }
        place += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    with atomic_path(path) as part, open(part, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for entry in progress(entries):
            tensor = entry.make().to(dtype).contiguous()
            file.write(tensor.view(-1).view(torch.uint8).numpy().data)
