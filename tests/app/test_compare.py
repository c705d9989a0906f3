"""Comparing two pictures: wipe, blink, side by side, by hand and by key."""

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QFileDialog

from app.panels.compare import ComparePanel
from tests.app.test_history import keep, result_of, select

RED, BLUE = (200, 0, 0), (0, 0, 200)


@pytest.fixture
def panel(qtbot):
    """A red picture against a blue one, in a view of 416 × 416."""
    panel = ComparePanel(None)
    qtbot.addWidget(panel)
    pictures = (np.full((64, 64, 3), color, np.uint8) for color in (RED, BLUE))
    panel.compare(*pictures, ("first", "second"))
    panel.view.setFixedSize(416, 416)
    return panel


def color(view, x, y=100):
    return view.grab().toImage().pixelColor(x, y).getRgb()[:3]


def test_wipe(panel, qtbot):
    """The divider starts in the middle; arrow keys and the mouse move it."""
    view = panel.view
    assert (color(view, 180), color(view, 230)) == (RED, BLUE)
    for _ in range(3):
        qtbot.keyClick(view, Qt.Key.Key_Right)
    assert color(view, 220) == RED and view.divider == pytest.approx(0.56)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    assert (color(view, 40), color(view, 60)) == (RED, BLUE)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(-900, 50))
    assert view.divider == 0 and color(view, 20) == BLUE


def test_blink(panel, qtbot):
    """B shows one picture, Space the other in its place."""
    view = panel.view
    qtbot.keyClick(view, Qt.Key.Key_B)
    assert (color(view, 50), color(view, 350)) == (RED, RED)
    qtbot.keyClick(view, Qt.Key.Key_Space)
    assert (color(view, 50), color(view, 350)) == (BLUE, BLUE)
    assert panel.buttons["blink"].isChecked() and not panel.timer.isChecked()


def test_blink_by_timer(panel, qtbot):
    """T lets a timer swap; Space stops it, and so does closing."""
    view = panel.view
    qtbot.keyClick(view, Qt.Key.Key_T)
    assert view.mode == "blink" and panel.timer.isChecked()
    qtbot.waitUntil(lambda: view.second_shown, timeout=3000)
    qtbot.keyClick(view, Qt.Key.Key_Space)
    assert not view.blinking and not panel.timer.isChecked()
    panel.timer.click()
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert not panel.isVisible() and not view.blinking


def test_side_by_side(panel, qtbot):
    """S shows both at once, the first at the left."""
    qtbot.keyClick(panel.view, Qt.Key.Key_S)
    assert (color(panel.view, 100, 208), color(panel.view, 300, 208)) == (RED, BLUE)
    qtbot.keyClick(panel.view, Qt.Key.Key_W)
    assert panel.view.mode == "wipe"


def test_zoom_keeps_the_point_under_the_pointer(panel):
    """The wheel zooms about the pointer, in the second half of side by side too."""
    view = panel.view
    view.set_mode("side")
    point = QPointF(330, 220)
    before = _in_picture(view, 1, point)
    event = QWheelEvent(
        point,
        view.mapToGlobal(point),
        QPoint(),
        QPoint(0, 480),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)
    assert view.zoom > 2 and _in_picture(view, 1, point) == pytest.approx(before)
    view.fit()
    assert _in_picture(view, 1, point) == pytest.approx(before)


def _in_picture(view, number, point):
    place = view._place(view._images[number], view._rooms()[number])
    return (point.x() - place.x()) / place.width(), (point.y() - place.y()) / place.height()


def test_two_from_the_history(window):
    """Ctrl+K compares the two selected pictures; with one, it and the one before it."""
    keep(window, *(result_of(window, seed) for seed in (1, 2, 3)))
    select(window, 0, 2)
    window.acts["compare"].trigger()
    panel = window.gallery.compare_window
    assert panel.isVisible() and panel.view._names == ("seed 3", "seed 1")
    select(window, 1)
    window.acts["compare"].trigger()
    assert panel.view._names == ("seed 2", "seed 1")
    window.history_panel.strip.clearSelection()
    window.acts["compare"].trigger()
    assert panel.view._names == ("seed 3", "seed 2")


def test_with_a_photo(window, monkeypatch, tmp_path):
    """A photo of any size takes the second place."""
    keep(window, result_of(window, 1))
    Image.fromarray(np.full((30, 90, 3), 77, np.uint8)).save(tmp_path / "photo.jpg")
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "photo.jpg"), "")
    )
    window.acts["compare"].trigger()
    panel = window.gallery.compare_window
    panel.photo.click()
    assert panel.view._names == ("seed 1", "photo.jpg")
    assert panel.view._images[1].pixelColor(80, 20).red() == 77
    (tmp_path / "photo.jpg").write_bytes(b"no photo")
    panel.photo.click()
    assert "photo.jpg" in window.error_bar.sentence.text()


def test_nothing_to_compare(window):
    """Without a picture the answer is a sentence."""
    window.acts["compare"].trigger()
    assert "Generate a picture first" in window.error_bar.sentence.text()
    assert not window.gallery.compare_window.isVisible()
