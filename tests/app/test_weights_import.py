"""Foreign weights come in by a process of their own: told, ended at once, opened when whole."""

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog

from tests.app.conftest import WAIT
from tests.app.test_exchange import drop

FAKE = Path(__file__).with_name("fake_convert.py")


@pytest.fixture
def importing(window, tmp_path):
    """The window's import, with a conversion that needs no torch, and what it opened."""
    it = window.weights_import
    it.folder = tmp_path / "weights"
    it.conversion.command = [sys.executable, str(FAKE)]
    it.opened = []
    it._open_model = it.opened.append
    return it


@pytest.fixture
def source(tmp_path):
    """`source(wish, name)`: the path of a foreign file that makes the conversion do something."""

    def make(wish="good", name="ema_0.9999_best.pt"):
        path = tmp_path / "ADE20K" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(wish)
        return path

    return make


def test_a_file_is_converted_and_opened(window, importing, source, qtbot, monkeypatch):
    """Ctrl+Alt+O, a file, Enter: the model is made in the user's folder, and nothing beside it."""
    path = source()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a: (str(path), ""))
    qtbot.keyClick(
        window,
        Qt.Key.Key_O,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier,
    )
    dialog = importing.dialog
    assert (dialog.palette_box.currentData(), dialog.name.text()) == ("ade20k", "ade20k")
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    made = importing.folder / "ade20k.safetensors"
    qtbot.waitUntil(lambda: importing.opened == [made], timeout=WAIT)
    words = made.read_text().split()
    assert words[0] == str(path) and words[words.index("--palette") + 1] == "ade20k"
    assert words[words.index("--store") + 1] == "bfloat16" and "--lines" in words
    assert list(importing.folder.iterdir()) == [made]
    assert importing.dialog is None and "ade20k is imported" in window.error_bar.sentence.text()


def test_progress_shows_and_cancel_leaves_nothing(importing, source, qtbot):
    """Esc in the middle ends the process at once; no half of a model stays."""
    importing.take(source("slow"))
    dialog = importing.dialog
    dialog.begin.click()
    assert not dialog.name.isEnabled() and not dialog.begin.isEnabled()
    qtbot.waitUntil(lambda: dialog.bar.value() == 7, timeout=WAIT)
    process = importing.conversion._process
    with qtbot.waitSignal(process.destroyed, timeout=WAIT):
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not importing.conversion.running and importing.dialog is None
    assert list(importing.folder.iterdir()) == [] and importing.opened == []


@pytest.mark.parametrize(
    "wish, sentence", [("bad", "The file holds a cat"), ("die", "exit status 9")]
)
def test_what_went_wrong_is_told_and_can_be_tried_again(importing, source, qtbot, wish, sentence):
    """In the dialog, whose fields are as they were; the next try may go well."""
    path = source(wish)
    importing.take(path)
    dialog = importing.dialog
    dialog.begin.click()
    qtbot.waitUntil(lambda: not dialog.running, timeout=WAIT)
    assert sentence in dialog.said.text() and dialog.isVisible()
    assert list(importing.folder.iterdir()) == []
    path.write_text("good")
    dialog.begin.click()
    qtbot.waitUntil(lambda: len(importing.opened) == 1, timeout=WAIT)


def test_a_program_that_is_not_there_is_told(importing, source, qtbot):
    """As one sentence, with nothing left behind."""
    importing.conversion.command = ["no-such-program"]
    importing.take(source())
    importing.dialog.begin.click()
    qtbot.waitUntil(lambda: not importing.dialog.running, timeout=WAIT)
    assert "cannot be started" in importing.dialog.said.text()
    assert list(importing.folder.iterdir()) == [] and not importing.conversion.running


def test_names_are_free_and_no_model_is_written_over(importing, source):
    """The proposed name is a new one; an old one is refused."""
    importing.folder.mkdir()
    (importing.folder / "ade20k.safetensors").write_text("old")
    importing.take(source())
    dialog = importing.dialog
    assert dialog.name.text() == "ade20k-2"
    dialog.name.setText("ade20k")
    dialog.begin.click()
    assert "already" in dialog.said.text() and not dialog.running
    assert (importing.folder / "ade20k.safetensors").read_text() == "old"
    for name in ("", "  ", "a/b", ".."):
        dialog.name.setText(name)
        assert not dialog.begin.isEnabled()
    dialog.reject()


def test_a_spade_takes_its_encoder_along(window, importing, source, qtbot):
    """Dropped on the window; `latest_net_E.pth` beside the generator goes with it."""
    encoder = source(name="latest_net_E.pth")
    path = source(name="latest_net_G.pth")
    drop(window, path)
    qtbot.waitUntil(lambda: importing.dialog is not None, timeout=WAIT)
    importing.dialog.begin.click()
    made = importing.folder / "ade20k-spade.safetensors"
    qtbot.waitUntil(lambda: importing.opened == [made], timeout=WAIT)
    words = made.read_text().split()
    assert words[words.index("--encoder") + 1] == str(encoder)
