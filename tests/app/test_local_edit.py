"""Local edits: what is marked or changed is made anew, proposed, and kept or dropped."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app import edits
from app.canvas_size import NewSize
from app.commands import ReplaceScene
from app.edit_plan import EditSettings
from app.picture_file import save_picture
from core.regions import ANEW
from core.request import Result
from tests.app import hand
from tests.app.fake_engine import FIRST_GREY

WAIT = 5000  # ms
SHIFT = Qt.KeyboardModifier.ShiftModifier


def until(qtbot, condition):
    qtbot.waitUntil(condition, timeout=WAIT)


@pytest.fixture
def drawn(window, pen, qtbot):
    """The window with a picture of seed 7 whose pixels all differ from each other."""
    window.generate_panel.seed.setValue(7)
    window.generate_panel.steps.setValue(4)
    window.studio.generate()
    until(qtbot, lambda: window.studio.result is not None)
    until(qtbot, lambda: len(window.keeping.history.records) == 1)
    picture = np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3)
    picture = (picture * 2654435761 >> 13).astype(np.uint8)
    window.studio.accept(replace(window.studio.result, image=picture))
    until(qtbot, lambda: len(window.keeping.history.records) == 2)
    return window


def press(window, key, keys=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(window.canvas, key, keys)


def proposed(window, qtbot, number=1):
    """Wait for so many proposals; the newest."""
    until(qtbot, lambda: len(window.local.edits.proposals) == number)
    until(qtbot, lambda: window.studio.status().state in ("idle", "stale"))
    return window.local.edits.proposals[-1]


def mark(window, *points):
    """Mark with the square brush of four pixels."""
    press(window, Qt.Key.Key_Q)
    hand.drag(window.canvas, *points)
    press(window, Qt.Key.Key_Q)


def grey_at(window, x, y):
    """What the canvas shows of the picture there."""
    color = window.canvas._picture.pixelColor(x, y)
    return color.red()


# -- marking --------------------------------------------------------------------------------------


def test_the_brush_marks_and_paints_no_label(drawn):
    """With Q the brush marks a region of its own; the label map stays as it is."""
    mark(drawn, (20, 20), (30, 20))
    assert np.count_nonzero(drawn.local.edits.marks.region) == 4 * 14
    assert not drawn.scene.labels.any()
    hand.drag(drawn.canvas, (20, 40))
    assert np.count_nonzero(drawn.scene.labels) == 16


def test_a_mark_is_one_undo_step(drawn):
    """Undo takes the mark back, redo sets it again; the eraser takes a part of it away."""
    mark(drawn, (20, 20))
    marks = drawn.local.edits.marks
    drawn.acts["undo"].trigger()
    assert not marks.region.any()
    drawn.acts["redo"].trigger()
    assert np.count_nonzero(marks.region) == 16
    press(drawn, Qt.Key.Key_Q)
    press(drawn, Qt.Key.Key_E)
    hand.drag(drawn.canvas, (22, 20))
    assert np.count_nonzero(marks.region) == 8


def test_shapes_mark_too(drawn):
    """A rectangle, a lasso."""
    marks = drawn.local.edits.marks
    press(drawn, Qt.Key.Key_R)
    mark(drawn, (10.5, 10.5), (19.5, 14.5))
    assert np.count_nonzero(marks.region) == 10 * 5
    press(drawn, Qt.Key.Key_L)
    mark(drawn, (40, 40), (60, 40), (60, 60), (40, 60))
    assert np.count_nonzero(marks.region) == 50 + 20 * 20


def test_fill_marks_the_area_of_a_label(drawn):
    """The fill tool marks what has the label of the scene under it."""
    hand.drag(drawn.canvas, (30, 30), (40, 30))
    press(drawn, Qt.Key.Key_F)
    mark(drawn, (35, 30))
    assert np.array_equal(drawn.local.edits.marks.region, drawn.scene.labels == 7)


def test_marks_show_on_the_picture(drawn):
    """While marking the canvas shows the picture, tinted where it is marked."""
    assert drawn.canvas.opacity == 1.0
    press(drawn, Qt.Key.Key_Q)
    assert drawn.canvas.opacity == 0.0 and drawn.acts["mark"].isChecked()
    hand.drag(drawn.canvas, (20, 20), (40, 20))
    hand.hover(drawn.canvas, (60, 60))
    drawn.studio.show_picture(np.full((64, 64, 3), 100, np.uint8), "")
    shown = drawn.canvas.grab().toImage()
    inside, outside = (shown.pixelColor(hand.at(drawn.canvas, p).toPoint()) for p in P_IN_OUT)
    assert inside.red() > 140 > inside.green() and outside.red() == outside.green() == 100
    press(drawn, Qt.Key.Key_Escape)
    assert not drawn.local.marking and drawn.canvas.opacity == 1.0


P_IN_OUT = (30, 20.5), (30, 58)


def test_marks_stay_while_the_map_has_their_size(drawn):
    """A map of the same size keeps them, and undo goes back step by step; another document has
    none."""
    mark(drawn, (20, 20))
    drawn.undo_stack.push(ReplaceScene(drawn.scene, np.ones((64, 64), np.uint8)))
    assert np.count_nonzero(drawn.local.edits.marks.region) == 16
    for _ in range(2):
        drawn.acts["undo"].trigger()
    assert not drawn.local.edits.marks.region.any()
    drawn.acts["redo"].trigger()
    drawn.filing.may_go = lambda: True
    drawn.filing.new()
    assert drawn.scene.size == (64, 64) and not drawn.local.edits.marks.region.any()


def test_another_size_has_no_marks(drawn):
    """Marks do not go to a map of another size."""
    mark(drawn, (20, 20))
    drawn.scene.replace(np.zeros((32, 40), np.uint8))
    assert drawn.local.edits.marks.labels.shape == (32, 40)
    assert not drawn.local.edits.marks.region.any()


def test_taking_a_label_ends_marking(drawn):
    """Who takes a label wants to paint it."""
    press(drawn, Qt.Key.Key_Q)
    drawn.palette_panel.label_chosen.emit(3)
    assert not drawn.local.marking
    hand.drag(drawn.canvas, (20, 20))
    assert np.count_nonzero(drawn.scene.labels == 3) == 16


# -- what is asked for ----------------------------------------------------------------------------


def test_update_repaints_what_changed(drawn, engine, qtbot):
    """F5 after a stroke: the request holds the old picture and the stroke's region, grown."""
    hand.drag(drawn.canvas, (30, 30))
    press(drawn, Qt.Key.Key_F5)
    proposed(drawn, qtbot)
    request = engine.requests[-1]
    inpaint = request.inpaint
    assert np.array_equal(inpaint.picture, drawn.studio.result.image)
    assert inpaint.region[30, 30] and not inpaint.region[30, 50]
    assert (inpaint.blend[inpaint.region] == 1).all() and inpaint.blend[5, 5] == 0
    assert request.seed == 7 and request.size == (64, 64)
    assert np.array_equal(request.layout.labels, drawn.scene.labels)


