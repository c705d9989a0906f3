"""The history: every picture is kept, can be found, used again, starred, deleted."""

import gc
import time
from dataclasses import replace

import numpy as np
from PIL import Image
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QInputDialog, QMessageBox

from app.history import MIB, _keep
from app.settings import Store
from core.request import Layout, Result, SampleRequest
from tests.app import hand

WAIT = 5000  # ms
CTRL = Qt.KeyboardModifier.ControlModifier


def generate(window, qtbot, **settings):
    """Make a picture with these settings and wait until it is in the strip."""
    count = window.keeping.history.rowCount()
    now = {"seed_locked": True, "steps": 2, **settings}
    window.studio.change_settings(replace(window.studio.settings, **now))
    window.studio.generate()
    qtbot.waitUntil(lambda: window.keeping.history.rowCount() == count + 1, timeout=WAIT)
    return window.keeping.history.records[0]


def result_of(window, seed, labels=None, side=24):
    """A picture of noise, as the engine would give it."""
    labels = window.scene.labels if labels is None else labels
    image = np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)
    request = SampleRequest(Layout(labels, window.scene.palette), seed=seed, guidance_scale=1.0)
    return Result(image, request, 0.1, "noise")


def keep(window, *results):
    for result in results:
        window.keeping.history.keep(result)
    window.keeping.history.finish()
    return window.keeping.history.records


def select(window, *rows):
    strip = window.history_panel.strip
    strip.clearSelection()
    for row in rows:
        index = strip.model().index(row, 0)
        strip.selectionModel().select(index, QItemSelectionModel.SelectionFlag.Select)


def shown_seeds(window):
    model = window.history_panel.strip.model()
    return [int(model.index(row, 0).data()) for row in range(model.rowCount())]


def test_every_picture_is_kept(window, qtbot):
    """Each result is on disk without being asked for, newest first, with every pixel."""
    first, second = generate(window, qtbot, seed=5), generate(window, qtbot, seed=6)
    history = window.keeping.history
    assert [r.recipe["seed"] for r in history.records] == [6, 5]
    assert history.records == (second, first)
    path = history.shelf.session.folder / first.picture_file
    assert np.array_equal(np.asarray(Image.open(path)), np.full((64, 64, 3), 255, np.uint8))
    assert window.history_panel.count.text().startswith("2 pictures, 0.0 MB of 500 MB")


def test_a_picture_in_the_session_carries_its_recipe(window, qtbot):
    """Even a single file of the history tells how it was made."""
    record = generate(window, qtbot, seed=5)
    with Image.open(window.keeping.history.shelf.session.folder / record.picture_file) as image:
        assert '"seed": 5' in image.text["sdm-studio:recipe"]


def test_looking_at_a_picture(window, qtbot):
    """Arrow keys in the strip show each picture; it is the one that Save picture would save."""
    keep(window, result_of(window, 1), result_of(window, 2), result_of(window, 3))
    qtbot.keyClick(window.canvas, Qt.Key.Key_H, CTRL | Qt.KeyboardModifier.ShiftModifier)
    strip = window.history_panel.strip
    assert strip.hasFocus()
    qtbot.keyClick(strip, Qt.Key.Key_Home)
    qtbot.keyClick(strip, Qt.Key.Key_Right)
    assert window.studio.result.request.seed == 2
    assert np.array_equal(window.studio.result.image, result_of(window, 2).image)
    assert window.acts["save_picture"].isEnabled()


def test_use_these_settings(window, qtbot):
    """Return brings back steps, sampler, guidance, seed and layout; one undo returns the layout."""
    hand.drag(window.canvas, (10, 10), (40, 40))
    painted = window.scene.labels.copy()
    generate(window, qtbot, seed=5, steps=7, sampler="ddim", guidance_scale=3.5)
    hand.drag(window.canvas, (40, 10), (10, 40))
    later = window.scene.labels.copy()
    window.studio.change_settings(
        replace(window.studio.settings, seed=9, steps=3, sampler="ddpm", seed_locked=False)
    )
    window.gallery.go()
    qtbot.keyClick(window.history_panel.strip, Qt.Key.Key_Home)
    qtbot.keyClick(window.history_panel.strip, Qt.Key.Key_Return)
    settings = window.studio.settings
    assert (settings.seed, settings.steps, settings.sampler) == (5, 7, "ddim")
    assert (settings.guidance_scale, settings.seed_locked) == (3.5, True)
    assert np.array_equal(window.scene.labels, painted)
    assert window.studio.status().state == "idle"
    window.acts["undo"].trigger()
    assert np.array_equal(window.scene.labels, later)


