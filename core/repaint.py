"""What a request may say of a picture that is there already: its states, and what of it stays.

Plain numpy, so that the window can hold a picture's states and hand them back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from core.errors import RequestError


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The states that a picture went through while it was sampled.

    timesteps: t of each state, falling. states: float16 `[K, C, h, w]`, x_t before the step at t.
    x0: float16 `[K, C, h, w]`, what was predicted there; the last one is the finished picture.
    seed: of the noise that it began with, if that is known; an edit with another seed begins with
    other noise where it keeps something of the old picture, and so differs.
    Raises `RequestError` for other shapes.
    """

    timesteps: tuple[int, ...]
    states: np.ndarray = field(repr=False)
    x0: np.ndarray = field(repr=False)
    seed: int | None = None

    def __post_init__(self) -> None:
        times, shape = self.timesteps, self.states.shape
        falling = all(a > b >= 0 for a, b in zip(times, times[1:])) and times and times[0] >= 0
        if not falling or len(shape) != 4 or shape[0] != len(times) or self.x0.shape != shape:
            raise RequestError(
                f"A trajectory has one state and one x0 for each of its falling timesteps; got "
                f"{len(times)} timesteps, states {list(shape)} and x0 {list(self.x0.shape)}."
            )
        object.__setattr__(self, "states", frozen(self.states.astype(np.float16, copy=False)))
        object.__setattr__(self, "x0", frozen(self.x0.astype(np.float16, copy=False)))

    def __len__(self) -> int:
        return len(self.timesteps)


@dataclass(frozen=True, eq=False)
class Start:
    """Walk on from x float16 `[C, h, w]` at timestep t, instead of from the seed's noise.

    clean: x is a clean picture's latents, such as a predicted x0, and gets the seed's noise of
    timestep t first: so another seed makes another picture of the same composition. Then x may also
    be `[N, C, h, w]`, one for each of a request's pictures.
    """

    x: np.ndarray = field(repr=False)
    t: int
    clean: bool = False

    def __post_init__(self) -> None:
        if self.x.ndim not in (3, 4) or self.x.ndim == 4 and not self.clean or self.t < 0:
            raise RequestError(
                f"A start is one state [C, h, w] at a timestep from 0 on; got {list(self.x.shape)} "
                f"at {self.t}."
            )
        object.__setattr__(self, "x", frozen(self.x.astype(np.float16, copy=False)))


@dataclass(frozen=True, eq=False)
class Inpaint:
    """Repaint a region of a picture; core/regions.py makes the masks.

    picture: uint8 `[H, W, 3]`, as large as the picture to be made. region: bool `[H, W]`, what is
    denoised. blend: float32 `[H, W]` in [0, 1], the share of the new picture in the outcome; pixels
    where it is 0 stay as they are, bit by bit.
    strength: how much of the region's old picture is forgotten; 1 begins with pure noise.
    strength_map: float32 `[H, W]` in (0, 1], where that is less than `strength` in some places.
    resample: how often each stretch of the way is walked (RePaint); 1 is plainly down.
    trajectory: the states of `picture`'s own sampling, if it was sampled. Otherwise it is encoded
    and noised, or, with `invert`, walked back up the deterministic way (DDIM inversion), which
    keeps more of it at low strength and takes as many steps again, three times over.
    Raises `RequestError` for other shapes, an empty region and values out of range.
    """

    picture: np.ndarray = field(repr=False)
    region: np.ndarray = field(repr=False)
    blend: np.ndarray = field(repr=False)
    strength: float = 1.0
    resample: int = 1
    trajectory: Trajectory | None = None
    invert: bool = False
    strength_map: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._check_arrays()
        if not self.region.any():
            raise RequestError("The region to repaint is empty. Mark what should be made anew.")
        if not 0 < self.strength <= 1:
            raise RequestError(
                f"The strength {self.strength} cannot be used; it must be above 0 and at most 1."
            )
        if not 1 <= self.resample <= 20:
            raise RequestError(f"The resample {self.resample} cannot be used; it must be 1 to 20.")
        for name in ("picture", "region", "blend", "strength_map"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, frozen(getattr(self, name)))

    def _check_arrays(self) -> None:
        picture, region, blend = self.picture, self.region, self.blend
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise RequestError(
                f"A picture is uint8 [H, W, 3]; got {picture.dtype} {list(picture.shape)}."
            )
        masks = [("region", region, bool), ("blend", blend, np.float32)]
        if self.strength_map is not None:
            masks.append(("strength map", self.strength_map, np.float32))
        for name, mask, dtype in masks:
            if mask.shape != picture.shape[:2] or mask.dtype != dtype:
                raise RequestError(
                    f"The {name} of a picture {list(picture.shape[:2])} is {np.dtype(dtype)} of "
                    f"the same size; got {mask.dtype} {list(mask.shape)}."
                )
        if not (blend.min() >= 0 and blend.max() <= 1):  # so written, NaN is refused as well
            raise RequestError("The blend must lie in [0, 1].")
        strengths = self.strength_map
        if strengths is not None and not (strengths.min() > 0 and strengths.max() <= 1):
            raise RequestError("The strength map must lie above 0 and up to 1.")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture."""
        height, width = self.region.shape
        return height, width

    def recipe(self) -> dict:
        """Plain data for a picture's metadata: all but the arrays."""
        known = "trajectory" if self.trajectory else "inverted" if self.invert else "noised"
        share = round(float(self.region.mean()), 4)
        return {
            "strength": self.strength,
            "resample": self.resample,
            "known": known,
            "share": share,
        }


def frozen(array: np.ndarray) -> np.ndarray:
    """A read-only copy of an array; or itself, if nobody can write to it."""
    if array.base is None and not array.flags.writeable and array.flags.c_contiguous:
        return array
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy
