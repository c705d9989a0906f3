"""The palette panel: groups, search, recents, pins, labels in use, one label alone."""

import time

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton

from app.application import build_window
from app.palettes.pins import RECENTS
from app.settings import Store
from core.palette import Palette
from tests.app import hand

ALT = Qt.KeyboardModifier.AltModifier


@pytest.fixture
def rows(closed_window):
    return closed_window.palette_panel.rows


def names(window):
    return [window.scene.palette[label].name for label in window.palette_panel.rows.labels]


def headings(rows):
    return [rows.topLevelItem(i).text(0) for i in range(rows.topLevelItemCount())]


def convert(window, name):
    """Paint with another palette, from an empty scene: without a question."""
    window.palettes.converting.choose(name)


def test_labels_stand_under_their_groups(closed_window, rows):
    """Each group has one heading, in the order in which the groups first appear."""
    assert headings(rows) == [
        f"▾ {g}" for g in ("other", "sky", "land", "plants", "built", "water")
    ]
    assert sorted(rows.labels) == list(range(19))
    assert names(closed_window)[:4] == ["other", "sky", "cloud", "mountain"]


def test_a_heading_folds(closed_window, rows, qtbot):
    """Enter on a heading folds its group; it stays folded when the list is made again."""
    rows.setCurrentItem(rows.topLevelItem(2))
    qtbot.keyClick(rows, Qt.Key.Key_Return)
    assert headings(rows)[2] == "▸ land  6" and not rows.topLevelItem(2).isExpanded()
    closed_window.palette_panel.relist()
    assert not rows.topLevelItem(2).isExpanded() and closed_window.pen.label == 7


def test_the_label_in_hand_leaves_its_heading_folded(closed_window, rows, qtbot):
    """A folded group stays so when one of its labels is taken by key; the heading is marked."""
    rows.topLevelItem(3).setExpanded(False)
    qtbot.keyClick(closed_window.canvas, "7")
    assert not rows.topLevelItem(3).isExpanded() and closed_window.pen.label == 7
    assert rows.currentItem() is rows.topLevelItem(3)


def test_a_search_lists_flat_and_best_first(closed_window, rows, qtbot):
    """While a search is on there are no headings; hidden folds do not hide what is found."""
    qtbot.keyClicks(closed_window.palette_panel.search, "wat")
    assert headings(rows) == ["water", "waterfall"]


def test_hidden_labels_are_not_listed(closed_window, rows):
    """What never occurs in the data is not offered."""
    convert(closed_window, "coco_stuff")
    assert len(rows.labels) == 172 and "mirror" not in names(closed_window)


def test_a_row_is_taken_by_keyboard(closed_window, rows, qtbot):
    """Down and Enter in the list take a label; then the canvas has the keys, to paint with it."""
    rows.setFocus()
    qtbot.keyClick(rows, Qt.Key.Key_Down)
    assert closed_window.pen.label == 7
    qtbot.keyClick(rows, Qt.Key.Key_Return)
    assert closed_window.pen.label == 8 and closed_window.focusWidget() is closed_window.canvas


def test_recents_show_the_newest_first(closed_window):
    """The last labels in hand are buttons, without doubles, the newest first."""
    for label in (1, 2, 3, 4, 5, 2, 6):
        closed_window.pen.choose(label)
    buttons = closed_window.palette_panel.recents
    shown = [b.toolTip() for b in buttons if not b.isHidden()]
    assert shown == ["rock", "cloud", "snow", "hill", "mountain", "sky"] and len(shown) == RECENTS
    buttons[2].click()
    assert closed_window.pen.label == 5 and buttons[0].toolTip() == "snow"


# -- pins -----------------------------------------------------------------------------------------


def test_keys_take_pinned_labels(closed_window, qtbot):
    """At first the keys 1 to 9 hold the first nine labels; the digit stands on the row."""
    qtbot.keyClick(closed_window.canvas, "3")
    assert closed_window.scene.palette[closed_window.pen.label].name == "mountain"
    assert closed_window.palette_panel.rows.row(3).text(1) == "3"
    assert closed_window.palette_panel.rows.row(13).text(1) == ""


def test_alt_and_a_digit_pin_the_label_in_hand(closed_window, qtbot):
    """Alt+1 puts the label in hand on 1; it has one key only."""
    closed_window.pen.choose(15)
    qtbot.keyClick(closed_window.canvas, "1", ALT)
    qtbot.keyClick(closed_window.canvas, "4", ALT)
    pins = closed_window.palettes.pins
    assert (pins.label_on(1), pins.label_on(4), pins.digit_of(15)) == (None, 15, 4)
    closed_window.pen.choose(2)
    qtbot.keyClick(closed_window.canvas, "1")  # nothing is there now
    assert closed_window.pen.label == 2


def test_the_menu_of_a_row_pins_and_unpins(closed_window, rows):
    """The context menu names who is on each key, and frees a key."""
    pin = rows.menu(17).actions()[1].menu()
    assert pin.actions()[2].text() == "&3   mountain"
    pin.actions()[2].trigger()
    assert closed_window.palettes.pins.label_on(3) == 17
    next(a for a in rows.menu(17).actions() if a.text() == "Unpin").trigger()
    assert closed_window.palettes.pins.label_on(3) is None


