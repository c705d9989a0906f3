"""Every control has a name and a tooltip and can be reached without a mouse."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDockWidget,
    QHeaderView,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollBar,
    QTabBar,
    QToolBar,
    QToolButton,
)

from app.canvas import Canvas
from app.export_dialog import ExportDialog
from app.export_plan import Source
from app.import_dialog import ImportDialog
from app.palettes.conversion_dialog import ConversionDialog
from app.theme import DARK, LIGHT
from core.conversion import Conversion
from core.labelmap import write_labels
from core.palette import Palette
from core.recognition import recognise_file

CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    Canvas,
)
WHOLES = (QAbstractSpinBox, QComboBox, QLineEdit)  # with a text field, a list, a clear button
# The wishes that open one.
DIALOGS = ("keys", "shortcuts", "canvas_size", "replace_label", "edit_palette", "my_set")


def is_part(widget):
    """Whether a widget belongs to a control that was looked at already, or to Qt itself."""
    if isinstance(widget, (QScrollBar, QHeaderView)):
        return True  # the view that they belong to follows the arrows
    if isinstance(widget.parent(), QDockWidget):
        return True  # close: the View menu does it too
    if isinstance(widget.parent(), QTabBar):
        return True  # scroll: the arrows do it too
    if widget.objectName().startswith("qt_"):
        return True
    while widget := widget.parent():
        if isinstance(widget, WHOLES):
            return True
    return False


def controls(root):
    return [
        widget for kind in CONTROLS for widget in root.findChildren(kind) if not is_part(widget)
    ]


def in_menus(menu):
    """All actions of a menu bar, however deep."""
    found = []
    for action in menu.actions():
        found += in_menus(action.menu()) if action.menu() else [action]
    return found


def name_of(widget):
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name) if interface else ""


def needs_no_tooltip(widget):
    """One over the canvas would hide the painting; OK and Cancel say all there is to say."""
    return isinstance(widget, Canvas) or isinstance(widget.parent(), QDialogButtonBox)


def faults(root, menu_actions=()):
    """What is missing, a line for each."""
    lines = []
    for widget in controls(root):
        who = f"{type(widget).__name__} {name_of(widget) or widget.objectName()!r}"
        if not name_of(widget):
            lines.append(f"{who} has no name")
        if not widget.toolTip() and not needs_no_tooltip(widget):
            lines.append(f"{who} has no tooltip")
        by_menu = isinstance(widget, QToolButton) and widget.defaultAction() in menu_actions
        if not by_menu and not widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            lines.append(f"{who} cannot be reached by Tab, nor by a menu")
    return lines


def test_every_control_of_the_window(window):
    """The whole window, also what is hidden now: start page, variations, error bar."""
    assert "\n".join(faults(window, in_menus(window.menuBar()))) == ""


@pytest.mark.parametrize("wish", DIALOGS)
def test_every_control_of_a_dialog(window, wish):
    """Each dialog, as its command opens it."""
    window.acts[wish].trigger()
    (dialog,) = [d for d in window.findChildren(QDialog) if d.isVisible()]
    assert "\n".join(faults(dialog)) == ""
    assert dialog.windowTitle()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)


@pytest.mark.parametrize("kind", ["import", "export", "conversion"])
def test_enter_does_what_a_dialog_is_for(window, palette, tmp_path, kind):
    """After a way through all of its buttons Enter in a field still means the first one."""
    write_labels(tmp_path / "map.png", window.scene.labels, palette)
    dialog = {
        "import": lambda: ImportDialog(
            "map", recognise_file(tmp_path / "map.png", palette), window
        ),
        "export": lambda: ExportDialog(
            Source(window.scene.labels, palette, (), "map"), tmp_path, {"own"}, window
        ),
        "conversion": lambda: ConversionDialog(
            window,
            Conversion.between(palette, Palette.load("ade20k")),
            np.full(len(palette), 5),
            "",
            "Convert",
        ),
    }[kind]()
    dialog.open()
    dialog.activateWindow()
    QApplication.processEvents()
    primary, first = default_of(dialog), dialog.focusWidget()
    (cancel,) = [b for b in dialog.findChildren(QPushButton) if b.text() == "Cancel"]
    cancel.setFocus()
    assert default_of(dialog) is cancel
    first.setFocus()
    assert default_of(dialog) is primary
    dialog.close()


def default_of(dialog):
    """The button that Enter presses."""
    (button,) = [b for b in dialog.findChildren(QPushButton) if b.isDefault()]
    return button


def test_every_control_of_a_conversion(window):
    """The table of another palette, too."""
    window.scene.labels[:] = 1
    window.palettes.converting.choose("ade20k")
    (dialog,) = [d for d in window.findChildren(QDialog) if d.isVisible()]
    assert "\n".join(faults(dialog)) == "" and dialog.windowTitle()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)


def test_every_tooltip_of_a_command_has_its_key(window):
    """A button that a key can press names the key."""
    for name, action in window.acts.items():
        keys = window.shortcuts.shown()[name]
        assert not keys or f"({keys})" in action.toolTip()
    for bar in window.findChildren(QToolBar):
        for button in bar.findChildren(QToolButton):
            action = button.defaultAction()
            if action and window.shortcuts.shown().get(action.objectName()):
                assert "(" in button.toolTip()


def test_tab_order_follows_the_eye(window):
    """In every dock, Tab goes down row by row and along each row."""
    for dock in window.docks:
        chain = [w for w in focus_chain(window) if dock.isAncestorOf(w) and not is_part(w)]
        places = [w.mapTo(dock, w.rect().center()) for w in chain]
        for one, other in zip(places, places[1:], strict=False):
            assert other.y() > one.y() - 6 and (other.y() > one.y() + 6 or other.x() > one.x())


def focus_chain(window):
    """Every widget that Tab stops at, in order."""
    found, widget = [], window.nextInFocusChain()
    while widget is not window:
        if widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            found.append(widget)
        widget = widget.nextInFocusChain()
    return found


def test_from_panel_to_panel(window):
    """F6 goes round all that is shown, Shift+F6 back; each part goes on where it was left."""
    window.activateWindow()
    window.canvas.setFocus()
    seen = []
    for _ in range(20):
        QTest.keyClick(window.focusWidget(), Qt.Key.Key_F6)
        seen.append(part_of(window))
        if seen[-1] is window.start.place:
            break
    titles = {part.windowTitle() for part in seen}
    assert titles >= {"Palette", "Generate", "Local edit", "History"} and window.options in seen
    assert seen[-1] is window.start.place and len(seen) == len(set(seen)) and window.canvas._ringed
    window.palette_panel.search.setFocus()
    QTest.keyClick(window.focusWidget(), Qt.Key.Key_F6)
    QTest.keyClick(window.focusWidget(), Qt.Key.Key_F6, Qt.KeyboardModifier.ShiftModifier)
    assert window.focusWidget() is window.palette_panel.search


def part_of(window):
    """The canvas's place, the toolbar or the dock that has the focus."""
    parts = [window.start.place, *window.findChildren(QToolBar), *window.findChildren(QDockWidget)]
    return next(part for part in parts if part.isAncestorOf(window.focusWidget()))


def test_the_canvas_can_be_left(window, qtbot):
    """Tab is the canvas's own key; Shift+Tab and the search key lead out of it."""
    window.canvas.setFocus()
    qtbot.keyClick(window.canvas, Qt.Key.Key_Backtab, Qt.KeyboardModifier.ShiftModifier)
    assert not window.canvas.hasFocus()


def light(color):
    """Relative luminance of #rrggbb, 0..1, as WCAG defines it."""
    values = [value / 255 for value in bytes.fromhex(color[1:])]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(colors):
    """Every text stands out from what is behind it by the 4.5 to 1 of WCAG AA."""
    behind = {
        "text": ("window", "base", "raised", "hover", "backdrop"),
        "faint": ("window", "base", "raised", "backdrop"),
        "on_accent": ("accent", "accent_hover"),
        "on_warning": ("warning",),
    }
    for text, places in behind.items():
        for place in places:
            dark, bright = sorted((light(getattr(colors, text)), light(getattr(colors, place))))
            assert (bright + 0.05) / (dark + 0.05) >= 4.495, (text, place)
