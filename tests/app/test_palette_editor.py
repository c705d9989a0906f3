"""Editing a palette: a draft, a dialog, a file in the user's own folder, a converted scene."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QListWidget

from app.palettes.draft import Draft
from app.palettes.editor import PaletteEditor
from app.palettes.library import Library
from core.palette import LabelClass, Palette, PaletteError


@pytest.fixture
def draft(palette):
    return Draft(palette)


@pytest.fixture
def folder(data):
    return data / "palettes"


@pytest.fixture
def editor(closed_window):
    closed_window.palettes.converting.edit()
    return closed_window.findChild(PaletteEditor)


def write(qtbot, line, text):
    line.selectAll()
    qtbot.keyClicks(line, text)


# -- the draft ------------------------------------------------------------------------------------


def test_an_untouched_draft_is_the_palette(draft, palette):
    """Building what nobody changed gives the palette again, title and erase id and all."""
    assert draft.build("landscape") == palette
    assert draft.places() == {i: i for i in range(19)}


def test_a_moved_label_keeps_its_raw_value(draft, palette):
    """Files of the data set mean the same after a reorder: raw values move with their label."""
    assert draft.move(1, 3) == 4
    built = draft.build("mine")
    assert [c.name for c in built.classes[:5]] == ["other", "cloud", "mountain", "hill", "sky"]
    assert built.raw_to_id[:5].tolist() == [0, 4, 1, 2, 3] and built.raw_to_id[5] == 5
    assert draft.places()[1] == 4


def test_the_erase_label_is_followed(draft):
    """However the rows move, erasing leaves the same label; if that goes, the first."""
    draft.move(0, 2)
    assert draft.build("mine").unlabeled == 2
    draft.add(0)
    assert draft.build("mine").unlabeled == 3
    draft.remove(0)
    assert draft.build("mine").unlabeled == 2
    draft.remove(2)
    assert draft.erase == 0


def test_a_new_label_is_sound(draft):
    """Added labels have names, colours and raw values of their own, wherever they stand."""
    for _ in range(5):
        draft.add(3)
    built = draft.build("mine")
    assert [c.name for c in built.classes[4:9]] == [f"new label {n}" for n in (5, 4, 3, 2, 1)]
    assert len(np.unique(built.colors, axis=0)) == 24 and built[4].group == "land"
    assert built.raw_to_id[4] == 9  # what 4 meant before: hill


def test_a_removed_label_has_no_place(draft):
    """What it painted has nowhere to go; a partner in a mirror is free again."""
    draft.remove(7)
    assert 7 not in draft.places() and draft.places()[8] == 7
    face = Draft(Palette.load("celebamask_hq"))
    face.remove(4)
    assert face.build("mine")[4].flip == ""


def test_a_renamed_label_keeps_its_mirror_partner():
    """Partners know each other by name."""
    face = Draft(Palette.load("celebamask_hq"))
    face.change(4, name="port eye")
    assert face.build("mine")[5].flip == "port eye"


def test_a_full_palette_takes_no_more():
    """256 labels are all that a byte can tell apart; the last label of all stays."""
    labels = tuple(LabelClass(i, f"a{i}", (i, 0, 0)) for i in range(255))
    draft = Draft(Palette("big", labels))
    draft.add(254)
    assert draft.full and len(draft.build("big")) == 256
    one = Draft(Palette("one", (LabelClass(0, "a", (1, 2, 3)),)))
    one.remove(0)
    assert len(one.rows) == 1


@pytest.mark.parametrize("name", ["ade20k", "coco_stuff", "cityscapes", "celebamask_hq"])
def test_every_palette_can_be_reordered(name):
    """Raw values stay unique whatever is moved to the front."""
    draft = Draft(Palette.load(name))
    draft.move(len(draft.rows) - 1, -1000)
    draft.add(0)
    before, after = Palette.load(name).raw_to_id, draft.build("mine").raw_to_id
    places = draft.places()
    assert all(after[raw] == places[before[raw]] for raw in np.flatnonzero(before >= 0))


# -- the library ----------------------------------------------------------------------------------


def test_the_library_lists_both_kinds(folder, palette):
    """Bundled palettes by title, then the user's; one that is broken under its file's name."""
    library = Library(folder)
    assert [e.title for e in library.bundled()][:2] == ["ADE20K", "CelebAMask-HQ"]
    assert library.own() == []
    library.save(Draft(palette).build("moon"), palette)
    (folder / "broken.toml").write_text("classes = 3")
    assert [e.title for e in library.own()] == ["broken", "Landscape"]


@pytest.mark.parametrize("title", ["Landscape", "ADE20K", "  ", "--"])
def test_a_title_must_be_its_own(folder, title):
    """The program's palettes stay as they are, and a file needs a name."""
    with pytest.raises(PaletteError, match="title"):
        Library(folder).path_for(title)


def test_another_palette_is_not_overwritten(folder, palette):
    """Saving over a palette that is not the edited one is refused; over the edited one it works."""
    library = Library(folder)
    mine = Draft(palette).build("mine")
    library.save(mine, palette)
    with pytest.raises(PaletteError, match="another title"):
        library.save(Draft(palette).build("mine"), replaces=palette)
    draft = Draft(mine)
    draft.change(1, name="heaven above")
    library.save(draft.build("mine"), replaces=mine)
    assert Palette.load(folder / "mine.toml")[1].name == "heaven above"


def test_a_folder_that_cannot_be_made_is_named(tmp_path, palette):
    """A file where the folder should be is a sentence."""
    (tmp_path / "data").write_text("")
    with pytest.raises(PaletteError, match="data"):
        Library(tmp_path / "data" / "palettes").save(palette, palette)


# -- the dialog -----------------------------------------------------------------------------------


