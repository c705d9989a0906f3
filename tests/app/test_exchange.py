"""Imports, drops, photos and exports, on the real window with real files."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog

from app.export_plan import ExportError, Source, plan, products
from app.palettes.conversion_dialog import ConversionDialog
from app.picture_file import save_picture
from app.reference import letterboxed
from app.restoring import request_of, settings_of
from app.settings import GenerateSettings
from core.encodings import ENCODINGS, encode
from core.errors import InputError
from core.labelmap import read_labels, write_labels
from core.openraster import write_ora
from core.palette import Palette
from core.picture import read_picture
from core.recognition import recognise_file
from core.request import Failed, Layout, Result, SampleRequest
from tests.app import hand
from tests.app.fake_engine import FakeEngine
from tests.app.test_accessibility import faults

ADE, LANDSCAPE = Palette.load("ade20k"), Palette.load("landscape")
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def answer(qtbot):
    """`answer(work)`: when the next dialog opens, call `work(dialog)`; the test fails if none."""
    wanted, errors = [], []

    def later(work):
        wanted.append(work)

        def wait():
            dialog = QApplication.activeModalWidget()
            if dialog is None:
                QTimer.singleShot(5, wait)
                return
            try:
                wanted.remove(work)
                work(dialog)
            except BaseException as error:
                errors.append(error)
                dialog.reject()  # else the test would wait for ever

        QTimer.singleShot(0, wait)

    watch = QTimer(interval=20_000, singleShot=True)
    watch.timeout.connect(lambda: errors.append("a dialog did not close") or close_dialogs())
    watch.start()
    yield later
    watch.stop()
    assert not errors, errors[0]
    assert not wanted, "a dialog did not open"


def close_dialogs():
    dialog = QApplication.activeModalWidget()
    if dialog is not None:
        dialog.reject()


def drop(window, *paths):
    """Let files fall on the canvas, as a file manager does."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action = Qt.DropAction.CopyAction
    enter = QDragEnterEvent(QPoint(500, 300), action, data, LEFT, NONE)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(QPointF(500, 300), action, data, LEFT, NONE))
    QApplication.processEvents()


def click(dialog, text):
    buttons = dialog.findChildren(type(dialog.buttons()[0]))
    next(b for b in buttons if b.text().replace("&", "") == text).click()


def ade_file(path):
    """Sky over sea, and a corner that is no value of ADE20K."""
    labels = np.full((40, 60), 2, np.uint8)
    labels[20:] = ADE.find("sea")
    data = np.asarray(Image.open(io.BytesIO(encode(labels, ADE, ENCODINGS["ade20k"])))).copy()
    data[:4, :6] = 222
    Image.fromarray(data).save(path)
    return labels


def sentence(window):
    return window.error_bar.sentence.text() if window.error_bar.isVisible() else ""


# -- imports --------------------------------------------------------------------------------------


def test_an_import_shows_what_it_is_and_is_one_step(closed_window, answer, tmp_path):
    """The wizard names the dataset with counts and the unplaced share; undo brings back the scene,
    palette and all."""
    window, path = closed_window, tmp_path / "ADE_train_1.png"
    labels = ade_file(path)
    hand.drag(window.canvas, (10, 10))
    before, steps = window.scene.labels.copy(), window.undo_stack.count()
    seen = []

    def look(dialog):
        texts = [dialog.table.item(row, 0).text() for row in range(dialog.table.rowCount())]
        seen.extend([dialog.readings.currentText(), dialog.why.text(), dialog.unplaced.text()])
        seen.append(texts)
        dialog.accept()

    answer(look)
    drop(window, path)
    assert seen[0].startswith("ADE20K") and "99.0%" in seen[1] and "1.0%" in seen[2]
    assert sorted(seen[3]) == ["sea", "sky"]
    assert window.scene.palette.name == "ade20k"
    assert np.array_equal(window.scene.labels[5:], labels[5:])
    assert (window.scene.labels[:4, :6] == ADE.unlabeled).all()
    assert window.undo_stack.count() == steps + 1 and "1.0%" in sentence(window)
    window.undo_stack.undo()
    assert window.scene.palette.name == "landscape"
    assert np.array_equal(window.scene.labels, before)


def test_another_reading_and_another_size(closed_window, answer, tmp_path):
    """The user may know better, and the size keeps its proportions without a new label."""
    window, path = closed_window, tmp_path / "map.png"
    values = np.kron(np.array([[1, 3], [7, 16]], np.uint8), np.ones((20, 40), np.uint8))
    Image.fromarray(values).save(path)

    def choose(dialog):
        assert dialog.readings.currentText() == "Values are ids of Landscape"
        dialog.readings.setCurrentText("Cityscapes labelIds (0–33)")
        dialog.width_box.setValue(40)
        assert dialog.height_box.value() == 20
        dialog.accept()

    answer(choose)
    window.exchange.import_image(path)
    assert window.scene.palette.name == "cityscapes" and window.scene.size == (40, 20)
    assert np.array_equal(window.scene.labels, values[::2, ::2])


