"""One thread for long work: it runs a generator and tells what the generator yields."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from threading import Condition
from typing import Any

from PySide6.QtCore import QObject, QThread, Signal

from core.errors import InputError, OutOfMemory, is_shortage, text_of
from core.files import reason
from core.request import Failed

Job = Callable[[], Iterator[Any]]


class Worker(QThread):
    """Runs the newest job; an older one is closed at its next event.

    happened(ticket, event): the job with that ticket yielded `event`, or raised: then the event is
    `Failed`. ended(ticket): that job is over. Connect bound methods of a QObject only: those run in
    the thread of that object, a lambda would run in this one.
    """

    happened = Signal(int, object)
    ended = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._wake = Condition()
        self._newest = 0
        self._waiting: Job | None = None
        self._stopping = False

    def submit(self, job: Job) -> int:
        """Run `job` instead of whatever runs or waits now. Returns its ticket."""
        with self._wake:
            self._newest += 1
            self._waiting = job
            self._wake.notify()
            return self._newest

    def cancel(self) -> None:
        """Close the running job between two of its events and forget the waiting one."""
        with self._wake:
            self._newest += 1
            self._waiting = None

    def stop(self) -> None:
        """Cancel, and end the thread. Returns when it is over."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self.cancel()
        self.wait()

    def run(self) -> None:
        """The thread's own loop."""
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._stopping or self._waiting is not None)
                if self._stopping:
                    return
                ticket, job, self._waiting = self._newest, self._waiting, None
            self._work(ticket, job)

    def _work(self, ticket: int, job: Job) -> None:
        try:
            events = job()
            try:
                for event in events:
                    if ticket != self._newest:
                        break
                    self.happened.emit(ticket, event)
            finally:
                getattr(events, "close", lambda: None)()
        except BaseException as error:  # whatever it is: the thread must live on
            self.happened.emit(ticket, failure(error))
        self.ended.emit(ticket)


def failure(error: BaseException) -> Failed:
    """An exception as an event: one sentence, and the traceback for those who want it."""
    details = "".join(traceback.format_exception(error))
    too_large = error.size if isinstance(error, OutOfMemory) else None
    return Failed(_sentence(error), details, too_large)


def _sentence(error: BaseException) -> str:
    text = text_of(error)
    if isinstance(error, InputError) and text:
        return text
    if is_shortage(error):
        return "There is not enough memory for that. Close other programs, and try again."
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{reason(error)}."
    if isinstance(error, ValueError) and text:
        return text
    first = text.split("\n")[0]
    kind = type(error).__name__
    return "Something unforeseen went wrong: " + ": ".join(filter(None, [kind, first]))
