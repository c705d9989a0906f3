"""How fast live painting is, with the bundled model in the real window on this machine.

`pytest -m slow -s tests/app/test_live_speed.py` prints the figures: how soon a stroke shows, how
many pictures a second come while painting, what the strokes feel of it, and how much of a picture
changes away from the stroke. Run it on a quiet machine; `OMP_NUM_THREADS` and `taskset` choose
threads and cores.
"""

import time
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from app.application import build_window
from app.live import PACES
from app.settings import Store
from core.palette import Palette
from core.request import Layout, SampleRequest
from main import WEIGHTS, open_engine
from tests.app import hand
from tests.app.hand import put_away

STROKES = 20
REACH = 24  # pixels around a stroke that the network may well change with it: three of its own

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def model_alone():
    """The bundled model without a painter, which would answer in its place."""
    engine = open_engine(WEIGHTS)
    engine.painter, engine.info = None, replace(engine.info, painter="")
    return engine


@pytest.fixture
def window(qapp, tmp_path):
    """The start scene, live, with the bundled model, after its first pictures."""
    yield from live_window(qapp, tmp_path, model_alone)


def live_window(qapp, tmp_path, opened):
    """The same, for any engine that `opened` gives."""
    store = Store(tmp_path / "settings.ini")
    palette = Palette.load("landscape")
    window = build_window(qapp, opened, palette, store=store, data=tmp_path / "data")
    window.show()
    window.studio.start()
    wait_until(lambda: window.studio.model is not None)
    window.acts["refine"].setChecked(False)
    window.acts["live"].setChecked(True)
    for number in range(101, 109):  # the first ones find the pace
        stroke(window, number)
        settle(window)
    yield window
    put_away(window)


def wait_until(condition, limit=60.0):
    """Handle events until `condition()`; at most 1 ms of sleep at a time, as Qt itself waits."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end
        QApplication.processEvents()
        time.sleep(0.0005)


def settle(window):
    """Nothing is on its way, and while live the picture is that of the scene."""
    studio, live = window.studio, window.acts["live"]
    wait_until(lambda: not studio.busy and not (live.isChecked() and studio.stale))


def stroke(window, number, seconds=0.0):
    """Another label at another place, in so many seconds."""
    window.pen.choose(3 + number % 8)
    x, y = 30 + 37 * number % 190, 30 + 53 * number % 190
    hand.press(window.canvas, (x, y))
    for step in range(1, 16):
        pause_until = time.perf_counter() + seconds / 15
        hand.move(window.canvas, (x + 1.5 * step, y + 0.5 * step))
        wait_until(lambda end=pause_until: time.perf_counter() >= end)
    hand.release(window.canvas, (x + 23, y + 8))


def report(name, values, unit="ms"):
    middle, most = np.median(values), np.percentile(values, 99)
    print(f"\n{name}: median {middle:.1f}, p99 {most:.1f} {unit} of {len(values)}")
    return middle


def test_what_a_quick_picture_costs():
    """The engine alone: each pace, after a dab of 20 pixels; only printed."""
    engine = open_engine(WEIGHTS)
    student = engine.info.student
    labels, rng = np.zeros((256, 256), np.uint8), np.random.default_rng(0)
    for pace in (pace for pace in PACES if pace.scale == 1.0):
        times = []
        for _ in range(STROKES + 2):
            y, x = rng.integers(0, 236, 2)
            labels[y : y + 20, x : x + 20] = rng.integers(1, 19)
            request = SampleRequest(
                Layout(labels, engine.info.palette),
                steps=pace.steps,
                guidance_scale=2.0,
                student=student,
                preview_every=0,
            )
            clock, processor = time.perf_counter(), time.thread_time()
            *_, _ = engine.sample(request)
            clock, processor = time.perf_counter() - clock, time.thread_time() - processor
            times.append((1e3 * clock, 1e3 * processor))
        name = f"{pace.steps} steps{' of the student' if student else ''}"
        report(f"{name}, clock", [clock for clock, _ in times[2:]])
        report(f"{name}, processor of one thread", [processor for _, processor in times[2:]])


@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_from_the_end_of_a_stroke_to_the_picture(window, seconds):
    """Median of 20 at most 150 ms, with the picture painted on the screen: of a dab, and of a
    stroke during which pictures are being made already."""
    times = []
    for number in range(STROKES):
        stroke(window, number, seconds)
        released = time.perf_counter()
        wait_until(lambda: not window.studio.stale)
        QApplication.processEvents()  # paints it
        times.append(1e3 * (time.perf_counter() - released))
        settle(window)
    request = window.studio.result.request
    print(f"\n{request.steps} steps, student {request.student}, {window.studio.result.image.shape}")
    assert report(f"end of a stroke of {seconds} s to its picture", times) <= 150


def test_pictures_a_second_while_painting(window):
    """At least six, over five seconds of constant painting; none takes a second."""
    shown = []
    window.studio.quick_made.connect(lambda _: shown.append(time.perf_counter()))
    moves = paint(window, 5.0)
    gaps = np.diff(shown)
    rate = len(gaps) / (shown[-1] - shown[0])
    print(
        f"\n{rate:.1f} pictures a second while painting, the longest gap {1e3 * gaps.max():.0f} ms"
    )
    report("a move meanwhile, clock", [clock for clock, _ in moves])
    assert gaps.max() < 1.0 and rate >= 6


def test_strokes_feel_nothing_of_it(window):
    """A move takes the processor no longer with live on than with live off."""
    live = [processor for _, processor in paint(window, 4.0)]
    window.acts["live"].setChecked(False)
    off = [processor for _, processor in paint(window, 4.0)]
    report("a move with live on, processor", live)
    report("a move with live off, processor", off)
    assert np.percentile(live, 99) <= max(8.0, 2 * np.percentile(off, 99))


def paint(window, seconds):
    """Move the pressed pen 125 times a second; (clock, processor) milliseconds of each move."""
    times, began, number = [], time.perf_counter(), 0
    hand.press(window.canvas, (40, 40))
    while (now := time.perf_counter()) < began + seconds:
        turn = 2 * np.pi * (now - began) / 2.5
        processor = time.thread_time()
        hand.move(window.canvas, (128 + 80 * np.cos(turn), 128 + 80 * np.sin(2 * turn)))
        times.append((1e3 * (time.perf_counter() - now), 1e3 * (time.thread_time() - processor)))
        number += 1
        wait_until(lambda n=number: time.perf_counter() >= began + 0.008 * n)
    hand.release(window.canvas, (40, 40))
    settle(window)
    return times


def test_the_picture_stays_itself(window):
    """Away from a stroke the picture of the same noise changes much less than another seed's."""
    away, whole = [], []
    for number in range(8):
        before = window.studio.result
        stroke(window, number)
        settle(window)
        after = window.studio.result
        old, new = before.request.layout.labels, after.request.layout.labels
        rows, columns = np.nonzero(old != new)
        far = np.ones(old.shape, bool)
        far[
            max(0, rows.min() - REACH) : rows.max() + REACH,
            max(0, columns.min() - REACH) : columns.max() + REACH,
        ] = False
        change = np.abs(before.image.astype(int) - after.image).mean(2)
        away.append(change[far].mean())
        whole.append(change[~far].mean())
    last = window.studio.result.image.astype(int)
    window.generate_panel.seed.setValue(4321)
    wait_until(lambda: window.studio.result.request.seed == 4321)
    other = np.abs(last - window.studio.result.image).mean()
    report("change away from a stroke", away, "of 255")
    report("change around it", whole, "of 255")
    print(f"\nanother seed: {other:.1f} of 255")
    assert np.median(away) < other / 3
