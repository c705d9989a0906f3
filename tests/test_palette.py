"""Palettes: the bundled ones are sound, a user's own one opens, a broken one says what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import InputError
from core.palette import LabelClass, Palette, PaletteError, bundled_palettes, normalise

SIZES = {"ade20k": 151, "celebamask_hq": 19, "cityscapes": 35, "coco_stuff": 183, "landscape": 19}

# Closest two visible colours, as a distance in RGB. The official ADE20K and GauGAN colours have
# close pairs of their own (grass and bottle; road and rock); what we chose ourselves keeps 20.
DISTANCES = {"ade20k": 7, "coco_stuff": 14}

# What people type → the label they mean.
WORDS = {
    "landscape": "ocean=sea lake=water cliff=rock forest=tree lawn=grass street=road "
    "house=building beach=sand fog=cloud farmland=field glacier=snow cascade=waterfall soil=earth "
    "shrub=bush",
    "ade20k": "ocean=sea couch=sofa automobile=car carpet=rug window=windowpane street=road "
    "pavement=sidewalk fridge=refrigerator tv=television_receiver tub=bathtub "
    "bike=bicycle plane=airplane people=person closet=wardrobe pond=lake forest=tree "
    "lorry=truck statue=sculpture lamppost=streetlight sign=signboard dustbin=ashcan "
    "bush=plant edifice=building",
    "coco_stuff": "ocean=sea sofa=couch automobile=car television=tv phone=cell_phone "
    "sky=sky-other water=water-other lake=water-other window=window-other mirror=mirror-stuff "
    "door=door-stuff desk=desk-stuff cloud=clouds building=building-other "
    "floor=floor-other plane=airplane sidewalk=pavement railway=railroad fridge=refrigerator "
    "people=person lawn=grass earth=dirt",
    "cityscapes": "street=road automobile=car pavement=sidewalk tree=vegetation grass=terrain "
    "house=building pedestrian=person cyclist=rider lorry=truck tram=train "
    "motorbike=motorcycle bike=bicycle stoplight=traffic_light sign=traffic_sign "
    "coach=bus camper=caravan",
    "celebamask_hq": "eye_g=glasses l_eye=left_eye r_eye=right_eye l_brow=left_eyebrow "
    "r_brow=right_eyebrow l_ear=left_ear r_ear=right_ear u_lip=upper_lip l_lip=lower_lip "
    "ear_r=earring neck_l=necklace cap=hat face=skin clothes=cloth teeth=mouth beard=hair",
}

HIDDEN = {
    "coco_stuff": [11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90],
    "cityscapes": [2, 3, 34],
}

each_palette = pytest.mark.parametrize("name", SIZES)


def toml(body: str = "", **changes: str) -> str:
    """A palette of two labels, with lines of the second one replaced."""
    entries = {"id": "1", "name": '"moon"', "color": '"#eeeeee"'} | changes
    second = "\n".join(f"{key} = {value}" for key, value in entries.items() if value)
    first = '[[classes]]\nid = 0\nname = "night"\ncolor = "#000011"\nsynonyms = ["dark"]'
    return f"{body}\n{first}\n\n[[classes]]\n{second}\n"


def test_five_palettes_are_bundled():
    """The program knows its own palettes by name."""
    assert bundled_palettes() == sorted(SIZES)


@each_palette
def test_a_bundled_palette_has_its_size_and_a_title(name):
    """A bundled palette loads, with as many labels as the model has channels for."""
    palette = Palette.load(name)
    assert (palette.name, len(palette)) == (name, SIZES[name])
    assert palette.title and palette.source and all(c.group for c in palette.classes)


@each_palette
def test_ids_and_names_are_unique(name):
    """Ids are 0..n-1 and no two labels have one name."""
    palette = Palette.load(name)
    assert [c.id for c in palette.classes] == list(range(SIZES[name]))
    assert len({normalise(c.name) for c in palette.classes}) == SIZES[name]


@each_palette
def test_colors_can_be_told_apart(name):
    """No two colours are the same, and visible ones keep a distance."""
    palette = Palette.load(name)
    assert len(np.unique(palette.colors, axis=0)) == SIZES[name]
    shown = [c.color for c in palette.classes if not c.hidden]
    gaps = np.linalg.norm(np.subtract.outer(shown, shown).diagonal(axis1=1, axis2=3), axis=-1)
    assert gaps[gaps > 0].min() >= DISTANCES.get(name, 20)


@each_palette
def test_common_words_find_their_label(name):
    """An everyday word or the dataset's own spelling finds the label that means it."""
    palette = Palette.load(name)
    for pair in WORDS[name].split():
        word, wanted = (text.replace("_", " ") for text in pair.split("="))
        assert palette[palette.find(word)].name == wanted, word
    assert palette.find("no such thing") is None


@each_palette
def test_most_labels_have_synonyms(name):
    """Nine labels in ten can be found by another word than their name."""
    shown = [c for c in Palette.load(name).classes if not c.hidden]
    assert sum(bool(c.synonyms) for c in shown) >= 0.9 * len(shown)


