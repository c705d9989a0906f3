"""One thread that writes files, so that the window never waits for a disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import Queue
from threading import Thread
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.worker import failure


class Writer(QObject):
    """Runs every job, in the order in which they came.

    failed(Failed): a job raised. The thread starts with the first job.
    """

    failed = Signal(object)
    _finished = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._jobs: Queue = Queue()
        self._outcomes: deque = deque()
        self._thread: Thread | None = None
        self._finished.connect(self._tell)

    def submit(self, job: Callable[[], Any], done: Callable[[Any], None] | None = None) -> None:
        """Run `job` in the thread; then call `done` with what it returned, in the window's thread.

        A job works on data of its own: nothing that the window changes meanwhile.
        """
        if self._thread is None:
            self._thread = Thread(target=self._run, name="writer", daemon=True)
            self._thread.start()
        self._jobs.put((job, done))

    def flush(self) -> None:
        """Return when everything handed in is written and told, and what that led to as well."""
        self._jobs.join()
        while self._outcomes:
            self._tell()
            self._jobs.join()

    def stop(self) -> None:
        """Write what is left and end the thread."""
        self.flush()
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, done = item
            try:
                self._outcomes.append((done, job()))
            except Exception as error:
                self._outcomes.append((self.failed.emit, failure(error)))
            self._jobs.task_done()
            self._finished.emit()
        self._jobs.task_done()

    def _tell(self) -> None:
        while self._outcomes:
            done, outcome = self._outcomes.popleft()
            if done is not None:
                done(outcome)
