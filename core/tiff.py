"""A picture as a TIFF of 16 bits a channel, which Pillow reads but does not write."""

from __future__ import annotations

import struct
import zlib

import numpy as np

SHORT, LONG, RATIONAL, ASCII, UNDEFINED = 3, 4, 5, 2, 7  # field types of TIFF 6.0
DESCRIPTION, COMMENT = 270, 37510  # tags: ImageDescription, UserComment
DEFLATE, RGB, INCH = 8, 2, 2
DPI = 72


def encode_tiff(image: np.ndarray, description: str = "", comment: bytes = b"") -> bytes:
    """uint8 `[H, W, 3]` as a 16-bit RGB TIFF, lossless: 0 and 255 become 0 and 65535.

    No shade is invented between two of 8 bits; the width only keeps later grading from banding.
    """
    height, width, _ = image.shape
    strip = zlib.compress((image.astype("<u2") * 257).tobytes(), 6)
    entries = [
        (256, LONG, 1, struct.pack("<I", width)),
        (257, LONG, 1, struct.pack("<I", height)),
        (258, SHORT, 3, struct.pack("<3H", 16, 16, 16)),
        (259, SHORT, 1, struct.pack("<H", DEFLATE)),
        (262, SHORT, 1, struct.pack("<H", RGB)),
        _text(DESCRIPTION, description),
        (273, LONG, 1, struct.pack("<I", 8)),  # the strip follows the header
        (277, SHORT, 1, struct.pack("<H", 3)),
        (278, LONG, 1, struct.pack("<I", height)),
        (279, LONG, 1, struct.pack("<I", len(strip))),
        (282, RATIONAL, 1, struct.pack("<2I", DPI, 1)),
        (283, RATIONAL, 1, struct.pack("<2I", DPI, 1)),
        (296, SHORT, 1, struct.pack("<H", INCH)),
        _text(305, "SDM Studio"),
        (COMMENT, UNDEFINED, len(comment), comment),
    ]
    strip += b"\0" * (len(strip) % 2)  # a directory begins on an even byte
    start = 8 + len(strip)
    return struct.pack("<2sHI", b"II", 42, start) + strip + _directory(entries, start)


def _text(tag: int, text: str) -> tuple[int, int, int, bytes]:
    data = text.encode("ascii", "replace") + b"\0"
    return tag, ASCII, len(data), data


def _directory(entries: list[tuple[int, int, int, bytes]], start: int) -> bytes:
    """The directory at byte `start`, and behind it the values that do not fit into an entry."""
    entries = [entry for entry in entries if entry[2]]
    values_at = start + 2 + 12 * len(entries) + 4
    fields, values = struct.pack("<H", len(entries)), b""
    for tag, kind, count, data in entries:
        if len(data) <= 4:
            field = data.ljust(4, b"\0")
        else:
            field = struct.pack("<I", values_at + len(values))
            values += data + b"\0" * (len(data) % 2)
        fields += struct.pack("<HHI", tag, kind, count) + field
    return fields + struct.pack("<I", 0) + values
