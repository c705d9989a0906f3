"""Generating: requests go down, events come up, and nothing of either is lost."""

import time
from itertools import chain

import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer

from core.errors import OutOfMemory
from core.request import Failed, Stepped
from tests.app import hand

WAIT = 5000  # ms


def until(qtbot, condition):
    qtbot.waitUntil(condition, timeout=WAIT)


def finished(window):
    return lambda: window.studio.result is not None and window.studio.status().state != "sampling"


def test_generate_makes_a_picture(window, qtbot):
    """Ctrl+Enter samples the scene and shows the result with its recipe in the caption."""
    qtbot.keyClick(window.canvas, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    until(qtbot, finished(window))
    assert window.result_panel.view._picture.pixelColor(3, 3).red() == 255
    assert f"seed {window.studio.settings.seed}" in window.result_panel.caption.text()


def test_the_request_is_a_frozen_copy(window, engine, qtbot):
    """Painting on does not change the layout that is being sampled."""
    window.studio.generate()
    until(qtbot, finished(window))
    window.scene.labels[:] = 9
    labels = engine.requests[0].layout.labels
    assert labels.max() == 0 and not labels.flags.writeable


def test_previews_arrive_while_it_runs(window, engine, qtbot):
    """Each preview reaches the window in order before the result."""
    seen = []
    window.studio.picture_changed.connect(lambda picture, _: seen.append(int(picture.max())))
    window.generate_panel.steps.setValue(4)
    window.studio.generate()
    until(qtbot, finished(window))
    assert seen == [1, 2, 3, 4, 255]


def test_guidance_acts_on_the_running_sample(window, engine, qtbot):
    """Moving the slider in the middle of a sample changes the scale of its next steps."""
    engine.hold()
    window.generate_panel.steps.setValue(5)
    window.studio.generate()
    engine.let(2)
    until(qtbot, lambda: len(engine.scales) == 2)
    window.generate_panel.guidance.setValue(32)
    engine.go()
    until(qtbot, finished(window))
    assert engine.scales == [2.5, 2.5, 3.2, 3.2, 3.2]


def test_where_guidance_begins_is_a_setting(window, engine, qtbot):
    """Below half of the noise, unless one says otherwise; it is in the request and the recipe."""
    assert window.generate_panel.start.text() == "below 50 %"
    for value in (50, 100, 30):
        window.generate_panel.start.setValue(value)
        window.studio.generate()
        until(qtbot, finished(window))
        request = window.studio.result.request
        assert request.guidance_start == value / 100 == request.recipe()["guidance_start"]


def test_cancel_stops_within_a_step(window, engine, qtbot):
    """Esc closes the sample at its next step, and the window is idle at once."""
    engine.hold()
    window.studio.generate()
    engine.let(3)
    until(qtbot, lambda: window.studio.status().step == 3)
    qtbot.keyClick(window.canvas, Qt.Key.Key_Escape)
    assert window.studio.status().state == "idle"
    engine.go()
    until(qtbot, lambda: engine.closed == 1)
    assert len(engine.scales) <= 4 and window.studio.result is None


def test_cancel_keeps_the_last_picture(window, engine, qtbot):
    """After a cancelled sample the finished picture is shown again, not a half-made one."""
    window.studio.generate()
    until(qtbot, finished(window))
    engine.hold()
    window.studio.generate()
    engine.let(2)
    until(qtbot, lambda: window.studio.status().step == 2)
    assert window.result_panel.view._picture.pixelColor(3, 3).red() == 2
    window.studio.cancel()
    assert window.result_panel.view._picture.pixelColor(3, 3).red() == 255


def test_nothing_arrives_after_cancel(window, engine, qtbot):
    """Events that were on their way when Cancel was pressed change nothing any more."""
    window.studio.generate()
    qtbot.waitUntil(lambda: bool(engine.requests))
    window.studio.cancel()
    qtbot.wait(100)
    assert window.studio.status().state == "idle" and window.studio.status().steps == 0


def test_the_newest_request_wins(window, engine, qtbot):
    """Three quick requests: the last one makes the picture, the running one is closed."""
    window.generate_panel.lock.setChecked(True)
    engine.hold()
    for seed in (1, 2, 3):
        window.generate_panel.seed.setValue(seed)
        window.studio.generate()
        until(qtbot, lambda: bool(engine.requests))
    engine.go()
    until(qtbot, finished(window))
    assert window.studio.result.request.seed == 3
    assert [r.seed for r in engine.requests] == [1, 3]


def test_a_failure_is_a_sentence_in_the_window(window, engine, qtbot):
    """An exception in the engine shows as a sentence with its traceback behind "Details"."""
    engine.fail_at = 2
    window.studio.generate()
    until(qtbot, window.error_bar.isVisible)
    assert "the fake broke" in window.error_bar.sentence.text()
    assert "Traceback" in window.error_bar.details.toPlainText()
    assert window.studio.status().state == "failed"


def test_after_a_failure_all_works_on(window, engine, qtbot):
    """The next request after a failure is served."""
    engine.fail_at = 1
    window.studio.generate()
    until(qtbot, window.error_bar.isVisible)
    engine.fail_at = 0
    window.studio.generate()
    until(qtbot, finished(window))
    assert window.studio.status().state == "idle"


def test_stale_until_undone(window, qtbot):
    """Painting after the picture makes it stale; undoing the stroke makes it current again."""
    window.studio.generate()
    until(qtbot, finished(window))
    hand.drag(window.canvas, (20, 20))
    assert window.studio.status().state == "stale"
    window.acts["undo"].trigger()
    assert window.studio.status().state == "idle"


def test_the_chip_says_painting(window):
    """While a stroke is under way, the chip says so."""
    hand.press(window.canvas, (20, 20))
    assert "painting" in window.chip.text()
    hand.release(window.canvas, (20, 20))
    assert "idle" in window.chip.text()


def test_an_unlocked_seed_is_drawn_anew(window, engine, qtbot):
    """Each Generate has a seed of its own unless the seed is locked."""
    for _ in range(2):
        window.studio.generate()
        until(qtbot, finished(window))
        until(qtbot, lambda: window.studio.status().state == "idle")
    assert engine.requests[0].seed != engine.requests[1].seed


def test_a_seed_set_by_hand_is_kept(window, engine, qtbot):
    """Typing or stepping the seed locks it."""
    window.generate_panel.seed.setValue(77)
    assert window.generate_panel.lock.isChecked()
    window.studio.generate()
    until(qtbot, lambda: bool(engine.requests))
    assert engine.requests[0].seed == 77


def test_progress_tells_step_and_time(window, engine, qtbot):
    """While it samples, the panel tells the step and, after the first, the time left."""
    engine.hold()
    window.studio.generate()
    engine.let(1)
    until(qtbot, lambda: window.studio.status().step == 1)
    assert window.generate_panel.progress_text.text().startswith("step 1/25 · ")
    assert window.generate_panel.progress_text.text().endswith(" left")


def test_quick_steps_are_told_together(window, engine, qtbot, monkeypatch):
    """Fifty steps in no time are no fifty drawings of the window; the picture comes as ever."""
    told = []
    window.studio.status_changed.connect(told.append)
    steps = [Stepped(number, 50) for number in range(1, 51)]
    sampled = engine.sample
    monkeypatch.setattr(engine, "sample", lambda *wish: chain(steps, sampled(*wish)))
    window.generate_panel.steps.setValue(1)
    window.studio.generate()
    until(qtbot, finished(window))
    assert sum(status.steps == 50 for status in told) < 25


def test_closing_in_the_middle_of_a_sample(window, engine, qtbot):
    """The window closes in a sample: the sample is cancelled and the thread has ended."""
    window.generate_panel.steps.setValue(250)
    engine.pause = 0.01
    window.studio.generate()
    until(qtbot, lambda: bool(engine.scales))
    window.close()
    assert window.studio._worker.isFinished()
    assert engine.closed == 1 and len(engine.scales) < 250


def test_the_event_loop_never_stalls(window, engine, qtbot):
    """While a sample runs and previews stream in, the window answers within a tenth of a second."""
    window.scene.replace(np.zeros((512, 512), np.uint8))
    engine.pause = 0.01
    stall = heartbeat(window)
    window.studio.generate()
    until(qtbot, finished(window))
    assert stall() < 0.1


@pytest.mark.parametrize("reach", ["menu", "button"])
def test_generate_by_menu_and_button(window, engine, qtbot, reach):
    """The menu entry and the button do the same as the key."""
    if reach == "menu":
        window.acts["generate"].trigger()
    else:
        window.generate_panel.generate.click()
    until(qtbot, lambda: len(engine.requests) == 1)


def heartbeat(parent):
    """Start a timer of 5 ms; call the answer for the longest gap between two beats, in seconds."""
    beats = [time.monotonic()]
    timer = QTimer(parent, interval=5)
    timer.timeout.connect(lambda: beats.append(time.monotonic()))
    timer.start()
    return lambda: max(b - a for a, b in zip(beats, beats[1:], strict=False))


def test_a_picture_that_does_not_fit_is_offered_smaller(window, engine, qtbot):
    """The bar names the size and offers half of it; a press makes that one, in the same scene."""
    sample = engine.sample

    def small_only(request, guidance_scale=None):
        if request.size != (128, 128):
            raise OutOfMemory((256, 256))
        return sample(request, guidance_scale)

    engine.sample = small_only
    window.studio.generate()
    qtbot.waitUntil(window.error_bar.isVisible, timeout=WAIT)
    assert "256 × 256" in window.error_bar.sentence.text()
    offer = window.error_bar.offer_button
    assert offer.isVisible() and offer.text() == "Try 128 × 128"
    qtbot.keyClick(offer, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.studio.result is not None, timeout=WAIT)
    assert engine.requests[-1].size == (128, 128) and not window.error_bar.isVisible()
    window.show_failure(Failed("Something else."))
    assert not offer.isVisible()
