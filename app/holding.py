"""What of the last picture stays when the next one is made: masks for an `Inpaint`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from app.label_controls import FRESH, Table
from core import regions
from core.labelmap import nearest_resize
from core.palette import Palette
from core.request import Inpaint, Layout, RequestError, Result, SampleRequest, Trajectory

WHOLE = 0.75  # of the canvas' sides; a picture differs a little from them by rounding alone
SOFT = 4  # pixels over which old and new are mixed beside a locked label


@dataclass(frozen=True, eq=False)
class Held:
    """What locks and strengths say of the pixels of the last picture.

    locked: bool `[H, W]`. strength: float32 `[H, W]`, 1 where a label has none of its own. same:
    bool `[H, W]`, where the label is what it was. Locks and strengths hold there alone. states: of
    the picture, if the present model can go on from them.
    """

    result: Result
    states: Trajectory | None
    locked: np.ndarray
    strength: np.ndarray
    same: np.ndarray

    @classmethod
    def of(
        cls,
        labels: np.ndarray,
        palette: Palette,
        table: Table,
        layout: Layout,
        result: Result | None,
        states: Trajectory | None,
    ) -> Held | None:
        """None if nothing is held: of a plain new picture.

        labels: uint8 `[H, W]`, ids of `palette`: the scene. layout: the same as the model reads it.
        """
        controls = [table.get(label.name, FRESH) for label in palette.classes]
        if result is None or not is_whole(result, layout.size):
            return None
        if not any(control.locked or control.strength < 1 for control in controls):
            return None
        same = result.request.layout.labels == layout.labels
        locked = np.array([c.locked for c in controls])[labels] & same
        strength = np.array([c.strength for c in controls], np.float32)[labels]
        strength[~same | locked] = 1
        size = result.image.shape[:2]
        masks = (nearest_resize(part, size) for part in (locked, strength, same))
        return cls(result, states, *masks)

    def applied_to(self, request: SampleRequest) -> SampleRequest:
        """The request for a whole new picture, or for an edit of the last one, which spares what is
        locked. `RequestError` if nothing is left to be made."""
        if request.inpaint is None:
            inpaint = self._whole()
        elif np.array_equal(request.inpaint.picture, self.result.image):
            inpaint = self._sparing(request.inpaint)
        else:  # the edit is of a photo
            return request
        return replace(request, inpaint=inpaint, size=inpaint and inpaint.size)

    def _whole(self) -> Inpaint | None:
        locked, strength = self.locked, self.strength
        if not locked.any() and (strength == 1).all():
            return None
        if locked.all():
            raise RequestError("Every label is locked, so nothing can change. Unlock one of them.")
        return Inpaint(
            self.result.image,
            ~locked,
            self._blend(),
            strength=float(strength[~locked].max()),
            strength_map=None if (strength == 1).all() else strength,
            trajectory=self.states,
        )

    def _blend(self) -> np.ndarray:
        """0 where it is locked, 1 further away. Beside a lock both are mixed, but only where the
        label is what it was: elsewhere something else would shine through."""
        blend = (~self.locked).astype(np.float32)
        if not self.locked.any():
            return blend
        away = cv2.distanceTransform(blend.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return np.where(self.same, np.clip(away / SOFT, 0, 1), blend).astype(np.float32)

    def _sparing(self, inpaint: Inpaint) -> Inpaint:
        region = inpaint.region & ~self.locked
        if not region.any():
            raise RequestError("All of the region is locked. Unlock its labels first.")
        blend = np.where(self.locked, 0, inpaint.blend).astype(np.float32)
        return replace(inpaint, region=region, blend=blend)


def is_whole(result: Result, size: tuple[int, int]) -> bool:
    """Whether the picture is of a canvas of this (height, width), and as large: a quick one may be
    smaller."""
    large = all(a > WHOLE * b for a, b in zip(result.image.shape[:2], size, strict=True))
    return large and result.request.layout.size == size


def area_inpaint(result: Result, area: np.ndarray, states: Trajectory | None) -> Inpaint:
    """`area`, bool `[H, W]` over the scene, anew from noise in the last picture.

    What lies within `regions.grow_radius` of it is made anew with it, and mixed with the old
    picture at the edge; what lies further away stays bit by bit.
    """
    area = nearest_resize(area, result.image.shape[:2])
    radius = regions.grow_radius(area)
    region = regions.grow(area, radius)
    blend = np.where(region, regions.feather(area, radius), 0).astype(np.float32)
    return Inpaint(result.image, region, blend, trajectory=states)
