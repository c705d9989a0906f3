"""Garbage is collected in the window's thread: a widget that dies in another one may lock both."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest
from PySide6.QtCore import QObject

from app import garbage
from tests.soak.meter import resident


class Mortal(QObject):
    """Notes the thread in which it dies; alive only through itself."""

    died: list[int] = []

    def __init__(self) -> None:
        super().__init__()
        self.myself = self

    def __del__(self) -> None:
        self.died.append(threading.get_ident())


def busy(kept: list) -> None:
    """Keeps more objects than any threshold."""
    kept += [[] for _ in range(100_000)]


def test_no_object_of_qt_dies_in_another_thread(qapp, qtbot):
    """However much a thread allocates; and they do die, here, soon."""
    Mortal.died.clear()
    kept: list = []
    for _ in range(50):
        Mortal()
    thread = threading.Thread(target=busy, args=(kept,))
    thread.start()
    thread.join()
    assert thread.ident not in Mortal.died
    qtbot.waitUntil(lambda: len(Mortal.died) == 50, timeout=10_000)
    assert set(Mortal.died) == {threading.get_ident()}


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is what can be told")
def test_what_is_free_goes_back_to_the_system(qapp, qtbot, monkeypatch):
    """Also where a small piece lies above it."""
    pieces = [np.ones(2**16, np.uint8) for _ in range(1024)]  # small enough to lie in the heap
    full, kept = resident(), pieces[-1]
    del pieces
    monkeypatch.setattr(garbage, "GIVE_BACK", 20)
    collector = garbage.Collector(qapp)
    qtbot.waitUntil(lambda: resident() < full - 48 * 2**20, timeout=10_000)
    collector.deleteLater()
    assert kept.all()
