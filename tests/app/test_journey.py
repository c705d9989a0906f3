"""From nothing to a saved project and an exported picture, by keyboard alone."""

import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog

from app.application import build_window, welcome
from app.export_dialog import ExportDialog
from core.picture import read_picture
from tests.app import hand

WAIT = 10_000  # ms
Key = Qt.Key
CTRL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)
PLAIN = Qt.KeyboardModifier.NoModifier
ENTER = Key.Key_Return
LEFT, RIGHT, UP, DOWN = Key.Key_Left, Key.Key_Right, Key.Key_Up, Key.Key_Down


class Keyboard:
    """Strikes keys; they go to whatever has the focus in the active window."""

    def __init__(self, window):
        self.window = window

    @property
    def focus(self):
        if QApplication.activeWindow() is None:  # here no desktop gives it back after a dialog
            self.window.activateWindow()
        QApplication.processEvents()  # a dialog that has just opened takes the focus
        place = QApplication.activeModalWidget() or QApplication.activeWindow()
        return place.focusWidget() or place

    def press(self, key, keys=PLAIN, times=1):
        for _ in range(times):
            QTest.keyClick(self.focus, key, keys)

    def type(self, text):
        QTest.keyClicks(self.focus, text)

    def take(self, search, pin):
        """Find a label, take it in hand, pin it to a key."""
        self.press(Key.Key_F, CTRL)
        self.type(search)
        self.press(ENTER)
        self.press(Key(Key.Key_0 + pin), ALT)

    def when(self, kind, work):
        """As soon as a dialog of a kind is open, call `work(dialog)`."""

        def look():
            dialog = QApplication.activeModalWidget()
            work(dialog) if isinstance(dialog, kind) else QTimer.singleShot(10, look)

        QTimer.singleShot(0, look)

    def name_file(self, name):
        """Answer the next file dialog."""

        def answer(dialog):
            dialog.focusWidget().setCompleter(None)  # its list takes keys that offscreen it cannot
            self.type(name)
            self.press(ENTER)

        self.when(QFileDialog, answer)


@pytest.fixture
def store(store, tmp_path):
    """Files go into the test's folder."""
    for purpose in ("documents", "pictures", "exports"):
        store.keep_folder(purpose, tmp_path)
    return store


@pytest.fixture
def keyboard(window):
    """The keys of a first start: the start page is open."""
    welcome(window)
    assert window.start.open
    return Keyboard(window)


def begin(window, keyboard):
    """An empty scene of 320 × 256."""
    keyboard.press(Key.Key_N, CTRL)
    assert not window.start.open
    keyboard.press(Key.Key_C, CTRL | ALT)
    keyboard.type("320")
    keyboard.press(Key.Key_Tab)
    keyboard.type("256")
    keyboard.press(ENTER)
    assert window.scene.size == (320, 256) and not window.scene.labels.any()


def paint(window, keyboard):
    """Sea, sky over it, a mountain between, and a stroke of sea: four steps of four tools."""
    ids = {name: window.scene.palette.find(name) for name in ("sea", "sky", "mountain")}
    keyboard.take("ocean", 1)
    keyboard.take("sky", 2)
    keyboard.take("mountain", 3)
    assert window.pen.label == ids["mountain"]
    keyboard.press(Key.Key_1)
    keyboard.press(Key.Key_F)
    keyboard.press(ENTER, times=2)  # it shows where it is, then it fills
    assert (window.scene.labels == ids["sea"]).all()
    keyboard.press(Key.Key_2)
    keyboard.press(Key.Key_R)
    keyboard.press(LEFT, times=40)
    keyboard.press(UP, times=40)
    keyboard.press(ENTER)
    keyboard.press(RIGHT, times=70)
    keyboard.press(DOWN, times=20)
    keyboard.press(ENTER)
    horizon = int((window.scene.labels[:, 0] == ids["sky"]).sum())
    assert 0 < horizon < 256 and (window.scene.labels[:horizon] == ids["sky"]).all()
    keyboard.press(Key.Key_3)
    keyboard.press(Key.Key_P)
    for dx, dy in ((-8, 0), (-10, -12), (-10, 12)):
        keyboard.press(LEFT, times=-dx)
        keyboard.press(UP if dy < 0 else DOWN, times=abs(dy))
        keyboard.press(ENTER)
    keyboard.press(ENTER)  # once more at the last corner
    assert (window.scene.labels == ids["mountain"]).sum() > 500
    keyboard.press(Key.Key_1)
    keyboard.press(Key.Key_B)
    keyboard.press(Key.Key_BracketRight, times=3)
    keyboard.press(ENTER)
    keyboard.press(RIGHT, times=6)
    keyboard.press(ENTER)
    assert window.undo_stack.count() == 5  # with the canvas size


