"""Measure how long the history takes to keep one more picture: what `core.bench --curves` runs.

    QT_QPA_PLATFORM=offscreen python -m docs.measure_history

prints lengths and milliseconds as JSON: until the picture is on disk and in the list.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from uuid import uuid4

import numpy as np

from app.application import build_application
from app.history import History
from app.session import Session
from app.shelf import Shelf
from app.writer import Writer
from core.palette import Palette
from core.request import Layout, Result, SampleRequest

LENGTHS = (10, 100, 1000, 10_000)
KEPT = 5  # pictures behind each median
LIMIT = 2**40  # bytes: nothing goes


def main() -> None:
    """The command line."""
    build_application(["measure"])
    palette, rng = Palette.load("landscape"), np.random.default_rng(0)
    request = SampleRequest(Layout(np.zeros((256, 256), np.uint8), palette))
    with tempfile.TemporaryDirectory() as folder:
        history = History(Shelf(Session(Path(folder))), Writer(), LIMIT)

        def keep() -> float:
            picture = rng.integers(0, 256, (256, 256, 3), np.uint8)
            began = time.perf_counter()
            history.keep(Result(picture, request, 1.0, "model"))
            history.finish()
            return 1e3 * (time.perf_counter() - began)

        keep()
        (record,), palettes, times = history.records, history.palettes, []
        for length in LENGTHS:
            history.adopt([replace(record, id=uuid4().hex) for _ in range(length)], palettes)
            times.append(median(keep() for _ in range(KEPT)))
    print(json.dumps({"lengths": LENGTHS, "ms": {"until it is in the list": times}}))


if __name__ == "__main__":
    main()
