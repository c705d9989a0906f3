"""Painting without a mouse: arrows move, Enter puts the tool down and lifts it."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from tests.app import hand

Key, Keys = Qt.Key, Qt.KeyboardModifier
PLAIN, CTRL, SHIFT, ALT = (
    Keys.NoModifier,
    Keys.ControlModifier,
    Keys.ShiftModifier,
    Keys.AltModifier,
)
ENTER = Key.Key_Return
LEFT, RIGHT, UP, DOWN = Key.Key_Left, Key.Key_Right, Key.Key_Up, Key.Key_Down


def press(canvas, key, times=1, keys=PLAIN):
    for _ in range(times):
        QTest.keyClick(canvas, key, keys)


def go(canvas, dx, dy, keys=CTRL):
    """So many pixels right and down."""
    press(canvas, RIGHT if dx > 0 else LEFT, abs(dx), keys)
    press(canvas, DOWN if dy > 0 else UP, abs(dy), keys)


@pytest.fixture
def ready(canvas):
    """The canvas with the keyboard's pointer in its middle, at (32.5, 32.5)."""
    press(canvas, ENTER)
    assert canvas.keys.at == (32.5, 32.5)
    return canvas


def painted(canvas):
    return int((canvas.scene.labels == 7).sum())


def test_enter_shows_where_it_is(closed_window, canvas):
    """The first Enter paints nothing: it may have been meant for the field before."""
    press(canvas, ENTER)
    assert canvas.keys.at == (32.5, 32.5) and painted(canvas) == 0
    assert closed_window.place_label.text() == "32, 32   other"
    assert canvas.accessibleDescription() == "32, 32, other"


def test_a_stroke(closed_window, ready):
    """Enter, ten pixels to the right, Enter: a line of a square brush of 4, in one step."""
    press(ready, ENTER)
    assert ready.busy and painted(ready) == 16
    go(ready, 10, 0)
    press(ready, ENTER)
    assert not ready.busy and painted(ready) == 14 * 4
    assert closed_window.undo_stack.count() == 1
    go(ready, 5, 5)
    assert painted(ready) == 14 * 4
    closed_window.acts["undo"].trigger()
    assert painted(ready) == 0


def test_a_held_enter_is_one(ready):
    """A key that repeats puts the tool down once."""
    QTest.keyPress(ready, ENTER)
    repeat = QKeyEvent(QEvent.Type.KeyPress, ENTER, PLAIN, "", True)
    QApplication.sendEvent(ready, repeat)
    assert ready.keys.down


def test_a_straight_line(ready):
    """Shift+Enter draws a line from the last point, as Shift+click does."""
    ready.pen.resize(1)
    press(ready, ENTER, 2)
    go(ready, 10, 0)
    press(ready, ENTER, keys=SHIFT)
    press(ready, ENTER)
    assert painted(ready) == 11


def test_a_rectangle_and_a_square(ready):
    """Corner to corner; with Shift held the sides are alike."""
    ready.pen.use("rectangle")
    press(ready, ENTER)
    go(ready, 5, 3)
    press(ready, ENTER)
    assert painted(ready) == 6 * 4
    ready.scene.replace(np.zeros((64, 64), np.uint8))
    press(ready, ENTER)
    go(ready, 5, 3)
    press(ready, ENTER, keys=SHIFT)
    assert painted(ready) == 6 * 6


def test_a_polygon(closed_window, ready):
    """Enter sets corners, a second one at the last corner closes the shape; Backspace takes a
    corner back."""
    ready.pen.use("polygon")
    press(ready, ENTER)
    go(ready, 20, 0)
    press(ready, ENTER)
    go(ready, 0, 20)
    press(ready, ENTER)
    go(ready, 9, 9)
    press(ready, ENTER)
    press(ready, Key.Key_Backspace)
    go(ready, -9, -9)
    assert ready.busy and closed_window.undo_stack.count() == 0
    go(ready, -20, 0)
    press(ready, ENTER, 2)
    assert not ready.busy and painted(ready) == 20 * 20
    assert (ready.scene.labels[32:52, 32:52] == 7).all() and closed_window.undo_stack.count() == 1


def test_a_lasso(ready):
    """The way of the pointer is the outline."""
    ready.pen.use("lasso")
    press(ready, ENTER)
    for dx, dy in ((20, 0), (0, 20), (-20, 0)):
        go(ready, dx, dy, keys=CTRL)
    press(ready, ENTER)
    assert painted(ready) >= 20 * 20