@each_palette
def test_raw_values_reach_every_id(name):
    """The dataset's values map onto all ids, and no value maps outside of them."""
    table = Palette.load(name).raw_to_id
    assert table.shape == (256,)
    assert set(table.tolist()) - {-1} == set(range(SIZES[name]))


@pytest.mark.parametrize(
    ("name", "value", "label"),
    [
        ("ade20k", 0, 150),
        ("ade20k", 1, 0),
        ("ade20k", 150, 149),
        ("ade20k", 151, -1),
        ("ade20k", 255, 150),
        ("coco_stuff", 0, 0),
        ("coco_stuff", 181, 181),
        ("coco_stuff", 255, 182),
        ("coco_stuff", 183, -1),
        ("cityscapes", 33, 33),
        ("cityscapes", 255, 34),
        ("cityscapes", 35, -1),
        ("celebamask_hq", 18, 18),
        ("celebamask_hq", 19, -1),
        ("landscape", 255, -1),
    ],
)
def test_raw_values_follow_the_official_code(name, value, label):
    """A value of a dataset's file becomes the channel that official SDM models use for it."""
    assert Palette.load(name).raw_to_id[value] == label


def test_unlabeled_ids_and_edges():
    """Each palette knows what erasing leaves and whether its models read instance edges."""
    erased = {name: Palette.load(name).unlabeled for name in SIZES}
    assert erased == {
        "ade20k": 150, "celebamask_hq": 0, "cityscapes": 0, "coco_stuff": 182, "landscape": 0
    }  # fmt: skip
    channels = [
        Palette.load(name).num_channels for name in ("ade20k", "celebamask_hq", "cityscapes")
    ]
    assert channels == [151, 20, 36]


@each_palette
def test_labels_nobody_paints_are_hidden(name):
    """Labels that never occur in the data are hidden, all others can be painted and found."""
    palette = Palette.load(name)
    assert [c.id for c in palette.classes if c.hidden] == HIDDEN.get(name, [])
    assert len(palette.search("")) == SIZES[name] - len(HIDDEN.get(name, []))


@each_palette
def test_a_flip_undone_is_no_flip(name):
    """Mirroring twice gives every label back."""
    flip = Palette.load(name).flip_ids
    assert (flip[flip] == np.arange(SIZES[name])).all()


def test_a_face_swaps_left_and_right():
    """In a mirrored face the left eye, eyebrow and ear become the right ones."""
    palette = Palette.load("celebamask_hq")
    moved = np.flatnonzero(palette.flip_ids != np.arange(len(palette)))
    assert moved.tolist() == [4, 5, 6, 7, 8, 9]
    assert palette.flip_ids[4] == 5


def test_red_bytes_of_coco_colors_are_ids():
    """COCO colours carry the id in the red byte, as the GauGAN demo's files do."""
    palette = Palette.load("coco_stuff")
    assert (palette.colors[:, 0] == np.arange(len(palette))).all()
    assert palette[palette.find("sky")].color == (156, 238, 221)


@each_palette
def test_a_palette_survives_plain_data(name):
    """What a checkpoint's header keeps of a palette is all of it."""
    palette = Palette.load(name)
    assert Palette.from_dict(palette.to_dict()) == palette


@each_palette
def test_a_palette_survives_its_file(tmp_path, name):
    """Saved and loaded again, a palette is equal: labels, raw values, partners, everything."""
    palette = Palette.load(name)
    palette.save(tmp_path / f"{name}.toml")
    assert Palette.load(tmp_path / f"{name}.toml") == palette


def test_odd_words_survive_a_file(tmp_path):
    """Quotes, backslashes, control characters and any script are written so that TOML reads them;
    a name that is not the file's is kept."""
    words = ('"Mare" \\ o', "tab\tline\nbell\x07del\x7f", "月 😀", "é'")
    palette = Palette("moon 2", (LabelClass(0, "sea", (1, 2, 3), words, flip="sea"),), "A # title")
    palette.save(tmp_path / "odd.toml")
    assert Palette.load(tmp_path / "odd.toml") == palette


def test_a_palette_that_cannot_be_written_says_so(tmp_path):
    """A folder that is not there is named, and nothing is left behind."""
    with pytest.raises(PaletteError, match=r"none.*cannot be written"):
        Palette.load("landscape").save(tmp_path / "none" / "mine.toml")
    assert list(tmp_path.iterdir()) == []


def test_search_ranks_names_before_synonyms():
    """The label of that name comes first, then names with that word, then synonyms."""
    found = [c.name for c in Palette.load("ade20k").search("table")]
    assert found[0] == "table"
    assert found.index("pool table") < found.index("lamp")
    assert Palette.load("ade20k").search("zeppelin") == []


