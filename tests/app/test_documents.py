"""Documents: saved, opened, asked about, remembered, and brought back after a crash."""

import shutil
import time
from dataclasses import replace
from threading import Event as Gate

import numpy as np
import pytest
import shiboken6
from PIL import Image
from PySide6.QtWidgets import QFileDialog, QMessageBox

from app.application import build_window
from app.project import read_copy, read_project, write_copy, write_project
from app.recent import RecentMenu
from app.session import COPY, LOCK
from core.labelmap import write_labels
from core.palette import Palette
from tests.app import hand
from tests.app.test_generating import heartbeat
from tests.app.test_history import generate, keep, result_of

Button = QMessageBox.StandardButton
WAIT = 5000  # ms


@pytest.fixture
def choose(monkeypatch):
    """Answer the next file dialogs with a path and a filter; keep what they were asked."""

    def answer(path, kind=""):
        asked = []
        for ask in ("getOpenFileName", "getSaveFileName"):
            monkeypatch.setattr(
                QFileDialog, ask, lambda *a: (asked.append(a[1:]), (str(path), kind))[1]
            )
        return asked

    return answer


@pytest.fixture
def start(qapp, palette, store, data, engine):
    """Start the program again, on the same data folder."""
    windows = []

    def build(layout=None):
        window = build_window(qapp, lambda: engine, palette, layout, store, data)
        windows.append(window)
        window.show()
        return window

    yield build
    for window in filter(shiboken6.isValid, windows):
        hand.put_away(window)


def crash(window, data):
    """A copy of the session's folder as a killed program would leave it."""
    window.keeping.autosave.review()
    window.keeping.history.finish()
    folder = window.keeping.history.shelf.session.folder
    return shutil.copytree(folder, data / "sessions" / "left", ignore=lambda *_: [LOCK])


# -- files ----------------------------------------------------------------------------------------


def test_a_project_round_trip(window, qtbot, choose, tmp_path):
    """Ctrl+S on a new scene makes a project; it brings layout, settings, pen and pictures back."""
    hand.drag(window.canvas, (10, 10), (50, 50))
    painted = window.scene.labels.copy()
    generate(window, qtbot, seed=5, steps=9)
    generate(window, qtbot, seed=6, steps=9)
    window.pen.resize(33)
    window.pen.choose(4)
    choose(tmp_path / "lake")
    window.acts["save"].trigger()
    assert window.windowTitle().startswith("lake.sdms") and not window.isWindowModified()
    window.filing.new()
    assert window.keeping.history.rowCount() == 0 and window.studio.result is None
    window.pen.resize(5)
    window.filing.open_path(tmp_path / "lake.sdms")
    assert np.array_equal(window.scene.labels, painted)
    assert [r.recipe["seed"] for r in window.keeping.history.records] == [6, 5]
    assert window.studio.settings.steps == 9
    assert (window.pen.diameter, window.pen.label) == (33, 4)
    assert window.studio.result.request.seed == 6 and window.studio.status().state == "idle"
    assert not window.isWindowModified()


def test_a_project_brings_its_palette(window, tmp_path):
    """A project of another palette opens in any window: the palette is inside."""
    ade = Palette.load("ade20k")
    window.scene.replace(np.full((32, 32), 149, np.uint8), ade)
    window.filing._save(tmp_path / "a.sdms")
    window.filing.open_example()
    assert window.scene.palette.name == "landscape"
    window.filing.open_path(tmp_path / "a.sdms")
    assert window.scene.palette == ade and window.scene.labels.max() == 149


def test_open_takes_both(window, choose, palette, tmp_path):
    """File ▸ Open takes label maps and projects; each is saved as what it is."""
    write_labels(tmp_path / "map.png", np.full((40, 40), 3, np.uint8), palette)
    choose(tmp_path / "map.png")
    window.acts["open"].trigger()
    hand.drag(window.canvas, (10, 10))
    window.acts["save"].trigger()
    assert not window.isWindowModified() and window.windowTitle().startswith("map.png")
    window.filing._save(tmp_path / "map.sdms")
    assert read_project(tmp_path / "map.sdms").labels.shape == (40, 40)


