"""The disk is full, or may not be written: the file is the old one, and elsewhere it works."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from app.export_dialog import ExportDialog
from app.export_plan import Source
from app.project import read_project
from core.errors import InputError
from core.labelmap import read_labels
from core.picture import read_picture
from tests.app import hand
from tests.faults.watch import holds, made, said

FULL = "the disk is full. Make room on it, or choose"
FAULTS = [
    ("scene.sdms", "begin", errno.ENOSPC, FULL),
    ("scene.sdms", "sync", errno.ENOSPC, FULL),
    ("scene.png", "rename", errno.ENOSPC, FULL),
    ("scene.png", "begin", errno.EROFS, "the disk is read-only. Choose"),
    ("scene.sdms", "begin", errno.EACCES, "the system does not allow it. Choose"),
    ("scene.sdms", "rename", errno.EDQUOT, f"your share of {FULL}"),
]


@pytest.fixture
def places(tmp_path):
    """A disk that is to be full, and another one."""
    for name in ("full", "other"):
        (tmp_path / name).mkdir()
    return tmp_path / "full", tmp_path / "other"


@pytest.mark.parametrize("name, way, number, reason", FAULTS)
def test_a_document_that_cannot_be_saved(window, places, broken, choose, name, way, number, reason):
    """The old file is whole, the scene stays changed, nothing is left; elsewhere it is saved."""
    full, other = places
    hand.drag(window.canvas, (10, 10), (30, 30))
    assert window.filing._save(full / name)
    before = (full / name).read_bytes()
    hand.drag(window.canvas, (40, 40), (60, 20))
    labels = window.scene.labels.copy()
    broken(full, way, number)
    assert not window.filing.save()
    assert said(window) == f"{full / name} cannot be written: {reason} another place."
    assert (full / name).read_bytes() == before and os.listdir(full) == [name]
    assert holds(window, labels) and window.isWindowModified()
    choose(other / name)
    assert window.filing.save_as() and said(window) == ""
    read = read_project(other / name).labels if name.endswith("sdms") else None
    found = read if read is not None else read_labels(other / name, window.scene.palette).labels
    assert (found == labels).all() and not window.isWindowModified()


def test_a_picture_that_cannot_be_saved(window, qtbot, places, broken, choose):
    """It stays in the window, and another place takes it."""
    full, other = places
    result = made(window, qtbot)
    broken(full, "sync")
    choose(full / "a.png")
    window.filing.save_picture()
    assert said(window).startswith(f"{full / 'a.png'} cannot be written: the disk is full.")
    assert window.studio.result is result and os.listdir(full) == []
    choose(other / "a.png")
    window.filing.save_picture()
    assert (read_picture(other / "a.png").image == result.image).all()


@pytest.mark.parametrize("way", ["begin", "rename"])
def test_a_picture_that_the_history_cannot_take(window, qtbot, data, broken, way):
    """It is shown and told of; the next picture works, and with room again both are kept."""
    mend = broken(data, way)
    first = made(window, qtbot)
    assert "the disk is full" in said(window) and "not in the history yet" in said(window)
    assert window.studio.result is first and not window.keeping.history.records
    second = made(window, qtbot)
    assert window.studio.result is second
    mend()
    third = made(window, qtbot)
    history = window.keeping.history
    seeds = [record.recipe["seed"] for record in history.records]
    assert seeds == [third.request.seed, second.request.seed, first.request.seed]
    assert all((history.result(r).image == first.image).all() for r in history.records)
    assert not [path for path in data.rglob("*.part")]


def test_a_picture_that_waits_is_saved_with_the_project(window, qtbot, data, tmp_path, broken):
    """Saving asks the disk once more."""
    mend = broken(data, "begin")
    made(window, qtbot)
    mend()
    assert window.filing._save(tmp_path / "a.sdms")
    assert len(read_project(tmp_path / "a.sdms").records) == 1


def test_a_recovery_copy_that_cannot_be_written(window, data, broken):
    """It is told of once a minute; then the copy is there."""
    hand.drag(window.canvas, (10, 10))
    mend = broken(data, "begin")
    for _ in range(2):
        window.keeping.autosave.review()
        window.keeping.history.finish()
    assert "the disk is full" in said(window)
    mend()
    window.keeping.autosave.review()
    window.keeping.history.finish()
    assert window.keeping.history.shelf.session.copy.is_file()


def test_a_session_that_cannot_be_locked_leaves_no_folder(window, data, monkeypatch):
    """Else every minute would leave another one behind."""
    monkeypatch.setattr("app.session.QLockFile.tryLock", lambda *_: False)
    hand.drag(window.canvas, (10, 10))
    for _ in range(3):
        window.keeping.autosave.review()
    assert "cannot be locked" in said(window)
    assert list((data / "sessions").iterdir()) == []


def test_a_deleted_picture_is_not_lost_to_a_full_disk(window, qtbot, data, tmp_path, broken):
    """Deleting brings its file to safety first; where that fails nothing is deleted."""
    made(window, qtbot)
    window.filing._save(tmp_path / "a.sdms")
    window.filing.open_path(tmp_path / "a.sdms")
    mend = broken(data, "begin")
    window.acts["delete_pictures"].trigger()
    assert "the disk is full" in said(window) and len(window.keeping.history.records) == 1
    mend()
    window.acts["delete_pictures"].trigger()
    assert not window.keeping.history.records
    window.acts["undo"].trigger()
    assert len(window.keeping.history.records) == 1


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), MemoryError(), KeyError("x")])
def test_an_export_that_fails(closed_window, qtbot, tmp_path, monkeypatch, error):
    """The dialog stays with a sentence, whatever it was, and exports when asked again."""
    scene = closed_window.scene
    source = Source(scene.labels.copy(), scene.palette)
    dialog = ExportDialog(source, tmp_path, {"own"}, closed_window)
    dialog.show()

    def refuse(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("app.export_plan.write", refuse)
        dialog.start()
        qtbot.waitUntil(lambda: "0 of 1 are written" in dialog.note.text())
    assert dialog.go.isEnabled() and os.listdir(tmp_path / ".") != ["scene-labels.png"]
    dialog.start()
    qtbot.waitUntil(lambda: not dialog.isVisible())
    assert read_labels(tmp_path / "scene-labels.png", scene.palette).kind
    dialog.deleteLater()


def test_a_palette_that_cannot_be_saved(palette, tmp_path, broken):
    """The old file is whole."""
    palette.save(tmp_path / "mine.toml")
    before = (tmp_path / "mine.toml").read_bytes()
    broken(tmp_path, "rename")
    with pytest.raises(InputError, match="mine.toml cannot be written: the disk is full"):
        palette.save(tmp_path / "mine.toml")
    assert (tmp_path / "mine.toml").read_bytes() == before
    assert os.listdir(tmp_path) == ["mine.toml"]


@pytest.fixture
def read_only():
    """A folder with a file in it that this user may not write; root becomes nobody for it."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    folder = place / "locked"
    folder.mkdir()
    yield folder
    if os.geteuid() != os.getuid():
        os.seteuid(os.getuid())
    folder.chmod(0o755)
    shutil.rmtree(place)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="users as on Unix")
def test_a_folder_that_is_really_read_only(window, read_only, tmp_path):
    """No injection: the system refuses, the old file stays, and elsewhere it is saved."""
    path = read_only / "scene.png"
    assert window.filing._save(path)
    before = path.read_bytes()
    hand.drag(window.canvas, (10, 10))
    read_only.chmod(0o555)
    if os.getuid() == 0:
        os.seteuid(65534)
    try:
        assert not window.filing.save()
    finally:
        os.seteuid(os.getuid())
    assert said(window) == (
        f"{path} cannot be written: the system does not allow it. Choose another place."
    )
    assert path.read_bytes() == before and os.listdir(read_only) == ["scene.png"]
    assert window.filing._save(tmp_path / "scene.png")