def test_a_hidden_label_is_found_only_without_a_visible_one():
    """A word that a hidden and a visible label share means the visible one."""
    palette = Palette.load("coco_stuff")
    assert palette[palette.find("mirror")].name == "mirror-stuff"
    assert palette[palette.find("hat")].hidden


def test_a_palette_is_read_once(tmp_path):
    """The same file gives the same palette: steps back to it hold no copies. A changed one is
    another."""
    assert Palette.load("ade20k") is Palette.load("ade20k")
    path = tmp_path / "own.toml"
    path.write_text(toml('title = "One"'), encoding="utf-8")
    one = Palette.load(path)
    path.write_text(toml('title = "Two"'), encoding="utf-8")
    assert Palette.load(path).title == "Two" and one.title == "One"


def test_a_users_own_palette_opens(tmp_path):
    """Any TOML file of that form is a palette, named after its file, in any script."""
    path = tmp_path / "nacht.toml"
    path.write_text(toml('title = "Nacht"', synonyms='["Straßenmond", "月"]'), encoding="utf-8")
    palette = Palette.load(path)
    assert (palette.name, palette.title, len(palette), palette.erase_id) == ("nacht", "Nacht", 2, 0)
    assert palette.find("月") == palette.find("strassenmond") == 1
    assert palette == Palette.load(str(path))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("title = ", "Invalid"),
        ('title = "no labels"', "classes"),
        ("classes = 3", "classes"),
        ("classes = [3]", "3"),
        (toml("colour = 3"), "colour"),
        (toml("unlabeled = 2"), "2"),
        (toml('unlabeled = "moon"'), "moon"),
        (toml("title = 5"), "5"),
        (toml('instance_edges = "no"'), "no"),
        (toml(id="2"), "id 2"),
        (toml(id="true"), "True"),
        (toml(id='"1"'), "'1'"),
        (toml(name=""), "name"),
        (toml(name="4"), "4"),
        (toml(name='"--"'), "--"),
        (toml(name='"Night"'), "night"),
        (toml(synonyms='["dark"]'), "dark"),
        (toml(synonyms='"luna"'), "luna"),
        (toml(synonyms="[7]"), "7"),
        (toml(color=""), "color"),
        (toml(color='"#eee"'), "#eee"),
        (toml(color='"#000011"'), "#000011"),
        (toml(color="[1, 2]"), "expected 3"),
        (toml(color="[1, 2, 300]"), "300"),
        (toml(color="[1, 2, 3.5]"), "3.5"),
        (toml(raw="[0]"), "raw id 0"),
        (toml(raw="[256]"), "256"),
        (toml(raw="1"), "raw|1"),
        (toml(raw='["1"]'), "'1'"),
        (toml(flip='"sun"'), "sun"),
        (toml(flip='"night"'), "night"),
        (toml(hidden="1"), "hidden"),
        (toml(shape='"round"'), "shape"),
    ],
)
def test_a_broken_palette_names_the_file_and_the_value(tmp_path, text, value):
    """Whatever is wrong with a palette file, the error says where and what."""
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PaletteError, match=value) as error:
        Palette.load(path)
    assert str(path) in str(error.value)


def test_a_palette_has_at_most_256_labels(tmp_path):
    """Ids are stored in a byte."""
    label = '[[classes]]\nid = {0}\nname = "a{0}"\ncolor = "#{0:06x}"\n'
    path = tmp_path / "big.toml"
    path.write_text("".join(label.format(i) for i in range(256)), encoding="utf-8")
    assert len(Palette.load(path)) == 256
    path.write_text("".join(label.format(i) for i in range(257)), encoding="utf-8")
    with pytest.raises(PaletteError, match="257"):
        Palette.load(path)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"[[classes]"])
def test_a_file_that_is_no_toml_is_refused(tmp_path, data):
    """A file in another encoding or format is named, not guessed at."""
    path = tmp_path / "mine.toml"
    path.write_bytes(data)
    with pytest.raises(PaletteError, match=r"mine\.toml"):
        Palette.load(path)


def test_a_folder_is_no_palette(tmp_path):
    """A folder whose name looks like a palette is refused in words."""
    with pytest.raises(PaletteError, match="cannot be read"):
        (tmp_path / "dir.toml").mkdir()
        Palette.load(tmp_path / "dir.toml")


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    """A palette that does not exist is an input error that says which do."""
    with pytest.raises(InputError, match=r"'mars'.*landscape"):
        Palette.load("mars")
    with pytest.raises(PaletteError, match="no palette"):
        Palette.load(tmp_path / "none.toml")


def test_a_hidden_label_may_share_color_and_words():
    """Uniqueness is for what people see; only names and raw ids are unique among all."""
    shown = LabelClass(0, "door", (1, 1, 1), synonyms=("gate",))
    Palette("p", (shown, LabelClass(1, "gate", (1, 1, 1), hidden=True)))
    with pytest.raises(PaletteError, match="door"):
        Palette("p", (shown, LabelClass(1, "Door", (2, 2, 2), hidden=True)))
