"""Pictures and label maps as PNG bytes, for the writer's thread: nothing of Qt, and while it packs
the interpreter is free for the window."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping

import cv2
import numpy as np
from PIL import Image

from core.conversion import label_counts
from core.labelmap import MAX_PIXELS
from core.palette import Palette
from core.png_chunks import SIGNATURE, lengths_fit

HEADER_END = 33  # bytes: the signature and the IHDR chunk
FAST = 1  # level of zlib: a fraction of the time for a few more bytes
STRIP = 64  # rows
THUMBNAIL = 128  # pixels of its longer side


def encode_picture(picture: np.ndarray, texts: Mapping[str, str] | None = None) -> bytes:
    """RGB uint8 `[H, W, 3]` as PNG, with one text chunk for each entry of `texts` (ASCII)."""
    pixels = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, FAST])
    packed = data.tobytes()
    chunks = b"".join(
        _chunk(b"tEXt", key.encode("ascii") + b"\0" + text.encode("ascii"))
        for key, text in (texts or {}).items()
    )
    return packed[:HEADER_END] + chunks + packed[HEADER_END:]


def decode_picture(data: bytes) -> np.ndarray:
    """The picture of a PNG, uint8 `[H, W, 3]`. Raises `ValueError` for anything else."""
    check_png(data)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("its picture is damaged")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def encode_thumbnail(picture: np.ndarray) -> bytes:
    """A small copy of a picture, as PNG."""
    return encode_picture(shrunk(picture, THUMBNAIL))


def shrunk(picture: np.ndarray, side: int) -> np.ndarray:
    """A copy of RGB uint8 `[H, W, 3]` whose longer side has `side` pixels, or fewer already."""
    height, width, _ = picture.shape
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def encode_labels(labels: np.ndarray, palette: Palette) -> bytes:
    """A label map, uint8 `[H, W]`, as an 8-bit palette PNG whose values are the ids.

    Packed in strips: a big map in one piece would hold the interpreter for tens of milliseconds.
    """
    height, width = labels.shape
    packer = zlib.compressobj(FAST)
    rows = np.zeros((min(STRIP, height), width + 1), np.uint8)  # the first byte: no filter
    packed = []
    for top in range(0, height, STRIP):
        strip = labels[top : top + STRIP]
        rows[: len(strip), 1:] = strip
        packed.append(packer.compress(rows[: len(strip)]))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = {
        b"IHDR": header,
        b"PLTE": palette.colors.tobytes(),
        b"IDAT": b"".join([*packed, packer.flush()]),
        b"IEND": b"",
    }
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks.items())


def decode_labels(data: bytes) -> np.ndarray:
    """The ids of a palette PNG, uint8 `[H, W]`. Raises `ValueError` for anything else."""
    check_png(data)
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.mode != "P":
                raise ValueError("its label map is not a palette PNG")
            return np.array(image)
    except ValueError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on a damaged file
        raise ValueError("its label map is damaged") from error


def encode_instances(instances: np.ndarray) -> bytes:
    """An instance map, int32 `[H, W]`, as a PNG whose four bytes per pixel are the number."""
    height, width = instances.shape
    pixels = np.ascontiguousarray(instances, "<i4").view(np.uint8).reshape(height, width, 4)
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, FAST])[1].tobytes()


def decode_instances(data: bytes) -> np.ndarray:
    """The inverse of `encode_instances`. Raises `ValueError` for anything else."""
    check_png(data)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 4 or pixels.dtype != np.uint8:
        raise ValueError("its instance map is damaged")
    return pixels.view("<i4")[..., 0].astype(np.int32)


def labels_present(labels: np.ndarray) -> tuple[int, ...]:
    """The ids that occur in a label map, ascending."""
    return tuple(np.flatnonzero(label_counts(labels)).tolist())


def check_png(data: bytes) -> None:
    """Refuse, before a pixel is decoded, what is no PNG or is larger than any picture of ours."""
    if not data.startswith(SIGNATURE) or len(data) < HEADER_END:
        raise ValueError("a picture in it is not a PNG")
    if not lengths_fit(data):
        raise ValueError("a picture in it is damaged")
    width, height = struct.unpack(">II", data[16:24])
    if not 0 < width * height <= MAX_PIXELS:
        raise ValueError(f"a picture in it has {width} × {height} pixels, which is too large")


def _chunk(kind: bytes, data: bytes) -> bytes:
    checked = zlib.crc32(data, zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(data)), kind, data, struct.pack(">I", checked)))
