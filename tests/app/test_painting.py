"""Painting: raw pointer events on the real canvas, exact pixels on the scene."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QRect, Qt

from app.commands import UNDO_LIMIT
from tests.app import hand

SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
CTRL = Qt.KeyboardModifier.ControlModifier


def count(canvas, label):
    return int((canvas.scene.labels == label).sum())


def test_click_paints_the_brush(canvas):
    """A click leaves one dab of exactly the brush's size."""
    hand.drag(canvas, (20, 20))
    assert count(canvas, 7) == 16


def test_drag_paints_the_way(canvas):
    """A straight drag with a square brush leaves a rectangle, ids and nothing between."""
    hand.drag(canvas, (10, 10), (20, 10), (40, 10))
    assert count(canvas, 7) == 34 * 4
    assert set(np.unique(canvas.scene.labels)) == {0, 7}


def test_undo_takes_back_one_gesture(canvas, closed_window):
    """However many moves a drag has, undo takes back all of it and nothing else."""
    hand.drag(canvas, (10, 10), (20, 10))
    before = canvas.scene.labels.copy()
    hand.drag(canvas, *[(x, 40) for x in range(10, 50, 4)])
    closed_window.acts["undo"].trigger()
    assert np.array_equal(canvas.scene.labels, before)


def test_redo_brings_it_back(canvas, closed_window):
    """Redo repeats what undo took."""
    hand.drag(canvas, (10, 10), (20, 10))
    painted = canvas.scene.labels.copy()
    closed_window.acts["undo"].trigger()
    closed_window.acts["redo"].trigger()
    assert np.array_equal(canvas.scene.labels, painted)


def test_undo_keys_and_buttons_agree(canvas, closed_window, qtbot):
    """Ctrl+Z takes back the same step as the button does."""
    hand.drag(canvas, (10, 10))
    hand.drag(canvas, (30, 30))
    qtbot.keyClick(canvas, Qt.Key.Key_Z, CTRL)
    assert count(canvas, 7) == 16
    closed_window.acts["undo"].trigger()
    assert count(canvas, 7) == 0


