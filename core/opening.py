"""One door for every kind of checkpoint: what can answer requests, of whatever network it is."""

from __future__ import annotations

from pathlib import Path

from core.checkpoint import Checkpoint
from core.device import pick_device, pick_precision
from core.engine import Engine
from core.instant import InstantPainter
from core.painters import painter_of
from core.spade_painter import SpadePainter


def open_model(
    path: str | Path, device: str | None = None, precision: str | None = None
) -> Engine | InstantPainter | SpadePainter:
    """An engine for a diffusion model, a painter for a generator that answers in one pass.

    Raises `CheckpointError` with one sentence if the file is neither.
    """
    checkpoint, where = Checkpoint.open(path), pick_device(device)
    open_kind = Engine if checkpoint.spade is None else painter_of
    return open_kind(checkpoint, where, pick_precision(where, precision))
