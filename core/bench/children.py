"""Work in a process of its own, whose memory is nobody else's."""

from __future__ import annotations

import multiprocessing
import re
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

KIB = 1024


def peak_of(work: Callable[..., object], *given: object) -> int | None:
    """The most resident memory, in bytes, that a new process had while it did `work(*given)`.

    None where the system does not tell. work: a function of a module.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_measured, work, given).result()


def _measured(work: Callable[..., object], given: tuple) -> int | None:
    work(*given)
    return peak()


def peak() -> int | None:
    """The most resident memory that this process had until now, in bytes."""
    if sys.platform == "linux":  # ru_maxrss counts what the parent had, too
        status = Path("/proc/self/status").read_text()
        return KIB * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
    if sys.platform == "win32":
        return None
    from resource import RUSAGE_SELF, getrusage

    return getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else KIB)
