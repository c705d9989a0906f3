"""The window: what it shows, when it is there, what it remembers, and its keys."""

import subprocess
import sys
import time
from pathlib import Path
from threading import Event as Gate
from threading import current_thread, main_thread

import pytest
from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QColor, QPixmap, QPixmapCache
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QLineEdit

from app.application import build_window, show
from app.icons import themed, tinted
from app.key_sheet import KeySheet
from app.main_window import all_wishes
from app.settings import GenerateSettings, Store
from app.theme import DARK
from tests.app.hand import put_away

ROOT = Path(__file__).resolve().parents[2]
WAIT = 5000  # ms


@pytest.fixture
def opened(qapp, palette, store, engine):
    """Build windows on an engine of the test's own; all are closed at the end."""
    windows = []

    def build(open_engine, layout=None, start=True):
        window = build_window(qapp, open_engine, palette, layout, store)
        windows.append(window)
        if start:
            window.show()
            window.studio.start()
        return window

    yield build
    for window in windows:
        put_away(window)


@pytest.fixture
def restyled(qapp):
    """Who has been given a style sheet anew."""

    class Watch(QObject):
        def eventFilter(self, watched, event):
            if event.type() == QEvent.Type.StyleChange:
                seen.append(watched)
            return False

    seen, watch = [], Watch()
    qapp.installEventFilter(watch)
    yield seen
    qapp.removeEventFilter(watch)


def test_the_model_is_opened_when_the_window_is_painted(opened, engine, qapp, qtbot):
    """What reads torch would keep what paints waiting."""
    asked = []
    window = opened(lambda: asked.append(window.result_panel.isVisible()) or engine, start=False)
    show(window)
    time.sleep(0.1)
    assert asked == []
    qtbot.waitUntil(lambda: window.studio.model is not None, timeout=WAIT)
    assert asked == [True]


def test_the_window_is_there_before_the_model(opened, engine, qtbot):
    """With the engine still opening, the window shows the example and can be painted on."""
    gate = Gate()
    started = time.monotonic()
    window = opened(lambda: gate.wait(10) and engine)
    assert time.monotonic() - started < 1 and window.isVisible()
    assert window.studio.status().state == "loading" and len(set(window.scene.labels.flat)) > 5
    gate.set()
    qtbot.waitUntil(lambda: window.studio.status().state == "idle", timeout=WAIT)


def test_the_engine_is_opened_in_the_worker_thread(opened, engine, qtbot):
    """Torch's import must never hold the window up."""
    threads = []
    window = opened(lambda: threads.append(current_thread()) or engine)
    qtbot.waitUntil(lambda: window.studio.model is not None, timeout=WAIT)
    assert threads and threads[0] is not main_thread()


def test_generate_while_loading_waits_for_the_model(opened, engine, qtbot):
    """A picture asked for too early is made as soon as the model is there."""
    gate = Gate()
    window = opened(lambda: gate.wait(10) and engine)
    window.studio.generate()
    assert window.generate_panel.progress_text.text() == "waiting for the model"
    gate.set()
    qtbot.waitUntil(lambda: window.studio.result is not None, timeout=WAIT)


def test_cancel_while_loading_keeps_the_model(opened, engine, qtbot):
    """Cancelling the early wish drops the sample, not the model."""
    gate = Gate()
    window = opened(lambda: gate.wait(10) and engine)
    window.studio.generate()
    window.studio.cancel()
    gate.set()
    qtbot.waitUntil(lambda: window.studio.status().state == "idle", timeout=WAIT)
    assert not engine.requests


def test_without_a_model_painting_works(opened, qtbot):
    """Missing weights are a sentence and a disabled button, not the end."""

    def missing():
        raise ValueError("There is no model at weights/none.safetensors.")

    window = opened(missing)
    qtbot.waitUntil(window.error_bar.isVisible, timeout=WAIT)
    assert window.error_bar.sentence.text().startswith("There is no model")
    assert not window.generate_panel.generate.isEnabled()
    assert not window.acts["generate"].isEnabled() and window.canvas.isEnabled()


def test_a_layout_from_the_command_line(opened, engine, palette, tmp_path):
    """A path given at the start is opened instead of the example."""
    window = opened(lambda: engine, tmp_path / "missing.png")
    assert window.error_bar.isVisible() and window.scene.size == (256, 256)


def test_settings_come_back(opened, window, store, tmp_path):
    """Generate settings are remembered over a restart."""
    window.generate_panel.steps.setValue(40)
    window.generate_panel.sampler.setCurrentIndex(1)
    window.close()
    assert Store(tmp_path / "settings.ini").generate().steps == 40
    assert Store(tmp_path / "settings.ini").generate().sampler == "ddim"


