"""How soon the instant hand shows a stroke, with the bundled painter in the real window.

`pytest -m slow -s tests/app/test_instant_speed.py` prints the figures. Run it on a quiet machine;
`OMP_NUM_THREADS` and `taskset` choose threads and cores.
"""

import time

import numpy as np
import pytest

from main import WEIGHTS, open_engine
from tests.app import hand
from tests.app.test_live_speed import live_window, paint, report, settle, wait_until

PAINTER = WEIGHTS.with_name("landscape-instant.safetensors")
STROKES = 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not PAINTER.is_file(), reason="no painter lies beside the model"),
]


@pytest.fixture
def window(qapp, tmp_path):
    """The start scene, live, with the bundled model and its painter."""
    yield from live_window(qapp, tmp_path, lambda: open_engine(WEIGHTS))


def test_from_the_first_touch_to_what_it_shows(window):
    """The pen is still down; and the whole picture after it is lifted."""
    parts, wholes, shown = [], [], []
    window.studio.picture_changed.connect(lambda *_: shown.append(time.perf_counter()))
    for number in range(STROKES):
        window.pen.choose(3 + number % 8)
        x, y = 30 + 37 * number % 190, 30 + 53 * number % 190
        shown.clear()
        began = time.perf_counter()
        hand.press(window.canvas, (x, y))
        wait_until(lambda: len(shown) > 0)
        parts.append(1e3 * (shown[0] - began))
        hand.move(window.canvas, (x + 5, y))
        lifted = time.perf_counter()
        hand.release(window.canvas, (x + 5, y))
        wait_until(lambda: not window.live.hand.busy)
        wholes.append(1e3 * (time.perf_counter() - lifted))
        settle(window)
    report("from the touch to its part", parts)
    report("from the lift to the whole picture", wholes)
    assert np.median(parts) < 100


def test_strokes_feel_nothing_of_the_hand(window):
    """A move takes the processor as long as with live off."""
    live = [processor for _, processor in paint(window, 4.0)]
    window.acts["live"].setChecked(False)
    off = [processor for _, processor in paint(window, 4.0)]
    report("a move with the hand, processor", live)
    report("a move with live off, processor", off)
    assert np.percentile(live, 99) <= max(8.0, 2 * np.percentile(off, 99))