def test_the_same_layout_is_no_step(window, qtbot):
    """Settings of a picture of this very layout leave nothing to undo."""
    generate(window, qtbot, seed=5)
    steps = window.undo_stack.count()
    window.acts["use_settings"].trigger()
    assert window.undo_stack.count() == steps


def test_stars(window, qtbot):
    """Ctrl+D stars the picture that is shown and takes the star again."""
    generate(window, qtbot)
    history = window.keeping.history
    qtbot.keyClick(window.canvas, Qt.Key.Key_D, CTRL)
    assert history.records[0].starred
    qtbot.keyClick(window.canvas, Qt.Key.Key_D, CTRL)
    assert not history.records[0].starred


def test_filter(window):
    """Words find labels (synonyms too), seeds and models; the star narrows further."""
    palette, maps = window.scene.palette, []
    for name in ("sea", "tree", "sky"):
        maps.append(np.full((8, 8), palette.find(name), np.uint8))
    records = keep(window, *(result_of(window, 70 + i, m) for i, m in enumerate(maps)))
    search = window.history_panel.search
    for text, seeds in (("ocean", [70]), ("72", [72]), ("noise", [72, 71, 70]), ("x y", [])):
        search.setText(text)
        assert shown_seeds(window) == seeds, text
    search.setText("noise tree")
    assert shown_seeds(window) == [71]
    search.clear()
    window.keeping.history.star([records[0].id], True)
    window.history_panel.starred.click()
    assert shown_seeds(window) == [72]
    keep(window, result_of(window, 80))
    assert shown_seeds(window) == [72]


def test_delete_and_undo(window, qtbot):
    """Del takes the selected pictures away; undo brings them back to their places."""
    records = keep(window, *(result_of(window, seed) for seed in range(5)))
    select(window, 1, 3)
    window.history_panel.strip.setFocus()
    qtbot.keyClick(window.history_panel.strip, Qt.Key.Key_Delete)
    assert shown_seeds(window) == [4, 2, 0]
    window.acts["undo"].trigger()
    assert window.keeping.history.records == records
    assert window.keeping.history.result(records[1]).request.seed == 3


def test_delete_in_the_search_is_text(window, qtbot):
    """Del in the filter deletes a letter, never a picture."""
    keep(window, result_of(window, 1))
    search = window.history_panel.search
    search.setText("noise")
    search.setFocus()
    search.home(False)
    qtbot.keyClick(search, Qt.Key.Key_Delete)
    assert search.text() == "oise" and window.keeping.history.rowCount() == 1


def test_deleted_from_a_saved_project(window, tmp_path):
    """A picture deleted and saved without can still be brought back by undo."""
    records = keep(window, result_of(window, 1), result_of(window, 2))
    window.filing._save(tmp_path / "a.sdms")
    window.filing.open_path(tmp_path / "a.sdms")
    select(window, 0)
    window.acts["delete_pictures"].trigger()
    window.filing.save()
    window.acts["undo"].trigger()
    found = window.keeping.history.result(records[0])
    assert np.array_equal(found.image, result_of(window, 2).image)