def test_damaged_settings_are_put_right(store):
    """Whatever the settings file holds, the program starts with usable values."""
    for name, value in (("steps", "many"), ("sampler", "magic"), ("guidance_scale", 1e9)):
        store._settings.setValue(f"generate/{name}", value)
    found = store.generate()
    assert found.checked() == found and found.sampler == GenerateSettings().sampler


@pytest.mark.parametrize("theme", ["light", "dark", "system"])
def test_label_colours_never_follow_the_theme(window, qtbot, palette, theme):
    """Themes dress the window; the map looks the same in each of them."""
    window.choose_theme(theme)
    shown = window.canvas.grab().toImage()
    assert shown.pixelColor(shown.rect().center()).getRgb()[:3] == palette[0].color
    assert window.store.theme == theme


def test_light_and_dark_differ(window):
    """The two themes really are two."""
    window.choose_theme("light")
    light = window.palette().window().color().lightness()
    window.choose_theme("dark")
    assert window.palette().window().color().lightness() < light - 100


def test_a_theme_changed_to_and_fro(window, qtbot):
    """What is seen, what is hidden meanwhile, and what is built afterwards wear the same."""

    def look():
        qtbot.wait(20)  # icons follow
        return window.grab().toImage()

    window.choose_theme("light")
    light = look()
    window.choose_theme("dark")
    hidden = next(field for field in window.findChildren(QLineEdit) if not field.isVisible())
    for field in (window.palette_panel.search, hidden, QLineEdit(window)):
        inside = field.grab().toImage().pixelColor(field.width() - 4, field.height() // 2)
        assert inside == QColor(DARK.base)
    assert look() != light
    window.choose_theme("light")
    assert look() == light


def test_a_change_of_theme_restyles_no_widget(window, qtbot, restyled):
    """Qt would do it five times each, in a tenth of a second: they are dressed once instead."""
    for theme in ("dark", "light", "dark"):
        window.choose_theme(theme)
        qtbot.wait(20)
    assert restyled == []


def test_pixmaps_of_the_theme_before_are_forgotten(window):
    QPixmapCache.insert("drawn", QPixmap(4, 4))
    assert QPixmapCache.find("drawn", QPixmap())
    window.choose_theme("dark")
    assert not QPixmapCache.find("drawn", QPixmap())


def test_icons_follow_the_theme(window, qtbot):
    """In the turn after the widgets: both at once would hold the window up."""
    window.choose_theme("light")
    qtbot.wait(20)
    swap = window.palette_panel._swap
    light = swap.icon().cacheKey()
    with qtbot.waitSignal(window.theme.changed):
        window.choose_theme("dark")
        assert swap.icon().cacheKey() == light
    assert swap.icon().cacheKey() != light


def test_icons_are_drawn_as_dense_as_the_screens(qapp):
    """These are plain ones: nothing is drawn that no screen shows. Others get what they need."""
    for icon, sides in ((themed("swap"), [20]), (tinted("swap", "red", "red", "red", 2), [20, 40])):
        assert [size.width() for size in icon.availableSizes()] == sides


def test_a_start_reads_what_it_shows(tmp_path):
    """Neither all that Pillow can read, nor dialogs, nor the pictures of a page that is hidden.
    Nor the source of everything that is imported, torch's too, as PySide6 would."""
    code = """
import linecache, sys, main
assert not {"numpy", "cv2", "PySide6"} & set(sys.modules)  # read where no garbage is looked for
opening = main.read_window()
from core.palette import Palette
from pathlib import Path
application = opening.build_application(["x"])
here = Path(sys.argv[1])
window = opening.build_window(
    application, None, Palette.load("landscape"), store=opening.Store(here / "s.ini"), data=here
)
dialogs = ("export_dialog", "import_dialog", "training.set_dialog", "weights_import.dialog")
print([f"app.{name}" in sys.modules for name in (*dialogs, "palettes.editor")])
print("PIL.PdfImagePlugin" in sys.modules, [c.icon().isNull() for c in window.start.page.cards][0])
print([name for name in linecache.cache if name.endswith("main_window.py")])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [f"{[False] * 5}", "False True", "[]"], done.stderr


def test_nothing_is_cut_off(window, qtbot):
    """At 1280 × 720 every text has the room it asks for."""
    window.resize(1280, 720)
    qtbot.wait(20)
    assert window.size() == QSize(1280, 720)
    widgets = window.findChildren(QLabel) + window.findChildren(QAbstractButton)
    shown = [w for w in widgets if w.isVisible() and w.text() and w is not window.canvas]
    assert [w.text() for w in shown if w.width() < w.minimumSizeHint().width()] == []


def test_buttons_have_names(window):
    """Every button says what it is, by text or by an accessible name."""
    for button in window.findChildren(QAbstractButton):
        if button.isVisible() and button.parent().objectName() != "qt_dockwidget_title":
            assert button.text() or button.accessibleName() or button.toolTip()


@pytest.mark.parametrize(
    ("key", "tool"), [("b", "brush"), ("e", "eraser"), ("f", "fill"), ("i", "pick"), ("h", "pan")]
)
def test_tools_by_key(window, qtbot, key, tool):
    """A letter takes its tool, and the strip shows it."""
    qtbot.keyClick(window.canvas, key)
    assert window.pen.tool == tool and window.acts[tool].isChecked()


def test_letters_belong_to_the_text_field(window, qtbot):
    """While the search has the focus, letters are text and no tool is taken."""
    window.activateWindow()
    window.palette_panel.search.setFocus()
    qtbot.keyClicks(window.palette_panel.search, "fieb[]-=")
    assert window.pen.tool == "brush" and window.pen.diameter == 16
    assert window.palette_panel.search.text() == "fieb[]-="


@pytest.mark.parametrize("field", ["seed", "steps", "size_box", "scales"])
def test_letters_belong_to_every_field(window, qtbot, field):
    """Numbers are typed into fields, too: their letters and digits are no commands there."""
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=WAIT)
    panels = (window.generate_panel, window.options, window.desk.panel)
    widget = next(getattr(panel, field) for panel in panels if hasattr(panel, field))
    window.desk.place.setCurrentWidget(window.desk.panel)  # where the scales are
    widget.setFocus()
    qtbot.keyClicks(widget, "fx5")
    assert window.pen.tool == "brush" and window.pen.label == window.scene.palette.find("tree")


def test_search_finds_synonyms(window, qtbot):
    """Typing "ocean" and Return takes sea and gives the keys back to the canvas."""
    qtbot.keyClicks(window.palette_panel.search, "ocean")
    assert len(window.palette_panel.rows.labels) == 1
    qtbot.keyClick(window.palette_panel.search, Qt.Key.Key_Return)
    assert window.scene.palette[window.pen.label].name == "sea"
    assert window.palette_panel.search.text() == ""


def test_labels_by_key(window, qtbot):
    """= and - walk the list as it is shown, round its ends; X swaps back."""
    window.pen.choose(17)  # the last of the last group
    qtbot.keyClick(window.canvas, "=")
    assert window.pen.label == 0
    qtbot.keyClick(window.canvas, "-")
    assert window.pen.label == 17
    qtbot.keyClick(window.canvas, "x")
    assert window.pen.label == 0


def test_choosing_a_label_takes_the_brush(window, qtbot):
    """A label is taken to paint with it: a click in the palette puts the eraser away."""
    window.pen.use("eraser")
    rows = window.palette_panel.rows
    qtbot.mouseClick(
        rows.viewport(), Qt.MouseButton.LeftButton, pos=rows.visualItemRect(rows.row(4)).center()
    )
    assert (window.pen.label, window.pen.tool) == (4, "brush")


def test_brush_size_by_key_and_slider(window, qtbot):
    """[ and ] and the slider change one and the same brush."""
    qtbot.keyClick(window.canvas, "]")
    assert window.pen.diameter == 18 and window.options.size_box.value() == 18
    window.options.size_slider.setValue(0)
    assert window.pen.diameter == 1
    qtbot.keyClick(window.canvas, "[")
    assert window.pen.diameter == 1


def test_no_key_has_two_meanings():
    """Every shortcut stands for one wish."""
    keys = [key for wish in all_wishes() for key in wish.keys]
    assert len(keys) == len(set(keys))


def test_f1_shows_the_keys(window, qtbot):
    """F1 opens the sheet, and it names every tool."""
    qtbot.keyClick(window.canvas, Qt.Key.Key_F1)
    sheet = window.findChild(KeySheet)
    texts = {label.text() for label in sheet.findChildren(QLabel)}
    assert {"Brush", "Eraser", "Fill", "Ctrl+wheel"} <= texts
    assert sheet.width() < 1280 and sheet.height() < 720
    sheet.close()


def test_copy_takes_sentence_and_details(window):
    """Copy puts all that a report needs on the clipboard."""
    window.error_bar.show_error("A sentence.", "A traceback")
    window.error_bar.copy_button.click()
    assert QApplication.clipboard().text() == "A sentence.\n\nA traceback"


def test_docks_can_be_put_back(window, qtbot):
    """Reset layout brings closed docks back."""
    window.docks[0].close()
    window.reset_layout()
    assert window.docks[0].isVisible()