def test_the_trajectory_comes_along(drawn, engine, qtbot):
    """A generated picture keeps its states, and an edit starts from them."""
    hand.drag(drawn.canvas, (30, 30))
    press(drawn, Qt.Key.Key_F5)
    proposed(drawn, qtbot)
    assert engine.requests[0].keep_trajectory
    assert engine.requests[-1].inpaint.trajectory is drawn.studio.result.trajectory is not None


def test_nothing_changed_is_said(drawn, engine):
    """F5 on an unchanged scene asks for nothing and says so."""
    press(drawn, Qt.Key.Key_F5)
    assert drawn.error_bar.sentence.text() == edits.NOTHING_CHANGED
    assert len(engine.requests) == 1 and not drawn.local.edits.open


def test_without_a_picture_update_generates(window, engine, qtbot):
    """There is nothing to keep: a whole picture is made."""
    press(window, Qt.Key.Key_F5)
    until(qtbot, lambda: window.studio.result is not None)
    assert engine.requests[0].inpaint is None


def test_another_canvas_is_generated_whole(drawn, engine, qtbot):
    """A picture of another size says nothing about what changed."""
    drawn.map_work.resize(NewSize(32, 64, None))
    press(drawn, Qt.Key.Key_F5)
    until(qtbot, lambda: len(engine.requests) == 2)
    assert engine.requests[1].inpaint is None and engine.requests[1].layout.size == (64, 32)


