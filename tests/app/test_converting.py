"""Another palette: the table to confirm, one undo step, and models that know other labels."""

from dataclasses import replace
from threading import Event as Gate

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox

from app.application import build_window
from app.palettes.conversion_dialog import FIRST_ROWS, ConversionDialog
from core.conversion import BY_HAND, Conversion
from core.palette import Palette
from tests.app import hand
from tests.app.fake_engine import FakeEngine

Button = QMessageBox.StandardButton
WAIT = 5000  # ms


@pytest.fixture
def painted(closed_window):
    """Half sky, a quarter snow, a quarter unlabeled."""
    labels = np.full((64, 64), 1, np.uint8)
    labels[32:, :32], labels[32:, 32:] = 5, 0
    closed_window.scene.replace(labels)
    return closed_window


def dialog_of(window):
    return next((d for d in window.findChildren(ConversionDialog) if d.isVisible()), None)


def ask_for(window, name):
    window.palettes.converting.choose(name)
    return dialog_of(window)


def choose(dialog, label, name):
    place = dialog.places[label]
    place.setCurrentIndex(place.findText(name))


def test_the_table_shows_what_will_happen(painted):
    """Labels of the scene by share, where each goes, by which word, and what is lost."""
    dialog = ask_for(painted, "cityscapes")
    assert list(dialog.places) == [1, 5]
    assert [place.currentText() for place in dialog.places.values()] == ["sky", "(nothing)"]
    assert dialog.summary.text().startswith("25.0% of the scene has no place and becomes")
    assert dialog._hows[1].text() == "name" and painted.scene.palette.name == "landscape"


def test_hundreds_of_labels_come_in_turns(closed_window, qtbot):
    """The first rows are there at once and the rest soon, in the order of their shares; who does
    not wait for them has agreed to them too."""
    source, target = Palette.load("coco_stuff"), Palette.load("landscape")
    counts = np.zeros(256, np.int64)
    counts[[label.id for label in source.classes]] = np.arange(len(source), 0, -1)
    conversion = Conversion.between(source, target)
    expected = [i for i in np.argsort(-counts, kind="stable") if counts[i] and i != source.erase_id]
    dialogs = [ConversionDialog(closed_window, conversion, counts, "", "Convert") for _ in range(2)]
    assert list(dialogs[0].places) == expected[:FIRST_ROWS]
    with qtbot.waitSignal(dialogs[0].confirmed) as confirmed:
        dialogs[0].confirm.click()
    settled = confirmed.args[0].matches
    assert [settled[i].target for i in expected] == [conversion.matches[i].target for i in expected]
    assert {settled[i].how for i in expected} == {BY_HAND}
    dialogs[1].open()
    qtbot.waitUntil(lambda: list(dialogs[1].places) == expected, timeout=20_000)
    qtbot.wait(20)  # they are laid out in a turn of its own
    rows = [dialogs[1].places[i].y() for i in expected]
    assert rows == sorted(rows) and len(set(rows)) == len(rows)


def test_converting_is_one_undo_step(painted, qtbot):
    """Enter in the table converts pixels, palette, pen and list; undo brings all of it back."""
    painted.pen.choose(1)
    before = painted.scene.labels.copy()
    dialog = ask_for(painted, "cityscapes")
    choose(dialog, 5, "terrain")
    assert dialog.summary.text() == "Everything in the scene has a place."
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    scene, target = painted.scene, Palette.load("cityscapes")
    assert scene.palette == target
    assert [target[i].name for i in scene.labels[[0, 60, 60], [0, 0, 60]]] == [
        "sky", "terrain", "unlabeled"
    ]  # fmt: skip
    assert target[painted.pen.label].name == "sky" and painted.undo_stack.count() == 1
    assert painted.palette_panel.palette_button.text() == "Cityscapes"
    painted.acts["undo"].trigger()
    assert scene.palette.name == "landscape" and np.array_equal(scene.labels, before)
    assert painted.palette_panel.palette_button.text() == "Landscape" and painted.pen.label == 1


def test_cancel_keeps_the_palette(painted, qtbot):
    """Esc in the table leaves everything as it was."""
    qtbot.keyClick(ask_for(painted, "ade20k"), Qt.Key.Key_Escape)
    assert painted.scene.palette.name == "landscape" and painted.undo_stack.count() == 0


