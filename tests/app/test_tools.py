"""Shapes, polygon, lasso, preserve and the tablet: real events, exact pixels."""

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt

from tests.app import hand

SHIFT = Qt.KeyboardModifier.ShiftModifier
Key = Qt.Key


@pytest.fixture
def steps(closed_window):
    return closed_window.undo_stack


def count(canvas, label=7):
    return int((canvas.scene.labels == label).sum())


def take(canvas, qtbot, key):
    """Take a tool by its key."""
    qtbot.keyClick(canvas, key)


def sketched(canvas):
    """The box, in map pixels, of the outline that a tool shows."""
    return canvas._sketch.controlPointRect().toAlignedRect().getRect()


def click(canvas, *points):
    for point in points:
        hand.drag(canvas, point)


TOOLS = "brush eraser fill rectangle ellipse polygon lasso pick pan"


@pytest.mark.parametrize(("key", "tool"), list(zip("befroplih", TOOLS.split())))
def test_every_tool_has_its_key(canvas, pen, qtbot, key, tool):
    """The keys of the tools, one letter each."""
    pen.use("pan" if tool == "brush" else "brush")
    take(canvas, qtbot, key)
    assert pen.tool == tool


# -- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [(29, 19), (10, 10), (29, 10)])
def test_a_rectangle_is_exact(canvas, qtbot, steps, end):
    """From the pixel of the press to that of the release, both included, in one step."""
    take(canvas, qtbot, "r")
    hand.drag(canvas, (20.5, 15.5), (40, 40), (end[0] + 0.5, end[1] + 0.5))
    assert count(canvas) == (abs(end[0] - 20) + 1) * (abs(end[1] - 15) + 1)
    assert steps.count() == 1


def test_a_shape_is_an_outline_until_the_release(canvas, qtbot):
    """While it is dragged the map is untouched and the outline shows the pixels to be painted."""
    take(canvas, qtbot, "r")
    hand.press(canvas, (20.5, 15.5))
    hand.move(canvas, (29.5, 19.5))
    assert sketched(canvas) == (20, 15, 10, 5) and count(canvas) == 0
    hand.release(canvas, (29.5, 19.5))
    assert canvas._sketch.isEmpty() and count(canvas) == 50


def test_the_outline_is_seen(canvas, qtbot):
    """The outline is drawn over the map, white on its way."""
    take(canvas, qtbot, "r")
    hand.press(canvas, (20.5, 15.5))
    hand.move(canvas, (39.5, 39.5))
    place = hand.at(canvas, (20, 30)).toPoint()
    shown = canvas.grab().toImage()
    near = [shown.pixelColor(place.x() + i, place.y()).getRgb()[:3] for i in (-1, 0, 1)]
    assert (255, 255, 255) in near
    hand.release(canvas, (39.5, 39.5))


def test_shift_makes_squares_and_circles(canvas, qtbot):
    """Shift takes the longer side for both."""
    take(canvas, qtbot, "r")
    hand.drag(canvas, (20.5, 15.5), (29.5, 18.5), keys=SHIFT)
    assert count(canvas) == 100


def test_an_ellipse_is_exact(canvas, qtbot):
    """A circle of 20 pixels has the pixels whose centre is within its radius."""
    take(canvas, qtbot, "o")
    hand.drag(canvas, (10.5, 10.5), (29.5, 29.5))
    y, x = np.mgrid[:64, :64] + 0.5
    inside = (x - 20) ** 2 + (y - 20) ** 2 <= 100
    assert np.array_equal(canvas.scene.labels == 7, inside)


def test_a_lasso_paints_what_it_goes_round(canvas, qtbot, steps):
    """The way back to the start is straight."""
    take(canvas, qtbot, "l")
    hand.drag(canvas, (10, 10), (30, 10), (30, 30), (10, 30))
    assert count(canvas) == 400 and steps.count() == 1


def test_a_shape_may_leave_the_map(canvas, qtbot):
    """What lies off the map is cut off."""
    take(canvas, qtbot, "r")
    hand.drag(canvas, (-9, -9), (9.5, 9.5))
    assert count(canvas) == 100


# -- polygon --------------------------------------------------------------------------------------

SQUARE = ((10, 10), (30, 10), (30, 30), (10, 30))


@pytest.mark.parametrize("how", ["enter", "double click", "first corner", "other tool"])
def test_a_polygon_is_clicked(canvas, pen, qtbot, steps, how):
    """Corners by clicks; Enter, a double click, the first corner or another tool close it."""
    take(canvas, qtbot, "p")
    click(canvas, *SQUARE[:3])
    assert canvas.busy and count(canvas) == 0
    if how == "double click":
        hand.double_click(canvas, SQUARE[3])
    else:
        click(canvas, SQUARE[3])
    if how == "first corner":
        click(canvas, (10.1, 10.1))
    elif how == "enter":
        qtbot.keyClick(canvas, Key.Key_Return)
    elif how == "other tool":
        take(canvas, qtbot, "b")
    assert not canvas.busy and count(canvas) == 400 and steps.count() == 1


