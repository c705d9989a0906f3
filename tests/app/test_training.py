"""My set and the training on it: real files, real processes, a scripted trainer."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QMessageBox, QPushButton

from app.application import build_window
from app.training import child as child_module
from app.training.coverage import covered
from app.training.loss_curve import read_losses, smoothed
from app.training.photo_set import PhotoSet, part_under, read_map
from app.training.recipe import Recipe, going_on
from app.training.run_view import duration
from core.errors import InputError
from core.labelmap import read_labels, write_labels
from core.palette import Palette
from core.picture import read_picture, write_picture
from core.run_status import RunStatus, ask_to_stop, read_status
from tests.app.conftest import WAIT
from tests.app.hand import drag, put_away
from tests.app.test_accessibility import faults

TRAINER = (sys.executable, "-m", "tests.app.fake_training")
LONG = 60_000  # ms: a process starts slowly on a busy machine
PHOTO = np.arange(40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A window that looks at its training often, and a trainer that learns nothing."""
    monkeypatch.setattr(child_module, "EVERY", 10)
    monkeypatch.setattr(child_module, "COMMAND", TRAINER)


@pytest.fixture
def folder(tmp_path, palette):
    """A set of three pairs: sky (1) over water (16), once with a tree (7)."""
    for part in ("images", "labels"):
        (tmp_path / "set" / part).mkdir(parents=True)
    for number in range(3):
        labels = np.full((20, 30), 1, np.uint8)
        labels[10:] = 16
        if number == 2:
            labels[:, :6] = 7
        write_labels(tmp_path / "set" / "labels" / f"{number}.png", labels, palette)
        write_picture(tmp_path / "set" / "images" / f"{number}.png", PHOTO[:20, :30], {})
    palette.save(tmp_path / "set" / "palette.toml")
    return tmp_path / "set"


@pytest.fixture
def window(window, folder, qtbot):
    """The window with that set; its model has a file."""
    window.studio.model = replace(window.studio.model, path=str(folder / "base.safetensors"))
    window.training.use_folder(folder)
    yield window
    if window.training.child.running:
        ask_to_stop(window.training.child.folder)
        qtbot.waitUntil(lambda: not window.training.child.running, timeout=LONG)


@pytest.fixture
def desk(window):
    """My set, open beside the window."""
    window.training.show()
    return window.training


@pytest.fixture
def answer_pair(monkeypatch):
    """`answer_pair(change)`: take what the next "Add to my set" offers, after `change(dialog)`."""

    def prepare(change=lambda dialog: None):
        def answer():
            (dialog,) = [d for d in QApplication.topLevelWidgets() if d.objectName() == "pair"]
            change(dialog)
            QTest.keyClick(dialog.name, Qt.Key.Key_Return)

        QTimer.singleShot(50, answer)

    return prepare


def texts(table, column):
    return [table.item(row, column).text() for row in range(table.rowCount())]


def heard(signal):
    found = []
    signal.connect(lambda *values: found.append(values[0] if len(values) == 1 else values))
    return found


# -- the set ---------------------------------------------------------------------------------------


def test_a_scene_and_its_picture_go_into_the_set(window, qtbot, answer_pair, tmp_path, palette):
    """By key: exactly the map and the picture, as core.train reads them; the palette beside."""
    window.training.use_folder(tmp_path / "new")
    window.scene.replace(np.full((64, 64), 5, np.uint8))
    window.studio.generate()
    qtbot.waitUntil(lambda: window.studio.result is not None, timeout=WAIT)
    told = heard(window.training.told)
    answer_pair(lambda dialog: dialog.name.setText("a/b: lake"))
    window.canvas.setFocus()
    qtbot.keyClick(
        window.canvas,
        Qt.Key.Key_A,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier,
    )
    qtbot.waitUntil(lambda: bool(told), timeout=WAIT)
    assert told == ["ab lake is in the set, which has 1 picture now."]
    picture = read_picture(tmp_path / "new" / "images" / "ab lake.png").image
    assert np.array_equal(picture, window.studio.result.image)
    labels = read_labels(tmp_path / "new" / "labels" / "ab lake.png", palette).labels
    assert labels.shape == picture.shape[:2] and (labels == 5).all()
    assert Palette.load(tmp_path / "new" / "palette.toml") == palette


