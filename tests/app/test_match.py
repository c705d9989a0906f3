"""Does the picture show what was painted: figure, heat-map, list, best of N, a photo's labels."""

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.best_of import why
from app.photo_labels_dialog import nearest_size, sizes
from core.labelmap import nearest_resize
from tests.app import hand
from tests.app.fake_engine import FakeEngine

WAIT = 5000  # ms
KEY = Qt.Key
CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
CTRL_ALT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
SKY, MOUNTAIN, GRASS, SEA = 1, 3, 9, 15


def until(qtbot, condition):
    qtbot.waitUntil(condition, timeout=WAIT)


def sure(labels):
    """Probabilities [19, h, w] of a segmenter that is sure of these labels."""
    return np.where(np.arange(19)[:, None, None] == labels, 0.98, 0.001).astype(np.float32)


def scene_labels(grass=SEA):
    """Sky over grass, 64x64; or what else is seen in place of the grass's right half."""
    labels = np.full((64, 64), SKY, np.uint8)
    labels[32:] = GRASS
    labels[32:, 32:] = grass
    return labels


def finds(picture):
    """White pictures show sea where grass was painted; each darker one a quarter of it less."""
    wrong = max(0, 4 - (255 - int(picture[0, 0, 0])))
    labels = scene_labels(GRASS)
    labels[32:, 64 - 8 * wrong :] = SEA
    return sure(nearest_resize(labels, (16, 16)))


@pytest.fixture
def engine(engine):
    engine.can_see(finds)
    return engine


@pytest.fixture
def drawn(window, qtbot):
    """The window with a picture of sky over grass, half of it sea, and its match."""
    window.scene.replace(scene_labels(GRASS))
    window.generate_panel.seed.setValue(7)
    window.generate_panel.steps.setValue(2)
    window.studio.generate()
    until(qtbot, lambda: window.match._matches.present is not None)
    return window


def button(window):
    """The switch beside the picture's caption."""
    return window.result_panel.match


def rows(window):
    rows = window.match.panel.rows
    items = [rows.topLevelItem(i) for i in range(rows.topLevelItemCount())]
    return [tuple(plain(item.text(column)) for column in range(3)) for item in items]