def test_the_limit_drops_the_oldest_without_a_star(window):
    """Over the limit the oldest go first; a star keeps a picture, and the newest always stays."""
    history = window.keeping.history
    records = keep(window, *(result_of(window, seed, side=64) for seed in range(6)))
    history.star([records[-1].id], True)
    folder = history.shelf.session.folder
    history.set_limit(sum(r.size for r in records[:3]))
    assert [r.recipe["seed"] for r in history.records] == [5, 4, 0]
    assert not (folder / records[-2].picture_file).exists()
    assert (folder / records[-1].picture_file).exists()
    history.set_limit(1)
    assert [r.recipe["seed"] for r in history.records] == [5, 0]
    keep(window, result_of(window, 9))
    assert [r.recipe["seed"] for r in history.records] == [9, 0]


def test_a_lower_limit_says_what_would_go(window, monkeypatch, tmp_path):
    """The question tells the number; Cancel keeps every picture and the limit."""
    keep(window, *(result_of(window, seed, side=800) for seed in range(3)))  # 1.9 MB each
    monkeypatch.setattr(QInputDialog, "getInt", lambda *_: (2, True))
    asked, buttons = [], iter([QMessageBox.StandardButton.Cancel, QMessageBox.StandardButton.Ok])
    monkeypatch.setattr(QMessageBox, "question", lambda *a: (asked.append(a[2]), next(buttons))[1])
    window.acts["history_limit"].trigger()
    assert "2 pictures without a star" in asked[0]
    assert window.keeping.history.rowCount() == 3 and window.store.history_limit == 500 * MIB
    window.history_panel.count.click()
    assert window.keeping.history.rowCount() == 1
    assert window.history_panel.count.text() == "1 picture, 1.9 MB of 2 MB"
    assert Store(tmp_path / "settings.ini").history_limit == 2 * MIB


def test_a_damaged_picture_is_a_sentence(window, qtbot):
    """A picture that somebody damaged says so, the others are shown, and it can be deleted."""
    records = keep(window, result_of(window, 1), result_of(window, 2))
    folder = window.keeping.history.shelf.session.folder
    (folder / records[0].picture_file).write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 60)
    (folder / records[0].thumbnail_file).unlink()
    window.gallery.look(records[0])
    assert records[0].made in window.error_bar.sentence.text()
    window.gallery.look(records[1])
    assert window.studio.result.request.seed == 1
    window.history_panel.grab()
    select(window, 0)
    window.acts["delete_pictures"].trigger()
    assert window.keeping.history.records == records[1:]


def test_a_disk_that_takes_nothing(window, qtbot, data):
    """A picture that cannot be kept is told, and is still shown."""
    data.write_text("a file where the folder should be")
    window.studio.generate()
    qtbot.waitUntil(window.error_bar.isVisible, timeout=WAIT)
    qtbot.waitUntil(lambda: window.studio.result is not None, timeout=WAIT)
    assert window.keeping.history.rowCount() == 0


def test_a_thousand_pictures_stay_quick(window, qtbot):
    """Only the thumbnails in view are loaded, and walking the strip does not slow down."""
    history = window.keeping.history
    record = keep(window, result_of(window, 1))[0]
    records = [replace(record, id=f"{n:032x}") for n in range(1000)]
    began = time.process_time()
    history.adopt(records, history.palettes)
    window.history_panel.grab()
    window.history_panel.search.setText("noise")
    window.history_panel.grab()
    assert time.process_time() - began < 0.5
    assert 0 < len(history._thumbnails) < 60


def test_memory_holds_no_pictures(window):
    """What is in memory is small, however many pictures were made."""
    history = window.keeping.history
    keep(window, *(result_of(window, seed, side=256) for seed in range(30)))
    gc.collect()
    assert len(history._ids) <= 1  # the writer may have the last one in hand still
    assert history.size > 30 * 190_000


def test_thumbnails_keep_their_shape(window, palette):
    """A wide picture has a wide thumbnail of 128 pixels."""
    wide = Result(
        np.zeros((100, 400, 3), np.uint8),
        SampleRequest(Layout(np.zeros((100, 400), np.uint8), palette)),
        0.1,
    )
    history = window.keeping.history
    record, _ = _keep(history.shelf.session.folder, wide)
    image = QImage.fromData(history.shelf.read(record.thumbnail_file))
    assert (image.width(), image.height()) == (128, 32)