def test_nothing_to_lose_nothing_to_ask(closed_window):
    """An empty scene changes its palette at once; so does one whose palette only looks else."""
    assert ask_for(closed_window, "coco_stuff") is None
    assert closed_window.scene.palette.name == "coco_stuff"
    assert (closed_window.scene.labels == 182).all() and closed_window.undo_stack.count() == 1
    assert ask_for(closed_window, "coco_stuff") is None and closed_window.undo_stack.count() == 1


def test_the_table_by_keyboard(painted, qtbot):
    """Tab goes from place to place, letters choose a label; the wheel never changes one."""
    dialog = ask_for(painted, "cityscapes")
    first, second = dialog.places.values()
    assert first.accessibleName() == "What sky becomes"
    second.setFocus()
    qtbot.keyClicks(second, "terr")
    assert second.currentText() == "terrain" and dialog._hows[5].text() == BY_HAND
    assert second.focusPolicy() == Qt.FocusPolicy.StrongFocus


def test_a_palette_file_is_loaded(painted, monkeypatch, tmp_path):
    """Load palette file… takes any TOML palette; one that only looks else needs no table."""
    mine = tmp_path / "mine.toml"
    Palette.load("landscape").save(mine)
    mine.write_text(mine.read_text().replace("#70b2ec", "#123456"))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: (str(mine), ""))
    painted.acts["load_palette"].trigger()
    assert painted.scene.palette[1].color == (0x12, 0x34, 0x56) and dialog_of(painted) is None


def own_file(folder, title, color="#123456"):
    """A palette's file as a person has it somewhere."""
    folder.mkdir(exist_ok=True)
    path = folder / "My Palette.toml"
    label = f'[[classes]]\nid = 0\nname = "moss"\ncolor = "{color}"\n'
    path.write_text(f'title = "{title}"\n{label}')
    return path


def test_a_loaded_palette_is_there_when_its_file_is_not(closed_window, data, tmp_path):
    """It is copied among the user's own: the menu has it, and opens it, with the file gone."""
    window, path = closed_window, own_file(tmp_path / "usb", "Moss")
    window.palettes.converting.take(path)
    loaded = window.scene.palette
    path.unlink()
    window.palettes.converting.choose("landscape")
    window.palettes.menu.aboutToShow.emit()
    next(a for a in window.palettes.menu.actions() if a.text() == "Moss").trigger()
    dialog = dialog_of(window)
    if dialog:
        dialog.confirm.click()
    assert window.scene.palette == loaded and loaded.title == "Moss"
    assert [file.name for file in (data / "palettes").iterdir()] == ["my_palette.toml"]


def test_another_palette_of_that_name_is_not_lost(closed_window, reply, data, tmp_path):
    """The same palette again asks nothing; another of its name asks, and No changes nothing."""
    window = closed_window
    take = window.palettes.converting.take
    take(own_file(tmp_path / "a", "Moss"))
    take(own_file(tmp_path / "b", "Moss"))  # nobody answers: a question would fail
    kept = data / "palettes" / "my_palette.toml"
    other = own_file(tmp_path / "c", "Fern", "#654321")
    asked = reply(Button.No)
    take(other)
    assert "my_palette.toml" in asked[0] and str(other) in asked[0]
    assert Palette.load(kept).title == "Moss" and window.scene.palette.title == "Moss"
    reply(Button.Yes)
    take(other)
    assert Palette.load(kept).title == "Fern" and window.scene.palette.title == "Fern"


def test_a_palette_that_cannot_be_kept_is_not_taken(closed_window, data, tmp_path):
    """The place for the copy is a file: the bar names it, and the scene keeps its palette."""
    (data / "palettes").parent.mkdir(exist_ok=True)
    (data / "palettes").write_text("in the way")
    closed_window.palettes.converting.take(own_file(tmp_path / "a", "Moss"))
    assert str(data / "palettes") in closed_window.error_bar.sentence.text()
    assert closed_window.scene.palette.name == "landscape"


@pytest.mark.parametrize("text", ["classes = 3", "[[classes]", ""])
def test_a_bad_palette_file_is_one_sentence(painted, tmp_path, text):
    """The error bar names the file; the scene keeps its palette."""
    path = tmp_path / "bad.toml"
    path.write_text(text)
    assert ask_for(painted, path) is None
    assert painted.error_bar.isVisible() and "bad.toml" in painted.error_bar.sentence.text()
    assert painted.scene.palette.name == "landscape"


