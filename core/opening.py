"""One door for every kind of checkpoint: what can answer requests, of whatever network it is."""

from __future__ import annotations

from pathlib import Path

from core.checkpoint import Checkpoint, CheckpointError
from core.device import pick_device, pick_precision
from core.engine import Engine
from core.errors import InputError, is_shortage
from core.instant import InstantPainter
from core.painters import painter_of
from core.spade_painter import SpadePainter


def open_model(
    path: str | Path,
    device: str | None = None,
    precision: str | None = None,
    clip: Path | None = None,
    noisy_clip: Path | None = None,
) -> Engine | InstantPainter | SpadePainter:
    """An engine for a diffusion model, a painter for a generator that answers in one pass.

    clip, noisy_clip: as for `Engine.use_clip`. Raises `CheckpointError` with one sentence if the
    file is neither, or does not fit into memory, and `InputError` for a CLIP that cannot guide it.
    """
    checkpoint, where = Checkpoint.open(path), pick_device(device)
    open_kind = Engine if checkpoint.spade is None else painter_of
    try:
        model = open_kind(checkpoint, where, pick_precision(where, precision))
    except Exception as error:
        if not is_shortage(error):
            raise
        raise CheckpointError(
            f"There is not enough memory to open {path}. Close other programs, or open a smaller "
            "model."
        ) from error
    if noisy_clip and not clip:
        raise InputError(
            f"{noisy_clip} reads no words. Give the CLIP file that it was made of too."
        )
    if clip and not isinstance(model, Engine):
        raise InputError(f"{path} paints in one pass, so {clip} cannot guide it. Leave it out.")
    if clip:
        model.use_clip(clip, noisy_clip)
    return model