def plain(text):
    """With spaces that may be broken."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def instead(window):
    """The heat-map that is shown in place of the picture, or None."""
    return window.result_panel.view._instead


# -- figure, list and heat-map --------------------------------------------------------------------


def test_the_picture_says_how_well_it_matches(drawn):
    """Half of the grass is sea: three quarters match, the worst label is on top."""
    assert plain(button(drawn).text()) == "match 75 %"
    assert rows(drawn) == [("grass", "51 %", "like sea"), ("sky", "100 %", "")]
    assert plain(drawn.match.panel.heading.text()) == "The picture shows 75 % of what is painted."
    assert "looks like sea there" in drawn.match.panel.rows.topLevelItem(0).toolTip(0)


def test_d_shows_the_heat_map_and_the_list(drawn, qtbot):
    """Yellow where it differs, grey elsewhere, with a legend; D again brings the picture back."""
    qtbot.keyClick(drawn.canvas, KEY.Key_D)
    heat = instead(drawn)
    wrong, right = heat.pixelColor(56, 56), heat.pixelColor(8, 8)
    assert wrong.red() > wrong.blue() + 100 and right.red() == right.blue()
    assert drawn.result_panel.legend.isVisible() and drawn.match_dock.isVisible()
    qtbot.keyClick(drawn.canvas, KEY.Key_D)
    assert instead(drawn) is None and drawn.result_panel.legend.isHidden()
    assert drawn.match_dock.isHidden()


def test_the_heat_map_steps_back_while_another_picture_forms(drawn, engine, qtbot):
    """Previews are no picture of the layout yet; the finished one has its heat-map again."""
    drawn.acts["differences"].trigger()
    engine.hold()
    drawn.studio.generate()
    engine.let(1)
    until(qtbot, lambda: instead(drawn) is None)
    engine.go()
    until(qtbot, lambda: instead(drawn) is not None)


def test_an_older_picture_is_looked_at_when_it_is_shown_again(drawn, engine, qtbot):
    """Each picture once: going back and forth asks nothing anew."""
    first = drawn.studio.result
    drawn.studio.generate()
    until(qtbot, lambda: drawn.studio.result is not first and engine.looks == 2)
    until(qtbot, lambda: drawn.match._matches.present is not None)
    drawn.studio.show_result(first)
    assert plain(button(drawn).text()) == "match 75 %"
    QApplication.processEvents()
    assert engine.looks == 2


def test_looking_gives_way_to_a_sample(window, engine, qtbot):
    """A look that waits behind a running sample comes after it, and the sample is not cut short."""
    window.generate_panel.steps.setValue(3)
    window.scene.replace(scene_labels(GRASS))
    window.studio.generate()
    until(qtbot, lambda: window.studio.result is not None)
    engine.hold()
    window.studio.generate()
    second = window.studio.result
    window.match._matches.want(second)
    engine.go()
    until(qtbot, lambda: window.studio.result is not second)
    until(qtbot, lambda: window.match._matches.present is not None)
    assert engine.closed == 0


def waiting(window):
    """How many pictures wait to be looked at."""
    return len(window.match._matches._looking._waiting)


def test_only_the_present_picture_waits_to_be_looked_at(drawn, qtbot):
    """While there is no time for it: none of those that nobody sees any more."""
    drawn.studio.set_painting(True)
    for _ in range(3):
        before = drawn.studio.result
        drawn.studio.generate()
        until(qtbot, lambda old=before: drawn.studio.result is not old and not drawn.studio.busy)
    assert waiting(drawn) == 1
    drawn.studio.set_painting(False)
    drawn.studio.review()
    until(qtbot, lambda: drawn.match._matches.present is not None and waiting(drawn) == 0)


def test_variations_that_were_left_are_not_looked_at(drawn, qtbot):
    """Nor do copies of them stay in memory."""
    drawn.studio.set_painting(True)
    drawn.desk.panel.seeds.setValue(4)
    drawn.acts["variations"].trigger()
    until(qtbot, lambda: waiting(drawn) == 4)
    QTest.keyClick(drawn.desk.panel.grid, KEY.Key_Escape)
    assert waiting(drawn) == 0


def test_a_model_without_a_segmenter_says_so(window, engine, qtbot):
    """There is no figure and no heat-map, and the list says why."""
    blind = FakeEngine()
    window.studio.open_model(lambda: blind)
    until(qtbot, lambda: window.studio.model is blind.info)
    window.generate_panel.steps.setValue(2)
    window.studio.generate()
    until(qtbot, lambda: window.studio.result is not None)
    assert not window.acts["differences"].isEnabled() and button(window).isHidden()
    assert "has no segmenter" in window.match.panel.heading.text()


# -- fixing ---------------------------------------------------------------------------------------


def proposed(window, qtbot):
    until(qtbot, lambda: bool(window.local.edits.proposals))
    return window.local.edits.proposals[-1]


def test_fixing_repaints_where_the_label_differs(drawn, engine, qtbot):
    """Shift+D: the half of the grass that is sea is made anew, and nothing far from it changes."""
    qtbot.keyClick(drawn.canvas, KEY.Key_D, Qt.KeyboardModifier.ShiftModifier)
    picture = proposed(drawn, qtbot).image
    region = engine.requests[-1].inpaint.region
    assert region[40:, 40:].all() and not region[:20].any() and not region[:, :20].any()
    assert (picture[:16] == 255).all() and (picture[48:, 48:] != 255).all()
    assert drawn.studio.result.request.seed == 7  # only proposed
    qtbot.keyClick(drawn.canvas, KEY.Key_Return)
    assert drawn.studio.result.image is picture or (drawn.studio.result.image == picture).all()


def test_a_row_is_fixed_by_enter(drawn, engine, qtbot):
    """The row's own label, also where it is not the worst."""
    engine.can_see(lambda picture: sure(np.full((16, 16), MOUNTAIN)))
    drawn.studio.generate()
    until(qtbot, lambda: [row[0] for row in rows(drawn)] == ["sky", "grass"])
    drawn.match.panel.rows.setCurrentItem(drawn.match.panel.rows.topLevelItem(1))
    drawn.acts["differences"].trigger()
    qtbot.keyClick(drawn.match.panel.rows, KEY.Key_Return)
    proposed(drawn, qtbot)
    assert drawn.local.edits.marks.region[34:].all()
    assert not drawn.local.edits.marks.region[:30].any()


