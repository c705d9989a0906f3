"""What of a picture stays while a part of it is sampled anew, and the way that this takes.

As in the SDM paper's editing and RePaint (Lugmayr et al. 2022): at every step the known part is the
old picture under the noise of that timestep. Here are only tensors and a `denoise(x, t)`; the masks
are made in core/regions.py, the pictures are mixed there as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from core.crop import Crop
from core.errors import RequestError
from core.repaint import Inpaint, Start, Trajectory
from core.request import SampleRequest
from core.sampling import Denoise
from core.schedule import Prediction, Schedule

STRETCH = 5  # steps that are walked again at a time
ROUNDS = 3  # of the fixed point that a step of DDIM inversion is solved by


class Known(NamedTuple):
    """What is known of a picture: its x0 `[1, C, h, w]`; at some timesteps its x_t, and what was
    predicted there."""

    x0: Tensor
    states: Mapping[int, Tensor] = {}
    predicted: Mapping[int, Tensor] = {}


class Original:
    """The picture that was there, at any timestep.

    noise: `[N, C, h, w]`, what it is noised with if none of its states are known. Between two known
    states the noise is that of the nearer one.
    """

    def __init__(self, schedule: Schedule, known: Known, noise: Tensor) -> None:
        self.schedule, self.noise = schedule, noise
        self.x0, self.states, self.predicted = known

    def at(self, t: int) -> Tensor:
        """x_t, `[1 or N, C, h, w]`; exactly the state there, if it is known."""
        if t < 0:
            return self.x0
        if t in self.states:
            return self.states[t]
        return self.schedule.q_sample(self.x0, t, self._eps(t))

    def retold(self, t: int, own: Tensor) -> Tensor:
        """x_t to sample on from, `[N, C, h, w]`. own: bool, where the noise of its states is the
        one to walk with: there these are taken. Under other noise it becomes another picture."""
        return torch.where(own, self.at(t), self.schedule.q_sample(self.x0, t, self.noise))

    def _eps(self, t: int) -> Tensor:
        if not self.states:
            return self.noise
        nearest = _nearest(self.states, t)
        return self.schedule.eps_from_x0(self.states[nearest], nearest, self.x0)

    def expected(self, t: int) -> Tensor:
        """The x0 that a network should predict at t: what it did, or else the truth."""
        return self.predicted[_nearest(self.predicted, t)] if self.predicted else self.x0


def _nearest(times: Iterable[int], t: int) -> int:
    return min(times, key=lambda s: abs(s - t))


class Later:
    """`constrain(x, t)`: places of less strength join the walk late, as the original is by then.

    begins: int `[h, w]`, the timestep at which each place joins; above all others, from the start.
    own: as of `Original.retold`.
    """

    def __init__(self, original: Original, begins: Tensor, own: Tensor) -> None:
        self.original, self.begins, self.own = original, begins, own

    def __call__(self, x: Tensor, t: int) -> Tensor:
        waiting = self.begins <= t
        return torch.where(waiting, self.original.retold(t, self.own), x) if waiting.any() else x


class Keep:
    """`constrain(x, t)`: what is not in the region is the original. region: bool `[h, w]`."""

    def __init__(self, original: Original, region: Tensor, later: Later | None = None) -> None:
        self.original, self.region, self.later = original, region, later

    def __call__(self, x: Tensor, t: int) -> Tensor:
        x = x if self.later is None else self.later(x, t)
        return torch.where(self.region, x, self.original.at(t))

    def begin(self, t: int, strength: float, own: Tensor) -> Tensor:
        """x `[N, C, h, w]` at t: the region in pure noise, or, below strength 1, as it was.

        own: as of `Original.retold`.
        """
        return self(self.original.noise if strength == 1 else self.original.retold(t, own), t)


def check_fit(
    request: SampleRequest, size: tuple[int, int], latents: tuple[int, int, int], timesteps: int
) -> None:
    """Raise `RequestError` if what the request says of an old picture is not of this canvas.

    size: (height, width) of the picture; latents: (C, h, w) of x; timesteps: of the schedule.
    """
    inpaint, start = request.inpaint, request.start
    if inpaint is not None and inpaint.size != size:
        raise RequestError(
            f"The picture to edit is {_by(inpaint.size)}, but {_by(size)} is to be made. Ask for "
            "the size of the picture, or make a new picture first."
        )
    if inpaint is not None and inpaint.trajectory is not None:
        _check_states(
            inpaint.trajectory.states[0], inpaint.trajectory.timesteps[0], latents, timesteps
        )
    if start is not None:
        _check_states(start.x, start.t, latents, timesteps)


def _check_states(state: np.ndarray, t: int, latents: tuple[int, int, int], timesteps: int) -> None:
    if state.shape != latents or t >= timesteps:
        raise RequestError(
            f"The old picture's states {list(state.shape)} at timestep {t} are of another model or "
            f"size; here they are {list(latents)}, below timestep {timesteps}. Make a new picture."
        )


def _by(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


# -- the way --------------------------------------------------------------------------------------


def edited_path(path: Sequence[int], inpaint: Inpaint | None, start: Start | None) -> list[int]:
    """The part of a plain path that an edit or a fork walks, with the stretches it walks again."""
    if start is not None:
        return [start.t] + [t for t in path if t < start.t]
    if inpaint is None:
        return list(path)
    return again(last_steps(path, inpaint.strength), inpaint.resample)


def last_steps(path: Sequence[int], strength: float) -> list[int]:
    """The end of a path: that share of its steps, at least one."""
    count = max(1, round(strength * (len(path) - 1)))
    return list(path[-count - 1 :])


def again(path: Sequence[int], times: int, stretch: int = STRETCH) -> list[int]:
    """A path on which every stretch of so many steps is walked `times` times."""
    walked = [path[0]]
    for first in range(0, len(path) - 1, stretch):
        down = list(path[first : first + stretch + 1])
        walked += down[1:] + (times - 1) * down
    return walked


def steps_down(path: Sequence[int]) -> int:
    """How many steps of a path go down: those that cost a pass of the network."""
    return sum(after < before for before, after in zip(path, path[1:]))


# -- the old picture's states ---------------------------------------------------------------------


def invert(
    denoise: Denoise, schedule: Schedule, path: Sequence[int], x0: Tensor
) -> Iterator[tuple[int, Tensor]]:
    """DDIM backwards: each timestep of a path, from the last up, and the x_t that leads to x0.

    Each step is solved for x_t, not guessed from the step before (Pan et al. 2023, "AIDI"): so the
    way down retraces it, however long its steps are.
    """
    x = x0
    for t_prev, t in zip(path[::-1], path[-2::-1]):
        guess = x
        for _ in range(ROUNDS):
            guess = _from_below(schedule, x, t_prev, t, denoise(guess, t).eps)
        x = guess
        yield t, x


def _from_below(schedule: Schedule, x: Tensor, t_prev: int, t: int, eps: Tensor) -> Tensor:
    """The x_t from which a step of DDIM with this eps leads to x at t_prev."""
    abar, abar_prev = schedule.abar(t), schedule.abar(t_prev)
    x0 = (x - math.sqrt(1 - abar_prev) * eps) / math.sqrt(abar_prev)
    return math.sqrt(abar) * x0 + math.sqrt(1 - abar) * eps


class Recorder:
    """`denoise`, which remembers x and the predicted x0 of the last visit to each timestep."""

    def __init__(self, denoise: Denoise) -> None:
        self.denoise = denoise
        self.visits: dict[int, tuple[Tensor, Tensor]] = {}

    def __call__(self, x: Tensor, t: int) -> Prediction:
        prediction = self.denoise(x, t)
        self.visits[t] = (x.half(), prediction.x0.half())
        return prediction

    def trajectory(self, index: int, finished: Tensor, seed: int) -> Trajectory:
        """Of picture `index`, whose finished x0 is `finished` `[C, h, w]`."""
        times = sorted(self.visits, reverse=True)
        parts = zip(*(self.visits[t] for t in times), strict=True)
        states, x0 = (torch.stack([x[index] for x in part]).cpu().numpy() for part in parts)
        x0[-1] = finished.cpu().numpy()  # where something was kept, not what was predicted
        return Trajectory(tuple(times), states, x0, seed)


def known_from(trajectory: Trajectory, device: torch.device | str = "cpu") -> Known:
    """A picture's own states as tensors."""
    states, x0 = (
        torch.tensor(part, dtype=torch.float32, device=device).split(1)
        for part in (trajectory.states, trajectory.x0)
    )
    times = trajectory.timesteps
    return Known(x0[-1], *(dict(zip(times, part, strict=True)) for part in (states, x0)))


def merged(old: Trajectory, new: Trajectory, crop: Crop, schedule: Schedule) -> Trajectory:
    """The trajectory of a canvas after a crop of it was sampled anew.

    It has the timesteps of the new one, and before it, where that began half-way, those of the old.
    """
    known = known_from(old)
    original = Original(schedule, known, known.x0)
    early = [t for t in old.timesteps if t > new.timesteps[0]]
    times = (*early, *new.timesteps)
    states = torch.cat([original.at(t) for t in times]).numpy()
    x0 = torch.cat([original.expected(t) for t in times[:-1]] + [known.x0]).numpy()
    crop.cells(states)[len(early) :] = new.states
    crop.cells(x0)[len(early) :] = new.x0
    return Trajectory(times, states, x0, new.seed)
