"""What all commands share: a sentence instead of a traceback, exit statuses, a progress bar."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from tqdm import tqdm

from core.errors import InputError

DONE, SOME_FAILED, BAD_INPUT, STOPPED = 0, 1, 2, 130  # 130 = 128 + SIGINT, as shells expect
LINE_SECONDS = 30  # between two lines of progress in a pipe

T = TypeVar("T")


def exit_status(work: Callable[[], int]) -> int:
    """Run `work` and return its exit status, or the one that says why it ended early.

    An `InputError` becomes one sentence on stderr and status 2, Ctrl-C becomes status 130. Any
    other exception is a bug and keeps its traceback.
    """
    try:
        return work()
    except InputError as error:
        complain(str(error))
        return BAD_INPUT
    except KeyboardInterrupt:
        say("stopped")
        return STOPPED


def complain(sentence: str) -> None:
    """What could not be done, on stderr."""
    say(f"error: {sentence}")


def say(line: str) -> None:
    """One line on stderr, above a progress bar if there is one."""
    tqdm.write(f"{line}\n", file=sys.stderr, end="")  # one write: processes share the output


class Progress(Protocol):
    """Something that advances; used as a context manager. `n` is how far it came."""

    n: float

    def update(self, amount: float) -> object: ...

    def __enter__(self) -> Progress: ...

    def __exit__(self, *error: object) -> object: ...


def counted(items: Iterable[T], title: str) -> Iterable[T]:
    """The items, with a bar on stderr that goes away at the end."""
    return tqdm(items, title, leave=False)


def encoding(photos: Iterable[T]) -> Iterable[T]:
    """The same for photos that become latents."""
    return counted(photos, "encoding photos")


def progress_bar(total: int, title: str, silent: bool = False) -> Progress:
    """Progress on stderr towards `total`, by fractions: a bar, or in a pipe a line now and then.

    silent: for a process that is not the first of several.
    """
    if silent or not sys.stderr.isatty():
        return ProgressLines(total, title, math.inf if silent else LINE_SECONDS)
    layout = "{desc} {percentage:3.0f}% |{bar:30}| {elapsed} < {remaining}"
    return tqdm(total=total, desc=title, bar_format=layout)


class ProgressLines:
    """A line on stderr every `every` seconds, so that a log shows life without filling up."""

    def __init__(
        self,
        total: int,
        title: str,
        every: float = LINE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.n: float = 0.0
        self._total, self._title, self._every, self._clock = total, title, every, clock
        self._started = self._told = clock()

    def update(self, amount: float) -> None:
        self.n += amount
        now = self._clock()
        if now - self._told >= self._every and 0 < self.n < self._total:
            self._told, gone = now, now - self._started
            left = gone * (self._total - self.n) / self.n
            done = f"{self.n / self._total:4.0%}, {tqdm.format_interval(gone)}"
            say(f"{self._title} {done} < {tqdm.format_interval(left)}")

    def __enter__(self) -> ProgressLines:
        return self

    def __exit__(self, *error: object) -> None:
        pass
