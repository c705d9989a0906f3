"""Garbage is collected in the window's thread: a widget that dies in another one may lock both."""

from __future__ import annotations

import threading

from PySide6.QtCore import QObject


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
