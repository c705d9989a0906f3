"""Python's garbage is collected in the window's thread, never in another one.

Left to itself, Python looks for garbage in whatever thread happens to allocate. If that is the
writer's and it finds a dead widget, the widget is destroyed there: Qt takes a lock and asks for the
interpreter, while the window's thread holds the interpreter and waits for that lock, for ever.

What is free goes back to the system: the C library keeps every large piece that lies below a small
one, half as much again as is in use after half an hour of pictures. What the threads take comes
from one place, for the same reason.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

from core.allocation import give_back, share_one_arena

INTERVAL = 500  # milliseconds between two looks
GIVE_BACK = 20_000  # milliseconds; a piece that is used again has to be cleared by the system first


class Collector(QObject):
    """From now on, collects when Python would have, but here and between two events; and gives back
    what is free."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        gc.disable()
        share_one_arena()
        self._timer = QTimer(self, interval=INTERVAL)
        self._timer.timeout.connect(collect_if_due)
        self._timer.start()
        self._giving = QTimer(self, interval=GIVE_BACK)
        self._giving.timeout.connect(give_back)
        self._giving.start()


def collect_if_due() -> None:
    """Collect the oldest generation that has more than Python's own threshold."""
    counts, thresholds = gc.get_count(), gc.get_threshold()
    due = [n for n, most in enumerate(thresholds) if most and counts[n] > most]
    if due:
        gc.collect(due[-1])