def test_repaint_takes_what_is_marked_alone(drawn, engine, qtbot):
    """Shift+F5: marks only, with another seed; labels that changed elsewhere wait."""
    hand.drag(drawn.canvas, (10, 10))
    mark(drawn, (50, 50))
    press(drawn, Qt.Key.Key_F5, SHIFT)
    proposed(drawn, qtbot)
    inpaint = engine.requests[-1].inpaint
    assert inpaint.region[50, 50] and not inpaint.region[10, 10]
    assert engine.requests[-1].seed == 8 and inpaint.strength == ANEW
    press(drawn, Qt.Key.Key_Return)
    assert drawn.studio.status().state == "stale"  # what changed elsewhere still did
    press(drawn, Qt.Key.Key_F5)
    proposed(drawn, qtbot)
    assert engine.requests[-1].inpaint.region[10, 10]


def test_update_takes_marks_along(drawn, engine, qtbot):
    """F5 repaints both."""
    hand.drag(drawn.canvas, (10, 10))
    mark(drawn, (50, 50))
    press(drawn, Qt.Key.Key_F5)
    proposed(drawn, qtbot)
    region = engine.requests[-1].inpaint.region
    assert region[50, 50] and region[10, 10] and not region[30, 30]


def test_repaint_without_marks_is_off(drawn):
    """Its button and key are off while nothing is marked."""
    assert not drawn.acts["repaint"].isEnabled()
    mark(drawn, (20, 20))
    assert drawn.acts["repaint"].isEnabled()
    press(drawn, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier | SHIFT)
    assert not drawn.acts["repaint"].isEnabled() and drawn.undo_stack.count() == 2


def test_the_sliders_say_how_far(drawn, engine, qtbot):
    """Automatic at first and shown; what is set is used."""
    hand.drag(drawn.canvas, (30, 30))
    drawn.acts["edit_controls"].trigger()
    panel = drawn.local.panel
    assert panel.isVisible() and panel.grow.value.text() == "8 px"
    assert panel.grow.automatic.isChecked() and panel.strength.automatic.isChecked()
    panel.grow.slider.setValue(3)
    panel.feather.slider.setValue(2)
    panel.strength.slider.setValue(40)
    panel.walks.setValue(2)
    assert drawn.local.edits.settings == EditSettings(3, 2, 0.4, walks=2)
    drawn.acts["update"].trigger()
    proposed(drawn, qtbot)
    inpaint = engine.requests[-1].inpaint
    assert not inpaint.invert  # its states are known
    assert inpaint.strength == 0.4 and inpaint.resample == 2
    assert np.count_nonzero(inpaint.region[30]) == 4 + 2 * 3
    assert np.count_nonzero(inpaint.blend[30]) == 4 + 2 * 3 + 2 * 1
    panel.grow.automatic.setChecked(True)
    assert drawn.local.edits.settings.grow is None and panel.grow.value.text() == "8 px"


def test_the_region_can_be_shown(drawn):
    """Shift+Q draws the lines around what an update would touch; again takes them away."""
    hand.drag(drawn.canvas, (30, 30))
    assert drawn.canvas.region_view.empty
    press(drawn, Qt.Key.Key_Q, SHIFT)
    view = drawn.canvas.region_view
    box = view._denoised.boundingRect()
    assert 15 < box.width() <= 4 + 2 * 8 and box.contains(30, 30)
    assert view._blended.boundingRect().width() > box.width()
    drawn.acts["undo"].trigger()
    assert view.empty
    press(drawn, Qt.Key.Key_Q, SHIFT)
    drawn.acts["redo"].trigger()
    assert view.empty and not drawn.store.flag("region")


# -- the choice -----------------------------------------------------------------------------------


@pytest.fixture
def choosing(drawn, qtbot):
    """A proposal for a stroke in the middle."""
    hand.drag(drawn.canvas, (30, 30))
    press(drawn, Qt.Key.Key_F5)
    proposed(drawn, qtbot)
    return drawn