def test_there_is_nothing_to_fix_where_all_is_well(drawn, qtbot):
    """Sky is sky: one sentence, and no mark."""
    drawn.fixing.fix(SKY)
    assert "there is nothing to fix" in drawn.error_bar.sentence.text()
    assert not drawn.local.edits.marks.region.any() and drawn.undo_stack.count() == 0


def test_undo_takes_the_marks_of_a_fix_back(drawn, qtbot):
    drawn.acts["fix_label"].trigger()
    proposed(drawn, qtbot)
    drawn.local.edits.drop()
    drawn.acts["undo"].trigger()
    assert not drawn.local.edits.marks.region.any()


# -- best of N ------------------------------------------------------------------------------------


def vary(window, qtbot):
    window.desk.panel.seeds.setValue(4)
    qtbot.keyClick(window.canvas, KEY.Key_Return, CTRL_SHIFT)
    pictures = window.desk.variations.pictures
    until(qtbot, lambda: len(pictures) == 5 and all(p.match for p in pictures))


def test_variations_are_sorted_by_match(drawn, qtbot):
    """The original first, then the best; the current picture stays under the cursor."""
    vary(drawn, qtbot)
    panel = drawn.desk.panel
    QTest.keyClick(panel.grid, KEY.Key_Right)
    assert panel.grid.current() == 1
    assert "match 75 %, worst grass 51 %" in plain(panel.caption.text())
    panel.by_match.click()
    places = panel.grid.places
    assert [places.number(places.index(0, column)) for column in range(3)] == [0, 4, 3]
    assert panel.grid.current() == 1
    panel.by_match.click()
    assert [places.number(places.index(0, column)) for column in range(3)] == [0, 1, 2]


def test_the_best_of_some_seeds_is_taken(drawn, qtbot):
    """Ctrl+Alt+Enter samples, compares, takes the best in one undo step and says why."""
    drawn.desk.panel.seeds.setValue(4)
    qtbot.keyClick(drawn.canvas, KEY.Key_Return, CTRL_ALT)
    until(qtbot, lambda: drawn.undo_stack.count() == 1)
    assert drawn.studio.result.request.seed == 11 and not drawn.desk.variations.open
    told = plain(drawn.error_bar.sentence.text())
    assert told.startswith("Seed 11 shows most of what is painted: 94 % against 75 % to 88 %.")
    assert told.endswith("Above all grass came out better (88 %).")
    drawn.acts["undo"].trigger()
    assert drawn.studio.result.request.seed == 7


def test_the_picture_stays_if_it_is_the_best(drawn, engine, qtbot):
    """Nothing changes when no seed is better, and that is said."""
    engine.can_see(lambda picture: finds(np.full_like(picture, 255)))
    drawn.desk.panel.seeds.setValue(2)
    drawn.acts["best_of"].trigger()
    until(qtbot, lambda: drawn.error_bar.isVisible())
    assert drawn.error_bar.sentence.text().startswith("The picture stays: none of the others")
    assert drawn.undo_stack.count() == 0 and drawn.studio.result.request.seed == 7


def test_leaving_the_grid_takes_nothing(drawn, engine, qtbot):
    """Esc while the seeds are sampled: no picture is taken afterwards."""
    engine.hold()
    drawn.acts["best_of"].trigger()
    qtbot.keyClick(drawn.desk.panel.grid, KEY.Key_Escape)
    engine.go()
    vary(drawn, qtbot)
    assert drawn.undo_stack.count() == 0 and drawn.desk.variations.open