def take_back(window, keyboard):
    """Undo everything, redo everything: not a pixel is lost."""
    painted, steps = window.scene.labels.copy(), window.undo_stack.count()
    keyboard.press(Key.Key_Z, CTRL, times=steps - 1)
    assert not window.scene.labels.any()
    keyboard.press(Key.Key_Z, CTRL | SHIFT, times=steps - 1)
    assert np.array_equal(window.scene.labels, painted)


def make_pictures(window, keyboard, qtbot):
    """Generate, then take the fourth of eight variations, then compare it with another."""
    keyboard.press(ENTER, CTRL)
    qtbot.waitUntil(lambda: window.studio.result is not None, timeout=WAIT)
    keyboard.press(ENTER, CTRL | SHIFT)
    variations = window.desk.variations
    qtbot.waitUntil(lambda: all(p.result for p in variations.pictures), timeout=WAIT)
    keyboard.press(RIGHT)
    keyboard.press(DOWN)
    seed = variations.pictures[4].seed
    keyboard.press(ENTER)
    assert not variations.open and window.studio.settings.seed == seed
    qtbot.waitUntil(lambda: len(window.keeping.history.records) == 9, timeout=WAIT)
    keyboard.press(Key.Key_D, CTRL)
    (starred,) = [record for record in window.keeping.history.records if record.starred]
    assert starred.recipe["seed"] == seed
    keyboard.press(Key.Key_K, CTRL)
    assert window.gallery.compare_window.isVisible()
    keyboard.press(LEFT, times=3)
    keyboard.press(Key.Key_Escape)
    assert not window.gallery.compare_window.isVisible()


def save(window, keyboard, tmp_path):
    """Save as: the file dialog is answered by keyboard."""
    keyboard.name_file("lake")
    keyboard.press(Key.Key_S, CTRL | SHIFT)
    assert window.scene_file.path == tmp_path / "lake.sdms" and window.scene_file.saved


def export(window, keyboard):
    """Export the picture and OpenRaster: Tab goes to the box, Space ticks it, Enter writes."""

    def tick(dialog):
        for _ in range(9):
            if dialog.focusWidget() is dialog.boxes["ora"]:
                break
            keyboard.press(Key.Key_Tab)
        keyboard.press(Key.Key_Space)
        assert dialog.boxes["ora"].isChecked() and dialog.boxes["png"].isChecked()
        keyboard.press(ENTER)

    told = []
    window.exchange.done.connect(told.append)
    keyboard.when(ExportDialog, tick)
    keyboard.press(Key.Key_E, CTRL | SHIFT)
    assert told == ["3 files are exported."]


def test_a_scene_from_nothing(
    window, keyboard, engine, qtbot, qapp, palette, store, data, tmp_path
):
    """Canvas, labels, four tools, undo, pictures, project, export; then everything is there again,
    to the bit."""
    begin(window, keyboard)
    paint(window, keyboard)
    take_back(window, keyboard)
    make_pictures(window, keyboard, qtbot)
    save(window, keyboard, tmp_path)
    export(window, keyboard)
    labels, result = window.scene.labels.copy(), window.studio.result
    before = document(window)
    keyboard.press(Key.Key_Q, CTRL)
    assert not window.isVisible()

    again = build_window(qapp, lambda: engine, palette, store=store, data=data)
    again.show()
    keyboard = Keyboard(again)
    keyboard.name_file("lake.sdms")
    keyboard.press(Key.Key_O, CTRL)
    assert document(again) == before and not again.recovery_bar.isVisible()
    assert np.array_equal(again.scene.labels, labels)
    assert np.array_equal(again.studio.result.image, result.image)
    exported = read_picture(tmp_path / "lake-picture.png")
    assert np.array_equal(exported.image, result.image)
    assert np.array_equal(exported.layout.labels, labels)
    assert (tmp_path / "lake-layers.ora").is_file()
    hand.put_away(again)


def document(window):
    """Everything of a document but its pixels."""
    scene, pen, studio = window.scene, window.pen, window.studio
    return (
        window.scene_file.path,
        scene.size,
        scene.palette,
        studio.settings,
        studio.result.request.recipe(studio.result.weights),
        window.keeping.history.records,
        (pen.tool, pen.label, pen.previous_label, pen.diameter),
        [window.palettes.pins.label_on(digit) for digit in range(1, 10)],
    )
