"""A training run in a process of its own, which may outlive the window."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import BinaryIO

from PySide6.QtCore import QObject, QTimer, Signal

from app.children import import_path, last_error
from core.errors import InputError
from core.files import reason, writing
from core.run_status import (
    DONE,
    FAILED,
    LONGEST_SILENCE,
    PREPARING,
    STOP,
    STOPPED,
    RunStatus,
    ask_to_stop,
    read_status,
)

COMMAND = (sys.executable, "-m", "core.train")
LOG = "train.log"  # what the process says, in the folder of the run
EVERY = 400  # ms between two looks at the run
NICENESS = 10  # painting comes first
TAIL = 40  # lines of the log that a report needs
STOPPED_BY_KEY = 130


class TrainingChild(QObject):
    """Starts a run, or finds one that goes on, and tells what it says of itself.

    changed(RunStatus): something is new. ended(folder, RunStatus): it is over; if it failed, the
    text says why. The run's own files tell all this, so that a later window can follow it too.
    """

    changed = Signal(object)
    ended = Signal(object, object)

    def __init__(self, parent: QObject, command: Sequence[str] | None = None) -> None:
        super().__init__(parent)
        self.folder: Path | None = None  # of the run that is followed
        self.status = RunStatus()
        self.stopping = False
        self._command = command or COMMAND
        self._process: subprocess.Popen | None = None  # None for a run that another window began
        self._timer = QTimer(self, interval=EVERY)
        self._timer.timeout.connect(self.look)

    @property
    def running(self) -> bool:
        """Whether a run is followed."""
        return self.folder is not None

    def start(self, folder: Path, words: list[str]) -> None:
        """Begin a run that writes into `folder`. Raises `InputError` if that cannot be done."""
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / STOP).unlink(missing_ok=True)  # meant for an earlier run
            with open(folder / LOG, "wb") as log:  # what an earlier one said is no news
                self._process = _launched([*self._command, *words], log)
        self._follow(folder, RunStatus(PREPARING, "starting", words=tuple(words), time=time.time()))

    def follow(self, folder: Path) -> bool:
        """Follow the run in `folder` if it is under way. Whether it is."""
        status = read_status(folder)
        if status is None or not status.alive(time.time()):
            return False
        self._process = None
        self._follow(folder, status)
        return True

    def stop(self) -> None:
        """Let the run save and end; `ended` tells when it did. Raises `InputError`."""
        with writing(self.folder):
            ask_to_stop(self.folder)
        self.stopping = True
        self.changed.emit(self.status)

    def _follow(self, folder: Path, status: RunStatus) -> None:
        self.folder, self.status, self.stopping = folder, status, False
        self._timer.start()
        self.changed.emit(status)

    def look(self) -> None:
        """See what is new."""
        over = self._process is not None and self._process.poll() is not None
        found = read_status(self.folder)
        if found is not None and found.time >= self.status.time and found != self.status:
            self.status = found
            self.changed.emit(found)
        own = self._process is not None
        if over or (not own and not self.status.alive(time.time())):
            self._end()

    def _end(self) -> None:
        code = self._process.poll() if self._process is not None else None
        folder, status = self.folder, self.status
        if status.state not in (DONE, STOPPED, FAILED):
            status = _last_words(folder, status, code)
        self.status = status
        self._timer.stop()
        self.folder, self._process, self.stopping = None, None, False
        self.ended.emit(folder, status)


def _launched(words: list[str], log: BinaryIO) -> subprocess.Popen:
    """The process, at a low priority, and not stopped by a Ctrl-C that is meant for the window.

    Raises `InputError` if there is no such program.
    """
    environment = os.environ.copy()
    environment["PYTHONPATH"] = import_path(environment.get("PYTHONPATH"))
    how = {"start_new_session": True}
    if os.name == "nt":
        how = {"creationflags": subprocess.BELOW_NORMAL_PRIORITY_CLASS}
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, **how
        )
    except OSError as error:
        raise InputError(f"Training cannot be started: {words[0]}: {reason(error)}.") from error
    if os.name != "nt":
        with suppress(OSError):  # it is over already
            os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
    # Someone must wait for it, or it stays as a zombie; this one lives as long as the process.
    Thread(target=process.wait, name="waiting for training", daemon=True).start()
    return process


def _last_words(folder: Path, status: RunStatus, code: int | None) -> RunStatus:
    """What became of a run whose status does not say: its last sentence in the log, if any."""
    error = last_error(tail(folder))
    if code == STOPPED_BY_KEY:
        return RunStatus(STOPPED, "", status.step, status.steps, words=status.words)
    if error:
        text = error
    elif code is None:
        text = f"The training in {folder} was not heard of for {LONGEST_SILENCE:.0f} seconds."
    elif code < 0:
        text = (
            f"Training was ended from outside (signal {-code}), perhaps because memory ran out. "
            f"What was saved is in {folder}; Continue goes on from there."
        )
    else:
        text = f"Training ended unexpectedly (exit status {code}). {folder / LOG} has the details."
    return RunStatus(FAILED, text, status.step, status.steps, words=status.words)


def tail(folder: Path) -> list[str]:
    """The last lines of a run's log, progress bars left out."""
    try:
        with open(folder / LOG, encoding="utf-8", errors="replace") as file:
            lines = deque((line.rstrip("\n").rpartition("\r")[2] for line in file), TAIL)
    except OSError:
        return []
    return [line for line in lines if line.strip()]
