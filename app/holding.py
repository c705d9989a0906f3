"""What of the last picture stays when the next one is made: masks for an `Inpaint`."""

from __future__ import annotations

import cv2
import numpy as np

from app.label_controls import FRESH, Table
from core import regions
from core.labelmap import nearest_resize
from core.palette import Palette
from core.request import Inpaint, Layout, RequestError, Result

SOFT = 4  # pixels over which old and new are mixed beside a locked label


def held_inpaint(
    labels: np.ndarray, palette: Palette, table: Table, layout: Layout, result: Result | None
) -> Inpaint | None:
    """What locks and strengths ask for; None if that is a plain new picture.

    labels: uint8 `[H, W]`, ids of `palette`: the scene. layout: the same as the model reads it. A
    lock or a strength holds where the label was in the last picture too. `RequestError` if all of
    it is locked.
    """
    controls = [table.get(label.name, FRESH) for label in palette.classes]
    if result is None or result.request.layout.size != layout.size:
        return None
    same = result.request.layout.labels == layout.labels
    locked = np.array([c.locked for c in controls])[labels] & same
    strength = np.array([c.strength for c in controls], np.float32)[labels]
    strength[~same | locked] = 1
    if not locked.any() and (strength == 1).all():
        return None
    return _inpaint(result, locked, strength, same)


def _inpaint(result: Result, locked: np.ndarray, strength: np.ndarray, same: np.ndarray) -> Inpaint:
    size = result.image.shape[:2]
    locked, strength, same = (nearest_resize(part, size) for part in (locked, strength, same))
    if locked.all():
        raise RequestError("Every label is locked, so nothing can change. Unlock one of them.")
    blend = (~locked).astype(np.float32)
    if locked.any():
        near = cv2.distanceTransform((~locked).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        # Only beside the same label: the old picture must not shine through where it was another.
        blend = np.where(same, np.clip(near / SOFT, 0, 1), blend).astype(np.float32)
    return Inpaint(
        result.image,
        ~locked,
        blend,
        strength=float(strength[~locked].max()),
        strength_map=None if (strength == 1).all() else strength,
        trajectory=result.trajectory,
    )


def area_inpaint(result: Result, area: np.ndarray) -> Inpaint:
    """`area`, bool `[H, W]` over the scene, anew from noise in the last picture.

    What lies within `regions.grow_radius` of it is made anew with it, and mixed with the old
    picture at the edge; what lies further away stays bit by bit.
    """
    area = nearest_resize(area, result.image.shape[:2])
    radius = regions.grow_radius(area)
    region = regions.grow(area, radius)
    blend = np.where(region, regions.feather(area, radius), 0).astype(np.float32)
    return Inpaint(result.image, region, blend, trajectory=result.trajectory)