def test_the_next_corner_is_shown(canvas, qtbot):
    """The outline follows the pointer between the clicks."""
    take(canvas, qtbot, "p")
    click(canvas, *SQUARE[:2])
    hand.hover(canvas, (40, 50))
    assert sketched(canvas) == (10, 10, 30, 40)


def test_backspace_takes_a_corner_back(canvas, qtbot, steps):
    """One corner a time; without the first there is no polygon any more."""
    take(canvas, qtbot, "p")
    click(canvas, *SQUARE[:3], (60, 60))
    qtbot.keyClick(canvas, Key.Key_Backspace)
    click(canvas, SQUARE[3])
    qtbot.keyClick(canvas, Key.Key_Enter)
    assert count(canvas) == 400
    click(canvas, (50, 50))
    qtbot.keyClick(canvas, Key.Key_Backspace)
    assert not canvas.busy and steps.count() == 1


def test_esc_drops_the_polygon(window, engine, pen, qtbot):
    """Esc drops the corners and not the running sample: that is for the next Esc."""
    engine.hold()
    window.studio.generate()
    qtbot.waitUntil(lambda: window.studio.status().state == "sampling")
    take(window.canvas, qtbot, "p")
    click(window.canvas, *SQUARE)
    qtbot.keyClick(window.canvas, Key.Key_Escape)
    assert not window.canvas.busy and window.undo_stack.count() == 0
    assert window.studio.status().state == "sampling"
    qtbot.keyClick(window.canvas, Key.Key_Escape)
    assert window.studio.status().state == "idle"


def test_ctrl_enter_generates_under_a_polygon(window, pen, qtbot):
    """Enter alone closes the polygon; with Ctrl it means what it always means."""
    take(window.canvas, qtbot, "p")
    click(window.canvas, *SQUARE)
    qtbot.keyClick(window.canvas, Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.studio.result is not None)
    assert window.canvas.busy and count(window.canvas) == 0


def test_the_view_moves_under_a_polygon(canvas, qtbot):
    """Zoom and pan between two corners; the corners stay on their pixels."""
    take(canvas, qtbot, "p")
    click(canvas, *SQUARE[:2])
    hand.wheel(canvas, (20, 20), 2)
    hand.drag(canvas, (20, 20), (25, 25), button=hand.MIDDLE)
    click(canvas, *SQUARE[2:])
    qtbot.keyClick(canvas, Key.Key_Return)
    assert count(canvas) == 400


def test_two_corners_are_no_step(canvas, qtbot, steps):
    """A polygon without an inside paints nothing and leaves nothing to undo."""
    take(canvas, qtbot, "p")
    click(canvas, *SQUARE[:2])
    qtbot.keyClick(canvas, Key.Key_Return)
    assert not canvas.busy and steps.count() == 0


def test_a_new_scene_under_a_polygon(canvas, qtbot, steps):
    """Corners of another map mean nothing."""
    take(canvas, qtbot, "p")
    click(canvas, *SQUARE)
    canvas.scene.replace(np.zeros((32, 32), np.uint8))
    assert not canvas.busy and count(canvas) == 0 and steps.count() == 0


# -- strokes --------------------------------------------------------------------------------------


def test_esc_takes_a_stroke_back(canvas, qtbot, steps):
    """Esc in a stroke leaves the map as it was; the rest of that drag paints nothing."""
    before = canvas.scene.labels.copy()
    hand.press(canvas, (10, 10))
    hand.move(canvas, (30, 10))
    qtbot.keyClick(canvas, Key.Key_Escape)
    hand.move(canvas, (50, 50))
    hand.release(canvas, (50, 50))
    assert np.array_equal(canvas.scene.labels, before) and steps.count() == 0
    hand.drag(canvas, (20, 20))
    assert count(canvas) == 16


def test_shift_shows_the_line_before_it_is_drawn(canvas, qtbot):
    """While Shift is held a line joins the last point and the pointer."""
    hand.drag(canvas, (10, 10))
    hand.hover(canvas, (50, 40))
    alone = canvas._overlay().controlPointRect()
    qtbot.keyPress(canvas, Key.Key_Shift)
    line = canvas._overlay().controlPointRect()
    assert not alone.contains(10, 10) and line.contains(20, 20) and line.contains(50, 40)
    qtbot.keyRelease(canvas, Key.Key_Shift)
    assert canvas._overlay().controlPointRect() == alone and count(canvas) == 16


