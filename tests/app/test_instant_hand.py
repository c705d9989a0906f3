"""The instant hand in the real window: under the brush at once, then the model takes over."""

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog

from app import motion
from app.restoring import settings_of
from app.settings import GenerateSettings, Store
from core.style import StyleChoice
from core.terms import GuidanceTerm
from tests.app import hand
from tests.app.test_live import until

DRY = 0.3  # seconds: shorter than the hand must rest


@pytest.fixture
def painter(engine):
    """The painter beside the model; to be asked for before the window."""
    return engine.can_paint()


@pytest.fixture
def live(painter, window, pen, qtbot):
    """The window, live, with a painter's picture of its own in style 3 and no model's."""
    window.studio.change_settings(replace_style(window.studio.settings, StyleChoice(3)))
    window.acts["refine"].setChecked(False)
    window.acts["live"].trigger()
    until(qtbot, lambda: window.studio.note == "instant" and not window.live.hand.busy)
    return window


def replace_style(settings, style):
    return replace(settings, style=style)


def shown(window, point=(3, 3)):
    """What the picture panel shows there."""
    return window.result_panel.view._picture.pixelColor(*point).red()


def test_without_a_painter_nothing_is_there(window, qtbot):
    """No row, no commands, and live painting is what it was."""
    assert not window.generate_panel.style_row.isVisibleTo(window.generate_panel)
    assert not window.acts["another_style"].isEnabled() and not window.live.hand.able


def test_a_stroke_shows_before_the_model_has_it(live, painter, engine, qtbot):
    """While the pen is down: a part around the stroke alone, and nothing is sampled."""
    live.acts["refine"].setChecked(True)
    until(qtbot, lambda: not live.studio.busy and not live.studio.note)
    sampled = len(engine.requests)
    engine.hold()
    painter.boxes.clear()
    hand.press(live.canvas, (30, 30))
    hand.move(live.canvas, (34, 30))
    until(qtbot, lambda: shown(live, (32, 30)) == 73)
    assert live.canvas.busy and len(engine.requests) == sampled
    x, y, width, height = painter.boxes[-1]
    assert (x, y) == (12, 12) and (x + width, y + height) == (52, 48)  # the stroke and 16 all round
    assert shown(live, (60, 60)) == 3  # the painter's, of before
    hand.release(live.canvas, (34, 30))
    until(qtbot, lambda: len(engine.requests) > sampled)
    assert shown(live, (32, 30)) == 73  # until the model has it
    engine.go()
    until(qtbot, lambda: shown(live, (32, 30)) == 255)


def test_the_whole_picture_follows_its_parts(live, painter, qtbot):
    """When the pen is up; it is the last result, of the scene as it is, and can be kept."""
    painter.boxes.clear()
    hand.drag(live.canvas, (20, 20), (30, 20))
    until(qtbot, lambda: None in painter.boxes and not live.live.hand.busy)
    result = live.studio.result
    assert np.array_equal(result.request.layout.labels, live.scene.labels)
    assert not live.studio.stale and result.weights == "fake-instant"
    assert live.result_panel.caption.text().startswith("instant · 64 × 64 · style 3 · fake-instant")
    live.acts["keep_picture"].trigger()
    until(qtbot, lambda: len(live.keeping.history.records) == 1)
    (record,) = live.keeping.history.records
    assert record.recipe["weights"] == "fake-instant" and "sampler" not in record.recipe
    assert record.recipe["painted"] == {"strength": 0, "style": {"seed": 3}}
    assert record.caption.startswith("fake-instant · style 3")
    read = live.keeping.history.result(record)
    assert read.request.instant and np.array_equal(read.image, result.image)


def test_off_the_full_picture_the_painter_is_alone(live, engine, qtbot):
    hand.drag(live.canvas, (20, 20), (30, 20))
    qtbot.wait(600)
    assert not engine.requests and live.studio.note == "instant"


