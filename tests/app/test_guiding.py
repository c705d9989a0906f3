"""Words and reference pictures in the window: what they ask for, and what is kept of them."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QFileDialog

from app.guiding.plain import from_plain, to_plain
from app.guiding.term import SIDE, ReferencePicture, Term, readable
from app.picture_file import save_picture
from core.conversion import Conversion
from core.palette import Palette
from core.picture import read_picture
from core.words import Vocabulary, read_words
from tests.app import hand
from tests.app.fake_engine import FakeEngine
from tests.app.test_accessibility import faults

WAIT = 5000  # ms
WORDS = Vocabulary.from_dict(read_words())
PALETTE = Palette.load("landscape")
SKY, SEA = PALETTE.find("sky"), PALETTE.find("sea")
Key = Qt.Key


@pytest.fixture
def engine():
    engine = FakeEngine()
    engine.can_guide(WORDS)
    return engine


@pytest.fixture
def guided(window, qtbot):
    """The window with sky above, the keys in the line of words, and three steps a picture."""
    labels = np.full((64, 64), SEA, np.uint8)
    labels[:32] = SKY
    window.scene.replace(labels)
    window.generate_panel.steps.setValue(3)
    window.acts["prompt"].trigger()
    return window


def until(qtbot, condition):
    qtbot.waitUntil(condition, timeout=WAIT)


def done(window, qtbot, engine, count=1):
    until(qtbot, lambda: len(engine.requests) == count and not window.studio.busy)
    until(qtbot, lambda: window.studio.result is not None)


def rows(window):
    return [window.guiding.panel.rows[term.key] for term in window.scene.wanted.table]


def line(window, place=0):
    return rows(window)[place].words


def hint(window):
    return window.guiding.panel.hint.text()


def write(qtbot, edit, text):
    qtbot.keyClicks(edit, text)
    edit._completer.popup().hide()


def drop(widget, *paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action, button, keys = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, hand.PLAIN
    enter = QDragEnterEvent(QPoint(20, 80), action, data, button, keys)
    QApplication.sendEvent(widget, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(widget, QDropEvent(QPointF(20, 80), action, data, button, keys))


def photo(path, color=(200, 120, 40), size=(60, 40)):
    Image.new("RGB", size, color).save(path)
    return path


def asked(engine):
    """The terms of the last request, as plain data."""
    request = engine.requests[-1]
    return [term.recipe(request.layout.palette) for term in request.terms]


# -- words ----------------------------------------------------------------------------------------


def test_words_and_enter_make_a_picture(guided, engine, qtbot):
    """Ctrl+T gives the line the keys; its words are in the request, the recipe and the history."""
    guided.canvas.setFocus()
    qtbot.keyClick(guided.canvas, Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert guided.focusWidget() is line(guided)
    write(qtbot, line(guided), "golden sunset")
    assert engine.requests == []
    qtbot.keyClick(line(guided), Key.Key_Return)
    done(guided, qtbot, engine)
    assert asked(engine) == [{"kind": "text", "weight": 1.0, "text": "golden sunset"}]
    assert guided.studio.result.request.recipe()["terms"] == asked(engine)
    assert guided.store.prompts() == ["golden sunset"]


def test_an_empty_line_asks_for_nothing(guided, engine, qtbot):
    """Enter makes a plain picture; examples are offered meanwhile, and one click takes one."""
    assert "golden sunset" in hint(guided) and "drop a picture" in hint(guided)
    qtbot.keyClick(line(guided), Key.Key_Return)
    done(guided, qtbot, engine)
    assert asked(engine) == []
    guided.guiding.panel.hint.linkActivated.emit("example/golden%20sunset")
    assert line(guided).text() == "golden sunset" and hint(guided) == ""


def test_an_unknown_word_is_underlined_and_neighbours_are_offered(guided, engine, qtbot):
    """Nothing is made with it, until a click takes a neighbour in its place."""
    write(qtbot, line(guided), "golden sunsit hills")
    assert "“sunsit” is not known" in hint(guided) and "near/" in hint(guided)
    marked = [(u.word, u.near[0]) for u in line(guided)._shown]
    assert marked == [("sunsit", "sunset")]
    qtbot.keyClick(line(guided), Key.Key_Return)
    assert engine.requests == [] and "'sunsit' is not known" in guided.error_bar.sentence.text()
    key = guided.scene.wanted.table[0].key
    guided.guiding.panel.hint.linkActivated.emit(f"near/{key}/sunsit/sunset")
    assert line(guided).text() == "golden sunset hills" and "not known" not in hint(guided)
    qtbot.keyClick(line(guided), Key.Key_Return)
    done(guided, qtbot, engine)
    assert asked(engine)[0]["text"] == "golden sunset hills"


@pytest.mark.parametrize("free", [True, False])
def test_free_sentences_where_they_can_be_read(guided, qtbot, free):
    """No word is underlined and the sentence is asked for as it stands; without the extra, the
    hint says what is missing."""
    reader = FakeEngine()
    more = "" if free else "Free sentences need the extra [text]."
    reader.can_guide(replace(WORDS, free=free, more=more))
    guided.studio.open_model(lambda: reader)
    until(qtbot, lambda: guided.studio.model is reader.info)
    write(qtbot, line(guided), "a lonely pier in drizzle ")
    if not free:
        assert "“lonely” is not known" in hint(guided) and hint(guided).endswith(more)
        return
    assert hint(guided) == "" and line(guided)._shown == ()
    qtbot.keyClick(line(guided), Key.Key_Return)
    done(guided, qtbot, reader)
    assert asked(reader)[0]["text"] == "a lonely pier in drizzle"


def test_the_underline_is_red_and_under_the_word(guided, qtbot):
    """As drawn: red pixels there, and none without an unknown word."""

    def reds(edit):
        image = edit.grab().toImage()
        places = [(x, y) for x in range(image.width()) for y in range(image.height())]
        colors = [image.pixelColor(*place) for place in places]
        return sum(c.red() - max(c.green(), c.blue()) > 20 for c in colors)

    write(qtbot, line(guided), "golden sunset ")
    assert reds(line(guided)) == 0
    write(qtbot, line(guided), "zwork ")
    assert reds(line(guided)) > 10


def test_half_a_word_is_no_mistake(guided, qtbot):
    """While it can still become one; it is when the keys go elsewhere."""
    write(qtbot, line(guided), "golden sunse")
    assert "not known" not in hint(guided)
    guided.generate_panel.steps.setFocus()
    assert "“sunse” is not known" in hint(guided)


def test_words_are_completed(guided, qtbot):
    """The list opens while one types; Down and Enter take one, and make no picture."""
    qtbot.keyClicks(line(guided), "foggy, sunr")
    popup = line(guided)._completer.popup()
    assert popup.isVisible() and popup.model().index(0, 0).data() == "sunrise"
    qtbot.keyClick(popup, Key.Key_Down)
    qtbot.keyClick(popup, Key.Key_Return)
    assert line(guided).text() == "foggy, sunrise" and not popup.isVisible()
    assert guided.scene.wanted.table[0].text == "foggy, sunrise"
    assert not guided.studio.busy


def test_up_and_down_bring_back_earlier_words(guided, qtbot):
    """And the line as it was."""
    for text in ("night", "foggy dawn"):
        guided.store.keep_prompt(text)
    write(qtbot, line(guided), "snow")
    seen = []
    for key in (Key.Key_Up, Key.Key_Up, Key.Key_Up, Key.Key_Down, Key.Key_Down):
        qtbot.keyClick(line(guided), key)
        seen.append(line(guided).text())
    assert seen == ["foggy dawn", "night", "night", "foggy dawn", "snow"]
    assert guided.scene.wanted.table[0].text == "snow"


def test_the_menu_has_all_that_the_model_knows(guided, qtbot):
    """In groups; a word of it goes behind those that are there."""
    write(qtbot, line(guided), "snow")
    menu = guided.guiding.panel.words_button.menu()
    menu.aboutToShow.emit()
    titles = [action.text() for action in menu.actions() if action.text()]
    assert titles[:2] == ["Examples", "Earlier"]
    assert titles[2:] == [group.capitalize() for group in WORDS.groups()]
    weather = menu.actions()[titles.index("Weather") + 1].menu()
    next(action for action in weather.actions() if action.text() == "foggy").trigger()
    assert line(guided).text() == "snow, foggy"
    for example in menu.actions()[0].menu().actions():
        WORDS.read(example.text())


def test_a_line_for_each_place(guided, engine, qtbot):
    """Two lines, one in the sky alone; a label that is not in the scene asks for nothing."""
    write(qtbot, line(guided), "calm")
    guided.acts["another_line"].trigger()
    assert guided.focusWidget() is line(guided, 1)
    write(qtbot, line(guided, 1), "sunset")
    menu = rows(guided)[1].scope.menu()
    menu.aboutToShow.emit()
    names = [action.text() for action in menu.actions()]
    assert names[0] == "Everywhere" and {names[2], names[3]} == {"sky", "sea"}
    menu.actions()[names.index("sky")].trigger()
    assert rows(guided)[1].scope.text() == "sky"
    qtbot.keyClick(line(guided), Key.Key_Return)
    done(guided, qtbot, engine)
    assert [term.labels for term in engine.requests[-1].terms] == [(), (SKY,)]
    guided.scene.wanted.change(rows(guided)[1].key, labels=("snow",))
    qtbot.keyClick(line(guided), Key.Key_Return)
    done(guided, qtbot, engine, 2)
    assert [term["text"] for term in asked(engine)] == ["calm"]


def test_the_clear_button_and_the_cross(guided, qtbot):
    """Both leave one empty line; a second line goes altogether."""
    write(qtbot, line(guided), "calm")
    line(guided).findChild(QAbstractButton).click()
    assert guided.scene.wanted.table[0].text == ""
    write(qtbot, line(guided), "calm")
    guided.acts["another_line"].trigger()
    rows(guided)[0].remove.click()
    assert [term.text for term in guided.scene.wanted.table] == [""]
    rows(guided)[0].remove.click()
    assert len(rows(guided)) == 1


# -- weights --------------------------------------------------------------------------------------


def test_a_weight_acts_on_the_running_sample(guided, engine, qtbot):
    """From the next step on; the picture's recipe has the weight of each."""
    write(qtbot, line(guided), "night")
    engine.hold()
    qtbot.keyClick(line(guided), Key.Key_Return)
    engine.let(1)
    until(qtbot, lambda: len(engine.scales) == 1)
    rows(guided)[0].weight.setValue(40)
    engine.go()
    until(qtbot, lambda: not guided.studio.busy)
    assert guided.studio.result.request.recipe()["terms"][0]["weight"] == (1.0, 2.0, 2.0)
    qtbot.wait(600)
    assert len(engine.requests) == 1