def test_the_part_over_the_photo_goes_with_it(window, qtbot, answer_pair, folder, palette):
    """The photo lies in the middle of a square map: what is above and below it is left out."""
    labels = np.full((60, 60), 3, np.uint8)
    labels[10:50] = 7
    labels[10:50, 30:] = 9
    window.scene.replace(labels)
    window.exchange.reference.take(PHOTO, "beach.jpg", under=True)
    told = heard(window.training.told)
    answer_pair()
    window.training.ask_add()
    assert told == ["beach is in the set, which has 4 pictures now."]
    saved = read_labels(folder / "labels" / "beach.png", palette).labels
    assert np.array_equal(saved, labels[10:50])
    assert np.array_equal(read_picture(folder / "images" / "beach.png").image, PHOTO)


def test_what_lies_over_a_photo():
    """Whole where the proportions agree, else the middle."""
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert np.array_equal(part_under(labels, (300, 400)), labels)
    assert np.array_equal(part_under(labels, (300, 200)), labels[:, 1:3])
    assert np.array_equal(part_under(labels, (100, 400)), labels[1:2])


def test_without_a_picture_there_is_nothing_to_add(window):
    """A sentence says what to do."""
    failed = heard(window.training.failed)
    window.training.ask_add()
    assert "Generate one, or load the photo" in failed[0].message
    assert window.error_bar.isVisible()


def test_a_scene_in_another_palette_is_refused(folder):
    """Nothing is written, and the sentence names both palettes."""
    mine = PhotoSet(folder)
    with pytest.raises(InputError, match="'landscape', this scene in 'ade20k'"):
        mine.add("new", np.zeros((20, 30), np.uint8), PHOTO, Palette.load("ade20k"))
    assert len(mine.pairs()) == 3 and not (folder / "labels" / "new.png").exists()


def test_half_a_pair_never_stays(folder, palette, monkeypatch):
    """When the picture cannot be written the map goes, too."""

    def full(*args, **more):
        raise InputError("The disk is full.")

    monkeypatch.setattr("app.training.photo_set.write_picture", full)
    with pytest.raises(InputError, match="disk is full"):
        PhotoSet(folder).add("new", np.zeros((20, 30), np.uint8), PHOTO, palette)
    assert not (folder / "labels" / "new.png").exists()


def test_names_that_are_taken_get_a_number(folder):
    """Of a map or of a picture; what no file may be called is left out."""
    mine = PhotoSet(folder)
    (folder / "images" / "lone.jpg").write_bytes(b"")
    assert [mine.free_name(n) for n in ("0", "lone", "x", "a/..\\b", "…")] == [
        "0-2",
        "lone-2",
        "x",
        "a..b",
        "scene",
    ]


def test_large_photos_are_made_smaller(tmp_path, palette):
    """Their shorter side is 1024 then, as nothing is trained on more; the map has the same size."""
    photo = np.full((1280, 2560, 3), 90, np.uint8)
    pair = PhotoSet(tmp_path).add("big", np.zeros((100, 200), np.uint8), photo, palette)
    assert read_picture(pair.image).image.shape == (1024, 2048, 3)
    assert read_labels(pair.labels, palette).labels.shape == (1024, 2048)


def test_the_palette_may_grow(folder, palette):
    """Labels behind the others join the set's palette; one in between does not."""
    more = replace(palette.classes[3], id=len(palette), name="lava", color=(250, 9, 9), synonyms=())
    grown = replace(palette, classes=(*palette.classes, more))
    PhotoSet(folder).add("new", np.full((20, 30), len(palette), np.uint8), PHOTO, grown)
    assert Palette.load(folder / "palette.toml").classes[-1].name == "lava"
    PhotoSet(folder).add("old", np.full((20, 30), 3, np.uint8), PHOTO, palette)
    assert len(Palette.load(folder / "palette.toml")) == len(grown)
    shorter = replace(palette, classes=palette.classes[:-1])
    other = replace(shorter, classes=(*shorter.classes, replace(more, id=len(shorter))))
    with pytest.raises(InputError, match="is labelled in palette"):
        PhotoSet(folder).add("odd", np.zeros((20, 30), np.uint8), PHOTO, other)
    assert [p.name for p in PhotoSet(folder).pairs()] == ["0", "1", "2", "new", "old"]