@pytest.mark.parametrize("notches", [-6, 0, 9])
@pytest.mark.parametrize("shape", ["round", "square"])
def test_the_cursor_is_what_the_brush_paints(canvas, pen, notches, shape):
    """At any zoom the outline goes round exactly the pixels of a click."""
    pen.reshape(shape)
    pen.resize(7)
    hand.wheel(canvas, (31, 29), notches)
    hand.hover(canvas, (31.3, 29.6))
    path = canvas._overlay()
    hand.drag(canvas, (31.3, 29.6))
    painted = {(x, y) for y, x in np.argwhere(canvas.scene.labels == 7).tolist()}
    inside = {
        (x, y) for x in range(64) for y in range(64) if path.contains(QPointF(x + 0.5, y + 0.5))
    }
    assert inside == painted and painted


# -- preserve -------------------------------------------------------------------------------------


def test_preserve_paints_over_nothing_labelled(canvas, pen, qtbot):
    """With K on, strokes and shapes leave every label alone that is there already."""
    canvas.scene.labels[:, 32:] = 5
    qtbot.keyClick(canvas, "k")
    assert pen.preserve
    hand.drag(canvas, (20, 20), (50, 20))
    take(canvas, qtbot, "r")
    hand.drag(canvas, (30.5, 40.5), (40.5, 41.5))
    assert count(canvas, 5) == 32 * 64 and count(canvas) == (32 - 18) * 4 + 2 * 2
    qtbot.keyClick(canvas, "k")
    hand.drag(canvas, (40.5, 50.5), (41.5, 51.5))
    assert count(canvas, 5) == 32 * 64 - 4


def test_preserve_holds_fill_and_eraser(canvas, pen, qtbot):
    """Fill takes unlabeled areas only; the eraser takes away the label in hand only."""
    canvas.scene.labels[:, 32:] = 5
    pen.set_preserve(True)
    take(canvas, qtbot, "f")
    hand.drag(canvas, (40, 10))
    assert count(canvas) == 0
    hand.drag(canvas, (10, 10))
    assert count(canvas) == 32 * 64
    take(canvas, qtbot, "e")
    hand.drag(canvas, (32, 32))
    assert count(canvas) == 32 * 64 - 8 and count(canvas, 5) == 32 * 64


def test_preserve_is_a_button(closed_window, pen):
    """The button in the options bar and the key are one switch; it is there while one paints."""
    closed_window.acts["preserve"].trigger()
    assert pen.preserve and closed_window.acts["preserve"].isChecked()
    pen.use("pan")
    assert not closed_window.acts["preserve"].isVisible()


# -- tablet ---------------------------------------------------------------------------------------


def test_pressure_sizes_the_brush(canvas, pen, steps):
    """Half the pressure is half the brush, from event to event, in one step."""
    pen.resize(8)
    hand.write(canvas, (16, 16, 1.0))
    assert count(canvas) == 64
    hand.write(canvas, (40, 40, 0.5))
    assert count(canvas) == 64 + 16
    hand.write(canvas, (10, 50, 0.25), (30, 50, 0.25))
    assert count(canvas) == 64 + 16 + 22 * 2 and steps.count() == 3


def test_pressure_can_be_ignored(closed_window, canvas, pen, store):
    """With the option off every touch has the whole brush; the choice is remembered."""
    closed_window.options.by_pressure.click()
    hand.write(canvas, (16, 16, 0.25))
    assert count(canvas) == 16 and store.pressure is False


def test_the_pens_other_end_erases(canvas, pen):
    """Turned round, the pen erases for that gesture; the tool stays the brush."""
    canvas.scene.replace(np.full((64, 64), 3, np.uint8))
    hand.write(canvas, (20, 20, 1.0), (30, 20, 1.0), eraser=True)
    assert count(canvas, 0) == 14 * 4 and pen.tool == "brush"
    hand.write(canvas, (50, 50, 1.0))
    assert count(canvas) == 16


def test_the_pens_side_button_paints_nothing(canvas, pen, steps):
    """A barrel button that means "right" is no stroke."""
    hand.write(canvas, (20, 20, 1.0), (30, 20, 1.0), button=Qt.MouseButton.RightButton)
    assert count(canvas) == 0 and not canvas.busy


# -- all of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["brush", "eraser", "rectangle", "ellipse", "polygon", "lasso"])
def test_no_tool_makes_a_label_of_its_own(canvas, pen, qtbot, tool):
    """After a wild gesture the map holds the old ids and the painted one, nothing between."""
    rng = np.random.default_rng(0)
    canvas.scene.replace(rng.choice([2, 9, 18], (64, 64)).astype(np.uint8))
    pen.reshape("round")
    pen.use(tool)
    way = rng.uniform(-20, 84, (30, 2)).tolist()
    if tool == "polygon":
        click(canvas, *way)
        qtbot.keyClick(canvas, Key.Key_Return)
    else:
        hand.drag(canvas, *way)
    painted = 0 if tool == "eraser" else 7
    assert set(np.unique(canvas.scene.labels)) <= {2, 9, 18, painted} and count(canvas, painted)
