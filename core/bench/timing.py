"""Several ways to do the same thing, timed alternately, so that what disturbs one disturbs all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

CLOCKS = ("wall", "processor")


@dataclass
class Times:
    """Seconds of each run: of the clock, and of the processor (all threads of this process)."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def median(self, clock: str = "wall") -> float:
        return median(getattr(self, clock))

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Adds what the block takes."""
        wall, processor = time.perf_counter(), time.process_time()
        yield
        self.wall.append(time.perf_counter() - wall)
        self.processor.append(time.process_time() - processor)


def alternately(
    ways: Mapping[str, Callable[[], object]],
    rounds: int,
    warmup: int = 1,
    seldom: Mapping[str, int] | None = None,
) -> dict[str, Times]:
    """The times of each way, one of each in every round, after `warmup` rounds that do not count.

    seldom: ways that take part in only so many rounds, spread over all of them.
    """
    for _ in range(warmup):
        for way in ways.values():
            way()
    times = {name: Times() for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            if _takes_part(number, rounds, (seldom or {}).get(name, rounds)):
                with times[name].timed():
                    way()
    return times


def _takes_part(number: int, rounds: int, of: int) -> bool:
    """Whether the evenly spread `of` among `rounds` rounds include this one."""
    return number * of % rounds < of


def ratio(plain: Times, ours: Times, clock: str = "wall") -> float:
    """How many times as fast ours is: median of the rounds, where both took part in each."""
    theirs, own = getattr(plain, clock), getattr(ours, clock)
    if len(theirs) == len(own):
        return median(a / b for a, b in zip(theirs, own, strict=True))
    return plain.median(clock) / ours.median(clock)