def test_a_palette_is_edited_by_keyboard(closed_window, editor, folder, qtbot):
    """Rename, recolour, words, group, a new label: saved as TOML and worn by the scene."""
    closed_window.scene.labels[:] = 1
    write(qtbot, editor.title, "My land")
    qtbot.keyClick(editor.rows, Qt.Key.Key_Down)
    write(qtbot, editor.name, "heaven above")
    write(qtbot, editor.color, "#102030")
    write(qtbot, editor.synonyms, "azure, welkin")
    write(qtbot, editor.group.lineEdit(), "air")
    editor.add.click()
    editor.save_button.click()
    saved = Palette.load(folder / "my_land.toml")
    sky = saved[1]
    assert (sky.name, sky.color, sky.synonyms, sky.group) == (
        "heaven above", (16, 32, 48), ("azure", "welkin"), "air"
    )  # fmt: skip
    assert len(saved) == 20 and saved[2].name == "new label 1" and saved.title == "My land"
    assert closed_window.scene.palette == saved and closed_window.scene.labels.max() == 1
    assert not closed_window.palettes.converting.children()


def test_the_scene_follows_a_reorder_in_one_step(closed_window, editor, folder):
    """Pixels keep their labels though the ids change, and one undo brings all of it back."""
    closed_window.scene.replace(np.tile(np.uint8([[1, 2], [3, 7]]), (8, 8)))
    before = closed_window.scene.labels.copy()
    editor.rows.setCurrentRow(1)
    editor.down.click()
    editor.down.click()
    editor.rows.setCurrentRow(7)
    editor.remove.click()
    editor.save_button.click()
    scene = closed_window.scene
    assert [scene.palette[i].name for i in scene.labels[:2, :2].ravel()] == [
        "sky", "cloud", "mountain", "other"
    ]  # fmt: skip
    assert closed_window.undo_stack.count() == 1
    closed_window.acts["undo"].trigger()
    assert scene.palette.name == "landscape" and np.array_equal(scene.labels, before)
    closed_window.acts["redo"].trigger()
    assert scene.palette.name == "landscape_copy"


def test_cancel_changes_nothing(closed_window, editor, folder, qtbot):
    """Work is done on a copy: Esc leaves palette, scene and folder as they were."""
    write(qtbot, editor.name, "nothing at all")
    qtbot.keyClick(editor, Qt.Key.Key_Escape)
    assert closed_window.scene.palette.name == "landscape" and not folder.exists()
    assert closed_window.undo_stack.count() == 0


@pytest.mark.parametrize(
    ("line", "text", "sentence"),
    [
        ("name", "sky", "'sky'"),
        ("name", "--", "needs a name"),
        ("synonyms", "ocean", "'ocean'"),
        ("color", "#12", "#rrggbb"),
        ("color", "#70b2ec", "'#70b2ec'"),
        ("title", "landscape", "stays as it is"),
        ("title", " ", "title"),
    ],
)
def test_what_is_wrong_is_said_at_once(editor, qtbot, line, text, sentence):
    """A clash is named while it is typed, and nothing can be saved until it is mended."""
    good = getattr(editor, line).text()
    write(qtbot, getattr(editor, line), text)
    assert sentence in editor.problem.text() and not editor.save_button.isEnabled()
    write(qtbot, getattr(editor, line), good)
    assert editor.problem.text() == "" and editor.save_button.isEnabled()


def test_a_failed_save_keeps_the_work(editor, folder):
    """If the folder cannot be written the sentence stands in the dialog, which stays open."""
    folder.parent.mkdir()
    folder.write_text("in the way")
    editor.save_button.click()
    assert "palettes" in editor.problem.text() and editor.isVisible()


def test_hidden_and_erase(closed_window, editor, folder):
    """One label is the one that erasing leaves; hidden ones are not listed."""
    editor.rows.setCurrentRow(4)
    editor.erase.setChecked(True)
    editor.rows.setCurrentRow(5)
    editor.hidden.setChecked(True)
    editor.rows.setCurrentRow(4)
    assert editor.erase.isChecked() and not editor.erase.isEnabled()
    editor.save_button.click()
    assert closed_window.scene.palette.erase_id == 4
    assert 5 not in closed_window.palette_panel.rows.labels


def test_a_colour_from_the_colour_dialog(editor):
    """A colour that was chosen stands in the field and on the label."""
    editor._take_color(QColor("#abcdef"))
    assert editor.color.text() == "#abcdef" and editor._draft.rows[0].label.color[0] == 0xAB


def test_a_saved_palette_is_in_the_menu(closed_window, editor):
    """The user's palettes stand beside the bundled ones; editing one again keeps its title."""
    editor.save_button.click()
    menu = closed_window.palettes.menu
    menu.aboutToShow.emit()
    checked = [a.text() for a in menu.actions() if a.isChecked()]
    assert checked == ["Landscape copy"]
    closed_window.palettes.converting.edit()
    again = [e for e in closed_window.findChildren(PaletteEditor) if e.isVisible()][0]
    assert again.title.text() == "Landscape copy"
    again.name.setText("anything")
    again.name.textEdited.emit("anything")
    again.save_button.click()
    assert closed_window.scene.palette[0].name == "anything"


def test_every_control_of_the_editor_has_a_name(editor):
    """Fields, lists and buttons say what they are and can be reached by Tab."""
    kinds = (QLineEdit, QComboBox, QListWidget, QAbstractButton)
    controls = [c for kind in kinds for c in editor.findChildren(kind) if c.isVisible()]
    inner = editor.group.findChildren(QLineEdit)
    for control in (c for c in controls if c not in inner and c.objectName()[:3] != "qt_"):
        text = control.text() if isinstance(control, QAbstractButton) else ""
        assert control.accessibleName() or text, control
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, control