def test_while_painting_the_model_is_never_asked(live, painter, engine, qtbot, monkeypatch):
    """Parts come all the time, one on its way at a time, and the last of them is of the end."""
    live.acts["refine"].setChecked(True)
    until(qtbot, lambda: not live.studio.busy and not live.studio.note)
    sampled, painted = len(engine.requests), len(painter.boxes)
    painter.pause = 0.02
    monkeypatch.setattr("app.live.HAND_RESTS", 60.0)  # a busy machine may hold the hand itself up
    hand.press(live.canvas, (10, 10))
    began = time.monotonic()
    while len(painter.boxes) <= painted + 5 and time.monotonic() < began + 30:
        now = (time.monotonic() - began) % 1
        hand.move(live.canvas, (10 + 40 * now, 10 + (200 * now) % 40))
        qtbot.wait(8)
    assert len(engine.requests) == sampled and len(painter.boxes) > painted + 5
    hand.release(live.canvas, (50, 50))
    live.acts["refine"].setChecked(False)
    until(qtbot, lambda: not live.live.hand.busy and not live.studio.stale)
    expected = 10 * live.scene.labels.astype(int) + 3
    assert np.array_equal(live.studio.result.image[..., 0], expected)


def test_a_stroke_takes_the_place_of_what_is_sampled(live, engine, qtbot):
    """The full picture under way is outdated by the first part."""
    live.acts["refine"].setChecked(True)
    until(qtbot, lambda: not live.studio.busy and not live.studio.note)
    engine.hold()
    hand.drag(live.canvas, (40, 40), (44, 40))
    until(qtbot, lambda: live.studio.busy == "quick")
    hand.press(live.canvas, (20, 20))
    hand.move(live.canvas, (24, 20))
    engine.go()
    until(qtbot, lambda: shown(live, (22, 20)) == 73)
    hand.release(live.canvas, (24, 20))
    until(qtbot, lambda: not live.studio.busy and not live.studio.note)
    assert shown(live, (22, 20)) == 255


def test_a_locked_label_is_not_painted_over(live, painter, engine, qtbot):
    """The painter cannot hold the pixels of a lock: the model makes the quick pictures."""
    live.pen.choose(0)
    live.acts["lock_label"].trigger()
    live.pen.choose(7)
    kept, asked = live.studio.result, len(painter.boxes)
    hand.drag(live.canvas, (20, 20), (30, 20))
    until(qtbot, lambda: len(engine.requests) > 0 and not live.studio.busy)
    assert len(painter.boxes) == asked
    assert np.array_equal(engine.requests[0].inpaint.picture, kept.image)


def test_undo_is_painted_too(live, qtbot):
    hand.drag(live.canvas, (20, 20), (30, 20))
    until(qtbot, lambda: shown(live, (25, 20)) == 73)
    live.acts["undo"].trigger()
    until(qtbot, lambda: shown(live, (25, 20)) == 3)


def test_a_large_scene_is_painted_smaller(live, painter, qtbot):
    """And its parts lie where they belong."""
    live.scene.replace(np.zeros((1024, 2048), np.uint8))
    until(qtbot, lambda: live.studio.result.image.shape == (360, 728, 3))
    live.pen.resize(64)
    painter.boxes.clear()
    hand.press(live.canvas, (1024, 512))
    hand.move(live.canvas, (1030, 512))
    until(qtbot, lambda: painter.boxes[:1] not in ([], [None]))
    until(qtbot, lambda: shown(live, (364, 180)) == 73)
    hand.release(live.canvas, (1030, 512))


def test_a_failure_switches_it_off(live, painter, qtbot):
    painter.error = RuntimeError("the painter broke")
    hand.drag(live.canvas, (20, 20), (30, 20))
    until(qtbot, live.error_bar.isVisible)
    assert not live.acts["live"].isChecked() and not live.live.hand.busy


# -- from one maker to the other ------------------------------------------------------------------


def test_the_model_fades_in_and_ends_as_itself(live, engine, qtbot, monkeypatch):
    """In between both are seen; in the end every pixel is the model's."""
    monkeypatch.setattr(motion, "is_wanted", lambda: True)
    view, middle = live.result_panel.view, []
    view._fade.valueChanged.connect(lambda _: middle.append(colour(view)))
    live.acts["refine"].setChecked(True)
    until(qtbot, lambda: not live.studio.busy and not live.studio.note)
    until(qtbot, lambda: view._before is None and view._fade.state() == view._fade.State.Stopped)
    assert any(3 < value < 255 for value in middle)
    assert colour(view) == 255 and (live.studio.result.image == 255).all()