def test_the_menu_lists_and_chooses(closed_window):
    """The palette menu shows the present palette and switches to another."""
    menu = closed_window.palettes.menu
    menu.aboutToShow.emit()
    texts = [action.text() for action in menu.actions() if action.text()]
    assert texts[:5] == ["ADE20K", "CelebAMask-HQ", "Cityscapes", "COCO-Stuff", "Landscape"]
    assert texts[5:] == ["Load palette file…", "Edit palette…"]
    menu.actions()[0].trigger()
    assert closed_window.scene.palette.name == "ade20k"


# -- a model of another palette -------------------------------------------------------------------


@pytest.fixture
def foreign(painted, qtbot):
    """The same scene in Cityscapes, before a landscape model."""
    dialog = ask_for(painted, "cityscapes")
    choose(dialog, 5, "terrain")
    dialog.confirm.click()
    painted.studio.start()
    qtbot.waitUntil(lambda: painted.studio.model is not None, timeout=WAIT)
    return painted


def finished(window):
    return lambda: window.studio.result is not None and window.studio.status().state != "sampling"


def opened(window, qtbot, name):
    """Let another model take the place of the present one; its palette."""
    other, palette = FakeEngine(), Palette.load(name)
    other.info = replace(other.info, name="other", palette=palette)
    window.studio.open_model(lambda: other)
    qtbot.waitUntil(lambda: window.studio.model.name == "other", timeout=WAIT)
    return palette


def test_the_labels_of_another_model_are_offered(painted, window, qtbot):
    """In the bar; the button shows the table, and the scene is converted after it."""
    assert not window.error_bar.isVisible()
    opened(window, qtbot, "cityscapes")
    assert window.error_bar.isVisible() and "Cityscapes" in window.error_bar.sentence.text()
    assert painted.scene.palette.name == "landscape"
    assert window.error_bar.offer_button.text() == "Paint with them"
    window.error_bar.offer_button.click()
    dialog_of(window).confirm.click()
    assert window.scene.palette.name == "cityscapes" and not window.error_bar.isVisible()
    assert window.undo_stack.count() == 1


def test_an_empty_scene_takes_the_labels_of_another_model(window, qtbot):
    """And a model of the same labels changes nothing."""
    opened(window, qtbot, "landscape")
    assert window.undo_stack.count() == 0 and not window.error_bar.isVisible()
    window.studio.open_model(FakeEngine)
    qtbot.waitUntil(lambda: window.studio.model.name != "other", timeout=WAIT)
    palette = opened(window, qtbot, "ade20k")
    assert window.scene.palette == palette and not window.error_bar.isVisible()


def test_a_model_reads_the_scene_in_its_own_labels(foreign, engine, qtbot):
    """Generate asks once how the model should read the scene, which stays as it is."""
    before = foreign.scene.labels.copy()
    foreign.acts["generate"].trigger()
    dialog = dialog_of(foreign)
    assert not engine.requests and "fake knows the labels of Landscape" in dialog.text.text()
    dialog.confirm.click()
    qtbot.waitUntil(finished(foreign), timeout=WAIT)
    layout = engine.requests[0].layout
    assert layout.palette.name == "landscape"
    assert layout.labels[0, 0] == 1 and layout.palette[layout.labels[60, 0]].name == "grass"
    assert foreign.scene.palette.name == "cityscapes" and foreign.undo_stack.count() == 1
    assert np.array_equal(foreign.scene.labels, before)
    foreign.studio.generate()
    assert dialog_of(foreign) is None


def test_a_picture_of_a_read_scene_goes_stale(foreign, qtbot):
    """The picture is the scene's until something is painted; undo makes it the scene's again."""
    foreign.studio.generate()
    dialog_of(foreign).confirm.click()
    qtbot.waitUntil(finished(foreign), timeout=WAIT)
    assert foreign.studio.status().state == "idle"
    foreign.pen.choose(foreign.scene.palette.find("road"))
    hand.drag(foreign.canvas, (10, 10), (30, 10))
    assert foreign.studio.status().state == "stale"
    foreign.acts["undo"].trigger()
    assert foreign.studio.status().state == "idle"


def test_a_new_label_without_a_place_is_asked_about(foreign, engine, qtbot):
    """What was settled holds; a label that nobody has decided about opens the table again."""
    foreign.studio.generate()
    dialog_of(foreign).confirm.click()
    qtbot.waitUntil(finished(foreign), timeout=WAIT)
    foreign.pen.choose(foreign.scene.palette.find("bus"))
    hand.drag(foreign.canvas, (10, 10), (30, 10))
    foreign.studio.generate()
    dialog = dialog_of(foreign)
    assert foreign.scene.palette.find("bus") in dialog.places and len(engine.requests) == 1
    dialog.confirm.click()
    qtbot.waitUntil(lambda: len(engine.requests) == 2, timeout=WAIT)
    foreign.studio.generate()
    assert dialog_of(foreign) is None


