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

from main import WEIGHTS, first_palette, open_engine, read_window

if TYPE_CHECKING:  # the program imports the window in its own way, and so does this
    from app.main_window import MainWindow

PATIENCE = 600  # seconds
LOOK = 3  # milliseconds between two looks
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
            first_palette(WEIGHTS),
            store=store,
            data=Path(folder),
        )
        window.show()
        window.studio.start()
        application.processEvents()  # paints it
        told = {"window": time.time() - started}
        until(lambda: window.studio.model is not None)
        generate(window)
        told["picture"] = time.time() - started
        told["preview"], told["whole"] = generate(window)
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
    until(lambda: window.studio.result is not old and not window.studio.busy)
    QApplication.processEvents()
    window.studio.picture_changed.disconnect(note.add)
    return shown[0] - began, time.perf_counter() - began


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
        until(lambda: not window.studio.busy and not window.studio.stale)
        window.pen.choose(3 + number)
        place = QPoint(*map(round, canvas.view.to_widget(80 + 20 * number, 90)))
        QTest.mousePress(canvas, left, pos=place)
        began = time.perf_counter()
        QTest.mouseRelease(canvas, left, pos=place)
        until(lambda: not window.studio.stale)
        QApplication.processEvents()
    return time.perf_counter() - began


def until(condition: Callable[[], bool]) -> None:
    """Let the window work until the condition holds.

    In an event loop that sleeps meanwhile, as the program's does: what polls would take from the
    cores that sample.
    """
    loop, timer, end = QEventLoop(), QTimer(interval=LOOK), time.monotonic() + PATIENCE

    def look() -> None:
        if condition() or time.monotonic() > end:
            loop.quit()

    timer.timeout.connect(look)
    timer.start()
    loop.exec()
    if not condition():
        raise TimeoutError("the window did not come so far")


if __name__ == "__main__":
    main()