def test_maps_have_the_values_that_training_reads(tmp_path):
    """Of a palette whose datasets have other values than its ids, too."""
    from core.dataset import Pair as Read
    from core.dataset import read_pair

    coco = Palette.load("coco_stuff")
    labels = (np.arange(600) % len(coco)).astype(np.uint8).reshape(20, 30)
    pair = PhotoSet(tmp_path).add("a", labels, PHOTO[:20, :30], coco)
    assert np.array_equal(read_map(pair.labels, coco), labels)
    trained = read_pair(Read("a", pair.image, pair.labels), Palette.load(tmp_path / "palette.toml"))
    assert np.array_equal(trained.labels, labels)
    assert np.array_equal(trained.image, PHOTO[:20, :30])


def test_coverage_is_counted(desk, qtbot, palette):
    """Shares of all pixels and numbers of pictures, the missing ones last."""
    table = desk.dialog.table
    qtbot.waitUntil(lambda: table.rowCount() == len(palette), timeout=WAIT)
    assert texts(table, 0)[:3] == ["sky", "water", "tree"] or texts(table, 0)[:3] == [
        "water",
        "sky",
        "tree",
    ]
    assert texts(table, 1)[:4] == ["46.7%", "46.7%", "6.7%", "missing"]
    assert texts(table, 2)[:4] == ["3", "3", "1", "–"]
    assert desk.dialog.heading.text() == "My set: 3 pictures"


def test_a_slip_of_the_brush_is_no_picture_of_a_label():
    """One pixel in two thousand counts as pixels, not as a picture."""
    counts = np.zeros(256, np.int64)
    counts[:2] = 1999, 1
    first, second, third = covered([counts, counts], 3)
    assert (first.label, first.pictures) == (0, 2)
    assert second.share == 1 / 2000 and second.pictures == 0 and third.share == 0


def test_a_map_that_cannot_be_read_is_named(window, folder, qtbot):
    """The others are counted."""
    (folder / "labels" / "1.png").write_bytes(b"no picture")
    window.training.show()
    problems = window.training.dialog.problems
    qtbot.waitUntil(problems.isVisible, timeout=WAIT)
    assert "1.png" in problems.text()
    assert texts(window.training.dialog.table, 2)[:3] == ["2", "2", "1"]


# -- the training ----------------------------------------------------------------------------------


def start(desk, steps=30, name="dusk"):
    desk.dialog.name.setEditText(name)
    desk.dialog.steps.setValue(steps)
    QTest.keyClick(desk.dialog.steps, Qt.Key.Key_Return)
    assert desk.child.running


def finish(desk, qtbot):
    qtbot.waitUntil(lambda: not desk.child.running, timeout=LONG)


def test_a_run_from_start_to_model(window, desk, folder, qtbot, engine):
    """Started by Enter; bar, curve and sheet show it; its model opens."""
    opened = []
    window.exchange.open_weights = lambda path: opened.append(path) or engine
    assert not desk.dialog.open.isEnabled()
    start(desk)
    assert desk.dialog.halt.isEnabled() and not desk.dialog.go.isEnabled()
    told = heard(desk.told)
    finish(desk, qtbot)
    view = desk.dialog.run
    assert view.text.text() == "Done: 30 steps." and view.bar.value() == view.bar.maximum() == 30
    assert view.curve.points == [(step, pytest.approx(1 / step, 1e-4)) for step in range(1, 31)]
    assert view.sheet.path == folder / "runs" / "dusk" / "sheets" / "0000030.png"
    assert told == ["The training is done. My set… opens the model."]
    qtbot.mouseClick(desk.dialog.open, Qt.MouseButton.LeftButton)
    weights = folder / "runs" / "dusk" / "weights.safetensors"
    qtbot.waitUntil(lambda: opened == [weights], timeout=WAIT)


