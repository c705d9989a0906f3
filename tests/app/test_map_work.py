"""Wishes for the whole map: mirror, replace a label, canvas size; by key, dialog and undo."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog

from app.canvas_size import CanvasSizeDialog
from app.commands import ReplaceScene
from app.replace_label import ReplaceLabelDialog
from core.palette import Palette
from tests.app import hand

CTRL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier


@pytest.fixture
def scene(closed_window):
    rng = np.random.default_rng(0)
    closed_window.scene.replace(rng.integers(0, 5, (64, 96), np.uint8))
    return closed_window.scene


def opened(window, kind):
    """The dialog of a kind that is open now."""
    return next(d for d in window.findChildren(kind) if d.isVisible())


def test_mirror_and_back(closed_window, scene, qtbot):
    """M turns the map left to right in one step."""
    before = scene.labels.copy()
    qtbot.keyClick(closed_window.canvas, "m")
    assert np.array_equal(scene.labels, before[:, ::-1])
    closed_window.undo_stack.undo()
    assert np.array_equal(scene.labels, before)
    closed_window.undo_stack.redo()
    assert np.array_equal(scene.labels, before[:, ::-1])


def test_a_mirrored_face(closed_window):
    """Labels with a left and a right change sides with the picture."""
    faces = Palette.load("celebamask_hq")
    pair = next(c for c in faces.classes if c.flip)
    labels = np.full((64, 64), pair.id, np.uint8)
    closed_window.undo_stack.push(ReplaceScene(closed_window.scene, labels, faces))
    closed_window.acts["mirror"].trigger()
    assert (closed_window.scene.labels == faces.find(pair.flip)).all()


def test_replace_a_label(closed_window, scene, qtbot):
    """Ctrl+H asks, says how many pixels it is about, and Enter does it in one step."""
    before = scene.labels.copy()
    closed_window.pen.choose(9)
    qtbot.keyClick(closed_window.canvas, Qt.Key.Key_H, CTRL)
    dialog = opened(closed_window, ReplaceLabelDialog)
    dialog.old.setCurrentIndex(dialog.old.findData(3))
    assert f"{(before == 3).sum():,} pixels" in dialog.summary.text()
    assert dialog.new.currentData() == 9 and dialog.old.count() == 5
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert np.array_equal(scene.labels, np.where(before == 3, 9, before))
    closed_window.undo_stack.undo()
    assert np.array_equal(scene.labels, before)


def test_a_label_is_not_replaced_by_itself(closed_window, scene):
    """The same label twice is no question to be answered."""
    closed_window.map_work.ask_replacement()
    dialog = opened(closed_window, ReplaceLabelDialog)
    dialog.new.setCurrentIndex(dialog.new.findData(dialog.old.currentData()))
    assert not dialog.replace.isEnabled()
    dialog.reject()


def test_a_hidden_label_in_hand(closed_window):
    """A label that the palette does not offer can be replaced, and is not offered as an answer."""
    coco = Palette.load("coco_stuff")
    hidden = next(c.id for c in coco.classes if c.hidden)
    closed_window.scene.replace(np.full((64, 64), hidden, np.uint8), coco)
    closed_window.pen.choose(hidden)
    closed_window.map_work.ask_replacement()
    dialog = opened(closed_window, ReplaceLabelDialog)
    by = dialog.new.currentData()
    dialog.accept()
    assert not coco[by].hidden and (closed_window.scene.labels == by).all()


def size_dialog(window, qtbot):
    qtbot.keyClick(window.canvas, Qt.Key.Key_C, CTRL | ALT)
    return opened(window, CanvasSizeDialog)


def test_a_larger_canvas(closed_window, scene, qtbot):
    """The map keeps its middle, the rest is unlabeled, the view shows all; undo is one step."""
    before = scene.labels.copy()
    dialog = size_dialog(closed_window, qtbot)
    dialog.width_box.setValue(128)
    dialog.height_box.setValue(80)
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert scene.size == (128, 80)
    assert np.array_equal(scene.labels[8:72, 16:112], before)
    assert (scene.labels != 0).sum() == (before != 0).sum()
    closed_window.undo_stack.undo()
    assert np.array_equal(scene.labels, before)


def test_the_anchor_says_what_stays(closed_window, scene, qtbot):
    """With the top left in its place a smaller canvas cuts right and below."""
    before = scene.labels.copy()
    dialog = size_dialog(closed_window, qtbot)
    dialog.anchor.choose((0, 0))
    dialog.width_box.setValue(64)
    dialog.accept()
    assert np.array_equal(scene.labels, before[:, :64])


def test_scaling_keeps_proportions(closed_window, scene, qtbot):
    """Scaled by two, each pixel becomes four."""
    before = scene.labels.copy()
    dialog = size_dialog(closed_window, qtbot)
    dialog.scale.click()
    dialog.keep_shape.click()
    dialog.width_box.setValue(192)
    assert dialog.height_box.value() == 128 and not dialog.anchor.isEnabled()
    dialog.accept()
    assert np.array_equal(scene.labels, before.repeat(2, 0).repeat(2, 1))


def test_sizes_are_bounded_and_eights_suggested(closed_window, scene, qtbot):
    """64 to 4096, in steps of 8; another number is allowed and gets a hint."""
    dialog = size_dialog(closed_window, qtbot)
    assert (dialog.width_box.minimum(), dialog.width_box.maximum()) == (64, 4096)
    qtbot.keyClick(dialog.width_box, Qt.Key.Key_Up)
    assert dialog.width_box.value() == 104 and "Multiples" not in dialog.hint.text()
    dialog.width_box.setValue(101)
    assert "Multiples of 8" in dialog.hint.text()
    dialog.reject()


def test_esc_in_a_dialog_changes_nothing(closed_window, scene, qtbot):
    """Both questions can be left without an answer."""
    before = scene.labels.copy()
    for ask in (closed_window.map_work.ask_size, closed_window.map_work.ask_replacement):
        ask()
        qtbot.keyClick(opened(closed_window, QDialog), Qt.Key.Key_Escape)
    assert np.array_equal(scene.labels, before) and closed_window.undo_stack.count() == 0


def test_the_map_waits_for_the_gesture(closed_window, scene, qtbot):
    """While a polygon is open the whole map cannot change under it."""
    closed_window.pen.use("polygon")
    hand.drag(closed_window.canvas, (10, 10))
    assert not closed_window.acts["mirror"].isEnabled()
    qtbot.keyClick(closed_window.canvas, Qt.Key.Key_Escape)
    assert closed_window.acts["mirror"].isEnabled()
