"""Plays a script in the window's own event loop, so that whatever takes long there is seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

from PySide6.QtCore import QObject, QTimer, Signal

from tests.soak.meter import Meter

LOOK = 5  # ms between two looks at what is waited for
PATIENCE = 900.0  # seconds after which something will not happen any more

Wish = float | Callable[[], bool]  # seconds to wait, or what must be true
Act = Generator[Wish, None, None]


class Driver(QObject):
    """Runs one act after the other. over: the time is up, after the end of the last act.

    wrong: sentences about what raised, and what was waited for in vain.
    """

    over = Signal()

    def __init__(self, choose: Callable[[], tuple[str, Act]], meter: Meter) -> None:
        """choose: gives the next act and its name."""
        super().__init__()
        self.wrong: list[str] = []
        self._choose, self._meter = choose, meter
        self._act: Act | None = None
        self._wish: Callable[[], bool] | None = None
        self._until = self._since = 0.0
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._step)

    def start(self, seconds: float) -> None:
        """Play for so long."""
        self._until = time.monotonic() + seconds
        self._timer.start(0)

    def _step(self) -> None:
        if self._wish is not None and not self._granted():
            self._timer.start(LOOK)
            return
        if self._act is None:
            if time.monotonic() > self._until:
                self.over.emit()
                return
            self._meter.act, self._act = self._choose()
            self._meter.acts += 1
        try:
            wish = next(self._act)
        except StopIteration:
            self._act, self._wish = None, None
            self._timer.start(0)
            return
        except Exception as error:
            self.wrong.append(f"{self._meter.act} raised {type(error).__name__}: {error}")
            self._act, self._wish = None, None
            self._timer.start(0)
            return
        self._since, self._wish = time.monotonic(), wish if callable(wish) else None
        self._timer.start(LOOK if callable(wish) else round(1000 * wish))

    def _granted(self) -> bool:
        if self._wish():
            return True
        if time.monotonic() - self._since < PATIENCE:
            return False
        self.wrong.append(f"{self._meter.act} waited in vain")
        self._act.close()
        self._act, self._wish = None, None
        return True
