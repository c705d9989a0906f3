"""Back through the steps of a picture, and on from one of them."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.request import Result
from tests.app.fake_engine import FakeEngine
from tests.app.test_generating import finished, until

ALT = Qt.KeyboardModifier.AltModifier


@pytest.fixture
def made(window, qtbot):
    """The window with a picture of ten steps."""
    window.generate_panel.steps.setValue(10)
    window.generate_panel.lock.setChecked(True)
    window.studio.generate()
    until(qtbot, finished(window))
    return window


def shown(window):
    """The grey of the picture under the eye."""
    return window.result_panel.view._picture.pixelColor(1, 1).red()


def test_without_a_picture_there_are_no_steps(window):
    """Nothing to slide, nothing to fork."""
    assert not window.scrubber.slider.isEnabled() and not window.acts["fork"].isEnabled()
    assert window.scrubber.label.text() == "no steps"


def test_a_picture_begins_at_its_last_step(made):
    """The slider stands at the end, where the picture itself is."""
    assert (made.scrubbing.step, made.scrubbing.steps) == (10, 10)
    assert made.scrubber.slider.value() == 10 and made.scrubber.label.text() == "step 10/10"
    assert shown(made) == 255


def test_the_keys_walk_the_steps(made, engine, qtbot):
    """Alt+Left and Alt+Right anywhere, Left and Right on the slider; the last is the picture."""
    for _ in range(2):
        QTest.keyClick(made.canvas, Qt.Key.Key_Left, ALT)
    until(qtbot, lambda: shown(made) == 8)
    assert "step 8 of 10" in made.result_panel.caption.text()
    qtbot.keyClick(made.scrubber.slider, Qt.Key.Key_Left)
    until(qtbot, lambda: shown(made) == 7)
    for _ in range(3):
        QTest.keyClick(made.canvas, Qt.Key.Key_Right, ALT)
    assert shown(made) == 255 and made.scrubbing.step == 10
    QTest.keyClick(made.canvas, Qt.Key.Key_Right, ALT)
    assert made.scrubbing.step == 10


def test_the_newest_position_wins(made, engine, qtbot):
    """While one step is being decoded the slider moves on; what it passed is not decoded."""
    engine.hold()
    for step in (9, 8, 7, 6, 5):
        made.scrubber.slider.setValue(step)
    assert made.scrubber.label.text() == "step 5/10" and shown(made) == 255
    engine.go()
    until(qtbot, lambda: shown(made) == 5)
    assert engine.decoded == [9, 5]


def test_a_step_is_decoded_once(made, engine, qtbot):
    """Back and forth over the same steps asks the engine no more."""
    for step in (4, 3, 4, 3):
        made.scrubbing.seek(step)
        until(qtbot, lambda s=step: shown(made) == s)
    assert engine.decoded == [4, 3]


def test_memory_is_bounded(made, engine, qtbot, monkeypatch):
    """Old pictures are given up when the cache is full."""
    monkeypatch.setattr("app.scrubbing.CACHED_BYTES", 3 * 8 * 8 * 2)
    for step in (4, 3, 2, 4):
        made.scrubbing.seek(step)
        until(qtbot, lambda s=step: shown(made) == s)
    assert engine.decoded == [4, 3, 2, 4]


def test_a_new_picture_has_its_own_steps(made, engine, qtbot):
    """Generate while scrubbed: back to the end of the new picture; no steps while it runs."""
    made.scrubbing.seek(4)
    until(qtbot, lambda: shown(made) == 4)
    engine.hold()
    made.studio.generate()
    assert made.scrubbing.steps == 0 and not made.scrubber.slider.isEnabled()
    engine.go()
    until(qtbot, finished(made))
    assert made.scrubbing.step == 10 and shown(made) == 255
    made.scrubbing.seek(4)
    until(qtbot, lambda: shown(made) == 4)
    assert engine.decoded == [4, 4]


def test_a_cancelled_sample_leaves_the_steps(made, engine, qtbot):
    """They are those of the picture that is shown again."""
    engine.hold()
    made.studio.generate()
    QTest.keyClick(made.canvas, Qt.Key.Key_Escape)
    assert (made.scrubbing.step, made.scrubbing.steps) == (10, 10)
    engine.go()


def test_a_sample_overtakes_a_decoding(made, engine, qtbot):
    """The answer that never came does not block the next one."""
    engine.hold()
    made.scrubbing.seek(3)
    made.studio.generate()
    engine.go()
    until(qtbot, finished(made))
    made.scrubbing.seek(2)
    until(qtbot, lambda: shown(made) == 2)


def test_a_fork_keeps_what_is_locked(made, qtbot):
    """It begins at the step, and outside the unlocked labels it is the last picture."""
    made.scene.labels[:32] = 1
    made.studio.generate()
    until(qtbot, finished(made))
    made.controlling.lock(1)
    made.scrubbing.seek(4)
    request = forked(made, qtbot)
    assert request.start.t == 60
    assert not request.inpaint.region[:32].any() and request.inpaint.region[32:].all()


def test_another_model_cannot_read_the_states(made, qtbot):
    """Its latents are others: nothing to slide, and a lock holds the picture without them."""
    other = FakeEngine()
    other.info = replace(other.info, name="other")
    made.studio.open_model(lambda: other)
    until(qtbot, lambda: made.studio.model.name == "other")
    assert made.scrubbing.steps == 0 and made.studio.result.trajectory is not None
    made.scene.labels[:32] = 1
    made.controlling.lock(0)
    made.studio.generate()
    until(qtbot, lambda: bool(other.requests) and finished(made)())
    assert other.requests[0].inpaint.trajectory is None
    assert made.scrubbing.steps == 10


def test_a_decoding_that_fails_is_told(made, engine, qtbot, monkeypatch):
    """A sentence, and the next step is asked for as ever."""
    with monkeypatch.context() as broken:
        broken.setattr(engine, "picture_of", lambda x0: 1 / 0)
        made.scrubbing.seek(4)
        until(qtbot, made.error_bar.isVisible)
    made.scrubbing.seek(3)
    until(qtbot, lambda: shown(made) == 3)


def test_a_proposal_puts_the_steps_away(made, engine, qtbot):
    """One choice at a time; dropped, the slider is at the end again, as the picture is."""
    made.scrubbing.seek(4)
    until(qtbot, lambda: shown(made) == 4)
    made.scene.labels[:8] = 2
    made.local.edits.update()
    until(qtbot, lambda: bool(made.local.edits.proposals))
    assert not made.scrubber.slider.isEnabled() and not made.acts["fork"].isEnabled()
    made.local.edits.drop()
    assert made.scrubber.slider.value() == 10 and made.acts["fork"].isEnabled()
    assert shown(made) == 255


def test_a_picture_without_states_has_no_steps(made):
    """From the history or a file there is nothing to go back to."""
    result = made.studio.result
    made.studio.show_result(Result(result.image, result.request, 1.0))
    assert made.scrubbing.steps == 0


# -- forks ----------------------------------------------------------------------------------------


def forked(window, qtbot):
    """The request that "Fork here" sends down."""
    before = window.studio.result
    window.acts["fork"].trigger()
    until(qtbot, lambda: window.studio.result is not before and finished(window)())
    return window.studio.result.request


def test_a_fork_with_nothing_changed_begins_with_the_state(made, qtbot):
    """At the step that is shown, on the picture's seed."""
    seed = made.studio.settings.seed
    made.scrubbing.seek(4)
    request = forked(made, qtbot)
    assert request.start.t == 60 and request.start.x.flat[0] == -4 and not request.start.clean
    assert request.seed == seed and request.size == (64, 64)
    assert made.scrubbing.step == 10  # the fork has steps of its own


