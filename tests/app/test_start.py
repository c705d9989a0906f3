"""How work begins: the start page, the examples and their pictures."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from app.application import build_window, welcome
from app.examples import EXAMPLES
from core.labelmap import read_labels
from tests.app import hand

WAIT = 5000  # ms


@pytest.fixture
def page(window):
    """The start page, open."""
    window.acts["start_page"].trigger()
    return window.start.page


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_every_example_is_whole(example, palette):
    """A label map that this palette reads without a rest, and a small picture of the same size."""
    read = read_labels(example.layout, palette)
    picture = QImage(str(example.picture))
    assert read.unplaced == 0 and len(np.unique(read.labels)) >= 4
    assert (picture.width(), picture.height()) == read.labels.shape[::-1]
    assert example.picture.stat().st_size <= 30 * 1024


def test_there_is_enough_to_choose_from():
    """Six scenes at least, each once."""
    assert len({example.name for example in EXAMPLES}) == len(EXAMPLES) >= 6


def test_a_first_start_shows_scene_and_picture(qapp, palette, store, engine):
    """Before anything was pressed there are a scene, its picture, and scenes to begin with."""
    window = build_window(qapp, lambda: engine, palette, store=store)
    window.show()
    welcome(window)
    assert window.result_panel.view._picture is not None and window.start.open
    assert window.canvas._picture is not None and len(np.unique(window.scene.labels)) > 5
    window.start.close()
    welcome(window)
    assert not window.start.open
    hand.put_away(window)


def test_a_click_opens_the_scene(window, page, palette, qtbot):
    """The layout, its picture, and the canvas to go on with."""
    QTest.mouseClick(page.cards[3], Qt.MouseButton.LeftButton)
    expected = read_labels(EXAMPLES[3].layout, palette).labels
    assert np.array_equal(window.scene.labels, expected) and not window.start.open
    shown = window.result_panel.view._picture
    wanted = QImage(str(EXAMPLES[3].picture)).pixelColor(100, 40)
    assert shown.pixelColor(100, 40) == wanted and "example" in window.result_panel.caption.text()


def test_keys_walk_the_cards_and_open_one(window, page, palette):
    """Right, Down, Enter: the second card of the second row."""
    page.cards[0].setFocus()
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Return):
        card = next(card for card in page.cards if card.hasFocus())
        QTest.keyClick(card, key)
    assert np.array_equal(window.scene.labels, read_labels(EXAMPLES[6].layout, palette).labels)


def test_esc_goes_on_with_the_scene(window, page):
    """Esc closes the page, and nothing else is different."""
    before = window.scene.labels.copy()
    QTest.keyClick(page.cards[0], Qt.Key.Key_Escape)
    assert not window.start.open and np.array_equal(window.scene.labels, before)
    assert window.canvas.isVisible()


def test_unsaved_work_is_not_lost(window, page, monkeypatch):
    """An example asks before it replaces a painted scene; Cancel keeps both."""
    window.start.close()
    hand.drag(window.canvas, (20, 20))
    cancel = QMessageBox.StandardButton.Cancel
    monkeypatch.setattr(QMessageBox, "question", lambda *args: cancel)
    before = window.scene.labels.copy()
    window.acts["start_page"].trigger()
    page.cards[1].click()
    assert window.start.open and np.array_equal(window.scene.labels, before)


def test_the_example_makes_way_for_a_picture(window, page, qtbot):
    """Generate replaces the example's picture; a new scene has none."""
    page.cards[0].click()
    window.studio.generate()
    qtbot.waitUntil(lambda: window.studio.result is not None, timeout=WAIT)
    assert window.result_panel.view._picture.pixelColor(3, 3).red() == 255
    window.keeping.history.finish()
    window.keeping.history.mark_saved()
    window.filing.new()
    assert window.result_panel.view._picture is None


def test_a_cancelled_picture_brings_the_example_back(window, page, engine, qtbot):
    """While the scene has no picture of its own, its example stands in."""
    page.cards[0].click()
    engine.hold()
    window.studio.generate()
    engine.let(1)
    qtbot.waitUntil(lambda: window.studio.status().step == 1, timeout=WAIT)
    window.studio.cancel()
    assert "example" in window.result_panel.caption.text()


def test_an_empty_scene(window, page):
    """The page also begins with nothing."""
    page.empty.click()
    assert not window.start.open and window.scene.labels.max() == 0


def test_the_hint_has_five_lines_and_the_present_keys(window, page):
    """With Generate on F5 the hint says F5."""
    assert page.hint.text().count("<br>") == 4 and "Ctrl+Enter" in page.hint.text()
    window.shortcuts.assign("generate", ("F5",))
    window.acts["start_page"].trigger()
    assert "<b>F5</b> makes the picture" in page.hint.text()


def test_it_fits_without_scrolling(window, page, qtbot):
    """At 1280 × 720 the whole page is seen, its cards as large as they can be."""
    window.resize(1280, 720)
    qtbot.waitUntil(lambda: window.width() == 1280)
    bar = page.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() == 0)
    assert page.cards[0].iconSize().width() >= 84