def test_a_label_map_cannot_hold_pictures(window, qtbot, palette, reply, choose, tmp_path):
    """Saving a label map with new pictures says that they need a project, and closing asks."""
    write_labels(tmp_path / "map.png", np.full((64, 64), 3, np.uint8), palette)
    window.filing.open_path(tmp_path / "map.png")
    generate(window, qtbot)
    assert window.filing.save() and "Save as" in window.error_bar.sentence.text()
    assert window.isWindowModified()
    asked = reply(Button.Save)
    where = choose(tmp_path / "map.sdms")
    assert window.filing.may_go() and "cannot hold" in asked[0]
    assert where[0][1].endswith("map.sdms")
    assert len(read_project(tmp_path / "map.sdms").records) == 1


def test_a_label_map_is_saved_on_the_way_out(window, palette, reply, choose, tmp_path):
    """Save in the question writes a changed label map to its own file, without another question."""
    write_labels(tmp_path / "map.png", np.full((64, 64), 3, np.uint8), palette)
    window.filing.open_path(tmp_path / "map.png")
    hand.drag(window.canvas, (10, 10))
    reply(Button.Save)
    where = choose("")
    assert window.filing.may_go() and where == []
    assert np.array_equal(np.asarray(Image.open(tmp_path / "map.png")), window.scene.labels)


def test_a_bitmap_is_never_overwritten_by_a_png(window, palette, choose, tmp_path):
    """A map opened from another format is saved under a new name."""
    Image.fromarray(np.full((40, 40), 3, np.uint8)).save(tmp_path / "map.bmp")
    before = (tmp_path / "map.bmp").read_bytes()
    window.filing.open_path(tmp_path / "map.bmp")
    where = choose(tmp_path / "new.sdms")
    assert window.filing.save() and len(where) == 1
    assert (tmp_path / "map.bmp").read_bytes() == before


def test_a_suffix_that_is_added_asks_before_it_replaces(window, choose, reply, tmp_path):
    """The dialog asked about "scene"; the file that would go is "scene.sdms"."""
    (tmp_path / "scene.sdms").write_text("precious")
    choose(tmp_path / "scene")
    asked = reply(Button.No)
    assert not window.filing.save_as() and "scene.sdms" in asked[0]
    assert (tmp_path / "scene.sdms").read_text() == "precious"


def test_a_failed_save_leaves_it_dirty(window, qtbot, tmp_path, monkeypatch):
    """A full disk is a sentence; the document stays changed, and the pictures can still be read."""
    records = keep(window, result_of(window, 1))
    window.filing._save(tmp_path / "a.sdms")
    window.filing.open_path(tmp_path / "a.sdms")
    hand.drag(window.canvas, (10, 10))

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        assert not window.filing.save()
    assert "a.sdms cannot be written" in window.error_bar.sentence.text()
    assert window.isWindowModified()
    assert window.keeping.history.result(records[0]).request.seed == 1
    assert window.filing.save() and not window.isWindowModified()


def test_a_damaged_project_changes_nothing(window, qtbot, tmp_path):
    """A project that cannot be opened leaves document, pictures, undo and name as they were."""
    hand.drag(window.canvas, (10, 10))
    record, painted = generate(window, qtbot), window.scene.labels.copy()
    (tmp_path / "bad.sdms").write_bytes(b"PK\x03\x04 and then nothing")
    window.filing.open_path(tmp_path / "bad.sdms")
    assert "bad.sdms" in window.error_bar.sentence.text()
    assert window.keeping.history.records == (record,) and window.undo_stack.canUndo()
    assert np.array_equal(window.scene.labels, painted)
    assert window.keeping.history.result(record).request.seed == record.recipe["seed"]


