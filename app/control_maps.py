"""From the controls of labels to maps over the picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from app.label_controls import FRESH, LabelControl, Table
from core.palette import Palette

SOFT = 32  # guidance changes over this part of the shorter side where two labels meet


def maps_of(labels: np.ndarray, palette: Palette, table: Table) -> dict[str, Any]:
    """Fields of a `SampleRequest` whose layout is `labels`, uint8 `[H, W]`, ids of `palette`.

    Maps that would change nothing are left out, and labels that are not there.
    """
    if not table:
        return {}
    present = np.bincount(labels.ravel(), minlength=len(palette)) > 0
    controls = [
        table.get(label.name, FRESH) if present[label.id] else FRESH for label in palette.classes
    ]
    named = {c.name: own.plain for c, own in zip(palette.classes, controls, strict=True)}
    found = {
        "guidance_map": _guidance(labels, controls),
        "seed_map": _seeds(labels, controls),
        "label_controls": {name: plain for name, plain in named.items() if plain},
    }
    return {name: value for name, value in found.items() if value is not None}


def _guidance(labels: np.ndarray, controls: list[LabelControl]) -> np.ndarray | None:
    factors = np.array([control.guidance for control in controls], np.float32)
    if (factors == 1).all():
        return None
    width = 2 * (min(labels.shape) // (2 * SOFT)) + 1  # odd, so that the border stays in its place
    return cv2.blur(factors[labels], (width, width), borderType=cv2.BORDER_REPLICATE)


def _seeds(labels: np.ndarray, controls: list[LabelControl]) -> np.ndarray | None:
    seeds = np.array([-1 if c.seed is None else c.seed for c in controls], np.int32)
    return None if (seeds < 0).all() else seeds[labels]
