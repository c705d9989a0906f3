"""How single labels are sampled: rows, dialog, keys, undo, files, and what the engine is asked."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest

from app.commands import ReplaceScene
from app.label_controls import LabelControl, from_plain
from app.marks import MARKED
from app.palettes.signs import CONTROL_ROLE
from core.conversion import Conversion
from core.palette import Palette
from core.picture import read_picture, write_picture
from tests.app.test_generating import finished, until

SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def scene(closed_window):
    """Sky (1) over water (16) and a pen with sky."""
    closed_window.scene.labels[:] = 16
    closed_window.scene.labels[:32] = 1
    closed_window.pen.choose(1)
    return closed_window.scene


def control(window, **fields):
    """Give the label in hand a control."""
    window.controlling.change(window.pen.label, LabelControl(**fields))


def generated(window, qtbot):
    """The request that Generate sends down."""
    before = window.studio.result
    window.studio.generate()
    until(qtbot, lambda: window.studio.result is not before and finished(window)())
    return window.studio.result.request


def test_without_controls_a_request_is_as_it_was(window, scene, qtbot):
    """No map is made, and nothing of the last picture is held."""
    generated(window, qtbot)
    request = generated(window, qtbot)
    assert request.guidance_map is None and request.seed_map is None and request.inpaint is None
    assert "label_controls" not in request.recipe()


def test_guidance_and_seed_become_maps(window, scene, qtbot):
    """The sky is guided twice as much, soft at its border, and has a seed of its own."""
    control(window, guidance=2.0, seed=77)
    request = generated(window, qtbot)
    column = request.guidance_map[:, 5]
    assert (column[:30] == 2).all() and (column[34:] == 1).all()
    assert 1 < column[31] < 2 and 1 < column[32] < 2
    assert (request.seed_map[:32] == 77).all() and (request.seed_map[32:] == -1).all()
    assert request.recipe()["label_controls"] == {"sky": {"guidance": 2.0, "seed": 77}}


def test_a_label_that_is_not_there_changes_nothing(window, scene, qtbot):
    """Its control waits for it to be painted."""
    window.pen.choose(5)
    control(window, guidance=2.0)
    assert generated(window, qtbot).guidance_map is None


def test_a_locked_label_is_held(window, scene, qtbot):
    """Where it was and still is: there the picture has no share of the new one."""
    first = window.studio
    generated(window, qtbot)
    scene.labels[:8] = 3  # was sky
    scene.labels[40:44] = 1  # was water
    window.acts["lock_label"].trigger()
    old = first.result.image
    inpaint = generated(window, qtbot).inpaint
    assert np.array_equal(inpaint.picture, old) and inpaint.strength_map is None
    assert not inpaint.region[8:32].any() and inpaint.region[:8].all() and inpaint.region[32:].all()
    assert (inpaint.blend[8:32] == 0).all() and (inpaint.blend[:8] == 1).all()
    assert 0 < inpaint.blend[32, 0] < 1 and (inpaint.blend[36:] == 1).all()


def test_live_painting_holds_what_is_locked(window, scene, qtbot):
    """Its requests too; but a quick picture of half the size holds nothing for a whole one."""
    generated(window, qtbot)
    window.controlling.lock(1)
    assert not window.studio.request().inpaint.region[:32].any()
    whole = window.studio.result
    window.studio.show_result(replace(whole, image=whole.image[::2, ::2].copy()))
    assert window.studio.request().inpaint is None


def test_a_scene_that_is_all_locked_is_refused(window, scene, qtbot):
    """A sentence says why nothing happens."""
    generated(window, qtbot)
    for label in (1, 16):
        window.controlling.lock(label)
    window.studio.generate()
    assert "Every label is locked" in window.error_bar.sentence.text()


def test_strength_holds_a_label_in_part(window, scene, qtbot):
    """Its area begins from the last picture, the rest from noise."""
    generated(window, qtbot)
    control(window, strength=0.5)
    inpaint = generated(window, qtbot).inpaint
    assert inpaint.region.all() and (inpaint.blend == 1).all() and inpaint.strength == 1
    assert (inpaint.strength_map[:32] == 0.5).all() and (inpaint.strength_map[32:] == 1).all()


def test_a_new_seed_makes_one_label_anew(window, scene, qtbot):
    """Shift+N: only its area, grown, is sampled; the picture's own seed stays."""
    scene.labels[:] = 16
    scene.labels[:16, :16] = 1
    seed = generated(window, qtbot).seed
    old = window.studio.result.image
    QTest.keyClick(window.canvas, Qt.Key.Key_N, SHIFT)
    until(qtbot, lambda: window.studio.result.image is not old and finished(window)())
    request = window.studio.result.request
    assert request.seed == seed and request.inpaint.strength == 1
    far = request.inpaint.region.copy()
    far[:30, :30] = False
    assert request.inpaint.region[:16, :16].all() and not far.any()
    assert (request.inpaint.blend[~request.inpaint.region] == 0).all()
    own = scene.controls.of("sky").seed
    assert own is not None and (request.seed_map[:16, :16] == own).all()