def test_new_pictures_are_asked_about(window, qtbot, reply):
    """A picture that was made and not saved is a change; Cancel keeps it."""
    generate(window, qtbot)
    assert window.isWindowModified()
    asked = reply(Button.Cancel)
    assert not window.close() and "history" in asked[0]


def test_dialogs_remember_the_folder(window, choose, tmp_path):
    """The next dialog starts where the last file was."""
    (tmp_path / "deep").mkdir()
    choose(tmp_path / "deep" / "a.sdms")
    window.filing.save_as()
    asked = choose("")
    window.filing.open()
    assert asked[0][1] == str(tmp_path / "deep")
    window.filing.save_as()
    assert asked[1][1] == str(tmp_path / "deep" / "a.sdms")


def test_recent_files(window, tmp_path):
    """Opened and saved documents are in the menu, newest first; what is gone cannot be chosen."""
    for name in ("a.sdms", "b.sdms", "c.sdms"):
        window.filing._save(tmp_path / name)
    (tmp_path / "b.sdms").unlink()
    menu = window.findChild(RecentMenu)
    menu.aboutToShow.emit()
    entries = menu.actions()
    assert [a.text()[4:] for a in entries[:3]] == ["c.sdms", "b.sdms", "a.sdms"]
    assert [a.isEnabled() for a in entries[:3]] == [True, False, True]
    entries[2].trigger()
    assert window.scene_file.path == tmp_path / "a.sdms"
    menu.aboutToShow.emit()
    menu.actions()[-1].trigger()
    assert window.store.recent() == []


def test_a_project_on_the_command_line(start, window, tmp_path):
    """A project given at the start is opened."""
    window.filing._save(tmp_path / "a.sdms")
    assert start(tmp_path / "a.sdms").windowTitle().startswith("a.sdms")


# -- recovery -------------------------------------------------------------------------------------


def test_nothing_is_left_after_a_clean_exit(window, qtbot, data):
    """Closing well leaves no session behind."""
    generate(window, qtbot)
    hand.drag(window.canvas, (10, 10))
    window.keeping.autosave.review()
    window.undo_stack.setClean()
    window.keeping.history.mark_saved()
    assert window.close()
    assert list((data / "sessions").iterdir()) == []


def test_a_copy_on_every_picture(window, qtbot):
    """As soon as a picture is there, a copy holds the document and names it."""
    hand.drag(window.canvas, (10, 10))
    record = generate(window, qtbot)
    window.keeping.history.finish()
    copy = read_copy(window.keeping.history.shelf.session.copy)
    assert copy.records == (record,) and np.array_equal(copy.labels, window.scene.labels)


def test_a_copy_every_minute(window):
    """The timer writes a changed document; an unchanged one is not written again."""
    autosave = window.keeping.autosave
    hand.drag(window.canvas, (10, 10))
    assert autosave._timer.interval() == 60_000 and autosave._timer.isActive()
    autosave._timer.timeout.emit()
    window.keeping.history.finish()
    path = window.keeping.history.shelf.session.copy
    written = path.stat().st_mtime_ns
    autosave._timer.timeout.emit()
    window.keeping.history.finish()
    assert path.stat().st_mtime_ns == written


def test_many_pictures_are_one_copy(window, monkeypatch):
    """While a copy is on its way no other waits behind it; the next one has all that came."""
    gate, copies = Gate(), []

    def slow(path, project):
        gate.wait(WAIT / 1000)
        copies.append(len(project.records))
        write_copy(path, project)

    monkeypatch.setattr("app.autosave.write_copy", slow)
    hand.drag(window.canvas, (10, 10))
    for _ in range(5):  # the document grows while the first copy waits for the disk
        hand.drag(window.canvas, (10, 10), (40, 40))
        window.keeping.autosave.review()
    for seed in range(5):
        window.keeping.history.keep(result_of(window, seed))
    assert window.keeping.writer._jobs.unfinished_tasks == 6  # one copy, five pictures
    gate.set()
    window.keeping.history.finish()
    assert copies[0] == 0 and copies[-1] == 5
    assert len(read_copy(window.keeping.history.shelf.session.copy).records) == 5