def test_fill_and_pick(ready):
    """One Enter fills; Alt+Enter picks the label under the pointer."""
    ready.scene.labels[:, 40:] = 5
    ready.pen.use("fill")
    press(ready, ENTER)
    assert not ready.busy and painted(ready) == 40 * 64
    go(ready, 20, 0)
    press(ready, ENTER, keys=ALT)
    assert ready.pen.label == 5 and painted(ready) == 40 * 64


def test_esc_drops_and_the_mouse_goes_on(ready):
    """Esc takes back what the keys painted; the next press of the mouse paints at once."""
    press(ready, ENTER)
    go(ready, 8, 0)
    press(ready, Key.Key_Escape)
    assert not ready.busy and painted(ready) == 0
    hand.drag(ready, (10, 10))
    assert painted(ready) == 16 and ready.keys.at is None


def test_a_mouse_that_is_touched(ready):
    """While the keys hold the tool the mouse neither moves nor ends it; afterwards it points."""
    press(ready, ENTER)
    hand.hover(ready, (5, 5))
    hand.drag(ready, (5, 5), (9, 9))
    assert ready.keys.down and painted(ready) == 16
    press(ready, ENTER)
    hand.hover(ready, (5, 5))
    assert ready.keys.at is None and painted(ready) == 16


def test_it_begins_where_the_mouse_was(canvas):
    """The first arrow starts at the mouse's place."""
    hand.hover(canvas, (10.2, 20.7))
    go(canvas, 1, 0)
    assert canvas.keys.at == (11.5, 20.5)


def test_enter_still_closes_a_polygon_of_the_mouse(canvas):
    """A polygon that is clicked together ends with Enter."""
    canvas.pen.use("polygon")
    for corner in ((10, 10), (30, 10), (30, 30)):
        hand.drag(canvas, corner)
    press(canvas, ENTER)
    assert not canvas.busy and painted(canvas) > 150 and canvas.keys.at is None


def test_who_leaves_lifts_the_tool(closed_window, ready):
    """When another control takes the keys, what was painted stays, in one step."""
    press(ready, ENTER)
    go(ready, 6, 0)
    QApplication.sendEvent(ready, QFocusEvent(QEvent.Type.FocusOut))
    assert not ready.busy and painted(ready) == 40 and closed_window.undo_stack.count() == 1


def test_steps_follow_the_zoom(ready):
    """An arrow alone goes about as far on the screen at any zoom, at least a pixel, never off the
    map."""
    before = ready.keys.at[0]
    go(ready, 1, 0, keys=PLAIN)
    step = ready.keys.at[0] - before
    assert 1 <= step == round(16 / ready.view.scale)
    go(ready, 99, 99, keys=PLAIN)
    assert ready.keys.at == (63.5, 63.5)


def test_the_view_follows(ready):
    """Zoomed in, the pointer never leaves what is visible; a map that is all in view stays."""
    view = ready.view
    go(ready, 3, 3)
    assert ready.view == view
    ready.zoom(8)
    go(ready, -20, -20)
    x, y = ready.view.to_widget(*ready.keys.at)
    assert 0 <= x - 32 <= ready.width() - 64 and 0 <= y - 32 <= ready.height() - 64


@pytest.mark.parametrize("way", ["tool", "space"])
def test_arrows_pan(canvas, way):
    """With the pan tool, or Space held, the arrows move the view."""
    if way == "tool":
        canvas.pen.use("pan")
    else:
        QTest.keyPress(canvas, Key.Key_Space)
    before = canvas.view
    press(canvas, RIGHT)
    press(canvas, DOWN, 2)
    assert (canvas.view.x, canvas.view.y) == (before.x - 48, before.y - 96)
    assert canvas.keys.at is None


def test_another_size_keeps_it_on_the_map(ready):
    """On a smaller map it stays within; on a gesture under way nothing is left."""
    go(ready, 30, 0)
    press(ready, ENTER)
    ready.scene.replace(np.zeros((16, 24), np.uint8))
    assert ready.keys.at == (23.5, 15.5) and not ready.busy
    press(ready, ENTER)
    assert ready.keys.down


def test_the_canvas_shows_that_it_has_the_keys(canvas):
    """Reached by Tab it has a frame, by a click it has none."""
    edge = canvas.grab().toImage().pixelColor(0, 99)
    canvas.clearFocus()
    canvas.setFocus(Qt.FocusReason.BacktabFocusReason)
    assert canvas.grab().toImage().pixelColor(0, 99) != edge
    canvas.clearFocus()
    canvas.setFocus(Qt.FocusReason.MouseFocusReason)
    assert canvas.grab().toImage().pixelColor(0, 99) == edge