def test_a_proposal_is_shown_and_is_not_the_picture_yet(choosing):
    """The canvas and the dock show it, the bar says so, history and result are as they were."""
    assert choosing.local.bar.isVisible()
    assert choosing.local.bar.sentence.text() == "Proposal 1 of 1 · seed 7"
    assert choosing.canvas.opacity == 0.0 and grey_at(choosing, 30, 30) == FIRST_GREY + 7
    assert choosing.studio.result.request.inpaint is None
    assert len(choosing.keeping.history.records) == 2
    assert choosing.acts["save_picture"].isEnabled()


def test_enter_keeps_it_in_one_step(choosing, qtbot):
    """Kept: it is the picture, in the history with its layout; undo brings the old one back."""
    old, steps = choosing.studio.result, choosing.undo_stack.count()
    press(choosing, Qt.Key.Key_Return)
    result = choosing.studio.result
    assert result is not old and result.request.inpaint is not None
    assert choosing.studio.status().state == "idle"
    until(qtbot, lambda: len(choosing.keeping.history.records) == 3)
    assert choosing.undo_stack.count() == steps + 1
    assert choosing.canvas.opacity == 1.0 and not choosing.local.bar.isVisible()
    choosing.acts["undo"].trigger()
    assert choosing.studio.result is old and choosing.studio.status().state == "stale"
    choosing.acts["redo"].trigger()
    assert choosing.studio.result is result
    assert len(choosing.keeping.history.records) == 3


def test_keeping_takes_the_marks(drawn, qtbot):
    """The marks that asked for it are gone, and back with undo."""
    mark(drawn, (20, 20))
    press(drawn, Qt.Key.Key_F5, SHIFT)
    proposed(drawn, qtbot)
    press(drawn, Qt.Key.Key_Enter)
    assert not drawn.local.edits.marks.region.any()
    drawn.acts["undo"].trigger()
    assert np.count_nonzero(drawn.local.edits.marks.region) == 16
    drawn.acts["redo"].trigger()
    assert not drawn.local.edits.marks.region.any()


def test_esc_drops_it(choosing):
    """Dropped: picture, history, undo and what the canvas shows are as they were."""
    old, steps = choosing.studio.result, choosing.undo_stack.count()
    press(choosing, Qt.Key.Key_Escape)
    assert choosing.studio.result is old and choosing.undo_stack.count() == steps
    assert not choosing.local.edits.open and choosing.canvas.opacity == 1.0
    assert grey_at(choosing, 30, 30) == old.image[30, 30, 0]
    assert not choosing.acts["keep_edit"].isEnabled()


def test_arrows_walk_and_ask_for_more(choosing, engine, qtbot):
    """Right makes another with the next seed, Left goes back, at last to the picture as it was."""
    press(choosing, Qt.Key.Key_Right)
    proposed(choosing, qtbot, 2)
    assert [request.seed for request in engine.requests[-2:]] == [7, 8]
    assert grey_at(choosing, 30, 30) == FIRST_GREY + 8
    press(choosing, Qt.Key.Key_Left)
    assert choosing.local.bar.sentence.text() == "Proposal 1 of 2 · seed 7"
    press(choosing, Qt.Key.Key_Left)
    assert choosing.local.bar.sentence.text() == "The picture as it was"
    assert grey_at(choosing, 30, 30) == choosing.studio.result.image[30, 30, 0]
    for _ in range(2):
        press(choosing, Qt.Key.Key_Right)
    assert len(engine.requests) == 3  # both were there already
    press(choosing, Qt.Key.Key_Return)
    assert choosing.studio.result.request.seed == 8


def test_keeping_the_picture_as_it_was_changes_nothing(choosing):
    """Enter on it is Esc."""
    old, steps = choosing.studio.result, choosing.undo_stack.count()
    press(choosing, Qt.Key.Key_Left)
    press(choosing, Qt.Key.Key_Return)
    assert choosing.studio.result is old and choosing.undo_stack.count() == steps
    assert not choosing.local.edits.open


def test_esc_first_gives_up_what_is_being_made(choosing, engine, qtbot):
    """While the second forms, Esc goes back to the first, and then drops it."""
    engine.hold()
    press(choosing, Qt.Key.Key_Right)
    engine.let(1)
    until(qtbot, lambda: choosing.studio.status().step == 1)
    assert choosing.local.bar.sentence.text() == "Making proposal 2…"
    press(choosing, Qt.Key.Key_Escape)
    assert choosing.local.bar.sentence.text() == "Proposal 1 of 1 · seed 7"
    assert grey_at(choosing, 30, 30) == FIRST_GREY + 7
    engine.go()
    until(qtbot, lambda: engine.closed == 1)
    press(choosing, Qt.Key.Key_Escape)
    assert not choosing.local.edits.open