def test_the_rest_is_placed_by_hand(closed_window, answer, qtbot, tmp_path):
    """A table of what has no label, by keyboard; what gets a place there is imported so."""
    window, path = closed_window, tmp_path / "ADE_train_1.png"
    ade_file(path)
    road = ADE.find("road")

    def place(dialog):
        assert dialog.place_rest.isVisible() and "1.0%" in dialog.unplaced.text()
        qtbot.keyClick(dialog.place_rest, Qt.Key.Key_Space)
        table = dialog.findChild(ConversionDialog)
        (choice,) = table.places.values()
        assert choice.accessibleName() == "What value 222 becomes" and choice.currentIndex() == 0
        assert faults(table) == []
        choice.setCurrentIndex(choice.findData(road))
        qtbot.keyClick(table, Qt.Key.Key_Return)
        assert dialog.unplaced.text() == "Every pixel has a label."
        assert not dialog.place_rest.isVisible()
        dialog.accept()

    answer(place)
    window.exchange.import_image(path)
    assert (window.scene.labels[:4, :6] == road).all() and sentence(window) == ""


def test_a_cancelled_import_changes_nothing(closed_window, answer, tmp_path):
    """Esc leaves scene, palette and undo as they were."""
    window = closed_window
    ade_file(tmp_path / "ADE_val_1.png")
    answer(lambda dialog: dialog.reject())
    drop(window, tmp_path / "ADE_val_1.png")
    assert window.scene.palette.name == "landscape" and window.undo_stack.count() == 0


def test_our_own_map_opens_as_a_file(closed_window, palette, tmp_path):
    """A label map of the scene's palette needs no wizard."""
    write_labels(tmp_path / "mine.png", np.full((32, 48), 5, np.uint8), palette)
    drop(closed_window, tmp_path / "mine.png")
    assert closed_window.scene.size == (48, 32) and (closed_window.scene.labels == 5).all()
    assert closed_window.scene_file.path == tmp_path / "mine.png"


def test_layers_come_back(closed_window, palette, tmp_path):
    """A layered picture takes the scene in one step."""
    labels = np.full((32, 48), 5, np.uint8)
    labels[:10] = 1
    write_ora(tmp_path / "scene.ora", labels, palette)
    drop(closed_window, tmp_path / "scene.ora")
    assert np.array_equal(closed_window.scene.labels, labels)
    assert closed_window.undo_stack.count() == 1 and sentence(closed_window) == ""


@pytest.mark.parametrize("name", ["a.png", "a.ora", "a.toml", "a.jpg", "a.xyz"])
def test_what_cannot_be_read_is_a_sentence(closed_window, tmp_path, name):
    """A broken file of any kind is named in the bar, and nothing is lost."""
    (tmp_path / name).write_bytes(b"no such thing [")
    hand.drag(closed_window.canvas, (10, 10))
    before = closed_window.scene.labels.copy()
    drop(closed_window, tmp_path / name)
    assert name in sentence(closed_window)
    assert np.array_equal(closed_window.scene.labels, before)


def test_two_files_are_taken_one_after_the_other(closed_window, palette, tmp_path):
    """A drag may hold several files."""
    write_ora(tmp_path / "a.ora", np.full((32, 48), 5, np.uint8), palette)
    write_ora(tmp_path / "b.ora", np.full((16, 16), 6, np.uint8), palette)
    drop(closed_window, tmp_path / "a.ora", tmp_path / "b.ora")
    assert closed_window.undo_stack.count() == 2 and (closed_window.scene.labels == 6).all()


# -- our own pictures -----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_a_dropped_picture_brings_everything_back(window, palette, tmp_path, suffix):
    """Settings, seed, layout and the picture itself; one step of undo for the layout."""
    labels = np.full((48, 64), 16, np.uint8)
    labels[:20] = 1
    request = SampleRequest(Layout(labels, palette), 31, "ddim", 2.5, seed=77)
    image = palette.colors[labels]
    save_picture(tmp_path / f"p{suffix}", Result(image, request, 1.0, "other model"))
    drop(window, tmp_path / f"p{suffix}")
    settings = window.studio.settings
    assert (settings.steps, settings.sampler, settings.guidance_scale) == (31, "ddim", 2.5)
    assert settings.seed == 77 and settings.seed_locked
    assert np.array_equal(window.scene.labels, labels) and window.undo_stack.count() == 1
    assert window.studio.result.image.shape == image.shape
    assert window.studio.status().state == "idle"  # the picture is of this scene
    assert "'other model'" in sentence(window)


