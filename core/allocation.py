"""What the C library does with memory that networks free: give it back to the system, or hold it.

Given back, every layer's output comes as new pages that the system has to clear first: at 256x256
with the papers' networks that is a quarter of the time. Only glibc (Linux) can be told.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # names of <malloc.h>
HELD = 2**30  # bytes: a larger piece still goes back at once
USUAL = 2**25  # what glibc itself comes to for programs that free large pieces


def hold_freed(large: bool = True) -> bool:
    """Hold it from now on, in all threads; pieces of 32 MiB and more only if `large`.

    Whether the library could be told.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        share_one_arena()  # those of other threads cannot hold large pieces
        limit = HELD if large else USUAL
        return bool(mallopt(MMAP_THRESHOLD, limit) and mallopt(TRIM_THRESHOLD, 2 * HELD - 1))
    return False


def share_one_arena() -> None:
    """Let all threads that have not begun take memory from one place, and leave no room between
    pieces in several."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(ARENA_MAX, 1)


def give_back() -> None:
    """Give what is held back to the system."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