def test_what_is_asked_of_the_trainer(desk, folder, qtbot):
    """The set, the open model, a small file, and as many steps as the field says."""
    start(desk)
    finish(desk, qtbot)
    words = read_status(folder / "runs" / "dusk").words
    pairs = dict(zip(words, words[1:]))
    assert pairs["--data"] == str(folder) and pairs["--palette"] == str(folder / "palette.toml")
    assert pairs["--init"] == str(folder / "base.safetensors") and pairs["--steps"] == "30"
    assert pairs["--lora"] == "8" and "--resume" not in words


def test_stop_and_continue(desk, folder, qtbot):
    """Stopped it is saved; Continue goes on where it was, with the same words."""
    (folder / "slow").touch()
    start(desk, steps=100_000)
    qtbot.waitUntil(lambda: desk.child.status.step > 1, timeout=LONG)
    qtbot.mouseClick(desk.dialog.halt, Qt.MouseButton.LeftButton)
    assert desk.dialog.run.text.text().startswith("Stopping")
    finish(desk, qtbot)
    step = desk.child.status.step
    assert desk.child.status.state == "stopped" and step < 100_000
    assert desk.dialog.go.text() == "Continue" and "Stopped at step" in desk.dialog.run.text.text()
    (folder / "slow").unlink()
    failed = heard(desk.failed)
    desk.dialog.steps.setValue(step)
    QTest.mouseClick(desk.dialog.go, Qt.MouseButton.LeftButton)
    assert "steps already" in failed[0].message and not desk.child.running
    desk.dialog.steps.setValue(step + 10)
    QTest.mouseClick(desk.dialog.go, Qt.MouseButton.LeftButton)
    finish(desk, qtbot)
    status = read_status(folder / "runs" / "dusk")
    assert (status.state, status.step) == ("done", step + 10) and status.words[-1] == "--resume"
    assert [s for s, _ in read_losses(folder / "runs" / "dusk" / "log.csv")] == [
        *range(1, step + 11)
    ]


def test_stop_at_once(desk, folder, qtbot):
    """Before the trainer has said a word; then there is nothing to go on with, so Start begins."""
    (folder / "slow").touch()
    start(desk, steps=100_000)
    qtbot.mouseClick(desk.dialog.halt, Qt.MouseButton.LeftButton)
    finish(desk, qtbot)
    assert desk.child.status.state == "stopped" and desk.dialog.go.isEnabled()


def test_painting_goes_on_while_it_trains(window, desk, folder, pen, qtbot):
    """A stroke and a picture, meanwhile; the status bar tells of the training."""
    (folder / "slow").touch()
    start(desk, steps=100_000)
    qtbot.waitUntil(lambda: desk.child.status.step > 1, timeout=LONG)
    drag(window.canvas, (10, 10), (20, 10))
    assert (window.scene.labels == 7).sum() > 30
    window.studio.generate()
    qtbot.waitUntil(lambda: window.studio.result is not None, timeout=WAIT)
    assert desk.child.running and "/100000" in desk.note.text() and desk.note.isVisible()


@pytest.mark.parametrize(
    "file, says",
    [("fail", "The photos are upside down. Turn them."), ("die", "exit status 9")],
)
def test_a_failed_run_says_why(window, desk, folder, qtbot, file, says):
    """The trainer's own sentence, in the dialog and above the canvas; then one can start again."""
    (folder / file).touch()
    start(desk)
    finish(desk, qtbot)
    assert says in desk.dialog.run.text.text() and says in window.error_bar.sentence.text()
    assert desk.dialog.go.text() == "Start" and desk.dialog.go.isEnabled()