def test_a_copy_that_fails_is_told_and_tried_again(window, monkeypatch):
    """A full disk is a sentence; the next minute writes the copy."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.autosave.write_copy", full)
    hand.drag(window.canvas, (10, 10))
    window.keeping.autosave.review()
    window.keeping.history.finish()
    assert "disk is full" in window.error_bar.sentence.text()
    monkeypatch.undo()
    window.keeping.autosave._timer.timeout.emit()
    window.keeping.history.finish()
    assert window.keeping.history.shelf.session.copy.is_file()


def test_a_save_needs_no_copy(window, tmp_path):
    """After a save the copy is gone: there is nothing to lose."""
    hand.drag(window.canvas, (10, 10))
    window.keeping.autosave.review()
    window.filing._save(tmp_path / "a.sdms")
    window.keeping.history.finish()
    assert not window.keeping.history.shelf.session.copy.exists()


def test_restore(window, qtbot, start, data):
    """After a crash the next start offers the copy; Restore brings layout and pictures, unsaved."""
    hand.drag(window.canvas, (10, 10), (40, 40))
    generate(window, qtbot, seed=5)
    record = generate(window, qtbot, seed=6)
    painted = window.scene.labels.copy()
    left = crash(window, data)
    again = start()
    assert again.recovery_bar.isVisible()
    again.recovery_bar.restore.click()
    assert np.array_equal(again.scene.labels, painted) and again.isWindowModified()
    assert [r.recipe["seed"] for r in again.keeping.history.records] == [6, 5]
    assert again.keeping.history.result(record).request.seed == 6
    assert again.studio.result.request.seed == 6
    assert not again.recovery_bar.isVisible()
    assert again.keeping.history.shelf.session.folder == left and (left / COPY).is_file()


def test_restore_of_a_saved_project(window, qtbot, start, data, tmp_path):
    """Pictures that lie in the project are found there; saving goes to the project."""
    keep(window, result_of(window, 1))
    window.filing._save(tmp_path / "a.sdms")
    window.filing.open_path(tmp_path / "a.sdms")
    hand.drag(window.canvas, (10, 10))
    generate(window, qtbot, seed=2)
    crash(window, data)
    again = start()
    again.recovery_bar.restore.click()
    assert [r.recipe["seed"] for r in again.keeping.history.records] == [2, 1]
    assert again.windowTitle().startswith("a.sdms") and again.isWindowModified()
    assert again.filing.save()
    assert len(read_project(tmp_path / "a.sdms").records) == 2


def test_restore_without_the_project(window, qtbot, start, data, tmp_path):
    """Where the project is gone, what is left is restored and the loss is told."""
    keep(window, result_of(window, 1))
    window.filing._save(tmp_path / "a.sdms")
    window.filing.open_path(tmp_path / "a.sdms")
    generate(window, qtbot, seed=2)
    crash(window, data)
    (tmp_path / "a.sdms").unlink()
    again = start()
    again.recovery_bar.restore.click()
    assert [r.recipe["seed"] for r in again.keeping.history.records] == [2]
    assert "lost with it: 1." in again.error_bar.sentence.text()


def test_discard(window, start, data):
    """Discard deletes the copy for good."""
    hand.drag(window.canvas, (10, 10))
    left = crash(window, data)
    again = start()
    again.recovery_bar.discard.click()
    assert not left.exists() and not again.recovery_bar.isVisible()


def test_unanswered_is_offered_again(window, start, data):
    """A start that does not answer leaves the copy for the next one."""
    hand.drag(window.canvas, (10, 10))
    left = crash(window, data)
    hand.put_away(start())
    assert (left / COPY).is_file()
    assert start().recovery_bar.isVisible()


def test_a_living_session_is_left_alone(window, start):
    """A second window of a program that runs does not offer the first one's work."""
    hand.drag(window.canvas, (10, 10))
    window.keeping.autosave.review()
    window.keeping.history.finish()
    again = start()
    assert not again.recovery_bar.isVisible()
    assert window.keeping.history.shelf.session.copy.is_file()