def colour(view):
    return view.grab().toImage().pixelColor(view.rect().center()).red()


def test_reduced_motion_has_no_fade(live, qtbot, monkeypatch):
    monkeypatch.setattr(motion, "is_wanted", lambda: False)
    live.acts["refine"].setChecked(True)
    until(qtbot, lambda: shown(live) == 255)
    assert live.result_panel.view._before is None and colour(live.result_panel.view) == 255


# -- styles ---------------------------------------------------------------------------------------


def test_the_dice_is_another_style_at_once(live, painter, qtbot, monkeypatch):
    """By key and by button; the row tells its number."""
    monkeypatch.setattr("app.style_desk.random.randrange", lambda most: 42)
    qtbot.keyClick(live.canvas, Qt.Key.Key_Y)
    until(qtbot, lambda: shown(live) == 42)
    assert live.generate_panel.style_row.button.text() == "Style 42"
    monkeypatch.setattr("app.style_desk.random.randrange", lambda most: 21)
    qtbot.mouseClick(live.generate_panel.style_row.dice, Qt.MouseButton.LeftButton)
    until(qtbot, lambda: shown(live) == 21)


def test_the_dice_shows_a_style_without_live_too(painter, window, qtbot):
    qtbot.keyClick(window.canvas, Qt.Key.Key_Y)
    until(qtbot, lambda: window.studio.note == "instant")
    assert not window.acts["live"].isChecked()


def test_the_style_of_a_picture_survives_save_and_open(live, painter, tmp_path, qtbot, monkeypatch):
    """Chosen by its command; in the project as numbers: the picture may be gone."""
    path = tmp_path / "dusk.png"
    cv2.imwrite(str(path), np.full((50, 60, 3), 90, np.uint8))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(path), ""))
    live.acts["style_from"].trigger()
    until(qtbot, lambda: shown(live) == 90)
    assert live.generate_panel.style_row.button.text() == "dusk.png"
    path.unlink()
    live.scene_file.save(tmp_path / "scene.sdms")
    live.acts["another_style"].trigger()
    assert live.studio.settings.style.source == ""
    live.undo_stack.setClean()
    live.keeping.history.mark_saved()
    live.filing.open_path(tmp_path / "scene.sdms")
    assert live.studio.settings.style == StyleChoice.read([90], 3, "fake-instant", "dusk.png")
    hand.drag(live.canvas, (20, 20), (30, 20))
    until(qtbot, lambda: live.studio.note == "instant" and not live.live.hand.busy)
    assert shown(live, (60, 60)) == 90 and painter.styles[-1].vector[0] == 90


def test_the_store_remembers_style_and_strength(live, store, tmp_path, qtbot):
    live.generate_panel.style_row.strength.setValue(70)
    live.store.keep_generate(live.studio.settings)
    found = Store(tmp_path / "settings.ini").generate()
    assert found.style == StyleChoice(3) and found.instant_strength == 0.7


def test_the_style_of_the_picture_that_is_shown(painter, window, qtbot):
    """That of a sampled picture: the painter goes on as it looks."""
    window.studio.generate()
    until(qtbot, lambda: window.studio.result is not None and not window.studio.busy)
    window.acts["style_of_picture"].trigger()
    until(qtbot, lambda: window.studio.note == "instant")
    assert shown(window) == 255


def test_a_long_name_is_whole_in_the_tip(live):
    """Braces and all: they are no names of keys."""
    name = "a {long} evening by the sea.jpg"
    style = StyleChoice.read([5], 3, "fake-instant", name)
    live.studio.change_settings(replace_style(live.studio.settings, style))
    button = live.generate_panel.style_row.button
    assert button.text() == "a {long} evenin…" and button.toolTip().startswith(name)


def test_a_photo_to_trace_lends_its_style(live, qtbot):
    assert not live.acts["style_of_photo"].isEnabled()
    live.exchange.reference.take(np.full((9, 9, 3), 111, np.uint8), "hill.jpg", under=False)
    assert live.acts["style_of_photo"].isEnabled()
    live.acts["style_of_photo"].trigger()
    until(qtbot, lambda: shown(live) == 111)


# -- where a sample begins ------------------------------------------------------------------------