def test_a_trainer_that_is_not_there(desk, qtbot, monkeypatch):
    """A sentence, and nothing runs."""
    desk.child._command = ("/nowhere/python",)
    failed = heard(desk.failed)
    desk.dialog.steps.setValue(5)
    QTest.keyClick(desk.dialog.steps, Qt.Key.Key_Return)
    assert failed[0].message.startswith("Training cannot be started: /nowhere/python: ")
    assert not desk.child.running


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "a:b"])
def test_a_run_has_a_name_for_a_folder(desk, folder, name):
    """Others are refused."""
    failed = heard(desk.failed)
    desk.dialog.name.setEditText(name)
    QTest.mouseClick(desk.dialog.go, Qt.MouseButton.LeftButton)
    assert "no name for a folder" in failed[0].message and not desk.child.running


def test_without_pictures_or_model_nothing_begins(window, tmp_path):
    """An empty set cannot be trained on; a model without a file is nothing to start from."""
    window.training.use_folder(tmp_path / "empty")
    window.training.show()
    assert not window.training.dialog.go.isEnabled()
    assert "Nothing is in the set yet" in window.training.dialog.place.text()


def test_an_old_run_shows_how_it_was_begun(desk, folder, qtbot):
    """Its steps, twice as many if they are done, and its kind."""
    desk.dialog.kind.setCurrentIndex(1)
    assert desk.dialog.steps.value() == 2000
    start(desk, steps=20, name="whole")
    finish(desk, qtbot)
    desk.dialog.name.setEditText("other")
    desk.dialog.kind.setCurrentIndex(0)
    desk.dialog.name.setEditText("whole")
    assert not desk.dialog.small and desk.dialog.steps.value() == 40
    assert desk.dialog.go.text() == "Continue" and not desk.dialog.kind.isEnabled()


# -- the end ---------------------------------------------------------------------------------------


def close_with(window, qtbot, text):
    """Close the window and press the button `text` of its question."""

    def answer():
        (box,) = [b for b in window.findChildren(QMessageBox) if b.isVisible()]
        (button,) = [b for b in box.findChildren(QPushButton) if text in b.text()]
        button.click()

    window.undo_stack.setClean()
    QTimer.singleShot(50, answer)
    window.close()


def test_closing_asks_and_may_be_called_off(window, desk, folder, qtbot):
    """Cancel: the window stays, and the training goes on."""
    (folder / "slow").touch()
    start(desk, steps=100_000)
    close_with(window, qtbot, "Cancel")
    assert window.isVisible() and desk.child.running


def test_closing_can_stop_it(window, desk, folder, qtbot):
    """The run saves and ends, with no window to see it."""
    (folder / "slow").touch()
    start(desk, steps=100_000)
    qtbot.waitUntil(lambda: desk.child.status.step > 1, timeout=LONG)
    close_with(window, qtbot, "Stop it")
    assert not window.isVisible()
    run = folder / "runs" / "dusk"
    qtbot.waitUntil(lambda: read_status(run).state == "stopped", timeout=LONG)
    finish(desk, qtbot)


def test_a_later_window_finds_it(window, desk, folder, qtbot, qapp, palette, store, data, engine):
    """Left running, it goes on; the next window shows it, and can stop it."""
    (folder / "slow").touch()
    start(desk, steps=100_000)
    qtbot.waitUntil(lambda: desk.child.status.step > 1, timeout=LONG)
    close_with(window, qtbot, "Leave it running")
    assert not window.isVisible()
    later = build_window(qapp, lambda: engine, palette, store=store, data=data)
    later.show()
    assert later.training.child.running and later.training.note.isVisible()
    later.training.show()
    assert later.training.dialog.name.currentText() == "dusk"
    qtbot.mouseClick(later.training.dialog.halt, Qt.MouseButton.LeftButton)
    finish(later.training, qtbot)
    assert later.training.child.status.state == "stopped"
    assert later.training.dialog.go.text() in ("Continue", "Start")
    finish(desk, qtbot)
    put_away(later)