def test_a_recipe_may_hold_anything():
    """What cannot be used is left as it is."""
    present = GenerateSettings(steps=9, seed=5)
    odd = {"steps": None, "sampler": 7, "guidance_scale": "x", "seed": 1.5}
    assert settings_of(odd, present).steps == 9 and settings_of(odd, present).seed == 5
    moved = {"steps": "ddim40", "sampler": "ddim", "guidance_scale": [1, 4.0], "seed": 10**12}
    found = settings_of(moved, present)
    assert (found.steps, found.guidance_scale, found.sampler) == (40, 4.0, "ddim")
    assert found.guidance_start == 1  # older pictures were guided from the first step
    assert settings_of(moved | {"guidance_start": 0.3}, present).guidance_start == 0.3
    assert settings_of(moved | {"guidance_start": "x"}, present) == replace(
        found, guidance_start=present.guidance_start
    )
    layout = Layout(np.zeros((8, 8), np.uint8), ADE)
    assert request_of(odd, layout) is None and request_of({}, layout) is None


# -- photos ---------------------------------------------------------------------------------------


def photo_file(path):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:200, :300]
    soft = np.stack([y, x * 0.8, (x + y) / 2], axis=2) + rng.normal(0, 12, (200, 300, 3))
    Image.fromarray(soft.clip(0, 255).astype(np.uint8)).save(path)


def test_a_photo_goes_under_the_map(closed_window, answer, tmp_path):
    """It shows through the labels, stays when a picture is made, and can be put away."""
    window = closed_window
    photo_file(tmp_path / "photo.jpg")
    answer(lambda box: click(box, "Under the map"))
    drop(window, tmp_path / "photo.jpg")
    assert window.canvas.opacity == 0.5 and window.acts["photo_under"].isChecked()
    shown = window.canvas._picture
    assert (shown.width(), shown.height()) == (300, 300)  # the whole photo on the square map
    window.studio.picture_changed.emit(np.zeros((64, 64, 3), np.uint8), "")
    assert window.canvas._picture is shown and not window.photo_dock.isVisible()
    window.acts["photo_away"].trigger()
    assert window.canvas._picture.width() == 64 and not window.acts["photo_under"].isEnabled()


def test_a_photo_goes_beside_the_map(closed_window, answer, tmp_path):
    """It has a dock of its own, and a key brings it under the map and back."""
    window = closed_window
    photo_file(tmp_path / "photo.jpg")
    answer(lambda box: click(box, "Beside the map"))
    drop(window, tmp_path / "photo.jpg")
    shown = window.canvas._picture  # what was there before
    assert window.photo_dock.isVisible() and (shown is None or shown.width() != 300)
    window.acts["photo_under"].trigger()
    assert not window.photo_dock.isVisible() and window.canvas._picture.width() == 300


def test_letterboxed_shows_the_whole_photo():
    """Gray fills what the photo does not reach; nothing is stretched."""
    photo = np.zeros((10, 40, 3), np.uint8)
    boxed = letterboxed(photo, (64, 64))
    assert boxed.shape == (40, 40, 3)
    assert (boxed[15:25] == 0).all() and (boxed[:15] == 128).all() and (boxed[25:] == 128).all()
    assert max(letterboxed(np.zeros((10, 9000, 3), np.uint8), (64, 64)).shape) <= 4096


# -- weights and palettes -------------------------------------------------------------------------


def test_dropped_weights_open(window, qtbot, tmp_path):
    """Another model takes the place of the present one; one that cannot be opened does not."""

    def opened(path):
        if path.name == "bad.safetensors":
            raise InputError("bad.safetensors is no model.")
        engine = FakeEngine()
        engine.info = type(engine.info)("new", *list(vars(engine.info).values())[1:])
        return engine

    window.exchange.open_weights = opened
    drop(window, tmp_path / "good.safetensors")
    qtbot.waitUntil(lambda: window.studio.model.name == "new")
    drop(window, tmp_path / "bad.safetensors")
    qtbot.waitUntil(lambda: "no model" in sentence(window))
    assert window.studio.model.name == "new" and window.studio.status().can_generate