def test_a_damaged_copy_is_told(window, start, data):
    """A copy that cannot be read is a sentence, not a crash, and the scene stays."""
    hand.drag(window.canvas, (10, 10))
    left = crash(window, data)
    (left / COPY).write_bytes(b"PK\x03\x04")
    again = start()
    before = again.scene.labels.copy()
    again.recovery_bar.restore.click()
    assert COPY in again.error_bar.sentence.text() and again.recovery_bar.isVisible()
    assert np.array_equal(again.scene.labels, before)


@pytest.fixture
def wide(window, qtbot):
    """An unsaved scene of 4096² labels that pack badly."""
    window.scene.replace(np.random.default_rng(1).integers(0, 19, (4096, 4096)).astype(np.uint8))
    window.keeping.history.mark_unsaved()
    qtbot.wait(100)
    return window


def test_a_copy_takes_little_of_the_windows_thread(wide):
    """For a copy of 4096² labels the window works 50 ms at most; the rest is the writer's."""
    began = time.thread_time()
    wide.keeping.autosave.review()
    assert time.thread_time() - began <= 0.05
    wide.keeping.history.finish()
    assert wide.keeping.history.shelf.session.copy.is_file()


@pytest.mark.slow
def test_a_copy_does_not_stall_the_window(wide, qtbot):
    """Writing a copy of 4096² labels leaves the window answering within 50 ms if free."""
    stalls = []
    for _ in range(10):
        wide.scene.revision += 1
        stall = heartbeat(wide)
        qtbot.wait(50)
        wide.keeping.autosave.review()
        qtbot.waitUntil(lambda: wide.keeping.writer._jobs.unfinished_tasks == 0, timeout=20_000)
        stalls.append(stall())
    print(f"longest stall, best of ten: {min(stalls):.3f} s, median {sorted(stalls)[5]:.3f} s")
    assert min(stalls) <= 0.05


@pytest.mark.slow
def test_opening_a_large_project(window, tmp_path):
    """A project of 4096² labels and 20 pictures is on the canvas within 1.5 s of processor time."""
    example = np.kron(window.scene.labels[:64, :64], np.ones((64, 64), np.uint8))
    rows, columns = np.indices((4096, 4096)) // 37
    window.scene.replace(((rows * columns) % 19 + example).astype(np.uint8) % 19)
    keep(window, *(result_of(window, seed, side=1024) for seed in range(20)))
    window.studio.show_result(window.keeping.history.result(window.keeping.history.records[0]))
    began = time.perf_counter(), time.process_time()
    window.filing._save(tmp_path / "large.sdms")
    saved = time.perf_counter(), time.process_time()
    window.filing.open_path(tmp_path / "large.sdms")
    window.grab()
    opened = time.perf_counter(), time.process_time()
    for text, a, b in (("save", began, saved), ("open", saved, opened)):
        print(f"{text}: {b[0] - a[0]:.2f} s, of the processor {b[1] - a[1]:.2f} s")
    print(f"{(tmp_path / 'large.sdms').stat().st_size / 2**20:.0f} MB")
    assert opened[1] - saved[1] <= 1.5


def test_settings_of_a_project_are_checked(window, tmp_path):
    """Whatever a file tells of settings and pen, the window shows something that can be used."""
    odd = {"steps": 10**9, "sampler": "magic", "seed": "x", "guidance_scale": 1, "more": 1}
    pen = {"tool": "axe", "labels": ["nothing", 3], "diameter": -5, "shape": 7, "contiguous": "no"}
    project = replace(window.scene_file.snapshot(), generate=odd, pen=pen)
    write_project(tmp_path / "odd.sdms", project, window.keeping.history.shelf)
    window.filing.open_path(tmp_path / "odd.sdms")
    assert window.studio.settings.checked() == window.studio.settings
    assert (window.pen.tool, window.pen.diameter) == ("brush", 1)
