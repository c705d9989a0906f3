"""Variations: many pictures of one scene; one is taken, or none."""

import gc
from dataclasses import replace
from weakref import ref

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from app.settings import GenerateSettings
from app.variations import first_seed, read_scales
from core.request import Result
from tests.app import hand

WAIT = 5000  # ms
CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


def until(qtbot, condition):
    qtbot.waitUntil(condition, timeout=WAIT)


@pytest.fixture
def drawn(window, qtbot):
    """The window with a picture of seed 7, locked."""
    window.generate_panel.seed.setValue(7)
    window.generate_panel.steps.setValue(4)
    window.studio.generate()
    until(qtbot, lambda: window.studio.result is not None)
    return window


def vary(window, qtbot, wait=True):
    qtbot.keyClick(window.canvas, Qt.Key.Key_Return, CTRL_SHIFT)
    if wait:
        until(qtbot, lambda: all(p.result for p in window.desk.variations.pictures))


def shown(window):
    """The grey of the canvas's picture."""
    return window.canvas._picture.pixelColor(3, 3).red()


def shape(grid):
    return grid.model().rowCount(), grid.model().columnCount()


def press(window, key):
    QTest.keyClick(window.desk.panel.grid, key)


def test_eight_seeds_are_one_request(drawn, engine, qtbot):
    """Ctrl+Shift+Enter samples eight seeds behind the locked one, in one request."""
    vary(drawn, qtbot)
    assert [(r.seed, r.count) for r in engine.requests] == [(7, 1), (8, 8)]
    seeds = [p.seed for p in drawn.desk.variations.pictures]
    assert seeds == [7, 8, 9, 10, 11, 12, 13, 14, 15]


def test_the_original_stays_first(drawn, qtbot):
    """Three by three: the picture as it was, then the others row by row."""
    vary(drawn, qtbot)
    grid = drawn.desk.panel.grid
    assert shape(grid) == (3, 3)
    assert drawn.desk.variations.pictures[0].original and grid.current() == 0
    assert drawn.desk.panel.caption.text() == "original · seed 7 · guidance 2.5"


def test_without_a_picture_there_is_no_original(window, qtbot):
    """On a scene that has no picture yet the grid begins with the first seed."""
    vary(window, qtbot)
    assert len(window.desk.variations.pictures) == 8 and window.desk.variations.first == 0


def test_they_appear_while_they_form(drawn, engine, qtbot):
    """Previews fill the grid before the first result."""
    engine.hold()
    vary(drawn, qtbot, wait=False)
    engine.let(1)
    until(qtbot, lambda: drawn.desk.variations.pictures[8].image is not None)
    assert drawn.desk.variations.pictures[8].result is None
    assert drawn.studio.status().text == "sampling 1/4"


def test_arrows_walk_and_the_canvas_shows(drawn, qtbot):
    """The current picture is large on the canvas, in place of the layout."""
    vary(drawn, qtbot)
    press(drawn, Qt.Key.Key_Right)
    assert (shown(drawn), drawn.canvas.opacity) == (255, 0.0)
    press(drawn, Qt.Key.Key_Down)
    assert shown(drawn) == 252  # the fourth of the eight
    assert drawn.studio.result.request.seed == 7


def test_enter_takes_the_picture(drawn, qtbot):
    """Enter makes the current one the picture, with its seed in the settings."""
    vary(drawn, qtbot)
    press(drawn, Qt.Key.Key_Right)
    press(drawn, Qt.Key.Key_Right)
    press(drawn, Qt.Key.Key_Return)
    assert drawn.studio.result.request.seed == 9 and drawn.studio.settings.seed == 9
    assert drawn.result_panel.view._picture.pixelColor(3, 3).red() == 254
    assert drawn.desk.place.currentIndex() == 0 and drawn.canvas.opacity == 1.0


def test_a_click_takes_the_picture(drawn, qtbot):
    """One click on the last picture of the first row is enough."""
    vary(drawn, qtbot)
    grid = drawn.desk.panel.grid
    place = grid.visualRect(grid.model().index(0, 2)).center()
    QTest.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert drawn.studio.result.request.seed == 9


def test_the_strip_follows(drawn, qtbot):
    """The picture that was taken is the chosen one of the history: a star or an export means it.
    Undo chooses the one before."""
    until(qtbot, lambda: len(drawn.keeping.history.records) == 1)
    vary(drawn, qtbot)
    until(qtbot, lambda: len(drawn.keeping.history.records) == 9)
    press(drawn, Qt.Key.Key_Right)
    press(drawn, Qt.Key.Key_Right)
    press(drawn, Qt.Key.Key_Return)
    assert [record.recipe["seed"] for record in drawn.gallery.chosen()] == [9]
    assert len(drawn.gallery.results()) == 1
    drawn.acts["undo"].trigger()
    assert [record.recipe["seed"] for record in drawn.gallery.chosen()] == [7]


