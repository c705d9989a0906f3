"""Python's garbage is collected in the window's thread, never in another one.

Left to itself, Python looks for garbage in whatever thread happens to allocate. If that is the
writer's and it finds a dead widget, the widget is destroyed there: Qt takes a lock and asks for the
interpreter, while the window's thread holds the interpreter and waits for that lock, for ever.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

INTERVAL = 500  # milliseconds between two looks


class Collector(QObject):
    """From now on, collects when Python would have, but here and between two events."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        gc.disable()
        self._timer = QTimer(self, interval=INTERVAL)
        self._timer.timeout.connect(collect_if_due)
        self._timer.start()


def collect_if_due() -> None:
    """Collect the oldest generation that has more than Python's own threshold."""
    counts, thresholds = gc.get_count(), gc.get_threshold()
    due = [n for n, most in enumerate(thresholds) if most and counts[n] > most]
    if due:
        gc.collect(due[-1])
