"""Measure one start of the real window with the bundled model: what `core.bench startup` runs.

    QT_QPA_PLATFORM=offscreen python -m docs.measure_window

prints seconds as JSON: from the start of the program (`--since`, by the clock) to the window and to
the first picture; then from Generate to its first preview and to the picture, and from the end of a
stroke to its picture while live.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEventLoop, QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from main import WEIGHTS, open_engine, read_window

if TYPE_CHECKING:  # the program imports the window in its own way, and so does this
    from app.main_window import MainWindow

PATIENCE = 600_000  # milliseconds
REST = 1000  # milliseconds between two pictures
WARM = 2  # strokes that find the pace of live painting


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--since", type=float, default=time.time(), help=argparse.SUPPRESS)
    started = parser.parse_args().since
    with tempfile.TemporaryDirectory() as folder:
        opening = read_window()
        application = opening.build_application(["measure"])
        store = opening.Store(Path(folder) / "settings.ini")
        window = opening.build_window(
            application,
            partial(open_engine, WEIGHTS),
            opening.first_palette(WEIGHTS),
            store=store,
            data=Path(folder),
        )
        opening.show(window)
        application.processEvents()  # paints it
        told = {"window": time.time() - started}
        until(window, lambda: window.studio.model is not None)
        generate(window)
        told["picture"] = time.time() - started
        rest()
        told["preview"], told["whole"] = generate(window)
        rest()
        told["stroke"] = stroke_to_picture(window)
        window.undo_stack.setClean()
        window.keeping.history.finish()
        window.keeping.history.mark_saved()
        window.close()
    print(json.dumps(told))


def generate(window: MainWindow) -> tuple[float, float]:
    """Seconds from Generate to the first picture on the screen, and to the last."""
    shown: list[float] = []
    old, note = window.studio.result, Shown(shown)
    window.studio.picture_changed.connect(note.add)
    began = time.perf_counter()
    window.acts["generate"].trigger()
    until(window, lambda: window.studio.result is not old and not window.studio.busy)
    window.studio.picture_changed.disconnect(note.add)
    return shown[0] - began, shown[-1] - began


class Shown:
    """Notes when pictures came."""

    def __init__(self, times: list[float]) -> None:
        self.times = times

    def add(self, *_: object) -> None:
        QApplication.processEvents()  # until it is painted
        self.times.append(time.perf_counter())


def stroke_to_picture(window: MainWindow) -> float:
    """Seconds from the end of a dab to its live picture."""
    window.acts["refine"].setChecked(False)
    window.acts["live"].setChecked(True)
    canvas, left = window.canvas, Qt.MouseButton.LeftButton
    for number in range(WARM + 1):
        until(window, lambda: not window.studio.busy and not window.studio.stale)
        window.pen.choose(3 + number)
        place = QPoint(*map(round, canvas.view.to_widget(80 + 20 * number, 90)))
        QTest.mousePress(canvas, left, pos=place)
        began = time.perf_counter()
        QTest.mouseRelease(canvas, left, pos=place)
        until(window, lambda: not window.studio.stale)
        QApplication.processEvents()
    return time.perf_counter() - began


def rest() -> None:
    """As one looks at a picture before another is asked for: it is filed and compared meanwhile."""
    loop = QEventLoop()
    QTimer.singleShot(REST, loop.quit)
    loop.exec()


def until(window: MainWindow, condition: Callable[[], bool]) -> None:
    """Let the window work until its status tells that the condition holds.

    In an event loop that sleeps meanwhile, as the program's does: what polls would take from the
    cores that sample.
    """
    loop, end = QEventLoop(), QTimer(singleShot=True, interval=PATIENCE)

    def look(*_: object) -> None:
        if condition():
            loop.quit()

    window.studio.status_changed.connect(look)
    end.timeout.connect(loop.quit)
    end.start()
    if not condition():
        loop.exec()
    window.studio.status_changed.disconnect(look)
    if not condition():
        raise TimeoutError("the window did not come so far")


if __name__ == "__main__":
    main()
