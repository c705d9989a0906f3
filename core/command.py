"""What all commands share: a sentence instead of a traceback, exit statuses, a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tqdm import tqdm

from core.errors import InputError

DONE, SOME_FAILED, BAD_INPUT, STOPPED = 0, 1, 2, 130  # 130 = 128 + SIGINT, as shells expect


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
    tqdm.write(line, file=sys.stderr)


def progress_bar(total: int, title: str) -> tqdm:
    """A bar on stderr, of `total` layouts; it advances by fractions, and is silent in a pipe."""
    layout = "{desc} {percentage:3.0f}% |{bar:30}| {elapsed} < {remaining}"
    return tqdm(total=total, desc=title, bar_format=layout, disable=None)
