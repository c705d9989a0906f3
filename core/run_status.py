"""How a training run is getting on, in a file of its folder: for a window, or anyone else.

A run writes `status.json` once a second for as long as it lives. A file called `stop` beside it is
a Ctrl-C from afar: the run saves and ends, and takes the file away.
"""

from __future__ import annotations

import _thread
import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from pathlib import Path
from threading import Event, Thread, current_thread, main_thread

from core.errors import InputError

STATUS, STOP = "status.json", "stop"
EVERY = 1.0  # seconds between two writes
LONGEST_SILENCE = 15.0  # seconds; a run that is silent for longer is no more
LONGEST_START = 120.0  # seconds from a run's first instruction to its first word

PREPARING, TRAINING, DONE, STOPPED, FAILED = "preparing", "training", "done", "stopped", "failed"
UNDER_WAY = (PREPARING, TRAINING)


@dataclass(frozen=True)
class RunStatus:
    """state: one of the five above. text: what is prepared, or why it failed. words: the arguments
    of `core.train`. rate: pictures a second. seconds_left: None while unknown. time: of writing,
    in seconds since 1970.
    """

    state: str = PREPARING
    text: str = ""
    step: int = 0
    steps: int = 0
    rate: float = 0.0
    seconds_left: float | None = None
    words: tuple[str, ...] = ()
    time: float = 0.0

    def alive(self, now: float) -> bool:
        """Whether the run is under way and was heard of lately."""
        return self.state in UNDER_WAY and abs(now - self.time) < LONGEST_SILENCE


def read_status(folder: Path) -> RunStatus | None:
    """The last word of the run in `folder`; None if there never was one, or it is garbled."""
    try:
        data = json.loads((folder / STATUS).read_text("utf-8"))
        known = {field.name for field in fields(RunStatus)}
        found = RunStatus(
            **{k: v for k, v in data.items() if k in known} | {"words": tuple(data["words"])}
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return found if _is_whole(found) else None


def _is_whole(status: RunStatus) -> bool:
    """Whether every field is what it says: the file may be anybody's."""
    texts = (status.state, status.text, *status.words)
    numbers = (status.rate, status.time, status.seconds_left or 0.0)
    return (
        all(isinstance(text, str) for text in texts)
        and all(type(count) is int for count in (status.step, status.steps))
        and all(type(number) in (int, float) and isfinite(number) for number in numbers)
    )


def ask_to_stop(folder: Path) -> None:
    """Let the run in `folder` save and end. Raises `OSError` if the folder cannot be written."""
    (folder / STOP).touch()


class Beacon:
    """Tells of the run in `folder` while the block runs, and how it ended.

    silent: do nothing; of several processes only the first tells.
    """

    def __init__(self, folder: Path, words: list[str], silent: bool = False) -> None:
        self._folder, self._silent = folder, silent
        self._status = RunStatus(words=tuple(words))
        self._over = Event()
        self._thread = Thread(target=self._run, name="beacon", daemon=True)

    def tell(self, **changes: object) -> None:
        """Fields of the status that are different now."""
        self._status = replace(self._status, **changes)

    def __enter__(self) -> Beacon:
        if not self._silent:
            _heed_interrupts()
            self._forget_old_wish()
            self._write()
            self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        if self._silent:
            return
        self._over.set()
        self._thread.join()
        if isinstance(error, KeyboardInterrupt):
            self.tell(state=STOPPED)
        elif isinstance(error, InputError):
            self.tell(state=FAILED, text=str(error))
        elif error is not None:
            self.tell(state=FAILED, text=f"Something unforeseen: {kind.__name__}: {error}")
        self._write()

    def _run(self) -> None:
        stop = self._folder / STOP
        while not self._over.wait(EVERY):
            self._write()
            if stop.exists():
                with suppress(OSError):
                    stop.unlink()
                _thread.interrupt_main()

    def _forget_old_wish(self) -> None:
        """Take away a `stop` that was meant for an earlier run; a new one is meant for this."""
        stop = self._folder / STOP
        with suppress(OSError):
            if time.time() - stop.stat().st_mtime > LONGEST_START:
                stop.unlink()

    def _write(self) -> None:
        """Replace the file whole; without waiting for the disk, as it is soon out of date."""
        part = self._folder / f".{STATUS}.part"
        with suppress(OSError):  # a full disk stops the run where something is lost
            status = replace(self._status, time=time.time())
            part.write_text(json.dumps(asdict(status)), "utf-8")
            os.replace(part, self._folder / STATUS)


def _heed_interrupts() -> None:
    """Make the wish to stop heard, which comes as a Ctrl-C does.

    A process that a script started in the background ignores that, and so do its children.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored and current_thread() is main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