def test_afterwards_the_same_picture_is_made_again(guided, engine, qtbot):
    """By the keyboard, when the slider rests: the same seed with the new weight."""
    write(qtbot, line(guided), "night")
    qtbot.keyClick(line(guided), Key.Key_Return)
    done(guided, qtbot, engine)
    rows(guided)[0].weight.setFocus()
    for _ in range(4):
        qtbot.keyClick(rows(guided)[0].weight, Key.Key_Right)
    done(guided, qtbot, engine, 2)
    assert engine.requests[1].seed == engine.requests[0].seed
    assert asked(engine) == [{"kind": "text", "weight": 1.2, "text": "night"}]
    guided.generate_panel.guidance.setValue(33)
    done(guided, qtbot, engine, 3)
    assert engine.requests[2].guidance_scale == 3.3 and asked(engine)[0]["weight"] == 1.2


def test_not_for_a_stale_picture(guided, engine, qtbot):
    """The scene is another one: the weight is for the next picture."""
    write(qtbot, line(guided), "night")
    qtbot.keyClick(line(guided), Key.Key_Return)
    done(guided, qtbot, engine)
    guided.pen.choose(7)
    hand.drag(guided.canvas, (20, 20))
    rows(guided)[0].weight.setValue(40)
    qtbot.wait(600)
    assert len(engine.requests) == 1


