"""The worker alone: order, cancelling, failures, and its end."""

from threading import Event as Gate

import pytest
from PySide6.QtCore import QObject

from app.worker import Worker
from core.request import Failed


class Listener(QObject):
    """Keeps what it hears; its methods are bound, as the worker asks."""

    def __init__(self):
        super().__init__()
        self.heard, self.ended = [], []

    def hear(self, ticket, event):
        self.heard.append((ticket, event))

    def end(self, ticket):
        self.ended.append(ticket)


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def worker(qapp, listener):
    worker = Worker()
    worker.happened.connect(listener.hear)
    worker.ended.connect(listener.end)
    worker.start()
    yield worker
    worker.stop()


def test_events_come_in_order(worker, listener, qtbot):
    """Everything that a job yields arrives, in order, with its ticket."""
    ticket = worker.submit(lambda: iter("abc"))
    qtbot.waitUntil(lambda: listener.ended == [ticket])
    assert listener.heard == [(ticket, "a"), (ticket, "b"), (ticket, "c")]


def test_a_job_that_raises_at_once(worker, listener, qtbot):
    """A job that fails before its first event is a failure too, and the worker lives on."""
    ticket = worker.submit(lambda: 1 / 0)
    qtbot.waitUntil(lambda: listener.ended == [ticket])
    assert isinstance(listener.heard[0][1], Failed)
    assert "ZeroDivisionError" in listener.heard[0][1].details
    worker.submit(lambda: iter("a"))
    qtbot.waitUntil(lambda: len(listener.ended) == 2)


def test_a_failure_while_closing_is_told(worker, listener, qtbot):
    """What goes wrong in the clean-up of a cancelled job is told as well."""
    started = Gate()

    def job():
        try:
            while True:
                started.set()
                yield "event"
        finally:
            raise RuntimeError("the clean-up broke")

    ticket = worker.submit(job)
    started.wait(5)
    worker.cancel()
    qtbot.waitUntil(lambda: listener.ended == [ticket])
    assert isinstance(listener.heard[-1][1], Failed)


def test_stop_ends_an_idle_worker(worker):
    """A worker without work ends at once."""
    worker.stop()
    assert worker.isFinished()


def test_a_cancelled_job_never_starts(worker, listener, qtbot):
    """Of two jobs that wait, the first is forgotten."""
    gate = Gate()
    worker.submit(lambda: iter([gate.wait(5)]))
    ran = []
    worker.submit(lambda: iter([ran.append("old")]))
    last = worker.submit(lambda: iter([ran.append("new")]))
    gate.set()
    qtbot.waitUntil(lambda: last in listener.ended)
    assert ran == ["new"]
