"""Live painting in the real window: the picture follows the brush, and never gets in its way."""

import time
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt

from app.application import build_window
from app.palettes.conversion_dialog import ConversionDialog
from core.palette import Palette
from tests.app import hand
from tests.app.fake_engine import FakeEngine
from tests.app.hand import put_away

WAIT = 5000  # ms


def until(qtbot, condition):
    qtbot.waitUntil(condition, timeout=WAIT)


def red(window):
    """What the picture panel shows."""
    return window.result_panel.view._picture.pixelColor(3, 3).red()


@pytest.fixture
def live(window, pen, qtbot):
    """The window, live, with a picture of its own and no refining."""
    window.acts["refine"].setChecked(False)
    window.acts["live"].trigger()
    until(qtbot, lambda: window.studio.note == "live" and not window.studio.busy)
    return window


def kinds(engine):
    return ["quick" if r.steps < 5 else "full" for r in engine.requests]


def test_the_key_and_the_button_switch_it(window, qtbot, store):
    """V, and the button beside Generate, with one state; the next start remembers it."""
    qtbot.keyClick(window.canvas, Qt.Key.Key_V)
    assert window.acts["live"].isChecked() and store.flag("live")
    qtbot.mouseClick(window.generate_panel.live, Qt.MouseButton.LeftButton)
    assert not window.acts["live"].isChecked() and not store.flag("live")


def test_the_chip_says_live(live):
    """Idle or painting, with live on the chip says so."""
    assert "live" in live.chip.text()
    hand.press(live.canvas, (20, 20))
    assert "live" in live.chip.text()
    hand.release(live.canvas, (20, 20))
    live.acts["live"].trigger()
    assert "live" not in live.chip.text()


def test_a_stroke_makes_a_quick_picture_of_the_same_noise(live, engine, qtbot):
    """Few steps, no previews, the seed of the settings, and the scene as it is now."""
    made = len(engine.requests)
    hand.drag(live.canvas, (20, 20), (30, 20))
    until(qtbot, lambda: len(engine.requests) > made and not live.studio.busy)
    request = engine.requests[-1]
    assert request.steps <= 4 and request.preview_every == 0 and not request.student
    assert request.seed == live.studio.settings.seed
    assert np.array_equal(request.layout.labels, live.scene.labels)
    assert red(live) == 255 and live.result_panel.caption.text().startswith("live · ")


def test_the_student_is_used_where_there_is_one(live, engine, qtbot):
    """As many steps as of the model itself, and far better ones (docs/decisions/008)."""
    live.studio.model = replace(live.studio.model, student=True)
    hand.drag(live.canvas, (20, 20), (30, 20))
    until(qtbot, lambda: engine.requests[-1].student)
    request = engine.requests[-1]
    assert (request.steps, request.draft_steps) == (4, 0)


@pytest.mark.parametrize("side, made", [(64, 64), (256, 256), (512, 256), (2048, 512)])
def test_where_it_is_slow_pictures_are_smaller(live, engine, qtbot, side, made):
    """But not smaller than the model's own size, and a small canvas is left alone."""
    live.scene.replace(np.zeros((side, side), np.uint8))
    live.live._tempo.pace((live.studio.model, live.scene.size))
    for _ in range(30):
        live.live._tempo.took(9.0)
    before = len(engine.requests)
    live.live.note()
    until(qtbot, lambda: len(engine.requests) > before)
    assert engine.requests[-1].size == (made, made) and engine.requests[-1].steps == 2
    until(qtbot, lambda: not live.studio.busy)


def test_a_pause_in_a_stroke_is_enough(live, engine, qtbot):
    """The pen is still down when the picture comes."""
    made = len(engine.requests)
    hand.press(live.canvas, (20, 20))
    hand.move(live.canvas, (30, 20))
    until(qtbot, lambda: len(engine.requests) > made)
    assert np.array_equal(engine.requests[-1].layout.labels, live.scene.labels)
    hand.release(live.canvas, (30, 20))


def paint(window, qtbot, seconds, every=0.008):
    """Move the pressed pen all the time; the times at which live pictures came."""
    shown = []

    def note(_):
        shown.append(time.monotonic())

    window.studio.quick_made.connect(note)
    began = time.monotonic()
    hand.press(window.canvas, (10, 10))
    while (now := time.monotonic() - began) < seconds:
        hand.move(window.canvas, (10 + 40 * (now / seconds), 10 + (now * 200) % 40))
        qtbot.wait(int(1000 * every))
    hand.release(window.canvas, (50, 50))
    window.studio.quick_made.disconnect(note)
    return [began, *shown]


