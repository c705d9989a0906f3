"""The painter of a checkpoint, of either kind, and where a model's own painter lies."""

from __future__ import annotations

from pathlib import Path

import torch

from core.checkpoint import Checkpoint, CheckpointError
from core.conversion import same_labels
from core.instant import InstantPainter
from core.model.spec import InstantSpec
from core.palette import Palette
from core.spade_painter import SpadePainter


def painter_path(weights: Path | None) -> Path | None:
    """Where the painter of a checkpoint lies: `NAME-instant.safetensors` beside it."""
    return weights and weights.with_name(f"{weights.stem}-instant{weights.suffix}")


def painter_of(
    checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype
) -> InstantPainter | SpadePainter:
    """The painter that a checkpoint holds. Raises `CheckpointError` if it holds none."""
    kind = InstantPainter if isinstance(checkpoint.spade, InstantSpec) else SpadePainter
    return kind(checkpoint, device, dtype)


def painter_beside(
    weights: Path | None, palette: Palette, device: torch.device, dtype: torch.dtype
) -> InstantPainter | SpadePainter | None:
    """The painter that lies beside a model of `palette`; None without one.

    Raises `CheckpointError` if it knows other labels.
    """
    path = painter_path(weights)
    if path is None or not path.is_file():
        return None
    checkpoint = Checkpoint.open(path)
    if not same_labels(checkpoint.palette, palette):
        raise CheckpointError(
            f"{path} is no painter for {weights.name}: it knows the labels of "
            f"{checkpoint.palette.name!r}, not those of {palette.name!r}. Take it away, or train "
            "it again."
        )
    return painter_of(checkpoint, device, dtype)