def test_a_run_that_fell_silent_is_not_followed(window, folder):
    """Its machine was switched off: it can be continued, not watched."""
    child = window.training.child
    run = folder / "runs" / "old"
    run.mkdir(parents=True)
    (run / "status.json").write_text('{"state": "training", "words": [], "time": 1.0}')
    assert not child.follow(run) and not child.running
    now = time.time()
    (run / "status.json").write_text(f'{{"state": "training", "words": [], "time": {now}}}')
    assert child.follow(run)
    ended = heard(child.ended)
    (run / "status.json").write_text('{"state": "training", "words": [], "time": 1.0}')
    child.status = RunStatus("training", time=1.0)
    child.look()
    assert not child.running and "not heard of" in ended[0][1].text


# -- the parts -------------------------------------------------------------------------------------


def test_every_control_of_the_pair_dialog(window, palette):
    """Names, tips, and a way by keyboard."""
    from app.training.pair_dialog import Candidate, PairDialog

    one = Candidate("The picture", "a", PHOTO, np.zeros((40, 60), np.uint8))
    dialog = PairDialog([one], palette, window)
    dialog.show()
    assert "\n".join(faults(dialog)) == ""
    dialog.close()


def test_my_set_opens_by_key_and_stays_beside_the_window(window, qtbot):
    """Ctrl+Alt+M; the window can be used meanwhile; Esc puts it away."""
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    window.canvas.setFocus()
    qtbot.keyClick(window.canvas, Qt.Key.Key_M, keys)
    dialog = window.training.dialog
    assert dialog.isVisible() and not dialog.isModal()
    assert "\n".join(faults(dialog)) == ""
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible() and isinstance(dialog, QDialog)


def test_going_on_changes_the_steps_alone():
    """Whether or not the run was gone on with before."""
    out = Path("out")
    words = Recipe(Path("set"), Path("p.toml"), Path("base"), out, 500, False, 4).words()
    assert "--lora" not in words and words[words.index("--warmup") + 1] == "50"
    more = going_on(tuple(words), 700)
    assert more[more.index("--steps") + 1] == "700" and more[-1] == "--resume"
    assert going_on(tuple(more), 800).count("--resume") == 1
    assert going_on((), 9) == ["--steps", "9", "--resume"]


def test_a_log_is_read_as_far_as_it_is_written(tmp_path):
    """Half a line, or none at all, is no error."""
    (tmp_path / "log.csv").write_text("step,loss\n1,0.5\n2,0.25\n3")
    assert read_losses(tmp_path / "log.csv") == [(1, 0.5), (2, 0.25)]
    assert read_losses(tmp_path / "none.csv") == []


def test_the_smooth_line_begins_at_the_first_value():
    """And follows a constant exactly."""
    assert smoothed([(1, 2.0), (2, 2.0)]) == [(1, pytest.approx(2.0)), (2, pytest.approx(2.0))]


@pytest.mark.parametrize(
    "seconds, text", [(40, "40 s"), (89, "89 s"), (720, "12 min"), (11100, "3 h 5 min")]
)
def test_durations(seconds, text):
    """As people say them."""
    assert duration(seconds) == text


@pytest.mark.slow
def test_a_real_run(window, desk, folder, qtbot, tmp_path, palette):
    """The real trainer on a tiny model: the small file opens."""
    import torch

    from core.checkpoint import Checkpoint
    from core.model.spec import ModelSpec
    from core.model.unet import SDMUNet

    spec = ModelSpec(
        image_size=16,
        model_channels=16,
        num_classes=len(palette),
        num_res_blocks=1,
        channel_mult=(1, 2),
        attention_resolutions=(),
        spade_hidden=8,
    )
    base = Checkpoint(palette, spec)
    base.save(folder / "base.safetensors", {"unet": SDMUNet(spec).state_dict()}, torch.float32)
    desk.child._command = (sys.executable, "-m", "core.train")
    start(desk, steps=4)
    qtbot.waitUntil(lambda: not desk.child.running, timeout=300_000)
    assert desk.child.status.state == "done", desk.child.status.text
    made = Checkpoint.open(folder / "runs" / "dusk" / "weights.safetensors")
    assert made.base is not None and made.load_unet().spec == spec
    assert desk.dialog.run.sheet.path is not None and desk.dialog.run.curve.points
