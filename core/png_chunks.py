"""The chunks of a PNG, looked at before a decoder believes their lengths."""

from __future__ import annotations

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def lengths_fit(data: bytes | memoryview) -> bool:
    """Whether every chunk of a PNG lies inside it; a cut-off end counts as fitting.

    A chunk may say that it has four gigabytes, and OpenCV makes room for them before it looks.
    """
    place = len(SIGNATURE)
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        if length > len(data):
            return False
        place += 12 + length
    return True
