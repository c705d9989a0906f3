"""The real main window, offscreen, on a scripted engine and settings of its own."""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from PySide6.QtWidgets import QMessageBox

from app.application import build_application, build_window
from app.settings import Store
from core.palette import Palette
from tests.app.fake_engine import FakeEngine
from tests.app.hand import put_away

WAIT = 5000  # ms


@pytest.fixture(scope="session")
def qapp_cls():
    """Let pytest-qt build the application as the program does."""
    return build_application


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """A user's data folder of the test's own, also for windows that are told of none."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """No test here pulls the plug (test_kill.py only kills, and runs in a process of its own)."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """However slow the machine is, no dialog about reading comes between a test and its own."""
    monkeypatch.setattr("app.reader.PATIENCE", 60_000)


@pytest.fixture
def palette():
    return Palette.load("landscape")


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "settings.ini")


@pytest.fixture
def closed_window(qapp, qtbot, palette, store, data, engine, monkeypatch):
    """The window as built: an empty 64 × 64 scene, the engine not yet asked for."""
    monkeypatch.setattr(QMessageBox, "question", _nobody_answers)
    window = build_window(qapp, lambda: engine, palette, store=store, data=data)
    window.scene.replace(np.zeros((64, 64), np.uint8))
    window.show()
    window.canvas.setFocus()
    yield window
    engine.go()
    put_away(window)


@pytest.fixture
def window(closed_window, qtbot):
    """The window with its engine open."""
    closed_window.studio.start()
    qtbot.waitUntil(lambda: closed_window.studio.model is not None, timeout=WAIT)
    return closed_window


def _nobody_answers(*args):
    raise AssertionError(f"a modal question nobody expected: {args[2]}")


@pytest.fixture
def pen(closed_window):
    """A square brush of four pixels with label 7."""
    closed_window.pen.resize(4)
    closed_window.pen.reshape("square")
    closed_window.pen.choose(7)
    return closed_window.pen


@pytest.fixture
def canvas(closed_window, pen):
    """The canvas, with that brush in hand."""
    return closed_window.canvas


@pytest.fixture
def reply(monkeypatch):
    """Answer the next questions with a button; the answer is the list of questions asked."""

    def answer(button):
        asked = []
        monkeypatch.setattr(QMessageBox, "question", lambda *a: (asked.append(a[2]), button)[1])
        return asked

    return answer
