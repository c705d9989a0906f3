"""A file or a folder is gone between the question and the reading, or under the open window."""

import shutil

import pytest

from app.project import read_project
from core.labelmap import write_labels
from core.picture import write_picture
from tests.app import hand
from tests.faults.watch import holds, made, said

COMMANDS = {  # what asks for a file, and a name of the kind that it asks for
    "open": "scene.sdms",
    "import": "map.png",
    "open_weights": "model.safetensors",
    "load_palette": "mine.toml",
    "photo": "photo.jpg",
    "reference_file": "photo.png",
    "photo_labels": "photo.png",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_chosen_file_that_is_gone(window, engine, qtbot, choose, reply, tmp_path, name):
    """One sentence names it; the scene is as it was, and the next action works."""
    from PySide6.QtWidgets import QMessageBox

    hand.drag(window.canvas, (10, 10), (30, 30))
    labels, reply_to = window.scene.labels.copy(), reply(QMessageBox.StandardButton.Discard)
    if name == "photo_labels":
        engine.can_see(lambda picture: picture)
        window.studio.model = engine.info
    window.exchange.open_weights = lambda path: path.read_bytes()
    window.exchange._offer_photo = lambda path: window.exchange.load_photo(path, True)
    gone = tmp_path / COMMANDS[name]
    choose(gone)
    window.acts[name].trigger()
    qtbot.waitUntil(lambda: said(window) != "", timeout=10_000)
    assert gone.name in said(window) and len(said(window)) < 300, reply_to
    assert holds(window, labels) and window.undo_stack.canUndo()
    made(window, qtbot)


def test_a_dropped_file_that_is_gone(window, tmp_path):
    """Whatever kind it was."""
    for name in ("a.png", "a.sdms", "a.ora", "a.toml", "a.tif"):
        window.error_bar.hide()
        window.exchange.take(tmp_path / name)
        assert name in said(window)


def test_the_project_is_deleted_under_the_window(window, qtbot, tmp_path):
    """Its pictures are still there, and saving makes it again."""
    result = made(window, qtbot)
    path = tmp_path / "scene.sdms"
    window.filing._save(path)
    window.filing.open_path(path)
    path.unlink()
    history = window.keeping.history
    assert (history.result(history.records[0]).image == result.image).all()
    hand.drag(window.canvas, (10, 10))
    assert window.filing.save() and len(read_project(path).records) == 1


def test_the_folder_of_the_document_is_gone(window, qtbot, choose, tmp_path):
    """A stick was pulled out: nothing is lost, and another place takes it."""
    made(window, qtbot)
    stick = tmp_path / "stick"
    stick.mkdir()
    window.filing._save(stick / "scene.sdms")
    window.filing.open_path(stick / "scene.sdms")
    hand.drag(window.canvas, (10, 10))
    shutil.rmtree(stick)
    assert not window.filing.save() and "scene.sdms cannot be written" in said(window)
    choose(tmp_path / "scene.sdms")
    assert window.filing.save_as() and len(read_project(tmp_path / "scene.sdms").records) == 1


def test_somebody_tidies_the_session_away(window, qtbot, data):
    """The next picture and the next recovery copy make the folder again."""
    made(window, qtbot)
    history = window.keeping.history
    shutil.rmtree(history.shelf.session.folder)
    hand.drag(window.canvas, (10, 10))
    window.keeping.autosave.review()
    history.finish()
    assert history.shelf.session.copy.is_file()
    second = made(window, qtbot)
    assert (history.result(history.records[0]).image == second.image).all()
    assert window.filing._save(data / "scene.sdms") is False  # one picture's file is gone
    assert "Delete its picture" in said(window)
    history.take_out([history.records[1]])
    assert window.filing._save(data / "scene.sdms")


def test_a_picture_to_compare_with_is_gone(window, qtbot, tmp_path):
    """The two that are compared stay."""
    made(window, qtbot)
    window.acts["compare"].trigger()
    window.gallery.compare_with_file(tmp_path / "gone.png")
    assert "gone.png" in said(window) and window.gallery.compare_window.isVisible()
    window.gallery.compare_window.close()


def test_a_file_of_the_list_is_gone(window, tmp_path, palette):
    """Recent files that were moved say so."""
    path = tmp_path / "scene.png"
    write_labels(path, window.scene.labels, palette)
    window.filing.open_path(path)
    path.unlink()
    window.filing.open_recent(path)
    assert "scene.png" in said(window)
    write_picture(tmp_path / "b.png", window.scene.palette.colors[window.scene.labels], {})