def test_the_slider_lets_a_sample_begin_with_the_instant_picture(painter, window, engine, qtbot):
    """At 100 % it is what it was; the recipe tells; the settings come back with it."""
    window.studio.change_settings(replace_style(window.studio.settings, StyleChoice(8)))
    for value, told in ((100, None), (60, {"strength": 0.6, "style": {"seed": 8}})):
        window.generate_panel.style_row.strength.setValue(value)
        window.studio.generate()
        until(qtbot, lambda: not window.studio.busy)
        assert window.studio.result.request.recipe().get("painted") == told
    assert window.generate_panel.style_row.value.text() == "60 %"


def test_the_settings_of_a_recipe_say_where_it_began():
    """A picture that began with noise is made again from noise, whatever the slider says now."""
    present = replace_style(GenerateSettings(instant_strength=0.5), StyleChoice(3))
    told = settings_of({"painted": {"strength": 0.25, "style": {"seed": 8}}}, present)
    assert (told.style, told.instant_strength) == (StyleChoice(8), 0.25)
    plain = settings_of({"steps": 4, "sampler": "ddim"}, present)
    assert (plain.style, plain.instant_strength) == (StyleChoice(3), 1.0)
    assert settings_of({"seed": 4}, present).instant_strength == 0.5


def test_at_nothing_forgotten_generate_keeps_the_painters_picture(painter, window, engine, qtbot):
    """Into the history; and the grid of variations is the model's, for all would be the same."""
    window.studio.change_settings(replace_style(window.studio.settings, StyleChoice(3)))
    window.generate_panel.style_row.strength.setValue(0)
    window.studio.generate()
    until(qtbot, lambda: len(window.keeping.history.records) == 1)
    assert not engine.requests and window.studio.result.request.instant
    window.acts["variations"].trigger()
    until(qtbot, lambda: not window.studio.busy and len(engine.requests) > 0)
    assert engine.requests[-1].painted is None


def test_any_style_is_another_one_for_every_picture(painter, window, engine, qtbot):
    """It is what the program begins with; a grid of instant pictures has as many styles."""
    assert window.studio.settings.style == StyleChoice()
    assert window.generate_panel.style_row.button.text() == "Any style"
    window.generate_panel.style_row.strength.setValue(0)
    for wanted in (1, 2):
        window.studio.generate()
        until(qtbot, lambda wanted=wanted: len(window.keeping.history.records) == wanted)
    first, second = (record.recipe["seed"] for record in window.keeping.history.records)
    assert first != second and painter.styles[-1].seed != painter.styles[-2].seed
    painter.styles.clear()
    window.acts["variations"].trigger()
    until(qtbot, lambda: not window.studio.busy and len(painter.styles) > 1)
    assert len({style.seed for style in painter.styles}) == len(painter.styles)
    window.acts["another_style"].trigger()
    assert window.studio.settings.style.seed is not None
    window.acts["any_style"].trigger()
    assert window.studio.settings.style == StyleChoice()


def test_words_lead_from_the_first_step(painter, window, engine, qtbot):
    """With them a picture begins with noise, wherever the slider stands; not at 0, where they
    have no say."""
    row = window.generate_panel.style_row
    for value, begins in ((60, False), (0, True)):
        row.strength.setValue(value)
        request = window.studio._freeze()
        told = replace(request, terms=(GuidanceTerm("text", text="fog"),))
        found = window.studio._begun(told)
        assert (found.painted is not None) == begins and bool(found.terms) != begins


def test_at_nothing_forgotten_the_model_is_left_out_of_live_painting(live, engine, qtbot):
    """The slider goes there while the model's picture is shown: the painter's comes back."""
    live.acts["refine"].setChecked(True)
    until(qtbot, lambda: not live.studio.busy and not live.studio.note)
    sampled = len(engine.requests)
    live.generate_panel.style_row.strength.setValue(0)
    until(qtbot, lambda: shown(live) == 3)
    qtbot.wait(600)
    assert len(engine.requests) == sampled and live.studio.note == "instant"


def test_the_caption_tells_where_a_sample_began(painter, window, qtbot):
    window.generate_panel.style_row.strength.setValue(60)
    window.studio.generate()
    until(qtbot, lambda: not window.studio.busy and window.studio.result is not None)
    assert "instant at 60%" in window.result_panel.caption.text()