def test_cancel_asks_again_next_time(foreign, engine, qtbot):
    """Without an answer there is no picture and no error."""
    foreign.studio.generate()
    qtbot.keyClick(dialog_of(foreign), Qt.Key.Key_Escape)
    assert not engine.requests and foreign.studio.status().state == "idle"
    assert not foreign.error_bar.isVisible()
    foreign.studio.generate()
    assert dialog_of(foreign) is not None


def test_asked_before_the_model_is_there(qapp, palette, store, data, qtbot):
    """Generate while the model is still loading: the question comes when the model does."""
    gate, engine = Gate(), FakeEngine(Palette.load("ade20k"))
    window = build_window(qapp, lambda: gate.wait(10) and engine, palette, store=store, data=data)
    window.show()
    window.studio.start()
    window.studio.generate()
    gate.set()
    qtbot.waitUntil(lambda: dialog_of(window) is not None, timeout=WAIT)
    assert not engine.requests and not window.error_bar.isVisible()
    dialog_of(window).confirm.click()
    qtbot.waitUntil(finished(window), timeout=WAIT)
    assert engine.requests[0].layout.palette.name == "ade20k"
    hand.put_away(window)


def test_a_recoloured_palette_needs_no_question(painted, engine, qtbot, tmp_path):
    """A model reads a palette that has its names at its ids, whatever their colours."""
    mine = tmp_path / "mine.toml"
    Palette.load("landscape").save(mine)
    mine.write_text(mine.read_text().replace("#70b2ec", "#123456"))
    painted.palettes.converting.choose(mine)
    painted.studio.start()
    qtbot.waitUntil(lambda: painted.studio.model is not None, timeout=WAIT)
    painted.studio.generate()
    qtbot.waitUntil(finished(painted), timeout=WAIT)
    assert dialog_of(painted) is None and painted.studio.status().state == "idle"


def test_variations_of_a_read_scene(foreign, engine, qtbot):
    """Variations ask the same question, and then make their grid: it is not asked for twice."""
    variations = foreign.desk.variations
    foreign.acts["variations"].trigger()
    assert not variations.open and not engine.requests
    dialog_of(foreign).confirm.click()
    qtbot.waitUntil(lambda: all(p.result for p in variations.pictures), timeout=WAIT)
    assert variations.open and [(r.count, r.layout.palette.name) for r in engine.requests] == [
        (8, "landscape")
    ]
    assert foreign.focusWidget() is foreign.desk.panel.grid and len(variations.pictures) == 8
    seed = variations.pictures[0].seed
    qtbot.keyClick(foreign.desk.panel.grid, Qt.Key.Key_Return)
    assert foreign.studio.result.request.seed == seed


def test_variations_without_an_answer(foreign, engine, qtbot):
    """Esc at the question: no grid, no picture; Generate afterwards makes one picture."""
    foreign.acts["variations"].trigger()
    qtbot.keyClick(dialog_of(foreign), Qt.Key.Key_Escape)
    assert not foreign.desk.variations.open and not engine.requests
    foreign.acts["generate"].trigger()
    dialog_of(foreign).confirm.click()
    qtbot.waitUntil(finished(foreign), timeout=WAIT)
    assert [request.count for request in engine.requests] == [1]


def test_variations_before_the_model_is_there(qapp, palette, store, data, qtbot):
    """Asked for while another palette's model loads: the grid gives way to the question, and comes
    back when it is answered."""
    gate, engine = Gate(), FakeEngine(Palette.load("ade20k"))
    window = build_window(qapp, lambda: gate.wait(10) and engine, palette, store=store, data=data)
    window.show()
    window.studio.start()
    window.acts["variations"].trigger()
    gate.set()
    qtbot.waitUntil(lambda: dialog_of(window) is not None, timeout=WAIT)
    variations = window.desk.variations
    assert not variations.open and not engine.requests and not window.error_bar.isVisible()
    dialog_of(window).confirm.click()
    qtbot.waitUntil(lambda: all(p.result for p in variations.pictures), timeout=WAIT)
    assert variations.open and engine.requests[0].count == 8
    hand.put_away(window)