def test_constant_painting_never_starves(live, engine, qtbot):
    """With an engine that takes a third of a second, a picture comes at least every second, and
    there is never more than one job in flight."""
    engine.pause = 0.08  # four steps
    shown = paint(live, qtbot, 2.5)
    engine.pause = 0.0
    assert max(np.diff(shown)) < 1.0 and len(shown) >= 5
    assert engine.most_running == 1


def test_what_was_painted_last_is_shown_in_the_end(live, engine, qtbot):
    """Whatever was dropped on the way, the last picture is of the whole stroke."""
    engine.pause = 0.02
    paint(live, qtbot, 0.4)
    engine.pause = 0.0
    until(qtbot, lambda: not live.studio.stale and not live.studio.busy)
    assert np.array_equal(live.studio.result.request.layout.labels, live.scene.labels)


def test_undo_is_a_change_too(live, engine, qtbot):
    """The picture follows the undo."""
    hand.drag(live.canvas, (20, 20), (30, 20))
    until(qtbot, lambda: not live.studio.stale and not live.studio.busy)
    live.acts["undo"].trigger()
    until(qtbot, lambda: not live.studio.stale and not live.studio.busy)
    assert live.studio.result.request.layout.labels.max() == 0


def test_a_setting_is_a_change_too(live, engine, qtbot):
    """Another seed shows at once."""
    live.generate_panel.seed.setValue(77)
    until(qtbot, lambda: engine.requests[-1].seed == 77)


def test_off_is_off_at_once(live, engine, qtbot):
    """A picture on its way is given up, and nothing comes after it."""
    before = live.studio.result
    engine.hold()
    hand.drag(live.canvas, (20, 20), (30, 20))
    until(qtbot, lambda: live.studio.busy == "quick")
    live.acts["live"].trigger()
    assert not live.studio.busy
    engine.go()
    qtbot.wait(150)
    assert live.studio.result is before and live.studio.status().state == "stale"


def test_live_pictures_do_not_flood_the_history(live, engine, qtbot):
    """Only what is kept comes into it, once."""
    for x in (20, 30, 40):
        hand.drag(live.canvas, (x, 20))
        until(qtbot, lambda: not live.studio.stale and not live.studio.busy)
    assert not live.keeping.history.records
    assert live.acts["keep_picture"].isEnabled()
    live.acts["keep_picture"].trigger()
    until(qtbot, lambda: len(live.keeping.history.records) == 1)
    assert not live.acts["keep_picture"].isEnabled()
    assert not live.result_panel.caption.text().startswith("live")


def test_a_full_picture_when_the_hand_rests(window, engine, pen, qtbot):
    """A second after the last change, of the same seed, into the history; once."""
    window.acts["live"].trigger()
    until(qtbot, lambda: kinds(engine)[-1:] == ["full"])
    until(qtbot, lambda: not window.studio.busy and not window.studio.note)
    assert len({r.seed for r in engine.requests}) == 1
    until(qtbot, lambda: len(window.keeping.history.records) == 1)
    assert engine.requests[-1].preview_every == 0  # the quick one stands until it is there
    made = len(engine.requests)
    qtbot.wait(1300)
    assert len(engine.requests) == made


def test_a_stroke_overtakes_the_full_picture(window, engine, pen, qtbot):
    """What it would show is no longer there."""
    window.acts["live"].trigger()
    until(qtbot, lambda: window.studio.note == "live")
    engine.hold()
    until(qtbot, lambda: window.studio.busy == "picture")
    hand.drag(window.canvas, (20, 20))
    until(qtbot, lambda: window.studio.busy == "quick")
    engine.go()
    until(qtbot, lambda: not window.studio.stale and not window.studio.busy)
    assert window.studio.note == "live" and not window.keeping.history.records


def test_escape_gives_the_full_picture_up(window, engine, pen, qtbot):
    """And it does not start again before the next change."""
    window.acts["live"].trigger()
    until(qtbot, lambda: window.studio.note == "live")
    engine.hold()
    until(qtbot, lambda: window.studio.busy == "picture")
    qtbot.keyClick(window.canvas, Qt.Key.Key_Escape)
    engine.go()
    made = len(engine.requests)
    qtbot.wait(1200)
    assert len(engine.requests) == made and window.acts["live"].isChecked()