def test_live_pictures_follow_the_words(guided, engine, qtbot):
    """Words that are still being typed are left out, and live goes on."""
    guided.acts["refine"].setChecked(False)
    guided.acts["live"].trigger()
    write(qtbot, line(guided), "foggy zwo")
    wanted = [{"kind": "text", "weight": 1.0, "text": "foggy"}]
    until(qtbot, lambda: bool(engine.requests) and asked(engine) == wanted)
    assert not guided.error_bar.isVisible() and guided.live.on


# -- reference pictures ---------------------------------------------------------------------------


def test_a_picture_dropped_on_the_dock_guides(guided, engine, qtbot, tmp_path):
    """With a thumbnail, its style first; other kinds and a weight by its controls."""
    drop(guided.guiding.panel, photo(tmp_path / "dune.png"))
    until(qtbot, lambda: len(rows(guided)) == 2)
    row = rows(guided)[1]
    assert "\n".join(faults(guided.guiding.panel)) == ""
    qtbot.keyClick(line(guided), Key.Key_Return)
    done(guided, qtbot, engine)
    (term,) = engine.requests[-1].terms
    assert (term.kind, term.weight, term.name) == ("style", 1.0, "dune.png")
    assert term.reference.shape == (40, 60, 3) and (term.reference == (200, 120, 40)).all()
    kinds = ("structure", ("content", True)), ("colours", ("colours", False))
    for count, (kind, wanted) in enumerate(kinds, start=2):
        row.weight.setValue(40)
        row.kind.setCurrentIndex(row.kind.findData(kind))
        row.kind.activated.emit(row.kind.currentIndex())
        done(guided, qtbot, engine, count)
        (term,) = engine.requests[-1].terms
        assert (term.kind, term.spatial) == wanted
    assert term.weight == 1.0 and row.weight.maximum() == 20  # of colours 1 is all


