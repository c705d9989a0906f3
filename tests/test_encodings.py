"""Encodings of label images: round trips, what is recognised and why, and what is left unplaced."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from core.conversion import Conversion
from core.encodings import (
    ENCODINGS,
    TRAIN_IDS,
    Codes,
    EncodingError,
    encode,
    nearest_colors,
    writable,
    write,
)
from core.errors import OutputError
from core.labelmap import write_labels
from core.palette import Palette
from core.placing import BY_YOU, Rest
from core.recognition import recognise, recognise_file

LANDSCAPE, ADE, COCO = (Palette.load(name) for name in ("landscape", "ade20k", "coco_stuff"))
CITY, FACES = Palette.load("cityscapes"), Palette.load("celebamask_hq")
CASES = [
    (encoding, palette)
    for palette in (LANDSCAPE, ADE, COCO, CITY, FACES)
    for encoding in writable(palette)
]


def all_labels(palette, side=4):
    """A map in which every label that occurs in the data has one square."""
    shown = np.array([c.id for c in palette.classes if not c.hidden], np.uint8)
    return np.kron(np.resize(shown, (14, 14)), np.ones((side, side), np.uint8))


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def gray(values):
    return Image.fromarray(np.array(values, np.uint8))


@pytest.mark.parametrize("encoding, palette", CASES, ids=lambda case: case.name)
def test_every_encoding_reads_what_it_wrote(encoding, palette):
    """Each encoding is among the readings of its own file, and gives the map back."""
    labels = all_labels(palette)
    if encoding.name == "cityscapes_train":  # it has a value for the labels that are trained only
        labels[~np.isin(labels, TRAIN_IDS)] = palette.unlabeled
    image = opened(encode(labels, palette, encoding))
    mine = [g for g in recognise(image, palette) if (g.encoding, g.palette) == (encoding, palette)]
    assert len(mine) == 1 and mine[0].unplaced == 0
    assert np.array_equal(mine[0].labels, labels)


@pytest.mark.parametrize(
    "name, palette",
    [
        ("ade20k", ADE),
        ("coco_stuff", COCO),
        ("cityscapes_ids", CITY),
        ("cityscapes_train", CITY),
        ("gaugan", COCO),
        ("colors", LANDSCAPE),
        ("colors", ADE),
        ("colors", CITY),
        ("own", LANDSCAPE),
        ("own", FACES),
    ],
)
def test_the_first_guess_is_right(name, palette):
    """With all labels in it, a file of a dataset is known without its name."""
    image = opened(encode(all_labels(palette), palette, ENCODINGS[name]))
    first = recognise(image, LANDSCAPE)[0]
    assert (first.encoding.name, first.palette.name) == (name, palette.name)


@pytest.mark.parametrize(
    "file, name",
    [
        ("ADE_val_00000001.png", "ade20k"),
        ("000000000139.png", "coco_stuff"),
        ("aachen_000000_000019_gtFine_labelIds.png", "cityscapes_ids"),
        ("aachen_000000_000019_gtFine_labelTrainIds.png", "cityscapes_train"),
        ("CelebAMask_17.png", "celebamask_hq"),
        ("scene.png", "ids"),
    ],
)
def test_a_name_decides_where_values_do_not(tmp_path, file, name):
    """Values 1..5 fit everything; the file's name tells, else the scene's own palette comes first;
    and the others that fit are named."""
    gray([[1, 2, 3, 4, 5]] * 5).save(tmp_path / file)
    first = recognise_file(tmp_path / file, LANDSCAPE)[0]
    assert first.encoding.name == name
    assert "It would also fit" in first.why
    assert ("name of the file" in first.why) == (name != "ids")


def test_the_numbers_of_each_dataset():
    """ADE20K begins at 1, COCO-Stuff at 0 with 255, trainIds skip what is not trained."""
    for name, palette, value, label in (
        ("ade20k", ADE, 1, "wall"),
        ("ade20k", ADE, 150, "flag"),
        ("coco_stuff", COCO, 0, "person"),
        ("coco_stuff", COCO, 255, "unlabeled"),
        ("cityscapes_ids", CITY, 7, "road"),
        ("cityscapes_train", CITY, 0, "road"),
        ("cityscapes_train", CITY, 18, "bicycle"),
        ("cityscapes_train", CITY, 255, "unlabeled"),
        ("celebamask_hq", FACES, 13, "hair"),
    ):
        codes = Codes.of(gray([[value]]))
        (found,) = ENCODINGS[name].read(codes, palette)
        assert palette[found].name == label
        written = opened(encode(np.array([[found]], np.uint8), palette, ENCODINGS[name]))
        assert np.asarray(written)[0, 0] == value
    assert ENCODINGS["ade20k"].read(Codes.of(gray([[0]])), ADE)[0] == ADE.unlabeled


def test_counts_and_unplaced_pixels():
    """Every label is counted, and what means nothing is erased and told."""
    values = np.full((10, 10), 3, np.uint8)
    values[0, :4] = 7
    values[1, :2] = 200
    found = recognise(gray(values), LANDSCAPE)
    ids = next(g for g in found if g.title == "Values are ids of Landscape")
    assert ids.counts == {3: 94, 7: 4} and ids.unplaced == pytest.approx(0.02)
    assert (ids.labels[1, :2] == LANDSCAPE.erase_id).all()
    assert "98.0%" in ids.why


def test_labels_that_never_occur_speak_against():
    """Values of the eleven unused COCO ids make COCO-Stuff the worse reading."""
    found = recognise(gray([[11, 25, 28, 29, 44]]), LANDSCAPE)
    coco = next(g for g in found if g.encoding.name == "coco_stuff")
    assert found[0].encoding.name == "ade20k" and "never occur" in coco.why


def test_own_file_of_a_palette_that_is_not_here(tmp_path, palette):
    """Without its palette our file is read by its values and colours, not as certain."""
    write_labels(tmp_path / "mine.png", np.ones((4, 4), np.uint8), palette)
    assert recognise_file(tmp_path / "mine.png", LANDSCAPE)[0].encoding.name != "own"
    first = recognise_file(tmp_path / "mine.png", palette)[0]
    assert first.encoding.name == "own" and first.palette == palette


def test_an_indexed_file_that_was_renumbered():
    """The colours of an indexed file count, whatever its indices are."""
    labels = all_labels(LANDSCAPE)
    image = Image.fromarray(LANDSCAPE.colors[labels]).quantize(19)
    assert image.mode == "P" and not np.array_equal(np.asarray(image), labels)
    first = recognise(image, ADE)[0]
    assert first.encoding.name == "colors" and np.array_equal(first.labels, labels)


def test_a_blurred_map_is_read_by_nearest_colours(tmp_path):
    """A JPEG of a colour map is offered with its distances, never as exact."""
    labels = np.kron(np.resize(np.arange(19, dtype=np.uint8), (6, 6)), np.ones((32, 32), np.uint8))
    Image.fromarray(LANDSCAPE.colors[labels]).save(tmp_path / "map.jpg", quality=85)
    found = recognise_file(tmp_path / "map.jpg", LANDSCAPE)
    assert {g.encoding.name for g in found} == {"nearest"}
    assert re.search(r"\d\.\d of 255 away on average, \d+ at most", found[0].why)
    assert (found[0].labels == labels).mean() > 0.97


def test_a_far_colour_is_not_placed():
    """The nearest colour may be far: then it is none."""
    rgb = np.array([[LANDSCAPE[1].color, (255, 0, 255)]], np.uint8)
    ids, distance = nearest_colors(rgb[0], LANDSCAPE)
    assert ids[0] == 1 and distance[0] == 0 and distance[1] > 60
    found = recognise(Image.fromarray(rgb), LANDSCAPE)
    (nearest,) = [g for g in found if g.title == "Nearest colours of Landscape"]
    assert nearest.unplaced == 0.5


def test_a_photo_is_no_label_map(tmp_path):
    """Thousands of soft colours are not guessed at."""
    y, x = np.mgrid[:200, :300]
    rng = np.random.default_rng(0)
    photo = np.stack([y, x * 0.8, (x + y) / 2], axis=2) + rng.normal(0, 12, (200, 300, 3))
    Image.fromarray(photo.clip(0, 255).astype(np.uint8)).save(tmp_path / "photo.jpg")
    assert recognise_file(tmp_path / "photo.jpg", LANDSCAPE) == []


def test_transparent_pixels_are_unplaced():
    """The colour of what is transparent means nothing."""
    rgba = np.full((4, 4, 4), 255, np.uint8)
    rgba[..., :3] = LANDSCAPE[15].color
    rgba[0, :, 3] = 0
    first = recognise(Image.fromarray(rgba), LANDSCAPE)[0]
    assert first.counts == {15: 12} and first.unplaced == 0.25


def test_gray_saved_as_rgb():
    """Some programs save a gray file in three channels."""
    values = np.arange(151, dtype=np.uint8)[None]
    first = recognise(Image.fromarray(np.repeat(values[..., None], 3, axis=2)), LANDSCAPE)[0]
    assert first.encoding.name == "ade20k" and first.unplaced == 0


def test_what_an_encoding_cannot_say_is_refused(tmp_path):
    """A map of another palette, a foreign id and a bad place are named; nothing is written."""
    labels = np.zeros((4, 4), np.uint8)
    with pytest.raises(EncodingError, match="'landscape'.*COCO-Stuff.*'coco_stuff'"):
        encode(labels, LANDSCAPE, ENCODINGS["coco_stuff"])
    with pytest.raises(EncodingError, match="another encoding"):
        encode(labels, LANDSCAPE, ENCODINGS["nearest"])
    with pytest.raises(EncodingError, match="id 40"):
        encode(labels + 40, LANDSCAPE, ENCODINGS["colors"])
    with pytest.raises(OutputError, match="nowhere"):
        write(tmp_path / "nowhere" / "a.png", labels, LANDSCAPE, ENCODINGS["colors"])
    assert list(tmp_path.iterdir()) == []


# -- the full ADE20K ------------------------------------------------------------------------------

FULL = {  # class number → its name, as the dataset's own files tell it, and our label
    2855: ("tree", "tree"),
    401: ("car, auto, automobile, machine, motorcar", "car"),
    2836: ("traffic light, traffic signal, stoplight", "traffic light"),
    461: ("central reservation", None),
}


def full_file(path):
    """A row of ten pixels for each class, each row two instances, and a row of nothing."""
    pixels = np.zeros((5, 10, 3), np.uint8)
    for row, number in enumerate(FULL):
        pixels[row, :, 0], pixels[row, :, 1] = number // 256 * 10, number % 256
        pixels[row, :5, 2], pixels[row, 5:, 2] = 40 + 20 * row, 50 + 20 * row
    Image.fromarray(pixels).save(path)


def write_json(folder):
    objects = [
        {"id": i, "name": name, "name_ndx": n} for i, (n, (name, _)) in enumerate(FULL.items())
    ]
    text = json.dumps({"annotation": {"object": objects}})
    (folder / "ADE_train_00016869.json").write_text(text)


def write_notes(folder):
    """Instances are numbered by their blue byte; parts have lines of their own."""
    lines = [
        f'{2 * i + k} # 0 # 0 # {name} # raw # ""'
        for i, (name, _) in enumerate(FULL.values())
        for k in (1, 2)
    ]
    (folder / "ADE_train_00016869_atr.txt").write_text(
        "\n".join(['1 # 1 # 0 # wheel # x # ""', *lines])
    )


@pytest.mark.parametrize("notes", [write_json, write_notes])
def test_the_full_ade20k_by_the_file_beside_it(tmp_path, notes):
    """Class R // 10 * 256 + G; its name is in the .json (2021) or _atr.txt (2016) beside it. What
    is no label of ours is not placed, what is nothing there is nothing here."""
    path = tmp_path / "ADE_train_00016869_seg.png"
    full_file(path)
    notes(tmp_path)
    first = recognise_file(path, LANDSCAPE)[0]
    assert (first.encoding.name, first.palette.name) == ("ade20k_full", "ade20k")
    assert {ADE[i].name: n for i, n in first.counts.items()} == {
        "tree": 10, "car": 10, "traffic light": 10, ADE[ADE.erase_id].name: 10
    }  # fmt: skip
    assert first.unplaced == 0.2 and "names 4 of its classes; 3 of them" in first.why


def test_the_full_ade20k_without_names(tmp_path):
    """Its numbers are counted and nothing is guessed, though its red bytes are values of COCO."""
    path = tmp_path / "ADE_train_00016869_seg.png"
    full_file(path)
    first = recognise_file(path, LANDSCAPE)[0]
    assert first.encoding.name == "ade20k_full" and first.unplaced == 0.8
    assert "4 class numbers" in first.why and ".json" in first.why
    (tmp_path / "ADE_train_00016869.json").write_text('{"annotation": [3')
    assert recognise_file(path, LANDSCAPE)[0].unplaced == 0.8
    full_file(tmp_path / "lake.png")  # neither its name nor a file beside it says so
    assert "ade20k_full" not in {
        g.encoding.name for g in recognise_file(tmp_path / "lake.png", ADE)
    }


def test_a_number_with_two_names_has_none(tmp_path):
    """Notes that contradict themselves are not followed."""
    path = tmp_path / "ADE_train_00016869_seg.png"
    full_file(path)
    write_notes(tmp_path)
    notes = tmp_path / "ADE_train_00016869_atr.txt"
    notes.write_text(notes.read_text().replace("2 # 0 # 0 # tree", "2 # 0 # 0 # sky"))
    first = recognise_file(path, LANDSCAPE)[0]
    assert ADE.find("tree") not in first.counts and first.unplaced == 0.4


# -- placing the rest by hand ---------------------------------------------------------------------


def test_the_rest_has_a_name_and_a_place(tmp_path):
    """Each class that was not placed is one label, whatever its instances; a place takes all."""
    path = tmp_path / "ADE_train_00016869_seg.png"
    full_file(path)
    write_json(tmp_path)
    guess = recognise_file(path, ADE)[0]
    rest = Rest.of(guess)
    assert [c.name for c in rest.palette.classes] == ["everything else", "central reservation"]
    assert rest.counts[:3].tolist() == [40, 10, 0]
    road = ADE.find("road")
    placed = rest.placed(guess, Conversion.between(rest.palette, ADE).moved(1, road))
    assert placed.unplaced == 0 and (placed.labels[3] == road).all() and guess.unplaced == 0.2
    assert np.array_equal(placed.labels[:3], guess.labels[:3]) and BY_YOU in placed.why


def test_the_rest_of_any_reading():
    """Values and colours that mean nothing are told apart; more than a palette holds stay out."""
    values = Rest.of(recognise(gray([[1, 2, 3, 222, 222, 233]] * 9), ADE, "ADE_val_1.png")[0])
    assert [c.name for c in values.palette.classes[1:]] == ["value 222", "value 233"]
    rgb = np.full((100, 30, 3), LANDSCAPE[3].color, np.uint8)
    rgb[:, :10] = np.random.default_rng(0).integers(0, 256, (100, 10, 3))
    guess = next(
        g for g in recognise(Image.fromarray(rgb), LANDSCAPE) if g.encoding.name == "colors"
    )
    rest = Rest.of(guess)
    assert len(rest.palette) == 256 and rest.palette[1].name.startswith("colour #")
    everything = Conversion.by_hand(rest.palette, LANDSCAPE, {i: 5 for i in range(1, 256)})
    counted = int(rest.counts[1:].sum())
    assert rest.placed(guess, everything).counts[5] == counted < 1000