def test_weights_are_opened_by_key(window, qtbot, tmp_path, monkeypatch):
    """Without a mouse: Ctrl+Shift+O, a file, and the model is another."""
    opened = []

    def open_weights(path):
        opened.append(path)
        return FakeEngine()

    chosen = str(tmp_path / "mine.safetensors")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (chosen, ""))
    window.exchange.open_weights = open_weights
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(window, Qt.Key.Key_O, keys)
    qtbot.waitUntil(lambda: opened == [Path(chosen)])


# -- exports --------------------------------------------------------------------------------------


def result_of(labels, palette, seed=7):
    request = SampleRequest(Layout(labels, palette), seed=seed)
    return Result(palette.colors[labels], request, 1.0, "fake")


def test_everything_at_once(closed_window, palette, answer, qtbot, tmp_path):
    """Every kind of file is written, and each opens as what it says."""
    window = closed_window
    hand.drag(window.canvas, (5, 5), (50, 50))
    window.studio.result = result_of(window.scene.labels, palette)
    window.store.keep_folder("exports", tmp_path)

    def tick_all(dialog):
        for box in dialog.boxes.values():
            if box.isEnabled():
                box.setChecked(True)
        assert not dialog.boxes["celebamask_hq"].isEnabled()
        assert len(dialog.files.toPlainText().split()) == 13
        dialog.go.click()

    answer(tick_all)
    window.acts["export"].trigger()
    assert len(list(tmp_path.glob("scene-*"))) == 13 and "13 files" in sentence(window)
    labels = window.scene.labels
    assert np.array_equal(read_labels(tmp_path / "scene-labels.png", palette).labels, labels)
    assert read_picture(tmp_path / "scene-picture.tif").recipe["seed"] == 7
    first = recognise_file(tmp_path / "scene-gaugan.png", palette)[0]
    assert first.encoding.name == "gaugan"
    assert zipfile.is_zipfile(tmp_path / "scene-layers.ora")
    colours = np.asarray(Image.open(tmp_path / "scene-colours.png"))
    assert np.array_equal(colours, palette.colors[labels])


def test_an_export_leaves_the_document(closed_window, answer, qtbot, tmp_path):
    """The label map alone: one key, Enter, a file; the document is neither renamed nor clean."""
    window = closed_window
    hand.drag(window.canvas, (10, 10))
    window.store.keep_folder("exports", tmp_path)
    answer(lambda dialog: qtbot.keyClick(dialog, Qt.Key.Key_Return))
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(window.canvas, Qt.Key.Key_E, both)
    assert read_labels(tmp_path / "scene-labels.png", window.scene.palette).kind == "own"
    assert sentence(window) == "1 file is exported."
    assert window.isWindowModified() and window.scene_file.path is None


def test_a_layout_that_does_not_fit_is_told(closed_window, palette, answer, tmp_path):
    """A JPEG has no room for a layout of noise: the report says which file lacks it; WebP has."""
    window = closed_window
    noise = np.random.default_rng(0).integers(0, 3, (600, 800), np.uint8)
    window.exchange.pictures = lambda: [result_of(noise, palette, seed) for seed in range(4)]
    window.store.keep_folder("exports", tmp_path)

    def tick(dialog):
        for key, box in dialog.boxes.items():
            box.setChecked(key in ("jpeg", "webp"))
        dialog.go.click()

    answer(tick)
    window.exchange.ask_export()
    said = sentence(window)
    assert said.startswith("8 files are exported. scene-picture-1-0.jpg is without its layout")
    assert said.endswith("The same is true of 2 more.") and ".webp" not in said
    layouts = [read_picture(path).layout for path in sorted(tmp_path.glob("*.webp"))]
    assert len(layouts) == 4 and all(np.array_equal(one.labels, noise) for one in layouts)


def test_without_a_picture_only_the_layout_can_go(closed_window, answer):
    """The boxes of pictures say why they cannot be ticked."""

    def look(dialog):
        assert not dialog.boxes["png"].isEnabled() and "Generate" in dialog.boxes["png"].toolTip()
        assert dialog.boxes["own"].isChecked()
        dialog.reject()

    answer(look)
    closed_window.exchange.ask_export()


def test_the_dialog_tells_what_is_wrong(closed_window, answer, tmp_path):
    """A folder that is not there, a word that means nothing, and nothing ticked disable Export."""
    closed_window.store.keep_folder("exports", tmp_path)
    (tmp_path / "scene-labels.png").write_bytes(b"old")

    def look(dialog):
        assert "1 of them replace" in dialog.note.text() and dialog.go.isEnabled()
        dialog.folder.setText(str(tmp_path / "gone"))
        assert "gone" in dialog.note.text() and not dialog.go.isEnabled()
        dialog.folder.setText(str(tmp_path))
        dialog.pattern.setText("{nmae}")
        assert "{nmae}" in dialog.note.text() and not dialog.go.isEnabled()
        dialog.pattern.setText("{name}")
        dialog.boxes["own"].setChecked(False)
        assert "Nothing" in dialog.note.text() and not dialog.go.isEnabled()
        dialog.reject()

    answer(look)
    closed_window.exchange.ask_export()
    assert (tmp_path / "scene-labels.png").read_bytes() == b"old"


