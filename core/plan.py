"""What a request means on its canvas: which part is sampled, along which path, and what stays.

A plain request samples all of it from noise and keeps nothing; a fork begins half-way; an edit
samples a crop and keeps what is not in its region. The engine walks either in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from core.crop import Crop
from core.inpainting import (
    Keep,
    Known,
    Original,
    Recorder,
    edited_path,
    invert,
    known_from,
    merged,
    steps_down,
)
from core.regions import composite
from core.repaint import Trajectory
from core.request import SampleRequest
from core.sampling import Constrain, Denoise, path_of
from core.schedule import Schedule


class Plan:
    """A request, ready to be walked. known: of an edit, what `recall` found of the old picture."""

    def __init__(
        self, request: SampleRequest, schedule: Schedule, crop: Crop, known: Known | None = None
    ) -> None:
        self.request, self.schedule, self.crop, self.known = request, schedule, crop, known
        plain = path_of(schedule, request.steps, request.sampler)
        self.path = edited_path(plain, request.inpaint, request.start)
        self._up = plain if request.inpaint and request.inpaint.invert else []

    def of(self, request: SampleRequest) -> Plan:
        """The same for a request that differs in how it is sampled, not in what is kept."""
        return Plan(request, self.schedule, self.crop, self.known)

    @property
    def steps_before(self) -> int:
        """Steps that are taken before the walk begins: those of an inversion."""
        return max(0, len(self._up) - 1)

    @property
    def steps(self) -> int:
        """All steps that cost a pass of the network."""
        return self.steps_before + steps_down(self.path)

    def recall(
        self,
        encode: Callable[[np.ndarray], Tensor],
        denoise: Denoise,
        device: torch.device,
    ) -> Iterator[int]:
        """Find out what is known of the old picture; yields the number of each step it takes.

        encode: latents of a picture uint8 `[1, H, W, 3]`. denoise: without guidance.
        """
        inpaint = self.request.inpaint
        if inpaint is None:
            return
        if inpaint.trajectory is not None:
            whole = known_from(inpaint.trajectory, device)
            states = {t: self.crop.cells(x) for t, x in whole.states.items()}
            self.known = Known(self.crop.cells(whole.x0), states)
            return
        x0 = encode(self.crop.pixels(inpaint.picture)[None].copy())
        states = {}
        self.known = Known(x0, states)
        if inpaint.invert:
            for number, (t, x) in enumerate(invert(denoise, self.schedule, self._up, x0), start=1):
                states[t] = x
                yield number

    def begin(self, noise: Callable[[], Tensor]) -> tuple[Tensor, Constrain]:
        """x at the start of the path, and what the walk must keep. noise: of the crop."""
        start, inpaint = self.request.start, self.request.inpaint
        x, t = noise(), self.path[0]
        if start is not None:
            given = torch.tensor(start.x).to(x)
            x = self.schedule.q_sample(given, t, x) if start.clean else given.expand_as(x)
        if inpaint is None:
            return x, lambda x, t: x
        region = torch.from_numpy(self.crop.cells_touched(inpaint.region)).to(x.device)
        keep = Keep(Original(self.schedule, self.known, x), region)
        return keep.begin(t, inpaint.strength, self._own_noise()), keep

    def _own_noise(self) -> list[bool]:
        """For each picture, whether the known states have the noise that it would begin with."""
        trajectory = self.request.inpaint.trajectory
        if trajectory is None:
            return [self.request.inpaint.invert] * self.request.count
        return [trajectory.seed in (None, seed) for seed in self.request.seeds]

    def outcome(self, made: np.ndarray) -> tuple[np.ndarray, ...]:
        """Whole pictures, of what was made of the crop, uint8 `[N, h, w, 3]`."""
        inpaint, cut = self.request.inpaint, self.crop.pixels
        if inpaint is None:
            return tuple(made)
        pictures = tuple(inpaint.picture.copy() for _ in made)
        for picture, new in zip(pictures, made, strict=True):
            cut(picture)[:] = composite(cut(inpaint.picture), new, cut(inpaint.blend))
        return pictures

    def trajectory(self, recorder: Recorder, index: int, finished: Tensor) -> Trajectory | None:
        """The states of picture `index` on the whole canvas; None if they are not known there."""
        new = recorder.trajectory(index, finished, self.request.seeds[index])
        old = self.request.inpaint and self.request.inpaint.trajectory
        if old is not None:
            return merged(old, new, self.crop, self.schedule)
        return new if self.crop.is_whole else None
