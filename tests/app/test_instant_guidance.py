"""The guidance slider after a sample: an answer at once, then the proper picture."""

import pytest
from PySide6.QtCore import Qt

from tests.app import hand

WAIT = 5000  # ms


def until(qtbot, condition):
    qtbot.waitUntil(condition, timeout=WAIT)


def red(window):
    return window.result_panel.view._picture.pixelColor(3, 3).red()


def caption(window):
    return window.result_panel.caption.text()


@pytest.fixture
def made(window, pen, qtbot):
    """The window with a picture of its scene, at guidance 2.0."""
    window.generate_panel.guidance.setValue(20)
    window.studio.generate()
    until(qtbot, lambda: window.studio.result is not None and not window.studio.busy)
    return window


def test_an_answer_at_once_then_the_proper_picture(made, engine, qtbot):
    """The preview says what it is; at rest the same picture is sampled at that scale."""
    made.generate_panel.guidance.setValue(32)
    until(qtbot, lambda: caption(made) == "preview · guidance 3.2")
    assert red(made) == 132 and engine.recombined == [3.2]
    until(qtbot, lambda: len(engine.requests) == 2)
    until(qtbot, lambda: not made.studio.busy)
    first, second = engine.requests
    assert second.guidance_scale == 3.2 and red(made) == 255
    assert (second.seed, second.steps, second.layout) == (first.seed, first.steps, first.layout)
    until(qtbot, lambda: len(made.keeping.history.records) == 2)


def test_by_keyboard(made, engine, qtbot):
    """The arrow keys move the slider as the mouse does."""
    made.generate_panel.guidance.setFocus()
    qtbot.keyClick(made.generate_panel.guidance, Qt.Key.Key_Right)
    until(qtbot, lambda: caption(made) == "preview · guidance 2.1")


def test_one_answer_on_its_way_and_the_newest_wins(made, engine, qtbot):
    """What the slider passed while an answer was being made is never asked for."""
    engine.pause = 0.1
    for tick in range(21, 41):
        made.generate_panel.guidance.setValue(tick)
    until(qtbot, lambda: caption(made) == "preview · guidance 4.0")
    assert engine.recombined == [2.1, 4.0] and red(made) == 140
    engine.pause = 0.0


def test_back_where_it_was_needs_no_sample(made, engine, qtbot):
    """The picture itself is shown again."""
    made.generate_panel.guidance.setValue(32)
    until(qtbot, lambda: red(made) == 132)
    made.generate_panel.guidance.setValue(20)
    until(qtbot, lambda: red(made) == 255)
    qtbot.wait(600)
    assert len(engine.requests) == 1


def test_escape_drops_the_preview(made, engine, qtbot):
    """The picture comes back, and no sample follows."""
    made.generate_panel.guidance.setValue(32)
    until(qtbot, lambda: red(made) == 132)
    qtbot.keyClick(made.canvas, Qt.Key.Key_Escape)
    assert red(made) == 255
    qtbot.wait(600)
    assert len(engine.requests) == 1


def test_a_picture_that_cannot_be_recombined(made, engine, qtbot):
    """One from a file, say: the slider is for the next picture, and nothing starts by itself."""
    engine.tape = None
    made.generate_panel.guidance.setValue(32)
    until(qtbot, lambda: engine.recombined == [3.2])
    qtbot.wait(600)
    assert red(made) == 255 and len(engine.requests) == 1


def test_not_for_a_stale_picture(made, engine, qtbot):
    """The scene is another one: the slider is for the next picture."""
    hand.drag(made.canvas, (20, 20))
    made.generate_panel.guidance.setValue(32)
    qtbot.wait(100)
    assert engine.recombined == []


def test_a_stroke_ends_it(made, engine, qtbot):
    """Painting before the slider has rested: the preview goes, and nothing is sampled."""
    made.generate_panel.guidance.setValue(32)
    until(qtbot, lambda: red(made) == 132)
    hand.drag(made.canvas, (20, 20))
    qtbot.wait(600)
    assert len(engine.requests) == 1 and not made.instant.answering


def test_generate_takes_over(made, engine, qtbot):
    """Pressing Generate before the slider has rested makes one picture, not two."""
    made.generate_panel.guidance.setValue(32)
    until(qtbot, lambda: red(made) == 132)
    made.studio.generate()
    until(qtbot, lambda: not made.studio.busy)
    qtbot.wait(600)
    assert len(engine.requests) == 2


def test_during_a_sample_it_acts_on_that(made, engine, qtbot):
    """From the next step on, and nothing is recombined."""
    made.generate_panel.steps.setValue(3)
    engine.scales.clear()
    engine.hold()
    made.studio.generate()
    engine.let(1)
    until(qtbot, lambda: len(engine.scales) == 1)
    made.generate_panel.guidance.setValue(32)
    engine.go()
    until(qtbot, lambda: not made.studio.busy)
    assert engine.scales == [2.0, 3.2, 3.2] and engine.recombined == []


def test_live_painting_answers_by_itself(made, engine, qtbot):
    """With live on, the slider makes quick pictures."""
    made.acts["refine"].setChecked(False)
    made.acts["live"].trigger()
    made.generate_panel.guidance.setValue(32)
    until(qtbot, lambda: engine.requests[-1].guidance_scale == 3.2)
    assert engine.recombined == []
