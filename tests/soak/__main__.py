"""`python -m tests.soak --minutes 120`: exit status 0 if nothing grew, leaked or stalled.

Writes soak.csv, soak.json and soak.svg into --out. Alone on a machine, with the bundled model; with
--fake, the scripted engine of the tests in its place.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication

from app.application import build_application, build_window
from app.main_window import MainWindow
from app.settings import Store
from core.palette import Palette
from core.request import Failed
from main import WEIGHTS, open_engine
from tests.soak.driver import Driver
from tests.soak.fake import TirelessEngine
from tests.soak.meter import Meter, Sample
from tests.soak.report import write
from tests.soak.user import User
from tests.soak.verdict import GROWTH, judge

EVERY = 10.0  # seconds between two rows
FEWEST = 24  # rows of a short run
HISTORY = 24 * 2**20  # bytes: so little that a run of some minutes fills it


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--fake", action="store_true", help="the scripted engine of the tests")
    parser.add_argument("--seed", type=int, default=0, help="of what the hand does")
    parser.add_argument("--growth", type=float, default=GROWTH, help="of memory, at most (0.03)")
    parser.add_argument("--out", type=Path, default=Path("soak"))
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="soak-") as place:
        os.environ["XDG_DATA_HOME"] = place
        return Soak(options, Path(place)).run()


class Soak:
    """One run."""

    def __init__(self, options: argparse.Namespace, place: Path) -> None:
        self._options, self._place = options, place
        self._raised: list[str] = []
        self._told: dict[str, int] = {}

    def run(self) -> int:
        """Open the window, play, judge."""
        application, options = build_application(sys.argv[:1]), self._options
        sys.excepthook = self._on_exception
        window = self._window(application)
        meter = Meter(min(EVERY, 60 * options.minutes / FEWEST))
        meter.sampled.connect(_say)
        (self._place / "files").mkdir()
        driver = Driver(User(window, self._place / "files", options.seed).choose, meter)
        driver.over.connect(application.quit)
        driver.start(60 * options.minutes)
        application.exec()
        meter.stop()
        verdict = judge(meter.samples, options.growth)
        wrong = driver.wrong + self._raised
        if wrong:
            verdict["failed"] = "; ".join(filter(None, [verdict["failed"], *wrong[:9]]))
        about = {"engine": window.studio.model.name, "seed": options.seed, "told": self._told}
        write(options.out, meter.samples, verdict, meter.worst, about)
        window.keeping.history.mark_saved()
        window.undo_stack.setClean()
        window.close()
        print(*(f"{name}: {value}" for name, value in verdict.items()), sep="\n")
        return 1 if verdict["failed"] else 0

    def _window(self, application: QApplication) -> MainWindow:
        store = Store(self._place / "settings.ini")
        store.history_limit = HISTORY
        model = TirelessEngine if self._options.fake else partial(open_engine, WEIGHTS)
        palette = Palette.load("landscape")
        window = build_window(application, model, palette, store=store, data=self._place / "data")
        window.studio.failed.connect(self._on_failed)
        window.filing.failed.connect(self._on_failed)
        window.keeping.writer.failed.connect(self._on_failed)
        window.show()
        window.studio.start()
        return window

    def _on_failed(self, failed: Failed) -> None:
        """What the window was told; only what nobody foresaw is wrong."""
        sentence = failed.message
        self._told[sentence] = self._told.get(sentence, 0) + 1
        if "unforeseen" in sentence:
            self._raised.append(sentence)

    def _on_exception(self, kind: type, error: BaseException, trace: object) -> None:
        sys.__excepthook__(kind, error, trace)
        self._raised.append(f"{kind.__name__}: {error}")


def _say(row: Sample) -> None:
    print(
        f"{row.seconds:7.0f} s {row.memory:7.1f} MiB ({row.used:.1f} used) {row.threads:3} threads "
        f"{row.files:3} files {row.widgets} widgets {row.objects} objects, stall "
        f"{row.processor:.0f} ms of the processor, {row.stall:.0f} ms of the clock, "
        f"{row.acts} acts",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
