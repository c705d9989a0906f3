"""Reading files beside the window: what comes of it, the word about it, and giving up."""

import threading
from pathlib import Path
from threading import Event as Gate

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from app import exchange, scene_file
from app.reader import Cancelled, ReadingDialog
from core.errors import InputError
from core.labelmap import read_labels
from tests.app.test_accessibility import faults
from tests.app.test_exchange import drop

LAKE = Path("lake.png")


@pytest.fixture
def gate():
    """Holds up the reading of files; open at the end, so that no thread is left."""
    gate = Gate()
    yield gate
    gate.set()


@pytest.fixture
def impatient(monkeypatch):
    """The dialog comes at once."""
    monkeypatch.setattr("app.reader.PATIENCE", 1)


@pytest.fixture
def slow_file(tmp_path, palette, monkeypatch, gate):
    """A label map of one blue that takes until the gate opens to be read, by import and by open."""
    path = tmp_path / "slow.png"
    Image.fromarray(np.full((48, 64, 3), palette[3].color, np.uint8)).save(path)

    def slowly(work):
        return lambda *args: (gate.wait(10), work(*args))[1]

    monkeypatch.setattr(exchange, "recognise_file", slowly(exchange.recognise_file))
    monkeypatch.setattr(scene_file, "read_labels", slowly(read_labels))
    return path


def dialog():
    """The dialog about reading, if it is open."""
    shown = QApplication.activeModalWidget()
    return shown if isinstance(shown, ReadingDialog) else None


def when_told(work):
    """Call `work(dialog)` as soon as the dialog is there."""

    def look():
        work(dialog()) if dialog() else QTimer.singleShot(5, look)

    QTimer.singleShot(0, look)


def test_it_reads_in_another_thread(closed_window):
    """The caller waits and gets what the thread found; the file's name is the thread's."""
    found = closed_window.reader.read(LAKE, lambda: threading.current_thread().name)
    assert found == "reading lake.png"


def test_what_goes_wrong_comes_back(closed_window):
    """An exception in the thread is raised where the answer was waited for."""

    def fail():
        raise InputError("lake.png is dry.")

    with pytest.raises(InputError, match="is dry"):
        closed_window.reader.read(LAKE, fail)


def test_the_window_lives_meanwhile(closed_window, gate):
    """Timers run while a file is read; without a word if that is soon over."""
    ticks = []
    timer = QTimer(interval=1)
    timer.timeout.connect(lambda: ticks.append(dialog()) or (len(ticks) > 20 and gate.set()))
    timer.start()
    closed_window.reader.read(LAKE, lambda: gate.wait(10))
    timer.stop()
    assert len(ticks) > 20 and not any(ticks)


def test_what_takes_longer_is_told(closed_window, gate, impatient):
    """A dialog names the file, every part of it can be reached, and it goes by itself."""
    seen = []

    def look(shown):
        seen.append(shown.findChild(QLabel).text())
        seen.extend(faults(shown))
        gate.set()

    when_told(look)
    assert closed_window.reader.read(LAKE, lambda: gate.wait(10)) is True
    assert seen == ["Reading lake.png…"] and dialog() is None


def test_giving_up(closed_window, gate, impatient):
    """Esc ends the wait, and nobody hears of what comes of it; the next file is read at once."""
    reader, over = closed_window.reader, []
    when_told(lambda shown: QTest.keyClick(shown, Qt.Key.Key_Escape))
    with pytest.raises(Cancelled):
        reader.read(LAKE, lambda: over.append(gate.wait(10)))
    assert not over and reader.read(LAKE, lambda: "next") == "next"


@pytest.mark.parametrize("way", ["open", "drop"])
def test_a_map_that_is_not_waited_for(closed_window, slow_file, impatient, way):
    """Given up, the scene, its file and the undo stay, and no error is told."""
    when_told(lambda shown: shown.cancel.click())
    if way == "open":
        closed_window.filing.open_path(slow_file)
    else:
        drop(closed_window, slow_file)
    assert closed_window.scene.size == (64, 64) and not closed_window.scene.labels.any()
    assert closed_window.scene_file.path is None and closed_window.undo_stack.count() == 0
    assert not closed_window.error_bar.isVisible() and closed_window.isEnabled()


def test_a_map_that_is_waited_for(closed_window, slow_file, impatient, gate):
    """With some patience the same file opens."""
    when_told(lambda shown: gate.set())
    closed_window.filing.open_path(slow_file)
    assert closed_window.scene.size == (64, 48) and (closed_window.scene.labels == 3).all()
    assert closed_window.scene_file.path == slow_file