def test_taking_is_one_undo_step(drawn, qtbot):
    """Undo brings picture and seed back, redo takes them again."""
    vary(drawn, qtbot)
    press(drawn, Qt.Key.Key_Right)
    press(drawn, Qt.Key.Key_Return)
    assert drawn.undo_stack.count() == 1
    drawn.acts["undo"].trigger()
    assert drawn.studio.result.request.seed == 7 and drawn.studio.settings.seed == 7
    drawn.acts["redo"].trigger()
    assert drawn.studio.result.request.seed == 8


def noise(engine, monkeypatch):
    """Let each result be a picture of its own; returns weak references to them all."""
    sample, seen = engine.sample, []

    def noisy(request, guidance_scale=None):
        for event in sample(request, guidance_scale):
            if isinstance(event, Result):
                rng = np.random.default_rng(event.request.seed)
                pixels = rng.integers(0, 256, (600, 500, 3)).astype(np.uint8)
                event = replace(event, image=pixels)
                seen.append(ref(event))
            yield event

    monkeypatch.setattr(engine, "sample", noisy)
    return seen


def pixels_of(seed):
    return np.random.default_rng(seed).integers(0, 256, (600, 500, 3)).astype(np.uint8)


def in_memory(window, seen):
    window.keeping.history.finish()
    QTest.qWait(1)
    gc.collect()
    return [result().request.seed for result in seen if result() is not None]


def test_what_is_on_disk_is_not_in_memory(window, engine, qtbot, monkeypatch):
    """Neither the grid nor the undo holds pictures: only the present one is there whole."""
    seen = noise(engine, monkeypatch)
    window.generate_panel.seed.setValue(7)
    window.studio.generate()
    until(qtbot, lambda: window.studio.result is not None)
    vary(window, qtbot)
    window.keeping.history.keep(window.studio.result)  # the writer's hand is on the last one
    assert set(in_memory(window, seen)) <= {7}
    pictures = window.desk.variations.pictures
    assert max(picture.image.shape[0] for picture in pictures) == 384
    assert np.array_equal(window.desk.variations.whole(3), pixels_of(10))
    window.desk.variations.adopt(3)
    window.undo_stack.undo()
    assert np.array_equal(window.studio.result.image, pixels_of(7))
    assert set(in_memory(window, seen)) <= {7}
    window.undo_stack.redo()
    assert np.array_equal(window.studio.result.image, pixels_of(10))
    assert window.keeping.history.record_of(window.studio.result).recipe["seed"] == 10


def test_the_undo_finds_what_the_history_let_go(window, engine, qtbot, monkeypatch, tmp_path):
    """A picture of the project that is over the limit, and saved away, comes back by undo."""
    noise(engine, monkeypatch)
    window.studio.generate()
    until(qtbot, lambda: window.keeping.history.rowCount() == 1)
    seed = window.studio.result.request.seed
    window.filing._save(tmp_path / "a.sdms")
    window.filing.open_path(tmp_path / "a.sdms")  # it lies in the project, no more in the session
    vary(window, qtbot)
    window.desk.variations.adopt(2)
    window.keeping.history.finish()
    window.keeping.history.set_limit(1)
    assert window.keeping.history.rowCount() == 1
    window.filing._save(tmp_path / "a.sdms")
    window.undo_stack.undo()
    assert np.array_equal(window.studio.result.image, pixels_of(seed))


def test_a_picture_whose_file_is_gone_is_a_sentence(window, engine, qtbot, monkeypatch):
    """Undo and the grid go on without it."""
    noise(engine, monkeypatch)
    window.studio.generate()
    until(qtbot, lambda: window.keeping.history.rowCount() == 1)
    vary(window, qtbot)
    window.keeping.history.finish()
    for path in window.keeping.history.shelf.session.folder.glob("history/*.png"):
        path.unlink()
    assert window.desk.variations.whole(3).shape[0] == 384
    assert not window.desk.variations.adopt(3)
    assert "missing or damaged" in window.error_bar.sentence.text()
    assert window.desk.variations.open and window.undo_stack.count() == 0


def test_esc_changes_nothing(drawn, qtbot):
    """Esc on the grid: picture, settings, opacity and undo are as they were."""
    before = drawn.studio.settings, drawn.studio.result
    vary(drawn, qtbot)
    press(drawn, Qt.Key.Key_Right)
    press(drawn, Qt.Key.Key_Escape)
    assert (drawn.studio.settings, drawn.studio.result) == before
    assert drawn.canvas.opacity == 1.0 and shown(drawn) == 255
    assert drawn.undo_stack.count() == 0 and drawn.desk.place.currentIndex() == 0


def test_esc_stops_within_a_step(drawn, engine, qtbot):
    """Leaving in the middle closes the sample at its next step."""
    engine.hold()
    vary(drawn, qtbot, wait=False)
    engine.let(1)
    until(qtbot, lambda: drawn.studio.status().step == 1)
    press(drawn, Qt.Key.Key_Escape)
    assert drawn.studio.status().state == "idle"
    engine.go()
    until(qtbot, lambda: engine.closed == 1)


def test_a_picture_that_forms_cannot_be_taken(drawn, engine, qtbot):
    """Enter on a preview does nothing: it is no picture yet."""
    engine.hold()
    vary(drawn, qtbot, wait=False)
    press(drawn, Qt.Key.Key_Right)
    press(drawn, Qt.Key.Key_Return)
    assert drawn.desk.variations.open and drawn.studio.result.request.seed == 7