def test_a_failed_file_says_how_far_it_came(closed_window, answer, qtbot, tmp_path, monkeypatch):
    """The dialog stays open with the sentence; what is written is whole."""
    closed_window.store.keep_folder("exports", tmp_path)
    (tmp_path / "scene-ids.png").mkdir()  # a folder has the name of the second file

    def go(dialog):
        dialog.boxes["ids"].setChecked(True)
        dialog.go.click()
        qtbot.waitUntil(lambda: "cannot be written" in dialog.note.text())
        assert "1 of 2 are written" in dialog.note.text() and dialog.isVisible()
        dialog.reject()

    answer(go)
    closed_window.exchange.ask_export()
    assert (tmp_path / "scene-labels.png").is_file()


def test_names_of_many_pictures(palette, tmp_path):
    """Each picture has a file; names that would collide or cannot be are refused."""
    labels = np.zeros((8, 8), np.uint8)
    results = tuple(result_of(labels, palette, seed) for seed in (3, 9))
    source = Source(labels, palette, results, "lake")
    kinds = {product.key: product for product in products(source)}
    jobs = plan([kinds["png"], kinds["own"]], source, tmp_path, "{name}-{number}-{seed}-{what}")
    assert [job.path.name for job in jobs] == [
        "lake-1-3-picture.png",
        "lake-2-9-picture.png",
        "lake-1-3-labels.png",
    ]
    for job in jobs:
        job.write()
    with Image.open(tmp_path / "lake-2-9-picture.png") as picture:
        assert json.loads(picture.text["sdm-studio:recipe"])["seed"] == 9
    for pattern, words in (("{name}", "Two files"), ("a/b{seed}", "a/b3"), ("", "''")):
        with pytest.raises(ExportError, match=words):
            plan([kinds["png"]], source, tmp_path, pattern)


def test_the_keys_open_the_dialogs(closed_window, qtbot, monkeypatch):
    """Import, export and the photo are reached without a mouse."""
    asked = []
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *a: (asked.append(a[1]), ("", ""))[1]
    )
    both = Qt.KeyboardModifier.ControlModifier
    qtbot.keyClick(closed_window.canvas, Qt.Key.Key_I, both)
    qtbot.keyClick(closed_window.canvas, Qt.Key.Key_R, both)
    assert asked == ["Import", "Photo to trace"]


def test_the_next_question_begins_where_the_last_ended(closed_window, monkeypatch, tmp_path):
    """Import… remembers its folder; a photo has one of its own."""
    (tmp_path / "maps").mkdir()
    write_ora(tmp_path / "maps" / "a.ora", np.full((32, 48), 5, np.uint8), LANDSCAPE)
    asked, answers = [], [str(tmp_path / "maps" / "a.ora"), "", ""]
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *a: (asked.append(a[2]), (answers.pop(0), ""))[1]
    )
    closed_window.exchange.ask_import()
    closed_window.exchange.ask_import()
    closed_window.exchange.ask_photo()
    assert asked == ["", str(tmp_path / "maps"), ""] and closed_window.scene.size == (48, 32)


def test_good_news_is_no_warning(closed_window):
    """A report and a failure share the bar, not its colours; only a failure is worth a copy."""
    bar = closed_window.error_bar
    closed_window.show_failure(Failed("It broke.", "why"))
    warning = bar.grab().toImage().pixelColor(4, 12)
    assert bar.copy_button.isVisible()
    closed_window.exchange.done.emit("2 files are exported.")
    assert bar.isVisible() and not bar.copy_button.isVisible()
    assert bar.grab().toImage().pixelColor(4, 12) != warning
    closed_window.show_failure(Failed("It broke."))
    assert bar.grab().toImage().pixelColor(4, 12) == warning and bar.copy_button.isVisible()


def test_the_dialogs_are_open_to_all(closed_window, answer, tmp_path):
    """Every control of import and export has a name, a tooltip and a place for the keyboard."""
    ade_file(tmp_path / "ADE_val_1.png")
    found = []

    def look(dialog):
        found.extend(faults(dialog))
        dialog.reject()

    answer(look)
    closed_window.exchange.import_image(tmp_path / "ADE_val_1.png")
    answer(look)
    closed_window.exchange.ask_export()
    assert found == []