def test_esc_before_the_first(drawn, engine, qtbot):
    """Given up while it forms: nothing was proposed, nothing is shown but the picture."""
    hand.drag(drawn.canvas, (30, 30))
    engine.hold()
    press(drawn, Qt.Key.Key_F5)
    engine.let(1)
    until(qtbot, lambda: drawn.studio.status().step == 1)
    press(drawn, Qt.Key.Key_Escape)
    assert not drawn.local.edits.open and drawn.studio.status().state == "stale"
    assert drawn.canvas.opacity == 1.0 and not drawn.local.bar.isVisible()
    engine.go()
    until(qtbot, lambda: engine.closed == 1)


def test_a_failure_leaves_the_picture(drawn, engine, qtbot):
    """The sentence is shown, and there is no choice."""
    hand.drag(drawn.canvas, (30, 30))
    engine.fail_at = 2
    old = drawn.studio.result
    press(drawn, Qt.Key.Key_F5)
    until(qtbot, drawn.error_bar.isVisible)
    assert not drawn.local.edits.open and drawn.studio.result is old


def test_a_failure_of_the_second_leaves_the_first(choosing, engine, qtbot):
    """What was proposed stays to be kept."""
    engine.fail_at = 1
    press(choosing, Qt.Key.Key_Right)
    until(qtbot, choosing.error_bar.isVisible)
    assert choosing.local.bar.sentence.text() == "Proposal 1 of 1 · seed 7"
    press(choosing, Qt.Key.Key_Return)
    assert choosing.studio.result.request.inpaint is not None


def test_painting_goes_on_beside_a_proposal(choosing, engine, qtbot):
    """A stroke shows the layout and leaves the choice open; kept, the picture is stale."""
    hand.drag(choosing.canvas, (50, 50))
    assert choosing.canvas.opacity == 1.0 and choosing.local.edits.open
    assert np.count_nonzero(choosing.scene.labels) == 32
    press(choosing, Qt.Key.Key_Return)
    assert choosing.studio.result.request.inpaint is not None
    assert choosing.studio.status().state == "stale"
    press(choosing, Qt.Key.Key_F5)
    proposed(choosing, qtbot)
    region = engine.requests[-1].inpaint.region
    assert region[50, 50] and not region[30, 30]


@pytest.mark.parametrize("wish", ["generate", "variations"])
def test_another_wish_ends_the_choice(choosing, qtbot, wish):
    """Generate and variations begin from the picture as it was."""
    choosing.acts[wish].trigger()
    assert not choosing.local.edits.open and not choosing.local.bar.isVisible()
    until(qtbot, lambda: choosing.studio.status().steps == 0)
    choosing.acts["cancel"].trigger()
    assert choosing.canvas.opacity == 1.0


def test_looking_into_the_history_ends_the_choice(choosing):
    """Another picture is shown: the proposals were none of it."""
    choosing.gallery.look(choosing.keeping.history.records[-1])
    assert not choosing.local.edits.open
    assert choosing.studio.result.request.inpaint is None


def test_another_document_ends_the_choice(choosing, tmp_path):
    """New: neither a choice nor a picture is left."""
    choosing.filing.may_go = lambda: True
    choosing.filing.new()
    assert not choosing.local.edits.open and choosing.studio.result is None


# -- a photo --------------------------------------------------------------------------------------


