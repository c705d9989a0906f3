"""The scripted user on the real window for half a minute, and how a run is judged."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.soak.meter import Sample
from tests.soak.report import BEGIN, END, into, plot
from tests.soak.verdict import judge, slope

ROOT = Path(__file__).resolve().parent.parent
ROW = Sample(0, 300.0, 100.0, 4, 10, 362, 70_000, 20.0, 10.0, 0)


def soaked(tmp_path, *words) -> dict:
    """The figures of a run with the scripted engine, in a process of its own."""
    command = [sys.executable, "-m", "tests.soak", "--fake", "--out", str(tmp_path), *words]
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    told = json.loads((tmp_path / "soak.json").read_text())
    assert done.returncode in (0, 1), done.stderr
    return told


def test_half_a_minute(tmp_path):
    """Nothing raises, nothing is waited for in vain, no thread and no file is left over; what
    memory does needs a longer run."""
    told = soaked(tmp_path, "--minutes", "0.4", "--growth", "9")
    assert told["acts"] > 0
    assert told["failed"] == "" or told["failed"].startswith("the window stalled"), told["failed"]
    assert (tmp_path / "soak.csv").is_file() and "<svg" in (tmp_path / "soak.svg").read_text()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_minutes(tmp_path):
    """All that is asked of two hours, but for a little more memory: its caches still fill."""
    assert soaked(tmp_path, "--minutes", "5", "--growth", "0.1")["failed"] == ""


def rows(**changes) -> list[Sample]:
    """An hour of rows; a change is a function of the number of the row."""
    numbers = range(0, 360)
    return [
        replace(ROW, seconds=10.0 * n, **{name: of(n) for name, of in changes.items()})
        for n in numbers
    ]


def test_a_run_that_holds():
    """Memory that goes up and down, and peaks of it, are no growth."""
    told = judge(rows(memory=lambda n: 300 + 40 * (n % 7) / 7 + 500 * (n % 97 == 0)))
    assert told["failed"] == "" and abs(told["growth_percent"]) < 1


@pytest.mark.parametrize(
    "name, of, says",
    [
        ("memory", lambda n: 300 + 0.05 * n + 40 * (n % 7) / 7, "memory grew by"),
        ("threads", lambda n: 4 + n // 60, "threads were left over"),
        ("files", lambda n: 10 + n // 60, "files were left over"),
        ("processor", lambda n: 130.0 if n == 300 else 9.0, "stalled for 130.0 ms"),
    ],
)
def test_a_run_that_does_not(name, of, says):
    """Each fault is told."""
    assert says in judge(rows(**{name: of}))["failed"]


def test_the_warm_up_is_not_judged():
    """What is slow or grows only then is no fault."""
    told = judge(rows(processor=lambda n: 500.0 if n < 50 else 9.0, memory=lambda n: min(n, 60)))
    assert told["failed"] == "" and slope(range(7), [0, 1, 2, 3, 4, 5, 99]) == 1


def test_the_page():
    """The figures stand between the marks, and the curves are drawn to the end."""
    told = judge(rows()) | {"engine": "fake", "worst": []}
    page = into(f"before\n{BEGIN}\nold\n{END}\nafter\n", told, "soak.svg")
    assert "old" not in page and "| verdict | held |" in page and page.endswith(f"{END}\nafter\n")
    assert into(page, told, "soak.svg") == page
    assert plot(rows()).count("<polyline") == 4
