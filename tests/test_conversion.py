"""Conversion between palettes: what matches, by which word, and what is left over."""

from __future__ import annotations

import numpy as np
import pytest

from core.conversion import BY_HAND, BY_NAME, BY_PART, BY_SYNONYM, NOWHERE, Conversion, label_counts
from core.palette import LabelClass, Palette, bundled_palettes

PAIRS = {
    ("landscape", "ade20k"): "tree=tree:name sea=sea:name waterfall=waterfall:name cloud=sky:syn "
    "bush=plant:syn other=unlabeled:syn snow=-",
    ("ade20k", "landscape"): "sky=sky:name plant=bush:syn house=building:syn lake=water:syn "
    "river=water:syn path=road:syn unlabeled=other:syn sofa=- wall=-",
    ("landscape", "coco_stuff"): "sky=sky-other:syn cloud=clouds:syn water=water-other:syn "
    "earth=dirt:syn building=building-other:syn snow=snow:name",
    ("coco_stuff", "landscape"): "sky-other=sky:syn clouds=cloud:syn wood=tree:syn person=- "
    "stone=rock:syn",
    ("coco_stuff", "ade20k"): "wall-brick=wall:part floor-tile=floor:part couch=sofa:syn "
    "dining_table=table:syn potted_plant=plant:part hot_dog=- tv=television_receiver:syn",
    (
        "ade20k",
        "coco_stuff",
    ): "pool_table=table:part screen_door=door-stuff:part "
    "wall=wall-other:syn swivel_chair=chair:part car=car:name",
    (
        "cityscapes",
        "ade20k",
    ): "vegetation=tree:syn car=car:name guard_rail=railing:syn rail_track=-",
    ("ade20k", "cityscapes"): "tree=vegetation:syn person=person:name wall=wall:name bed=-",
    ("landscape", "cityscapes"): "grass=terrain:syn sky=sky:name mountain=-",
    ("cityscapes", "landscape"): "vegetation=tree:syn road=road:name bus=-",
}
HOW = {"name": BY_NAME, "syn": BY_SYNONYM, "part": BY_PART, "": NOWHERE}


def between(source: str, target: str) -> Conversion:
    return Conversion.between(Palette.load(source), Palette.load(target))


@pytest.mark.parametrize(("pair", "wanted"), PAIRS.items(), ids="-".join)
def test_real_palettes_match_as_people_would(pair, wanted):
    """Labels of one data set find what means the same in another, and say by which word."""
    found = between(*pair)
    for line in wanted.split():
        name, place = line.replace("_", " ").split("=")
        place, _, how = place.partition(":")
        match = found.matches[found.source.find(name)]
        target = None if place == "-" else found.target[match.target].name
        assert (target, match.how) == (None if place == "-" else place, HOW[how]), name


@pytest.mark.parametrize("name", bundled_palettes())
def test_a_palette_converts_to_itself(name):
    """Every label is its own match, by name, and the pixels stay."""
    found = between(name, name)
    everything = np.arange(len(found.source), dtype=np.uint8)[None]
    assert {m.how for m in found.matches} == {BY_NAME} and found.plain
    assert np.array_equal(found.convert(everything), everything)


def test_there_and_back_keeps_what_has_a_place():
    """Labels that both know by name come back as they were."""
    there, back = between("landscape", "ade20k"), between("ade20k", "landscape")
    kept = [i for i, m in enumerate(there.matches) if m.how == BY_NAME]
    ids = np.array([kept], np.uint8)
    assert len(kept) >= 13 and np.array_equal(back.convert(there.convert(ids)), ids)


def test_no_match_is_a_hidden_label():
    """A label that the data never shows is not offered for one that a scene has."""
    target = Palette.load("coco_stuff")
    for source in ("landscape", "cityscapes", "ade20k"):
        targets = {m.target for m in between(source, "coco_stuff").matches} - {None}
        assert not any(target[i].hidden for i in targets)


def test_unplaced_labels_become_unlabeled():
    """What has no place is erased, and counts as unplaced; the unlabeled id does not."""
    found = between("landscape", "cityscapes")
    sky, snow = found.source.find("sky"), found.source.find("snow")
    assert found.unplaced([0, sky, snow]) == [snow]
    converted = found.convert(np.array([[0, sky, snow]], np.uint8))
    assert converted.tolist() == [[0, found.target.find("sky"), 0]]


def test_a_place_chosen_by_hand():
    """A person's choice takes the place of the matched one, in the table too."""
    found = between("landscape", "cityscapes")
    moved = found.moved(found.source.find("snow"), found.target.find("terrain"))
    assert moved.matches[5] == (found.target.find("terrain"), BY_HAND)
    assert moved.convert(np.full((2, 2), 5, np.uint8)).tolist() == [[22, 22], [22, 22]]
    assert found.matches[5].target is None and found.table[5] == 0


def test_by_hand_erases_what_is_not_named():
    """A table of ids is a conversion as well."""
    palette = Palette.load("landscape")
    found = Conversion.by_hand(palette, palette, {1: 2, 3: 3})
    assert found.convert(np.array([[1, 3, 7]], np.uint8)).tolist() == [[2, 3, 0]]


def test_only_looks_differ():
    """A recoloured palette is a plain conversion; a renamed or reordered one is not."""
    night, day = LabelClass(0, "night", (0, 0, 0)), LabelClass(1, "day", (9, 9, 9))
    palette = Palette("p", (night, day))
    assert Conversion.between(palette, Palette("q", (night, LabelClass(1, "day", (1, 1, 1))))).plain
    swapped = (LabelClass(0, "day", (9, 9, 9)), LabelClass(1, "night", (0, 0, 0)))
    assert not Conversion.between(palette, Palette("q", swapped)).plain


@pytest.mark.parametrize("shape", [(1, 1), (37, 53), (3000, 2999)])
def test_counts_are_exact(shape):
    """Counting in strips misses no pixel and counts none twice."""
    labels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert np.array_equal(label_counts(labels), np.bincount(labels.ravel(), minlength=256))