def test_pins_are_remembered_for_each_palette(closed_window, qapp, palette, engine, tmp_path):
    """Pins come back with their palette, and at the next start."""
    closed_window.pen.choose(15)
    closed_window.palettes.pin_in_hand(9)
    convert(closed_window, "cityscapes")
    assert closed_window.palettes.pins.label_on(9) != 15
    convert(closed_window, "landscape")
    assert closed_window.palettes.pins.label_on(9) == 15
    closed_window.store._settings.sync()
    again = build_window(qapp, lambda: engine, palette, store=Store(tmp_path / "settings.ini"))
    assert again.palettes.pins.label_on(9) == 15
    hand.put_away(again)


@pytest.mark.parametrize("value", ["", "nonsense", "[1]", '{"x": "sky"}', '{"1": "gone"}'])
def test_damaged_pins_do_no_harm(store, closed_window, palette, value):
    """Whatever the settings file holds, the window has pins that exist."""
    store._settings.setValue("pins/landscape", value)
    closed_window.palettes.pins.adopt(palette)
    assert closed_window.palettes.pins.label_on(1) in (1, None)


# -- labels in use --------------------------------------------------------------------------------


def test_used_labels_follow_the_gestures(closed_window, rows, qtbot):
    """With the filter on, a label appears when it was painted and goes when that is undone."""
    closed_window.acts["used_only"].trigger()
    qtbot.waitUntil(lambda: rows.labels == [0])
    closed_window.pen.choose(7)
    hand.drag(closed_window.canvas, (20, 20), (40, 20))
    qtbot.waitUntil(lambda: rows.labels == [0, 7])
    closed_window.acts["undo"].trigger()
    qtbot.waitUntil(lambda: rows.labels == [0])
    qtbot.keyClick(closed_window.canvas, "u")
    assert len(rows.labels) == 19


def test_counting_waits_for_the_end_of_the_gesture(closed_window, rows, qtbot):
    """Nothing is counted while the hand moves, and once for many quick gestures."""
    closed_window.acts["used_only"].trigger()
    qtbot.waitUntil(lambda: rows.labels == [0])
    found = []
    closed_window.palettes.used.found.connect(found.append)
    for x in (10, 20, 30):
        hand.drag(closed_window.canvas, (x, 20))
    qtbot.waitUntil(lambda: rows.labels == [0, 7])
    qtbot.wait(200)
    assert len(found) == 1


def test_big_maps_are_counted_in_strips(closed_window, rows, qtbot):
    """The event loop runs between the strips, and the last row is not missed."""
    labels = np.zeros((3000, 1000), np.uint8)
    labels[-1, -1] = 5
    closed_window.scene.replace(labels)
    closed_window.acts["used_only"].trigger()
    qtbot.waitUntil(lambda: rows.labels == [0, 5])


# -- one alone ------------------------------------------------------------------------------------


def test_one_label_alone(closed_window, qtbot, palette):
    """S dims every label but the one in hand, and follows the hand."""
    closed_window.scene.replace(np.tile(np.uint8([[1, 3]]), (64, 32)))
    closed_window.pen.choose(3)
    qtbot.keyClick(closed_window.canvas, "s")
    colors = closed_window.canvas.label_view.colors(palette)
    assert colors[3].tolist() == list(palette[3].color)
    assert (np.ptp(colors, axis=1)[[1, 7, 15]] < 40).all()  # nearly grey
    closed_window.pen.choose(1)
    colors = closed_window.canvas.label_view.colors(palette)
    assert colors[1].tolist() == list(palette[1].color)
    qtbot.keyClick(closed_window.canvas, "s")
    assert np.array_equal(closed_window.canvas.label_view.colors(palette), palette.colors)


def test_alone_from_the_menu_of_a_row(closed_window, rows):
    """The context menu takes the label in hand and shows it alone; again it shows all."""
    rows.menu(15).actions()[0].trigger()
    assert closed_window.pen.label == 15 and closed_window.canvas.label_view.alone == 15
    rows.menu(15).actions()[0].trigger()
    assert closed_window.canvas.label_view.alone is None
    assert not closed_window.acts["alone"].isChecked()


def test_alone_survives_another_palette(closed_window):
    """When the palette changes, the label in hand of the new one is shown alone."""
    closed_window.acts["alone"].setChecked(True)
    closed_window.pen.choose(18)
    convert(closed_window, "celebamask_hq")
    assert closed_window.canvas.label_view.alone == closed_window.pen.label
    closed_window.canvas.grab()


def test_everything_in_the_panel_has_a_name_and_takes_the_keyboard(closed_window):
    """Whoever hears the window instead of seeing it finds every control, by Tab."""
    panel = closed_window.palette_panel
    controls = [*panel.findChildren(QAbstractButton), panel.rows, panel.search]
    for control in (c for c in controls if c.isVisibleTo(panel) and c.parent() is not panel.search):
        assert control.accessibleName(), control
        assert control.toolTip(), control
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, control
    role = Qt.ItemDataRole.AccessibleTextRole
    assert panel.rows.row(1).data(0, role) == "sky, key 1"
    assert panel.rows.topLevelItem(1).data(0, role) == "sky, group"


def test_long_palettes_are_listed_quickly(closed_window, qtbot):
    """A palette of 183 labels is listed at once."""
    convert(closed_window, "coco_stuff")
    start = time.perf_counter()
    closed_window.palette_panel.relist()
    assert time.perf_counter() - start < 0.5
    assert Palette.load("coco_stuff") == closed_window.scene.palette