def test_seeds_by_scales(drawn, engine, qtbot):
    """Several scales: a request for each, a row for each, the original in a column of its own."""
    drawn.desk.panel.seeds.setValue(3)
    drawn.desk.panel.scales.setText("1, 2.5")
    vary(drawn, qtbot)
    asked = [(r.seed, r.count, r.guidance_scale) for r in engine.requests[1:]]
    assert asked == [(7, 3, 1.0), (7, 3, 2.5)]
    grid = drawn.desk.panel.grid
    assert shape(grid) == (2, 4)
    grid.setCurrentIndex(grid.model().index(1, 2))
    assert drawn.desk.panel.caption.text() == "seed 8 · guidance 2.5"
    press(drawn, Qt.Key.Key_Return)
    assert drawn.studio.settings.guidance_scale == 2.5 and drawn.studio.settings.seed == 8


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1, strong", "numbers"),
        ("1 -2", "from 0 to 100"),
        ("nan", "from 0"),
        ("1 2 3 4 5 6 7 8 9", "72 pictures"),
    ],
)
def test_scales_that_cannot_be_used(window, qtbot, text, sentence):
    """The panel says why, and nothing is sampled."""
    window.desk.panel.scales.setText(text)
    vary(window, qtbot, wait=False)
    assert sentence in window.desk.panel.caption.text()
    assert not window.desk.panel.again.isEnabled() and not window.desk.variations.open


def test_a_stroke_ends_the_choice(drawn, qtbot):
    """Painting changes the scene that the variations are of."""
    vary(drawn, qtbot)
    hand.drag(drawn.canvas, (20, 20))
    assert not drawn.desk.variations.open and drawn.canvas.opacity == 1.0


def test_generate_ends_the_choice(drawn, engine, qtbot):
    """The newest wish wins: Generate takes the place of the grid."""
    engine.hold()
    vary(drawn, qtbot, wait=False)
    drawn.studio.generate()
    assert not drawn.desk.variations.open
    engine.go()
    until(qtbot, lambda: drawn.studio.status().state == "idle")
    assert drawn.studio.result.request.count == 1


def test_a_failure_keeps_what_has_come(drawn, engine, qtbot):
    """When the second scale fails, the pictures of the first can still be taken."""
    drawn.desk.panel.seeds.setValue(2)
    drawn.desk.panel.scales.setText("1 2")
    engine.hold()
    vary(drawn, qtbot, wait=False)
    engine.let(4)
    until(qtbot, lambda: drawn.desk.variations.pictures[2].result is not None)
    engine.fail_at = 1
    engine.go()
    until(qtbot, drawn.error_bar.isVisible)
    press(drawn, Qt.Key.Key_Right)
    press(drawn, Qt.Key.Key_Return)
    assert drawn.studio.result.request.seed == 7 and drawn.studio.result.request.scales == (1.0,)


@pytest.mark.parametrize(
    ("key", "modifiers"),
    [(Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier), (Qt.Key.Key_X, CTRL_SHIFT)],
)
def test_cancel_leaves(drawn, qtbot, key, modifiers):
    """Esc and Ctrl+Shift+X leave the grid from the canvas too, also when nothing runs any more."""
    vary(drawn, qtbot)
    until(qtbot, lambda: drawn.studio.status().state == "idle")
    drawn.activateWindow()
    drawn.canvas.setFocus()
    qtbot.keyClick(drawn.canvas, key, modifiers)
    assert not drawn.desk.variations.open and shown(drawn) == 255
    assert not drawn.acts["cancel"].isEnabled()


def test_hovering_walks(drawn, qtbot):
    """The picture under the pointer is the current one."""
    vary(drawn, qtbot)
    grid = drawn.desk.panel.grid
    for offset in (0, 2):
        place = grid.visualRect(grid.model().index(2, 2)).center() + QPoint(offset, 0)
        QTest.mouseMove(grid.viewport(), place)
    assert grid.current() == 8


def test_where_the_seeds_begin():
    """Behind a locked seed; at it when scales are compared; anywhere else when unlocked."""
    locked = GenerateSettings(seed=5, seed_locked=True)
    assert first_seed(locked, False) == 6 and first_seed(locked, True) == 5
    found = {first_seed(GenerateSettings(seed=5), False) for _ in range(5)}
    assert len(found) > 1


def test_scales_are_read_as_people_write_them():
    """Commas, semicolons and blanks part them; one twice counts once."""
    assert read_scales("1,1.5; 3  3", 4) == (1.0, 1.5, 3.0)
    assert read_scales(" ", 8) == ()


def test_a_variation_is_the_picture_of_its_seed(drawn, qtbot):
    """What was taken carries a request of its own, which makes exactly it again."""
    vary(drawn, qtbot)
    drawn.desk.variations.adopt(3)
    request = drawn.studio.result.request
    assert (request.count, request.seed) == (1, 10)
    assert np.array_equal(request.layout.labels, drawn.scene.labels)