def test_the_reason_is_a_sentence(drawn, qtbot):
    vary(drawn, qtbot)
    pictures = drawn.desk.variations.pictures
    assert plain(why(pictures[0], [])).endswith("of what is painted: 75 %.")


# -- labels from a photo --------------------------------------------------------------------------


@pytest.fixture
def photo(tmp_path):
    """A white photo of 96x48."""
    cv2.imwrite(str(tmp_path / "lake.jpg"), np.full((48, 96, 3), 255, np.uint8))
    return tmp_path / "lake.jpg"


def offer(window, photo, qtbot):
    window.photo_labels.take(photo)
    until(qtbot, lambda: window.photo_labels.dialog is not None)
    return window.photo_labels.dialog


def test_a_photo_becomes_a_layout(window, photo, qtbot):
    """Its labels in its proportions, shown before they replace the scene, in one undo step."""
    dialog = offer(window, photo, qtbot)
    names = [dialog.table.item(row, 0).text() for row in range(dialog.table.rowCount())]
    assert names == ["sky", "grass", "sea"] and dialog.table.item(0, 1).text() == "50.0%"
    assert dialog.size_box.currentText() == "256 × 128 px"
    dialog.size_box.setCurrentIndex(2)
    dialog.accept()
    labels = window.scene.labels
    assert labels.shape == (256, 512)
    assert (labels[:120] == SKY).all() and (labels[136:, :240] == GRASS).all()
    assert (labels[136:, 272:] == SEA).all()
    window.acts["undo"].trigger()
    assert window.scene.labels.shape == (64, 64) and not window.scene.labels.any()


def test_the_photo_can_lie_under_its_labels(window, photo, qtbot):
    dialog = offer(window, photo, qtbot)
    dialog.under.click()
    dialog.accept()
    assert window.exchange.reference.under and window.photo_labels.dialog is None


def test_cancel_leaves_the_scene(window, photo, qtbot):
    offer(window, photo, qtbot).reject()
    assert window.scene.labels.shape == (64, 64) and window.undo_stack.count() == 0
    offer(window, photo, qtbot).reject()  # the same photo again


def test_smoothing_cleans_specks(window, photo, engine, qtbot):
    """A speck of mountain is there without smoothing, and gone with it."""
    speckled = nearest_resize(scene_labels(GRASS), (16, 16))
    speckled[3, 3] = MOUNTAIN
    engine.can_see(lambda picture: sure(speckled))
    dialog = offer(window, photo, qtbot)
    dialog.smoothing.setCurrentIndex(0)
    assert (dialog.labels == MOUNTAIN).any()
    dialog.smoothing.setCurrentIndex(3)
    assert not (dialog.labels == MOUNTAIN).any()


def test_a_photo_that_cannot_be_read_is_named(window, tmp_path):
    (tmp_path / "no.jpg").write_bytes(b"nothing")
    window.photo_labels.take(tmp_path / "no.jpg")
    assert "no.jpg" in window.error_bar.sentence.text()


def test_a_model_that_cannot_see_sends_the_photo_away(window, photo, qtbot):
    """One sentence that names the model and the way out."""
    blind = FakeEngine()
    window.studio.open_model(lambda: blind)
    until(qtbot, lambda: window.studio.model is blind.info)
    window.photo_labels.take(photo)
    assert window.error_bar.sentence.text().startswith("fake has no segmenter")


def test_sizes_keep_the_proportions():
    """In steps that the model can make; the canvas's own size is the first choice."""
    choices = sizes((1000, 1500), 32)
    assert choices[0] == (160, 256) and choices[2] == (352, 512)
    assert choices[nearest_size(choices, (512, 384))] == (352, 512)


def test_painting_goes_on_while_it_looks(drawn, qtbot):
    """A stroke right after a picture is a stroke: nothing waits for the segmenter."""
    hand.drag(drawn.canvas, (10, 10), (30, 10))
    assert drawn.undo_stack.count() == 1