def test_an_edit_spares_what_is_locked(window, scene, qtbot):
    """A new seed for the sky leaves the locked water below to the pixel, and unlocks the sky."""
    generated(window, qtbot)
    for label in (1, 16):
        window.controlling.lock(label)
    old = window.studio.result.image
    window.controlling.new_seed(1)
    until(qtbot, lambda: window.studio.result.image is not old and finished(window)())
    inpaint = window.studio.result.request.inpaint
    assert inpaint.region[:32].all() and not inpaint.region[32:].any()
    assert (inpaint.blend[32:] == 0).all() and not scene.controls.of("sky").locked


def test_a_local_edit_spares_what_is_locked(window, scene, qtbot):
    """Update repaints a new cloud, not the locked water beside it; of a locked region, nothing."""
    generated(window, qtbot)
    window.controlling.lock(16)
    scene.labels[28:32] = 2
    window.local.edits.update()
    until(qtbot, lambda: bool(window.local.edits.proposals))
    blend = window.local.edits.proposals[0].request.inpaint.blend
    assert (blend[32:] == 0).all() and (blend[28:32] == 1).all() and 0 < blend[26, 0] <= 1
    window.local.edits.drop()
    scene.labels[28:32] = 1
    window.local.edits.marks.labels[40:50] = MARKED
    window.local.edits.repaint()
    assert "All of the region is locked" in window.error_bar.sentence.text()


def test_a_new_seed_without_a_picture_makes_a_whole_one(window, scene, qtbot):
    """There is nothing to keep."""
    window.acts["new_label_seed"].trigger()
    until(qtbot, finished(window))
    assert window.studio.result.request.inpaint is None


# -- rows and dialog ------------------------------------------------------------------------------


def looks(rows, label):
    """The row of a label as it is drawn."""
    return rows.viewport().grab(rows.visualItemRect(rows.row(label))).toImage()


def test_the_row_shows_the_controls(closed_window, scene):
    """Signs in the row, words for the tooltip and for screen readers; other rows stay the same."""
    rows = closed_window.palette_panel.rows
    closed_window.pen.choose(3)
    before = [looks(rows, label) for label in (1, 2)]
    closed_window.pen.choose(1)
    control(closed_window, locked=True, guidance=1.5, strength=0.6, seed=42)
    row = rows.row(1)
    shown = row.data(0, CONTROL_ROLE)
    assert (
        shown.locked and shown.signs == "×1.5 60% #" and rows.row(2).data(0, CONTROL_ROLE) is None
    )
    words = "locked, guidance × 1.50, strength 60%, seed 42"
    assert words in row.toolTip(0) and words in row.data(0, Qt.ItemDataRole.AccessibleTextRole)
    closed_window.pen.choose(3)
    after = [looks(rows, label) for label in (1, 2)]
    assert after[0] != before[0] and after[1] == before[1]


