"""One door for every kind of checkpoint: what can answer requests, of whatever network it is."""

from __future__ import annotations

from pathlib import Path

from core.checkpoint import Checkpoint
from core.engine import Engine
from core.instant import InstantPainter
from core.model.spec import InstantSpec
from core.spade_painter import SpadePainter


def open_model(
    path: str | Path, device: str | None = None, precision: str | None = None
) -> Engine | InstantPainter | SpadePainter:
    """An engine for a diffusion model, a painter for a generator that answers in one pass.

    Raises `CheckpointError` with one sentence if the file is neither.
    """
    spade = Checkpoint.open(path).spade
    if spade is None:
        return Engine.open(path, device, precision)
    kind = InstantPainter if isinstance(spade, InstantSpec) else SpadePainter
    return kind.open(path, device, precision)
