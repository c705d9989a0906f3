"""What is measured: memory, threads, open files, and how long the window's thread was away."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication

TICK = 10  # ms between two looks at the clock
STALL = 100.0  # ms that the window may be away
WORST = 20  # of the longest absences that are kept
SYSTEM = Path("/proc/self")


@dataclass(frozen=True)
class Sample:
    """One row. seconds: since the start; memory: resident, in MiB, after a garbage collection;
    used: what of it was asked for and not given back, in MiB, the rest being what the C library
    keeps for later (0 where it does not tell); threads: of the process, those of its libraries too;
    files: open ones; widgets: that Qt knows; objects: pieces of memory that those of Python take (a
    list of all objects would disturb the threads that make them); stall, processor: the longest
    absence of the window's thread since the row before, in ms of the clock and of the processor,
    which counts nothing that other programs took.
    """

    seconds: float
    memory: float
    used: float
    threads: int
    files: int
    widgets: int
    objects: int
    stall: float
    processor: float
    acts: int


@dataclass(frozen=True)
class Absence:
    """For so many ms, of the clock and of the processor, the window's thread did `act` only."""

    act: str
    stall: float
    processor: float


class Meter(QObject):
    """Ticks in the window's own event loop. sampled(Sample): another row.

    act: what the hand does now, to be named beside an absence; acts: how much it has done.
    """

    sampled = Signal(object)

    def __init__(self, every: float) -> None:
        """every: seconds between two samples."""
        super().__init__()
        self.samples: list[Sample] = []
        self.worst: list[Absence] = []
        self.act, self.acts = "", 0
        self._began = time.monotonic()
        self._stall = self._processor = 0.0
        self._last = self._now()
        self._ticks = _timer(self, TICK, self._tick)
        self._looks = _timer(self, round(1000 * every), self.sample)

    def stop(self) -> None:
        """Measure no more."""
        self._ticks.stop()
        self._looks.stop()

    def sample(self) -> None:
        """Add a row. Its own time is no absence."""
        self._tick()
        gc.collect()
        row = Sample(
            round(time.monotonic() - self._began, 1),
            round(resident() / 2**20, 2),
            round(used() / 2**20, 2),
            threads(),
            open_files(),
            len(QApplication.allWidgets()),
            sys.getallocatedblocks(),
            round(self._stall, 1),
            round(self._processor, 1),
            self.acts,
        )
        self.samples.append(row)
        self._stall = self._processor = 0.0
        self._last = self._now()
        self.sampled.emit(row)

    def _now(self) -> tuple[float, float]:
        return time.perf_counter(), time.thread_time()

    def _tick(self) -> None:
        now = self._now()
        gap = max(0.0, 1000 * (now[0] - self._last[0]) - TICK)
        processor = min(gap, 1000 * (now[1] - self._last[1]))
        self._last = now
        self._stall = max(self._stall, gap)
        self._processor = max(self._processor, processor)
        if processor > STALL / 4:
            self.worst.append(Absence(self.act, round(gap, 1), round(processor, 1)))
            self.worst.sort(key=lambda absence: -absence.processor)
            del self.worst[WORST:]


def _timer(parent: QObject, interval: int, work: Callable[[], None]) -> QTimer:
    timer = QTimer(parent, interval=interval, timerType=Qt.TimerType.PreciseTimer)
    timer.timeout.connect(work)
    timer.start()
    return timer


def resident() -> int:
    """Bytes of memory that the process has now."""
    pages = int((SYSTEM / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class _MallInfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
        )
    ]


def used() -> int:
    """Bytes that the process has asked the C library for and not given back; 0 if unknown."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError):
        return 0
    ask.restype = _MallInfo
    info = ask()
    return info.uordblks + info.hblkhd


def threads() -> int:
    """Threads of the process, also those that Python does not know."""
    found = SYSTEM / "task"
    return len(os.listdir(found)) if found.is_dir() else threading.active_count()


def open_files() -> int:
    """Open files, pipes and sockets of the process."""
    return len(os.listdir(SYSTEM / "fd"))
