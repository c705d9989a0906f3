"""What a local edit would be: of which picture, where, how far, how much. No widgets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np

from app.marks import MARKED, Marks
from app.reference import Reference, letterboxed
from app.scene import Scene
from app.studio import Studio
from core import regions
from core.conversion import same_labels
from core.labelmap import around, mask_box, nearest_resize
from core.request import Inpaint, Layout, RequestError, SampleRequest, Trajectory

MAX_RADIUS = 64  # pixels
MAX_WALKS = 5
MULTIPLE = 8  # sides of a picture, while the model is unknown


@dataclass(frozen=True)
class EditSettings:
    """How far a local edit goes; None is automatic.

    grow: pixels around the region that are denoised with it. feather: pixels over which new and old
    are blended. strength: above 0, at most 1: how much of the old picture is forgotten. walks: how
    often each stretch of steps is walked, 1..`MAX_WALKS`. retrace: find out first how a picture
    would have been sampled of which that is not known. photo: edit the photo to trace in place of
    the last picture.
    """

    grow: int | None = None
    feather: int | None = None
    strength: float | None = None
    walks: int = 1
    retrace: bool = False
    photo: bool = False


@dataclass(frozen=True, eq=False)
class Base:
    """What is edited: uint8 `[h, w, 3]`; the layout that it was made from, if it was."""

    picture: np.ndarray = field(repr=False)
    seed: int
    layout: Layout | None = None
    trajectory: Trajectory | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """An edit that could be made now.

    touched: bool `[h, w]` in pixels of the picture: what changed and what is marked. follows: only
    labels changed, nothing is marked. grow, feather, strength: as they will be. settings: the rest.
    """

    base: Base
    layout: Layout
    touched: np.ndarray = field(repr=False)
    follows: bool
    grow: int
    feather: int
    strength: float
    settings: EditSettings

    @cached_property
    def masks(self) -> tuple[np.ndarray, np.ndarray]:
        """What is denoised, bool `[h, w]`, and the share of the new picture, float32 `[h, w]`."""
        region, blend = np.zeros(self.touched.shape, bool), np.zeros(self.touched.shape, np.float32)
        x, y, width, height = mask_box(self.touched)
        corners = (x, y), (x + width, y + height)
        # Far from the region both are 0: the distances there need not be known.
        box = around(corners, self.grow + self.feather + 2, self.touched.shape)
        near = regions.grow(self.touched[box.slices], self.grow)
        region[box.slices] = near
        blend[box.slices] = regions.feather(near, self.feather)
        return region, blend

    def within(self, drawn: Layout) -> Layout:
        """A layout of before with the present labels where the picture is denoised."""
        region = nearest_resize(self.masks[0].astype(np.uint8), drawn.size) > 0
        return replace(drawn, labels=np.where(region, self.layout.labels, drawn.labels))

    def request(self, present: SampleRequest, seed: int) -> SampleRequest:
        """The edit as a request, with the present settings."""
        region, blend = self.masks
        held = present.inpaint  # what else may not change: locked labels
        if held is not None and held.size == region.shape:
            region, blend = region & held.region, np.minimum(blend, held.blend)
        inpaint = Inpaint(
            self.base.picture,
            region,
            blend,
            strength=self.strength,
            resample=self.settings.walks,
            trajectory=self.base.trajectory,
            invert=self.settings.retrace and self.base.trajectory is None,
        )
        return replace(
            present,
            layout=self.layout,
            seed=seed,
            size=inpaint.size,
            inpaint=inpaint,
        )


class Planner:
    """Plans edits of the last picture, or of the photo to trace.

    marks: what is marked. settings: how far an edit goes.
    """

    def __init__(self, scene: Scene, studio: Studio, reference: Reference) -> None:
        self.marks = Marks(scene)
        self.settings = EditSettings()
        self._scene, self._studio, self._reference = scene, studio, reference
        self._cached: tuple[object, Plan | None] = None, None

    @property
    def of_photo(self) -> bool:
        """Whether the photo is what is edited."""
        chosen = self.settings.photo or self._studio.result is None
        return chosen and self._reference.photo is not None

    @property
    def comparable(self) -> bool:
        """Whether there is a picture, made for a canvas and palette like the present ones."""
        return self._pair() is not None

    def _pair(self) -> tuple[Base, Layout] | None:
        """What would be edited, and the present layout that it can be compared with."""
        base = self.base()
        try:
            layout = self._studio.reading.layout()
        except RequestError:  # another palette, which is still to be settled
            return None
        if base is None or base.layout is None:
            return base and (base, layout)
        same_size = base.layout.size == layout.size
        alike = same_size and same_labels(base.layout.palette, layout.palette)
        return (base, layout) if alike else None

    def preview(self) -> Plan | None:
        """The edit of what changed and of what is marked, remembered while nothing moves."""
        key = (
            self._scene.revision,
            self.marks.revision,
            self.settings,
            self._studio.result,
            self._studio.reading.conversion,
            self.of_photo and id(self._reference.photo),
        )
        if key != self._cached[0]:
            self._cached = key, self.plan()
        return self._cached[1]

    def plan(self, marks_only: bool = False) -> Plan | None:
        """The edit of what changed and of what is marked; None if there is nothing to do.

        marks_only: labels that changed elsewhere wait, and stay changes for another edit.
        """
        pair = self._pair()
        if pair is None:
            return None
        base, layout = pair
        drawn, size = base.layout or layout, base.picture.shape[:2]
        before, after = (_at(size, one.labels) for one in (drawn, layout))
        touched = marked = _at(size, self.marks.labels) == MARKED
        if not marks_only:
            touched = marked | regions.changed(before, after)
        if not touched.any():
            return None
        wanted = self.settings
        box = mask_box(touched).slices
        parts = before[box], after[box], touched[box]
        automatic = regions.automatic_strength(*parts, layout.palette)
        plan = Plan(
            base,
            layout,
            touched,
            follows=not marked.any(),
            grow=_either(wanted.grow, regions.grow_radius(touched)),
            feather=_either(wanted.feather, regions.feather_radius(touched)),
            strength=_either(wanted.strength, automatic),
            settings=wanted,
        )
        return replace(plan, layout=plan.within(drawn)) if marks_only else plan

    def base(self) -> Base | None:
        """What would be edited; None if there is nothing."""
        result = self._studio.result
        if self.of_photo:
            return Base(self._fitted_photo(), self._studio.settings.seed)
        if result is None:
            return None
        request, states = result.request, self._studio.states
        return Base(result.image, request.seed, request.layout, states)

    def _fitted_photo(self) -> np.ndarray:
        """The photo as it lies under the map, in the size of a picture of the scene."""
        model = self._studio.model
        multiple = model.multiple if model else MULTIPLE
        width, height = (max(1, round(side / multiple)) * multiple for side in self._scene.size)
        photo = letterboxed(self._reference.photo, (height, width))
        return cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)


def _at(size: tuple[int, int], labels: np.ndarray) -> np.ndarray:
    """Labels at (height, width), which they mostly have already."""
    return labels if labels.shape == size else nearest_resize(labels, size)


def _either(wanted: float | None, automatic: float) -> float:
    return automatic if wanted is None else wanted
