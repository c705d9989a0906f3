"""How long it takes until there is a window, and a picture in it: each time a new process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from statistics import median

from core.bench.figures import Bar, BenchError, Figure
from core.bench.timing import alternately
from core.bench.yardstick import CHECKOUT

EVERYTHING = "import app.application, core.opening"  # what a plain program would import first
IMPORTS = {
    "import of the window's modules": "import main; main.read_window()",
    "import of the models' modules": "import core.opening",
}
WINDOW_BARS = {"window": 0.7, "picture": 4.0}
MS_BARS = {"preview": 120, "whole": 900}
NAMES = {
    "window": "cold start to the window",
    "picture": "cold start to the first picture",
    "preview": "Generate to the first preview, in the window",
    "whole": "final picture, in the window",
    "stroke": "stroke to picture, in the window",
}


def startup_figures(rounds: int) -> list[Figure]:
    """Imports, and the window where the program's source is: `docs.measure_window` opens it."""
    ways = {EVERYTHING: lambda: in_child("-c", EVERYTHING)}
    ways |= {code: lambda code=code: in_child("-c", code) for code in IMPORTS.values()}
    times = alternately(ways, rounds)
    plain = times[EVERYTHING].median()
    figures = [
        Figure("startup", name, t := times[code].median(), "s", plain, plain / t, count=rounds)
        for name, code in IMPORTS.items()
    ]
    if not (CHECKOUT / "docs" / "measure_window.py").is_file():
        return figures
    for name, found in _windows(rounds).items():
        seconds = median(found)
        scale, unit = (1, "s") if name in WINDOW_BARS else (1e3, "ms")
        limit = WINDOW_BARS.get(name, MS_BARS.get(name))
        figures.append(
            Figure(
                "startup" if name in WINDOW_BARS else "window",
                NAMES[name],
                scale * seconds,
                unit,
                plain if name in WINDOW_BARS else None,
                plain / seconds if name in WINDOW_BARS else None,
                Bar(limit, "value") if limit else None,
                count=len(found),
            )
        )
    return figures


def _windows(rounds: int) -> dict[str, list[float]]:
    """Seconds of every start, and of what each window did after it."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds + 1):
        told = json.loads(in_child("-m", "docs.measure_window", "--since", repr(time.time())))
        for name, seconds in told.items():
            found.setdefault(name, []).append(seconds)
    return {name: values[1:] for name, values in found.items()}  # the first read the files


def in_child(*arguments: str) -> str:
    """What a new interpreter prints that starts beside the source."""
    environment = {"QT_QPA_PLATFORM": "offscreen"} | os.environ
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled
    done = subprocess.run(
        [sys.executable, *arguments], cwd=CHECKOUT, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise BenchError(f"A child process failed: {done.stderr.strip().splitlines()[-1:]}.")
    return done.stdout