def test_the_dialog_edits_the_label_in_hand(closed_window, scene, qtbot):
    """Each control is one step of the undo; the dialog follows hand and undo."""
    QTest.keyClick(closed_window.canvas, Qt.Key.Key_C, SHIFT)
    dialog = closed_window.controlling.dialog
    assert dialog.isVisible() and dialog.name.text() == "sky"
    dialog.lock.click()
    qtbot.keyClick(dialog.strength, Qt.Key.Key_Left)
    qtbot.keyClick(dialog.guidance, Qt.Key.Key_Right)
    dialog.own_seed.click()
    dialog.seed.setValue(9)
    assert scene.controls.of("sky") == LabelControl(True, 0.95, 1.1, 9)
    assert closed_window.undo_stack.count() == 5
    closed_window.undo_stack.undo()
    assert dialog.seed.value() == scene.controls.of("sky").seed != 9
    closed_window.pen.choose(16)
    assert dialog.name.text() == "water" and not dialog.lock.isChecked()
    assert scene.controls.of("water") == LabelControl()
    closed_window.pen.choose(1)
    dialog.reset.click()
    assert scene.controls.of("sky") == LabelControl() and not dialog.reset.isEnabled()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_the_menu_of_a_row_offers_the_controls(closed_window, scene):
    """Lock is a switch there."""
    rows = closed_window.palette_panel.rows
    entries = {a.text(): a for a in rows.menu(16).actions()}
    entries["Lock"].trigger()
    assert scene.controls.of("water").locked
    entries = {a.text(): a for a in rows.menu(16).actions()}
    assert entries["Lock"].isChecked()
    entries["Label controls…"].trigger()
    assert closed_window.controlling.dialog.name.text() == "water"
    assert closed_window.pen.label == 16


def test_every_control_of_the_dialog_speaks(closed_window, scene):
    """Names for screen readers, and the keys in the tooltips."""
    dialog = closed_window.controlling.dialog
    assert "(Shift+L)" in dialog.lock.toolTip() and "(Shift+N)" in dialog.new_seed.toolTip()
    names = [
        QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)
        for widget in (dialog.lock, dialog.strength, dialog.guidance, dialog.own_seed, dialog.seed)
    ]
    assert names == ["Lock", "Strength", "Guidance", "Its own seed", "Seed of the label"]


# -- where they are kept --------------------------------------------------------------------------


def test_controls_travel_in_the_project(window, scene, tmp_path):
    """Saved, gone with a new scene, back when opened; a change makes the document dirty."""
    window.scene_file.save(tmp_path / "a.sdms")
    assert window.scene_file.saved
    control(window, locked=True, seed=5)
    assert not window.scene_file.saved
    window.scene_file.save(tmp_path / "a.sdms")
    window.scene_file.new()
    assert not scene.controls.table
    window.filing.open_path(tmp_path / "a.sdms")
    assert scene.controls.table == {"sky": LabelControl(locked=True, seed=5)}


def test_controls_survive_another_palette(closed_window, scene):
    """They belong to names: a name that the other palette lacks waits."""
    control(closed_window, guidance=2.0)
    closed_window.pen.choose(16)
    control(closed_window, guidance=0.5)
    other = Palette.load("cityscapes")
    labels = Conversion.between(scene.palette, other).convert(scene.labels)
    closed_window.undo_stack.push(ReplaceScene(scene, labels, other))
    sky = scene.palette.find("sky")
    assert scene.controls.of(scene.palette[sky].name).guidance == 2.0
    closed_window.undo_stack.undo()
    assert scene.controls.of("water").guidance == 0.5


def test_a_picture_brings_its_controls_back(window, scene, qtbot, tmp_path):
    """From a file and from the history, in a step of the undo; the maps are made again."""
    control(window, guidance=2.0, seed=77)
    made = generated(window, qtbot)
    path = tmp_path / "a.png"
    write_picture(path, window.studio.result.image, made.recipe("fake"), made.layout)
    window.undo_stack.undo()
    assert not scene.controls.table
    window.exchange.restore(path, read_picture(path))
    assert scene.controls.table == {"sky": LabelControl(guidance=2.0, seed=77)}
    again = window.studio.result.request
    assert np.array_equal(again.guidance_map, made.guidance_map)
    assert np.array_equal(again.seed_map, made.seed_map)
    window.undo_stack.undo()
    assert not scene.controls.table


@pytest.mark.parametrize(
    "data", [None, [], {"sky": 3}, {"sky": {"guidance": "x", "seed": -1, "locked": 1, "new": 2}}]
)
def test_controls_from_anywhere_are_checked(data):
    """What makes no sense is left out."""
    assert all(control == LabelControl() for control in from_plain(data).values())