@pytest.fixture
def photo(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = tmp_path / "hill.png"
    Image.fromarray(picture).save(path)
    return path, picture


def test_a_photo_can_be_edited(window, pen, engine, qtbot, photo):
    """Without a picture the photo is what is edited; kept, the edit is the picture."""
    path, picture = photo
    window.exchange.load_photo(path, under=False)
    mark(window, (30, 30))
    window.local.panel.retrace.setChecked(True)
    press(window, Qt.Key.Key_F5, SHIFT)
    proposed(window, qtbot)
    assert np.array_equal(engine.requests[0].inpaint.picture, picture)
    assert engine.requests[0].inpaint.invert
    press(window, Qt.Key.Key_Return)
    kept, blend = window.studio.result.image, engine.requests[0].inpaint.blend
    assert np.array_equal(kept[blend == 0], picture[blend == 0])
    assert not window.local.edits.planner.of_photo
    window.acts["undo"].trigger()
    assert window.studio.result is None and window.local.edits.planner.of_photo


def test_the_photo_is_chosen_beside_a_picture(drawn, photo):
    """With both there the panel says which, and can change it."""
    path, _ = photo
    source = drawn.local.panel.source
    assert not source.isEnabled()
    drawn.exchange.load_photo(path, under=False)
    assert source.isEnabled() and not drawn.local.edits.planner.of_photo
    source.setCurrentIndex(1)
    assert drawn.local.edits.planner.of_photo and source.currentText() == "the photo hill.png"
    drawn.exchange.reference.remove()
    assert not drawn.local.edits.planner.of_photo and source.currentIndex() == 0


def test_a_photo_has_no_layout_that_could_change(drawn, photo):
    """F5 with the photo and no marks says what is missing."""
    drawn.exchange.load_photo(photo[0], under=False)
    drawn.local.panel.source.setCurrentIndex(1)
    press(drawn, Qt.Key.Key_F5)
    assert drawn.error_bar.sentence.text() == edits.NOTHING_CHANGED


# -- bit by bit -----------------------------------------------------------------------------------


def test_outside_pixels_are_the_same_bit_by_bit_everywhere(choosing, tmp_path, qtbot):
    """In the result, the saved PNG, the history and a project that was opened again."""
    old = choosing.studio.result.image
    press(choosing, Qt.Key.Key_Return)
    until(qtbot, lambda: len(choosing.keeping.history.records) == 3)
    result = choosing.studio.result
    outside = result.request.inpaint.blend == 0
    assert 1000 < np.count_nonzero(outside) < 64 * 64
    assert (result.image[~outside] != old[~outside]).any()
    for picture in pictures_from_everywhere(choosing, result, tmp_path):
        assert np.array_equal(picture[outside], old[outside])
        assert np.array_equal(picture, result.image)


def pictures_from_everywhere(window, result: Result, folder):
    yield result.image
    save_picture(folder / "edit.png", result)
    yield np.asarray(Image.open(folder / "edit.png"))
    history = window.keeping.history
    yield history.result(history.records[0]).image
    window.scene_file.save(folder / "edit.sdms")
    window.filing.open_path(folder / "edit.sdms")
    yield window.studio.result.image


def test_the_history_tells_an_edit(choosing, qtbot):
    """Its line says so: the recipe alone does not make it again."""
    press(choosing, Qt.Key.Key_Return)
    until(qtbot, lambda: len(choosing.keeping.history.records) == 3)
    assert choosing.keeping.history.records[0].caption.endswith(" · local edit")
    assert " · local edit · " in choosing.result_panel.caption.text()


def test_undo_holds_no_picture_in_memory(choosing, qtbot):
    """Once the pictures are on disk, the step knows where: they come back bit by bit."""
    old = choosing.studio.result.image.copy()
    press(choosing, Qt.Key.Key_Return)
    new = choosing.studio.result.image.copy()
    until(qtbot, lambda: len(choosing.keeping.history.records) == 3)
    step = choosing.undo_stack.command(choosing.undo_stack.count() - 1)
    assert step._before._result is None and step._after._result is None
    choosing.acts["undo"].trigger()
    assert np.array_equal(choosing.studio.result.image, old)
    choosing.acts["redo"].trigger()
    assert np.array_equal(choosing.studio.result.image, new)


def test_a_locked_label_is_not_repainted(choosing, engine, qtbot):
    """Where a label is locked, neither marks nor their surroundings change the picture."""
    press(choosing, Qt.Key.Key_Return)
    choosing.acts["lock_label"].trigger()
    mark(choosing, (24, 30), (30, 30))
    press(choosing, Qt.Key.Key_F5, SHIFT)
    proposed(choosing, qtbot)
    inpaint, locked = engine.requests[-1].inpaint, choosing.scene.labels == 7
    assert np.count_nonzero(locked) == 16 and inpaint.region[30, 24]
    assert not inpaint.region[locked].any() and not inpaint.blend[locked].any()
