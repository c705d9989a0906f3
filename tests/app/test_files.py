"""Files: label maps in and out, pictures out with their recipe, and files that will not do."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QFileDialog, QMessageBox

from core.labelmap import read_labels, write_labels
from core.picture import read_picture
from tests.app import hand

Button = QMessageBox.StandardButton


@pytest.fixture
def choose(monkeypatch):
    """Answer the next file dialogs with a path."""

    def answer(path):
        for ask in ("getOpenFileName", "getSaveFileName"):
            monkeypatch.setattr(QFileDialog, ask, lambda *_: (str(path), ""))

    return answer


def made(window, qtbot):
    window.studio.generate()
    qtbot.waitUntil(lambda: window.studio.result is not None)
    return window.studio.result


def test_save_and_open_give_the_same_map(closed_window, palette, choose, tmp_path):
    """A saved label map opens again with every id in its place."""
    hand.drag(closed_window.canvas, (10, 10), (50, 50))
    painted = closed_window.scene.labels.copy()
    choose(tmp_path / "scene.png")
    assert closed_window.filing.save()
    closed_window.filing.new()
    closed_window.filing.open_path(tmp_path / "scene.png")
    assert np.array_equal(closed_window.scene.labels, painted)
    assert read_labels(tmp_path / "scene.png", palette).kind == "own"


def test_a_map_of_another_size(closed_window, palette, tmp_path):
    """The canvas takes the size of the map that is opened, and shows all of it."""
    write_labels(tmp_path / "wide.png", np.full((40, 100), 3, np.uint8), palette)
    closed_window.filing.open_path(tmp_path / "wide.png")
    assert closed_window.scene.size == (100, 40)
    assert closed_window.canvas.rect().contains(closed_window.canvas._map_rect())


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n broken"])
def test_a_broken_file_loses_nothing(closed_window, tmp_path, content):
    """A broken file is refused with a sentence; scene, file name and undo stay as they were."""
    hand.drag(closed_window.canvas, (10, 10))
    painted = closed_window.scene.labels.copy()
    (tmp_path / "broken.png").write_bytes(content)
    closed_window.filing.open_path(tmp_path / "broken.png")
    assert closed_window.error_bar.isVisible()
    assert "broken.png" in closed_window.error_bar.sentence.text()
    assert np.array_equal(closed_window.scene.labels, painted)
    assert closed_window.undo_stack.canUndo() and closed_window.scene_file.path is None


def test_a_failed_save_says_so(closed_window, choose, tmp_path):
    """A save that does not reach the disk leaves the scene unsaved and shows a sentence."""
    hand.drag(closed_window.canvas, (10, 10))
    choose(tmp_path / "no such folder" / "scene.png")
    assert not closed_window.filing.save()
    assert closed_window.error_bar.isVisible() and closed_window.isWindowModified()


def test_foreign_colours_are_reported(closed_window, palette, tmp_path):
    """Pixels without a label are counted in the bar and become "other"."""
    rgb = np.full((10, 10, 3), palette[3].color, np.uint8)
    rgb[0] = (1, 2, 3)
    Image.fromarray(rgb).save(tmp_path / "odd.png")
    closed_window.filing.open_path(tmp_path / "odd.png")
    assert "10.0%" in closed_window.error_bar.sentence.text()


def test_the_title_shows_changes(closed_window, choose, tmp_path):
    """Painting marks the window as changed; saving, and undoing, take the mark away."""
    hand.drag(closed_window.canvas, (10, 10))
    assert closed_window.isWindowModified()
    choose(tmp_path / "scene.png")
    closed_window.filing.save()
    assert not closed_window.isWindowModified()
    assert closed_window.windowTitle().startswith("scene.png")


def test_open_asks_before_it_drops_changes(closed_window, reply, choose, tmp_path):
    """With unsaved changes New asks; Cancel keeps the scene."""
    hand.drag(closed_window.canvas, (10, 10))
    asked = reply(Button.Cancel)
    closed_window.filing.new()
    assert asked and closed_window.scene.labels.any()


def test_discard_lets_go(closed_window, reply):
    """Discard gives the scene up without saving it."""
    hand.drag(closed_window.canvas, (10, 10))
    reply(Button.Discard)
    closed_window.filing.new()
    assert not closed_window.scene.labels.any()


def test_close_asks_and_can_be_called_off(window, reply):
    """Cancel in the question keeps the window open and the thread alive."""
    hand.drag(window.canvas, (10, 10))
    reply(Button.Cancel)
    assert not window.close()
    assert window.isVisible() and window.studio._worker.isRunning()


def test_a_picture_carries_its_recipe(window, qtbot, choose, tmp_path):
    """The saved PNG holds the picture, the recipe as JSON, and the label map."""
    hand.drag(window.canvas, (10, 10), (40, 40))
    result = made(window, qtbot)
    choose(tmp_path / "picture")
    window.filing.save_picture()
    with Image.open(tmp_path / "picture.png") as image:
        texts, pixels = image.text, np.asarray(image.convert("RGB"))
    assert np.array_equal(pixels, result.image)
    assert json.loads(texts["sdm-studio:recipe"]) == result.request.recipe("fake")
    labels = Image.open(io.BytesIO(base64.b64decode(texts["sdm-studio:labels"])))
    assert labels.mode == "P"
    assert np.array_equal(np.asarray(labels), result.request.layout.labels)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif"])
def test_a_picture_in_another_format(window, qtbot, choose, tmp_path, suffix):
    """The name decides the format; the recipe is in each."""
    result = made(window, qtbot)
    choose(tmp_path / f"picture{suffix}")
    window.filing.save_picture()
    found = read_picture(tmp_path / f"picture{suffix}")
    assert found.recipe == result.request.recipe("fake")
    assert np.array_equal(found.layout.labels, result.request.layout.labels)


def test_a_picture_that_cannot_be_saved(window, qtbot, choose, tmp_path):
    """A picture that does not reach the disk shows a sentence and stays in the window."""
    made(window, qtbot)
    choose(tmp_path / "no such folder" / "picture.png")
    window.filing.save_picture()
    assert "picture.png" in window.error_bar.sentence.text()
    assert window.studio.result is not None


def test_another_scene_has_no_picture_yet(window, qtbot, reply):
    """Opening another scene puts the picture of the old one away."""
    made(window, qtbot)
    reply(Button.Discard)
    window.filing.open_example()
    assert window.studio.result is None
    assert not window.acts["save_picture"].isEnabled()
