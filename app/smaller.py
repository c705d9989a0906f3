"""The offer of a smaller picture, after one that did not fit into memory."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from app.panels.error_bar import ErrorBar
from app.studio import Studio
from core.request import Failed, SampleRequest

LEAST = 64  # pixels of a side that is still worth it


def offer_smaller(failed: Failed, studio: Studio, bar: ErrorBar) -> None:
    """Put a button beside the sentence that makes the picture at half its size.

    A proposal has none: it has to fit the picture that it is of.
    """
    size = _half(failed.too_large, studio.model.multiple) if failed.too_large else None
    if size is not None and studio.purpose != "proposal":
        height, width = size
        at_size = partial(_at_size, size)
        bar.offer(f"Try {width} × {height}", lambda: studio.resample(at_size))


def _half(size: tuple[int, int], multiple: int) -> tuple[int, int] | None:
    """Half of (height, width), as the model can do it; None when that would be tiny."""
    height, width = (side // 2 // multiple * multiple for side in size)
    return (height, width) if min(height, width) >= LEAST else None


def _at_size(size: tuple[int, int], request: SampleRequest) -> SampleRequest:
    return replace(request, size=size)