def test_a_file_that_is_no_picture(guided, qtbot, tmp_path):
    """One sentence that names it, and nothing changes."""
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    drop(guided.guiding.panel, tmp_path / "broken.jpg")
    until(qtbot, lambda: guided.error_bar.isVisible())
    assert "broken.jpg" in guided.error_bar.sentence.text() and len(rows(guided)) == 1


def test_a_big_picture_is_kept_small(guided, qtbot, tmp_path, monkeypatch):
    """It comes by the button; its longer side is as long as an encoder can use."""
    path = photo(tmp_path / "big.png", size=(2000, 1000))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a: (str(path), ""))
    guided.acts["reference_file"].trigger()
    assert guided.scene.wanted.table[1].picture.pixels.shape == (SIDE // 2, SIDE, 3)
    assert guided.store.folder("references") == str(tmp_path)


def test_pictures_of_our_own(guided, engine, qtbot):
    """Without one there is a sentence; then the last one, and those chosen in the history."""
    guided.acts["reference_last"].trigger()
    assert "no picture yet" in guided.error_bar.sentence.text()
    for count in (1, 2):
        guided.studio.generate()
        done(guided, qtbot, engine, count)
    until(qtbot, lambda: len(guided.keeping.history.records) == 2)
    guided.acts["reference_last"].trigger()
    guided.history_panel.strip.selectAll()
    guided.acts["references_chosen"].trigger()
    table = guided.scene.wanted.table
    seeds = [request.seed for request in engine.requests[:2]]
    names = [f"seed {seeds[1]}", f"seed {seeds[1]}", f"seed {seeds[0]}"]
    assert [term.picture.name for term in table[1:]] == names
    assert (table[1].picture.pixels == 255).all()


# -- models ---------------------------------------------------------------------------------------


def test_a_model_without_an_encoder(closed_window, engine, qtbot, tmp_path):
    """A sentence says what is missing; a picture's colours need none, and words are left out."""
    engine.info = FakeEngine().info
    window = closed_window
    window.scene.wanted.add(Term(text="night"))
    window.studio.start()
    until(qtbot, lambda: window.studio.model is not None)
    assert "no encoder of guidance" in hint(window) and "core.train" in hint(window)
    assert not line(window).isEnabled() and not window.guiding.panel.words_button.isEnabled()
    drop(window.guiding.panel, photo(tmp_path / "dune.png"))
    until(qtbot, lambda: window.scene.wanted.table[-1].kind == "colours")
    kinds = rows(window)[-1].kind
    enabled = [kinds.itemData(i) for i in range(4) if kinds.model().item(i).isEnabled()]
    assert enabled == ["colours"]
    window.studio.generate()
    done(window, qtbot, engine)
    assert [term["kind"] for term in asked(engine)] == ["colours"]


def test_a_model_without_words(window, engine, qtbot):
    """Its encoder learned from pictures alone."""
    bare = FakeEngine()
    bare.can_guide(None)
    window.studio.open_model(lambda: bare)
    until(qtbot, lambda: window.studio.model is bare.info)
    assert "learned no words" in hint(window) and not line(window).isEnabled()
    assert "no encoder" not in hint(window)


def test_a_model_that_paints_in_one_pass(window, engine, qtbot, tmp_path):
    """Nothing can guide it: a picture that is dropped is refused with a sentence."""
    painter = FakeEngine().can_paint()
    window.studio.open_model(lambda: painter)
    until(qtbot, lambda: window.studio.model is painter.info)
    assert "in one pass" in hint(window) and "diffusion model" in hint(window)
    drop(window.guiding.panel, photo(tmp_path / "dune.png"))
    until(qtbot, lambda: "in one pass" in window.error_bar.sentence.text())
    assert len(rows(window)) == 1


def test_labels_of_a_scene_that_the_model_reads_in_its_own(window):
    """A row's labels go the way of the map: "sky" is another number there."""
    mine, other = window.scene.palette, Palette.load("ade20k")
    window.studio.reading.model_palette = other
    window.studio.read_as(Conversion.between(mine, other))
    assert window.studio.reading.ids_of(("sky", "no such label")) == (other.find("sky"),)


# -- kept -----------------------------------------------------------------------------------------


def table_of(*terms):
    """Without the keys, which are the window's own."""
    rows, files = to_plain([term for term in terms if not term.empty])
    return rows, sorted(files.values())


def test_the_project_holds_it(guided, qtbot, tmp_path):
    """Words, pictures, weights and scopes; an empty scene has none."""
    pixels = (np.arange(3600) % 251).astype(np.uint8).reshape(30, 40, 3)
    picture = ReferencePicture.of(pixels, "d.png")
    wanted = guided.scene.wanted
    wanted.adopt((Term(text="night"), Term("content", 0.4, picture=picture, labels=("sky", "sea"))))
    saved = table_of(*wanted.table)
    guided.scene_file.save(tmp_path / "scene.sdms")
    guided.scene_file.new()
    assert table_of(*wanted.table) == ([], []) and line(guided).text() == ""
    guided.filing.open_path(tmp_path / "scene.sdms")
    assert table_of(*wanted.table) == saved
    assert (wanted.table[1].picture.pixels == picture.pixels).all()
    assert line(guided).text() == "night" and rows(guided)[1].scope.text() == "sky +1"


def test_a_change_is_worth_a_recovery_copy(guided):
    """As a stroke is."""
    before = guided.scene.revision
    guided.scene.wanted.add(Term(text="night"))
    assert guided.scene.revision > before


def test_using_a_picture_s_settings_brings_its_words_back(guided, engine, qtbot, tmp_path):
    """And its references, while they are there by name; in one step of the undo."""
    write(qtbot, line(guided), "night")
    drop(guided.guiding.panel, photo(tmp_path / "dune.png"))
    until(qtbot, lambda: len(rows(guided)) == 2)
    guided.studio.generate()
    done(guided, qtbot, engine)
    until(qtbot, lambda: len(guided.keeping.history.records) == 1)
    made = table_of(*guided.scene.wanted.table)
    line(guided).set_words("snow")
    rows(guided)[1].weight.setValue(6)
    changed = table_of(*guided.scene.wanted.table)
    guided.acts["use_settings"].trigger()
    assert table_of(*guided.scene.wanted.table) == made
    guided.acts["undo"].trigger()
    assert table_of(*guided.scene.wanted.table) == changed


def test_a_dropped_picture_of_ours_brings_its_words_back(guided, engine, qtbot, tmp_path):
    """Its request is made again, too, with the words."""
    write(qtbot, line(guided), "night")
    guided.scene.wanted.change(rows(guided)[0].key, labels=("sky",), weight=1.5)
    guided.studio.generate()
    done(guided, qtbot, engine)
    path = tmp_path / "mine.png"
    save_picture(path, guided.studio.result)
    guided.scene_file.new()
    guided.exchange.restore(path, read_picture(path))
    assert [(t.text, t.weight, t.labels) for t in guided.scene.wanted.table] == [
        ("night", 1.5, ("sky",))
    ]
    (term,) = guided.studio.result.request.terms
    assert (term.text, term.weight, term.labels) == ("night", 1.5, (SKY,))


@pytest.mark.parametrize(
    "rows",
    [
        None,
        "text",
        [7, {"kind": "magic"}, {"weight": 1}],
    ],
)
def test_a_file_may_hold_anything(rows):
    """What is no use is left out."""
    assert from_plain(rows, lambda name: b"") == ()


def test_weights_of_a_file_are_made_usable():
    rows = [{"kind": "text", "text": "fog", "weight": w} for w in (99, -1, "much", float("nan"))]
    assert [term.weight for term in from_plain(rows, lambda name: b"")] == [3.0, 0.0, 1.0, 1.0]


def test_a_damaged_reference_is_told_of():
    with pytest.raises(ValueError, match="not a PNG"):
        from_plain([{"kind": "style", "picture": "guidance/0.png"}], lambda name: b"nothing")


@pytest.mark.parametrize(
    "text, left",
    [("foggy zwork", "foggy"), ("zwork", ""), ("no snow", "no snow"), ("Sunset, zwo", "Sunset,")],
)
def test_what_can_be_read_of_half_written_words(text, left):
    assert readable(text, WORDS) == left