def test_a_fork_takes_what_was_changed(made, qtbot):
    """Layout and guidance are the present ones; the seed too, though it is not locked."""
    made.scene.labels[:] = 3
    made.studio.change_settings(
        replace(made.studio.settings, guidance_scale=3.0, seed=5, seed_locked=False)
    )
    made.scrubbing.seek(4)
    request = forked(made, qtbot)
    assert np.unique(request.layout.labels) == [3] and request.scales[0] == 3.0
    assert request.seed == 5 and made.studio.settings.seed == 5


def test_a_fork_begins_at_its_step_and_with_no_instant_picture(made, engine, qtbot):
    """However much of that one new pictures are to begin with."""
    info = replace(made.studio.model, painter="fake-instant")
    made.studio.model = info
    made.studio.change_settings(replace(made.studio.settings, instant_strength=0.5))
    made.scrubbing.seek(4)
    request = forked(made, qtbot)
    assert request.start is not None and request.painted is None


def test_a_fork_with_another_seed_noises_the_prediction(made, qtbot):
    """A sampler without noise of its own gets the new seed's noise at this step."""
    made.generate_panel.seed.setValue(made.studio.settings.seed + 1)
    made.scrubbing.seek(4)
    request = forked(made, qtbot)
    assert request.start.clean and request.start.x.flat[0] == 4


def test_a_fork_of_a_sampler_with_noise_keeps_the_state(made, qtbot):
    """There the seed acts at every step anyway."""
    made.studio.change_settings(replace(made.studio.settings, sampler="ddpm", seed=77))
    made.scrubbing.seek(4)
    request = forked(made, qtbot)
    assert not request.start.clean and request.start.x.flat[0] == -4
