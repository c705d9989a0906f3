"""Other keys for commands: recorded, checked, remembered, and shown wherever keys are named."""

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from app.key_sheet import KeySheet
from app.main_window import all_wishes
from app.settings import Store
from app.shortcuts import Shortcuts
from app.shortcuts_dialog import ShortcutsDialog

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def dialog(window, qtbot):
    window.acts["shortcuts"].trigger()
    dialog = window.findChild(ShortcutsDialog)
    yield dialog
    if shiboken6.isValid(dialog):
        dialog.close()


def record(dialog, name, key, modifiers=Qt.KeyboardModifier.NoModifier):
    """Choose the row, press Enter on it, press the new keys."""
    dialog.choose(name)
    QTest.keyClick(dialog.tree, Qt.Key.Key_Return)
    assert dialog.record.isChecked()
    QTest.keyClick(dialog.record, key, modifiers)


def test_new_keys_hold_at_once(window, dialog, qtbot):
    """The recorded key takes the tool, the old one does not any more, and the tooltip tells."""
    record(dialog, "brush", Qt.Key.Key_T)
    dialog.close()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=5000)
    window.canvas.setFocus()
    window.pen.use("fill")
    qtbot.keyClick(window.canvas, "b")
    assert window.pen.tool == "fill"
    qtbot.keyClick(window.canvas, "t")
    assert window.pen.tool == "brush" and window.acts["brush"].toolTip() == "Brush (T)"


def test_every_command_is_listed_once(dialog):
    """What has no place in the list could never be changed."""
    names = [row.data(0, Qt.ItemDataRole.UserRole) for row in dialog.rows()]
    assert sorted(names) == sorted(wish.name for wish in all_wishes())


def test_a_conflict_names_the_other_command(window, dialog):
    """A key that is taken changes nothing until the user says so; then the other loses it."""
    record(dialog, "fit", Qt.Key.Key_E, CTRL)
    assert "Save picture" in dialog.sentence.text() and dialog.take_over.isVisible()
    assert window.shortcuts.keys("fit") == ("Ctrl+0",)
    dialog.take_over.click()
    assert window.shortcuts.keys("fit") == ("Ctrl+E",)
    assert window.shortcuts.keys("save_picture") == ()
    assert "lost it" in dialog.sentence.text() and not dialog.take_over.isVisible()


def test_a_tooltip_that_changes_keeps_the_present_key(closed_window):
    """The swap button names label and key, whatever the key is now."""
    window = closed_window
    swap = window.palette_panel._swap
    assert swap.toolTip().endswith("(X)")
    window.shortcuts.assign("swap", ("Y",))
    window.pen.choose(3)
    window.pen.choose(4)
    assert swap.toolTip() == f"Swap with the last label: {window.scene.palette[3].name} (Y)"


def test_a_reserved_key_is_refused(window, dialog):
    """Space pans: no command can have it."""
    record(dialog, "fit", Qt.Key.Key_Space)
    assert "pans" in dialog.sentence.text() and window.shortcuts.keys("fit") == ("Ctrl+0",)


def test_esc_ends_recording(window, dialog):
    """Esc while recording keeps keys and dialog."""
    record(dialog, "fit", Qt.Key.Key_Escape)
    assert window.shortcuts.keys("fit") == ("Ctrl+0",) and dialog.isVisible()
    assert not dialog.record.isChecked()


@pytest.mark.parametrize(
    ("key", "modifiers", "text"),
    [
        (Qt.Key.Key_Tab, CTRL, "Ctrl+Tab"),
        (Qt.Key.Key_F7, SHIFT, "Shift+F7"),
        (Qt.Key.Key_J, CTRL | SHIFT, "Ctrl+Shift+J"),
    ],
)
def test_any_key_can_be_recorded(window, dialog, key, modifiers, text):
    """Also those that move the focus."""
    record(dialog, "pick", key, modifiers)
    assert window.shortcuts.keys("pick") == (text,)


def test_reset_one_and_all(window, dialog):
    """Reset gives one command its keys back, taking them from whoever has them; Reset all, all."""
    record(dialog, "brush", Qt.Key.Key_T)
    record(dialog, "fill", Qt.Key.Key_B)
    dialog.choose("brush")
    dialog.reset.click()
    assert window.shortcuts.keys("brush") == ("B",) and window.shortcuts.keys("fill") == ()
    dialog.reset_all.click()
    assert window.shortcuts.keys("fill") == ("F",) and not dialog.reset_all.isEnabled()


def test_no_keys(window, dialog, qtbot):
    """A command may have none; its tooltip then names none."""
    dialog.choose("swap")
    dialog.remove.click()
    assert window.shortcuts.keys("swap") == ()
    assert window.acts["swap"].toolTip() == "Swap with the last label"


def test_keys_are_remembered(window, dialog, tmp_path):
    """The next start has them; a settings file that cannot be read gives the program's own."""
    record(dialog, "brush", Qt.Key.Key_T)
    store = Store(tmp_path / "settings.ini")
    assert Shortcuts(all_wishes(), store).keys("brush") == ("T",)
    for damage in ("{", "[]", '{"brush": 3}', '{"gone": ["B"]}'):
        store._settings.setValue("keys/own", damage)
        assert Shortcuts(all_wishes(), store).keys("brush") == ("B",)


def test_buttons_and_key_sheet_follow(window, dialog):
    """The button's tooltip and F1 tell the present keys."""
    record(dialog, "generate", Qt.Key.Key_F9)
    assert window.generate_panel.generate.toolTip() == "Make a picture of the scene (F9)"
    record(dialog, "smaller", Qt.Key.Key_F8)
    tip = window.options.size_slider.toolTip()
    assert tip == "Brush size (F8 and ], or Ctrl+wheel)"
    sheet = KeySheet(window, window.shortcuts.shown())
    assert "F9" in {label.text() for label in sheet.findChildren(QLabel)}


def test_search_by_name_and_key(dialog):
    """The list can be narrowed by either."""
    for text, found in (("zoom in", "Zoom in"), ("f1", "Keys")):
        dialog.search.setText(text)
        assert [row.text(0) for row in dialog.rows() if not row.isHidden()] == [found]