def test_undo_is_deep(canvas, closed_window):
    """Two hundred gestures can be taken back."""
    for i in range(UNDO_LIMIT + 10):
        hand.drag(canvas, (4 * (i % 15) + 3, 4 * (i // 15) + 3))
    assert closed_window.undo_stack.count() == UNDO_LIMIT


def test_an_edit_keeps_its_rectangle_only(canvas, closed_window):
    """The undo step of a dab holds the pixels of that dab, not of the map."""
    hand.drag(canvas, (20, 20))
    step = closed_window.undo_stack.command(0)
    assert step.nbytes <= 36


def test_painting_the_same_label_is_no_step(canvas, closed_window):
    """A gesture that changes no pixel leaves nothing to undo."""
    closed_window.pen.choose(0)
    hand.drag(canvas, (20, 20), (30, 30))
    assert closed_window.undo_stack.count() == 0


def test_no_undo_while_painting(canvas, closed_window):
    """A step cannot be taken back under a stroke that is still being drawn."""
    hand.drag(canvas, (10, 10))
    hand.press(canvas, (30, 30))
    assert not closed_window.acts["undo"].isEnabled()
    hand.release(canvas, (30, 30))
    assert closed_window.acts["undo"].isEnabled()


def test_stroke_leaves_and_comes_back(canvas, closed_window):
    """A stroke that leaves the map paints on where it comes back, as one gesture."""
    hand.drag(canvas, (60, 10), (90, 10), (90, 30), (60, 30))
    assert count(canvas, 7) == 2 * 4 * 6
    assert closed_window.undo_stack.count() == 1


def test_shift_draws_a_straight_line(canvas):
    """Shift joins the click to the last point."""
    hand.drag(canvas, (10, 10))
    hand.drag(canvas, (50, 10), keys=SHIFT)
    assert count(canvas, 7) == 44 * 4


def test_eraser_leaves_unlabeled(canvas, closed_window):
    """The eraser paints the palette's own word for nothing."""
    canvas.scene.replace(np.full((64, 64), 3, np.uint8))
    closed_window.acts["eraser"].trigger()
    hand.drag(canvas, (20, 20))
    assert count(canvas, 0) == 16


def test_fill_stops_at_a_border(canvas, closed_window):
    """Fill changes the touching area only, and all of it."""
    canvas.scene.labels[:, 32] = 5
    closed_window.pen.use("fill")
    hand.drag(canvas, (10, 10))
    assert count(canvas, 7) == 32 * 64


def test_fill_everywhere(canvas, closed_window):
    """With the option off, fill changes every pixel of the label."""
    canvas.scene.labels[:, 32] = 5
    closed_window.pen.use("fill")
    closed_window.options.touching.click()
    hand.drag(canvas, (10, 10))
    assert count(canvas, 7) == 63 * 64


def test_fill_outside_does_nothing(canvas, closed_window):
    """A click beside the map fills nothing."""
    closed_window.pen.use("fill")
    hand.drag(canvas, (-3, -3))
    assert count(canvas, 7) == 0


def test_pick_takes_the_label(canvas, closed_window):
    """The picker takes the label under the pointer and paints nothing."""
    canvas.scene.labels[:, 32:] = 5
    closed_window.pen.use("pick")
    hand.drag(canvas, (40, 10))
    assert closed_window.pen.label == 5 and closed_window.undo_stack.count() == 0


def test_alt_click_picks_in_any_tool(canvas, closed_window):
    """Alt-click picks without leaving the brush."""
    canvas.scene.labels[:, 32:] = 5
    hand.drag(canvas, (40, 10), keys=ALT)
    assert (closed_window.pen.label, closed_window.pen.tool) == (5, "brush")


def test_wheel_zooms_about_the_pointer(canvas):
    """The point under the pointer stays under it."""
    place = hand.at(canvas, (10, 50))
    scale = canvas.view.scale
    hand.wheel(canvas, (10, 50), 3)
    assert canvas.view.scale == pytest.approx(2 * scale)
    assert canvas.view.to_map(place.x(), place.y()) == pytest.approx((10, 50))


def test_painting_is_exact_when_zoomed(canvas):
    """Zoom changes where the map lies, never how many pixels a dab has."""
    hand.wheel(canvas, (10, 50), 7)
    hand.drag(canvas, (12, 50))
    assert count(canvas, 7) == 16


def test_ctrl_wheel_sizes_the_brush(canvas, closed_window):
    """Ctrl+wheel changes the brush and leaves the view."""
    view = canvas.view
    hand.wheel(canvas, (10, 10), 2, keys=CTRL)
    assert closed_window.pen.diameter == 6 and canvas.view == view


@pytest.mark.parametrize("how", ["middle", "space", "tool"])
def test_pan_moves_the_view(canvas, closed_window, qtbot, how):
    """Middle button, Space and the pan tool all move the map with the hand and paint nothing."""
    x = canvas.view.x
    if how == "space":
        qtbot.keyPress(canvas, Qt.Key.Key_Space)
    if how == "tool":
        qtbot.keyClick(canvas, "h")
    hand.drag(canvas, (10, 10), (20, 10), button=hand.MIDDLE if how == "middle" else hand.LEFT)
    assert canvas.view.x == pytest.approx(x + 10 * canvas.view.scale)
    assert count(canvas, 7) == 0


def test_fit_and_actual_size(canvas, closed_window):
    """100 % is one screen pixel per map pixel; fit shows the whole map again."""
    fitted = canvas.view
    closed_window.acts["actual_size"].trigger()
    assert canvas.view.scale * canvas.devicePixelRatioF() == 1
    closed_window.acts["fit"].trigger()
    assert canvas.view == fitted


def test_a_stroke_repaints_only_its_rectangle(canvas, qtbot):
    """On a large map a dab repaints little more than the dab."""
    canvas.scene.replace(np.zeros((2048, 2048), np.uint8))
    qtbot.wait(50)
    watch = PaintWatch(canvas)
    hand.drag(canvas, (1000, 1000), (1020, 1000))
    qtbot.waitUntil(lambda: bool(watch.rects))
    assert all(max(r.width(), r.height()) < 40 for r in watch.rects)


class PaintWatch(QObject):
    """Keeps the rectangles that a widget is asked to paint."""

    def __init__(self, widget):
        super().__init__(widget)
        self.rects = []
        widget.installEventFilter(self)

    def eventFilter(self, _, event):
        if event.type() == QEvent.Type.Paint:
            self.rects.append(event.rect())
        return False


def test_the_canvas_shows_ids_in_palette_colours(canvas, closed_window, palette):
    """What is grabbed from the canvas are the palette's colours and no mixture of them."""
    hand.drag(canvas, (10, 10), (50, 47))
    canvas.leaveEvent(None)  # without the brush's outline
    shown = canvas.grab(QRect(canvas._map_rect().adjusted(2, 2, -2, -2))).toImage()
    step = range(0, shown.width(), 7)
    colors = {shown.pixelColor(x, y).getRgb()[:3] for x in step for y in step}
    assert colors == {palette[0].color, palette[7].color}


def test_tab_toggles_layout_and_picture(canvas, closed_window, qtbot):
    """Tab shows the picture alone, then the layout as it was."""
    closed_window.options.blend.setValue(60)
    qtbot.keyClick(canvas, Qt.Key.Key_Tab)
    assert canvas.opacity == 0
    qtbot.keyClick(canvas, Qt.Key.Key_Tab)
    assert canvas.opacity == 0.6


def test_a_lost_release_ends_the_stroke(canvas):
    """If another window swallowed the release, the next move does not paint on."""
    hand.press(canvas, (10, 10))
    hand.move(canvas, (40, 10), buttons=hand.NONE)
    assert count(canvas, 7) == 16 and not canvas.busy


def test_a_new_scene_under_a_stroke(canvas, closed_window):
    """A scene that is replaced in the middle of a stroke takes nothing over from it."""
    hand.press(canvas, (10, 10))
    closed_window.filing.open_example()
    hand.release(canvas, (40, 10))
    assert closed_window.undo_stack.count() == 0 and not canvas.busy
    assert "painting" not in closed_window.chip.text()
