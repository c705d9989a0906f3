"""Watches one case: what it raised, how long it took, what it held in memory, what it touched."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import InputError

SLOWEST = 10.0  # seconds of CPU that any file may take
HANGING = 20.0  # seconds of CPU after which a case is broken off
SLEEPING = 600.0  # seconds on the wall, however busy the machine
MOST_MEMORY = 2 << 30  # bytes more than before: a map of 64 million pixels takes about half
LONGEST = 1000  # characters of a sentence, beside the file's own path

ACCEPTED, REFUSED, VIOLATION = "accepted", "refused", "violation"

# What no reader has a reason to do. "open" counts where it would write.
FORBIDDEN = re.compile(
    r"subprocess\.|os\.(system|exec|spawn|posix_spawn|fork|startfile|kill|chown)|socket\.(connect|"
    r"bind|getaddrinfo|gethostby|sendto)|urllib|http\.|ftplib|smtplib|pty\.|ctypes\.dlopen|"
    r"pickle\.find_class"
)
WRITES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
WRITING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass
class Outcome:
    """What became of a case. reason: of a violation. memory: bytes at most beyond those before."""

    kind: str
    reason: str = ""
    seconds: float = 0.0
    memory: int = 0


class TooSlow(BaseException):
    """A case that was broken off."""


@dataclass
class Watch:
    """An audit hook, on while a case runs. place: the only folder that may be written to."""

    place: Path | None = None
    seen: list[str] = field(default_factory=list)

    def hook(self, event: str, arguments: tuple) -> None:
        if self.place is None or (event, *arguments) == ("ctypes.dlopen", None):  # itself
            return
        if FORBIDDEN.match(event):
            self.seen.append(f"{event}{arguments!r:.200}")
        elif event in WRITES:
            self._check(event, arguments[0])
        elif event == "open" and len(arguments) == 3 and _writes(arguments[1], arguments[2]):
            self._check(event, arguments[0])

    def _check(self, event: str, path: object) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        place = self.place
        if not Path(os.path.realpath(os.fsdecode(path))).is_relative_to(place):
            self.seen.append(f"{event} {os.fsdecode(path)}")


WATCH = Watch()


def _writes(mode: object, flags: object) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & WRITING_FLAGS)


def install() -> None:
    """Begin to watch this process; a hook cannot be taken out again, only told to sleep."""
    if not getattr(sys, "_sdm_fuzz_hook", False):
        sys.addaudithook(WATCH.hook)
        sys._sdm_fuzz_hook = True
    sys.dont_write_bytecode = True  # a late import is no file of the reader's


def judge(
    work: Callable[[], object], place: Path, named: str = "", never_refuses: bool = False
) -> Outcome:
    """Run one case. place: the reader's own folder. named: what a refusal must have in it.

    never_refuses: the reader gives what it can and has no error of its own.
    """
    started, before = time.process_time(), _reset_peak()
    outcome = _run(work, place, named, never_refuses)
    outcome.seconds = time.process_time() - started
    outcome.memory = max(0, _peak() - before)
    if outcome.kind != VIOLATION:
        late = outcome.seconds > SLOWEST
        if late or outcome.memory > MOST_MEMORY:
            what = f"{outcome.seconds:.1f} s" if late else f"{outcome.memory >> 20} MB"
            return Outcome(VIOLATION, f"took {what}", outcome.seconds, outcome.memory)
    return outcome


def _run(work: Callable[[], object], place: Path, named: str, never_refuses: bool) -> Outcome:
    WATCH.seen.clear()
    WATCH.place = place.resolve()
    try:
        with warnings.catch_warnings(), _broken_off():
            warnings.simplefilter("ignore")  # Pillow warns of what it mends
            work()
        outcome = Outcome(ACCEPTED)
    except InputError as error:
        fault = "it refuses" if never_refuses else sentence_fault(str(error), named)
        outcome = Outcome(VIOLATION, f"{fault}: {error}") if fault else Outcome(REFUSED)
    except TooSlow:
        outcome = Outcome(VIOLATION, f"hangs for more than {HANGING:g} s")
    except BaseException as error:
        outcome = Outcome(VIOLATION, f"{type(error).__name__}: {error}{_where(error)}"[:600])
    finally:
        WATCH.place = None
    if WATCH.seen:
        return Outcome(VIOLATION, f"it touched {WATCH.seen[0]}")
    return outcome


def sentence_fault(text: str, named: str) -> str:
    """What is wrong with a refusal's sentence, or ""."""
    if Path(named).name not in text:
        return "the sentence does not name the file"
    if len(text.replace(named, "")) > LONGEST:
        return f"the sentence has {len(text)} characters"
    if not text.isprintable():
        return "the sentence has signs that cannot be shown"
    return "" if text.rstrip().endswith((".", ":", "!")) else "the sentence does not end"


def _where(error: BaseException) -> str:
    """The last place of ours that the error came through."""
    found, trace = "", error.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if {"core", "app"} & set(path.parts) and "site-packages" not in path.parts:
            found = f" [{path.name}:{trace.tb_lineno}]"
        trace = trace.tb_next
    return found


@contextmanager
def _broken_off() -> Iterator[None]:
    """Raise `TooSlow` in a block that works or waits for too long."""

    def stop(*_: object) -> None:
        raise TooSlow

    timers = ((signal.ITIMER_PROF, signal.SIGPROF, HANGING),)
    timers += ((signal.ITIMER_REAL, signal.SIGALRM, SLEEPING),)
    before = [signal.signal(kind, stop) for _, kind, _ in timers]
    try:
        for timer, _, seconds in timers:
            signal.setitimer(timer, seconds)
        yield
    finally:
        for (timer, kind, _), old in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(kind, old)


# -- memory, as Linux counts it -------------------------------------------------------------------


def _reset_peak() -> int:
    """Forget the highest mark of this process's memory; gives the present one, in bytes."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return 0
    return _peak()


def _peak() -> int:
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) << 10
