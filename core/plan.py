"""What a request means on its canvas: which part is sampled, along which path, and what stays.

A plain request samples all of it from noise and keeps nothing; a fork begins half-way; an edit
samples a crop and keeps what is not in its region. A fork may keep something too. The engine walks
all of them in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from core.areas import middles
from core.crop import Crop
from core.harmony import REACH, Harmonised
from core.inpainting import (
    Keep,
    Known,
    Later,
    Original,
    Recorder,
    edited_path,
    invert,
    known_from,
    last_steps,
    merged,
    steps_down,
)
from core.regions import composite
from core.repaint import Trajectory
from core.request import SampleRequest
from core.sampling import SAMPLERS, Constrain, Denoise, Step, finished, leaps, path_of
from core.schedule import Schedule


class Plan:
    """A request, ready to be walked.

    stops: of the network that walks it, if that is a student; it leaps from one to the next,
    whatever sampler is asked for. finish: the timestep at or below which the way is ended in one
    leap. known: of an edit, what `recall` found of the old picture.
    """

    def __init__(
        self,
        request: SampleRequest,
        schedule: Schedule,
        crop: Crop,
        stops: Sequence[int] = (),
        finish: int = 0,
        known: Known | None = None,
    ) -> None:
        self.request, self.schedule, self.crop, self.known = request, schedule, crop, known
        self.stops = stops
        self._plain = plain_path(schedule, request, stops, finish)
        self.path = edited_path(self._plain, request.inpaint, request.start)
        self._up = self._plain if request.inpaint and request.inpaint.invert else []

    def of(self, request: SampleRequest, stops: Sequence[int]) -> Plan:
        """The same for a request that differs in how it is sampled, not in what is kept."""
        return Plan(request, self.schedule, self.crop, stops, known=self.known)

    @property
    def sampler(self) -> str:
        """The name of the rule by which it moves: a student leaps by that of ddim."""
        return "ddim" if self.stops else self.request.sampler

    def step(self) -> Step:
        """How to move."""
        return SAMPLERS[self.sampler](self.schedule, 0.0 if self.stops else self.request.eta)

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
            x0, *maps = known_from(inpaint.trajectory, device)
            cut = ({t: self.crop.cells(x) for t, x in states.items()} for states in maps)
            self.known = Known(self.crop.cells(x0), *cut)
            return
        x0 = encode(self.crop.pixels(inpaint.picture)[None].copy())
        states = {}
        self.known = Known(x0, states)
        if inpaint.invert:
            for number, (t, x) in enumerate(invert(denoise, self.schedule, self._up, x0), start=1):
                states[t] = x
                yield number

    @property
    def draws_before(self) -> int:
        """How much noise a walk from the top would have drawn before this one begins: a fork with
        nothing changed goes on in the same stream. A clean picture gets the first noise, whatever
        the number of steps: a quick picture looks as the full one."""
        start = self.request.start
        return 0 if start is None or start.clean else sum(t > start.t for t in self._plain)

    def begin(
        self, denoise: Denoise, noise: Callable[[], Tensor]
    ) -> tuple[Denoise, Tensor, Constrain]:
        """What to walk with, x at the start of the path, and what must be kept on the way.

        noise: of the crop.
        """
        start, inpaint = self.request.start, self.request.inpaint
        fresh, t = noise(), self.path[0]
        x = fresh
        if start is not None:
            given = self.crop.cells(torch.tensor(start.x).to(x))
            x = self.schedule.q_sample(given, t, x) if start.clean else given.expand_as(x)
        if inpaint is None:
            return denoise, x, lambda x, t: x
        original, own = Original(self.schedule, self.known, fresh), self._own_noise(x.device)
        later = None
        if inpaint.strength_map is not None:
            later = Later(original, self._beginnings(x.device), own)
        region = torch.from_numpy(self.crop.cells_touched(inpaint.region)).to(x.device)
        harmonised = Harmonised(denoise, original, region, REACH / self.crop.factor)
        keep = Keep(original, region, later)
        x = keep.begin(t, inpaint.strength, own) if start is None else keep(x, t)
        return harmonised, x, keep

    def _beginnings(self, device: torch.device) -> Tensor:
        """int `[h, w]`: the timestep at which each of the crop's latent pixels joins the walk."""
        strengths = middles(self.request.inpaint.strength_map, self.crop.latent_canvas)
        begins = np.full(strengths.shape, len(self.schedule))
        for strength in np.unique(strengths[strengths < 1]):
            begins[strengths == strength] = last_steps(self._plain, float(strength))[0]
        return torch.from_numpy(self.crop.cells(begins)).to(device)

    def _own_noise(self, device: torch.device) -> Tensor:
        """bool `[N, 1, 1 or h, 1 or w]`: for each picture, whether the known states have the noise
        that it would begin with; nowhere where labels have seeds of their own."""
        request, trajectory = self.request, self.request.inpaint.trajectory
        if trajectory is None:
            own = [request.inpaint.invert] * request.count
        else:
            own = [trajectory.seed in (None, seed) for seed in request.seeds]
        own = torch.tensor(own, device=device).reshape(-1, 1, 1, 1)
        if request.seed_map is None:
            return own
        plain = middles(request.seed_map, self.crop.latent_canvas) < 0
        return own & torch.from_numpy(self.crop.cells(plain)).to(device)

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


def plain_path(
    schedule: Schedule, request: SampleRequest, stops: Sequence[int], finish: int = 0
) -> list[int]:
    """The way from noise to a picture: over a student's stops, or as the sampler walks, and from
    `finish` on in one leap."""
    if stops:
        return leaps(stops, request.steps)
    return finished(path_of(schedule, request.steps, request.sampler), finish)