def test_cancel_all_ends_it(live, qtbot):
    """Ctrl+Shift+X stops everything, live painting too."""
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(live.canvas, Qt.Key.Key_X, keys)
    assert not live.acts["live"].isChecked()


def test_variations_are_not_interrupted(live, engine, qtbot):
    """While pictures are chosen from, a stroke waits; then it is answered."""
    live.acts["variations"].trigger()
    until(qtbot, lambda: not live.studio.busy)
    made = len(engine.requests)
    live.scene.stroke((5, 5), (9, 9), 4, 3, "round")
    qtbot.wait(200)
    assert len(engine.requests) == made and live.desk.variations.open
    qtbot.keyClick(live.canvas, Qt.Key.Key_Escape)
    live.scene.stroke((5, 5), (9, 9), 4, 2, "round")
    until(qtbot, lambda: len(engine.requests) > made)


def test_generate_is_overtaken_by_the_next_stroke_only(live, engine, qtbot):
    """Its own new seed is no change of the scene."""
    live.studio.generate()
    until(qtbot, lambda: not live.studio.busy)
    assert kinds(engine)[-1] == "full" and live.studio.note == ""


def test_a_failure_switches_it_off(live, engine, qtbot):
    """One sentence, not one at each stroke."""
    engine.fail_at = 1
    hand.drag(live.canvas, (20, 20), (30, 20))
    until(qtbot, live.error_bar.isVisible)
    assert not live.acts["live"].isChecked() and live.studio.status().state == "failed"


def test_another_document_is_left_as_it_is(live, engine, qtbot):
    """Opening is no change: its own picture, or none, stays until the first stroke."""
    made = len(engine.requests)
    live.scene.replace(np.zeros((32, 32), np.uint8))
    live.undo_stack.clear()
    qtbot.wait(200)
    assert len(engine.requests) == made


def test_a_start_with_live_on_waits_for_a_change(qapp, qtbot, palette, store, data):
    """The picture that is there is not replaced by itself."""
    store.keep_flag("live", True)
    engine = FakeEngine()
    window = build_window(qapp, lambda: engine, palette, store=store, data=data)
    window.show()
    window.studio.start()
    until(qtbot, lambda: window.studio.model is not None)
    qtbot.wait(150)
    assert window.acts["live"].isChecked() and engine.requests == []
    assert "live" in window.chip.text()
    put_away(window)


def test_another_palette_is_asked_about_once(qapp, qtbot, store, data):
    """Not at each stroke; when it is settled, live painting goes on."""
    engine = FakeEngine(Palette.load("ade20k"))
    window = build_window(qapp, lambda: engine, Palette.load("landscape"), store=store, data=data)
    window.show()
    window.studio.start()
    until(qtbot, lambda: window.studio.model is not None)
    asked = []
    window.studio.palette_differs.connect(lambda: asked.append(1))
    window.acts["refine"].setChecked(False)
    window.acts["live"].trigger()
    until(qtbot, lambda: asked == [1])
    for x in (20, 40, 60):
        hand.drag(window.canvas, (x, 20), (x + 5, 25))
        qtbot.wait(60)
    assert len(asked) == 1 and engine.requests == [] and "live" not in window.chip.text()
    [dialog] = window.findChildren(ConversionDialog)
    dialog.confirm.click()
    until(qtbot, lambda: "live" in window.chip.text() and not window.studio.busy)
    made = len(engine.requests)
    hand.drag(window.canvas, (20, 60), (25, 65))
    until(qtbot, lambda: len(engine.requests) > made)
    assert kinds(engine)[-1] == "quick" and len(asked) == 1
    put_away(window)


def test_closing_while_live_exits_cleanly(live, engine, qtbot):
    """In the middle of a picture: the thread ends, and nothing is started any more."""
    engine.pause = 0.05
    hand.drag(live.canvas, (20, 20), (30, 20))
    until(qtbot, lambda: live.studio.busy == "quick")
    live.undo_stack.setClean()
    live.keeping.history.mark_saved()
    live.close()
    assert live.studio._worker.isFinished()
    made = len(engine.requests)
    qtbot.wait(100)
    assert len(engine.requests) == made


def test_the_paint_path_does_next_to_nothing(live, engine, qtbot):
    """With a picture always on its way, noting a change takes microseconds."""
    engine.pause = 0.05
    times = []
    for _ in range(200):
        began = time.thread_time()
        live.live.note()
        times.append(time.thread_time() - began)
    engine.pause = 0.0
    assert np.percentile(times, 99) < 1e-3 and np.median(times) < 2e-4
