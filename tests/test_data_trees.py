"""Datasets are read where they lie, in the folders that they come with."""

import os
import time

import numpy as np
import pytest
from PIL import Image

from core import data_index
from core.data_index import Checked, cache_folder, indexed
from core.data_trees import BY_NAME, DatasetError, recognise, scan
from core.dataset import PairDataset, check_pairs, find_pairs, read_pair
from core.palette import Palette
from tests.trees import MAKERS, SIZE, halves, photo, write

# tree: names of its train pairs, and the two labels of the first, from left to right
EXPECTED = {
    "plain": (["1", "2"], "other", "cloud"),
    "ade20k": (["ADE_train_00000001", "ADE_train_00000002"], "unlabeled", "sky"),
    "coco-stuff": (["000000000009", "000000000025"], "unlabeled", "clouds"),
    "coco-maps": (["000000000009", "000000000025"], "unlabeled", "wood"),
    "cityscapes": (["aachen/aachen_000000_000019", "ulm/ulm_000000_000019"], "car", "car"),
}


@pytest.fixture(params=list(MAKERS))
def tree(request, tmp_path):
    """(name of the tree, its root)."""
    MAKERS[request.param](tmp_path / "data")
    return request.param, tmp_path / "data"


def test_a_tree_is_recognised_by_its_folders(tree):
    """No flag is needed, for any split that is there."""
    name, root = tree
    assert recognise(root).name == name
    for split in BY_NAME[name].splits_in(root):
        assert recognise(root, split).name == name and find_pairs(root, split)[0]


@pytest.mark.parametrize("name", list(EXPECTED))
def test_the_palette_says_what_the_values_mean(tmp_path, name):
    """Shifted ids, 255 and 0 become the labels that they are."""
    MAKERS[name](tmp_path)
    pairs, problems = find_pairs(tmp_path)
    names, left, right = EXPECTED[name]
    assert [p.name for p in pairs] == names and not problems
    palette = Palette.load(BY_NAME[name].palette or "landscape")
    labels = read_pair(pairs[0], palette).labels
    expected = halves(palette.find(left), palette.find(right))
    assert np.array_equal(labels, expected)


def test_instances_are_read_where_the_palette_has_them(tmp_path):
    """Two cars side by side have an edge between them; COCO's palette has no edge channel."""
    MAKERS["cityscapes"](tmp_path / "towns")
    MAKERS["coco-stuff"](tmp_path / "coco")
    towns, coco = Palette.load("cityscapes"), Palette.load("coco_stuff")
    data = PairDataset(find_pairs(tmp_path / "towns")[0], towns, SIZE)
    edges = data[(0, 3)]["edges"]
    assert edges.sum() == 2 * SIZE[0] and edges[:, SIZE[1] // 2].all()
    pair = find_pairs(tmp_path / "coco")[0][0]
    assert pair.instances.name == "000000000009.png" and read_pair(pair, coco).instances is None


def test_face_masks_are_merged_in_the_order_of_the_palette(tmp_path):
    """Later labels lie over earlier ones; masks of half the size are enlarged."""
    MAKERS["celebamask-hq"](tmp_path)
    palette = Palette.load("celebamask_hq")
    pairs, problems = find_pairs(tmp_path)
    assert [p.name for p in pairs] == ["0", "2001"] and not problems
    small = np.zeros(SIZE, np.uint8)
    small[2:] = palette.find("skin")
    small[4:6, 2:4] = palette.find("left eye")
    small[:3] = palette.find("hair")
    labels = read_pair(pairs[1], palette).labels
    assert np.array_equal(labels, small.repeat(2, axis=0).repeat(2, axis=1))
    assert [p.name for p in find_pairs(tmp_path, "val")[0]] == ["29999"]


def test_a_face_in_the_mirror_has_its_eyes_exchanged(tmp_path):
    """Flip pairs of the palette hold for merged masks as for any labels."""
    MAKERS["celebamask-hq"](tmp_path)
    palette = Palette.load("celebamask_hq")
    data = PairDataset(find_pairs(tmp_path)[0], palette, (24, 32))
    seen = {frozenset(data[(0, seed)]["labels"].unique().tolist()) for seed in range(8)}
    left, right = palette.find("left eye"), palette.find("right eye")
    assert {left in ids for ids in seen} == {right in ids for ids in seen} == {True, False}


def test_data_is_only_read(tree):
    """Finding and checking pairs adds and changes nothing."""
    name, root = tree
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*")}
    palette = Palette.load(BY_NAME[name].palette or "landscape")
    assert check_pairs(*find_pairs(root)[:1], palette, known=Checked(root, palette))[1] == []
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*")} == before


# -- the index ------------------------------------------------------------------------------------


def test_the_index_is_used_until_a_folder_changes(tmp_path, monkeypatch):
    """The second look scans nothing; a new photo, even in a town's folder, is seen."""
    MAKERS["cityscapes"](tmp_path)
    scans = []
    monkeypatch.setattr(data_index, "scan", lambda *a: scans.append(a) or scan(*a))
    first = indexed(tmp_path, BY_NAME["cityscapes"], "train")
    again = indexed(tmp_path, BY_NAME["cityscapes"], "train")
    assert len(scans) == 1 and first == again
    more = "leftImg8bit/train/ulm/ulm_000000_000020_leftImg8bit.png"
    write(tmp_path / more, photo())
    third = indexed(tmp_path, BY_NAME["cityscapes"], "train")
    assert len(scans) == 2 and third.problems == [
        f"{tmp_path / more} has no label map in {tmp_path / 'gtFine' / 'train'}."
    ]


def test_a_damaged_index_and_a_full_disk_cost_nothing_but_time(tmp_path, monkeypatch):
    """Without a cache that can be read or written the pairs are the same."""
    MAKERS["ade20k"](tmp_path)
    pairs = find_pairs(tmp_path)
    for path in cache_folder().glob("*.json"):
        path.write_text("[1, 2")
    assert find_pairs(tmp_path) == pairs
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert find_pairs(tmp_path) == pairs


def test_a_pair_that_was_good_is_not_read_again(tmp_path, monkeypatch):
    """Until one of its files changes, or the palette's meaning; bad ones are told every time."""
    MAKERS["ade20k"](tmp_path)
    palette, pairs = Palette.load("ade20k"), find_pairs(tmp_path)[0]
    pairs[1].labels.write_bytes(b"damaged")
    reads = []
    monkeypatch.setattr(
        "core.dataset.read_pair", lambda p, q: reads.append(p.name) or read_pair(p, q)
    )

    def check(palette):
        reads.clear()
        good, problems = check_pairs(pairs, palette, known=Checked(tmp_path, palette))
        return [p.name for p in good], len(problems), len(reads)

    one, two = (p.name for p in pairs)
    assert check(palette) == ([one], 1, 2) and check(palette) == ([one], 1, 1)
    write(pairs[1].labels, halves(4, 5))
    assert check(palette) == ([one, two], 0, 1) and check(palette) == ([one, two], 0, 0)
    os.utime(pairs[0].image, (1, 1))
    assert check(palette) == ([one, two], 0, 1)
    assert check(Palette.load("coco_stuff"))[2] == 2


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_thousand_pairs_are_found_within_a_minute(tmp_path):
    """The names alone are read: the files are empty."""
    for split in ("train_img", "train_label", "train_inst"):
        (tmp_path / split).mkdir()
        suffix = ".jpg" if split == "train_img" else ".png"
        for i in range(100_000):
            os.close(os.open(tmp_path / split / f"{i:012d}{suffix}", os.O_CREAT))
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        assert len(find_pairs(tmp_path)[0]) == 100_000
        seconds.append(time.perf_counter() - started)
    print(f"100,000 pairs: {seconds[0]:.2f} s, from the index {seconds[1]:.2f} s")
    assert max(seconds) < 60


# -- bad trees ------------------------------------------------------------------------------------


def empty(root):
    root.mkdir()


def one_level_up(root):
    MAKERS["ade20k"](root / "ADEChallengeData2016")


def without_labels(root):
    write(root / "images" / "training" / "1.jpg", photo())


def only_validation(root):
    MAKERS["ade20k"](root)
    for part in ("images", "annotations"):
        (root / part / "training").rename(root / part / "elsewhere")


def no_label_ids(root):
    MAKERS["cityscapes"](root)
    for path in root.rglob("*_labelIds.png"):
        path.unlink()


def no_common_name(root):
    write(root / "images" / "a.jpg", photo())
    write(root / "labels" / "b.png", halves(0, 1))


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda root: None, "is no folder"),
        (empty, "holds no data: images/ and labels/ with pictures are needed"),
        (one_level_up, "ADEChallengeData2016 does"),
        (without_labels, r"annotations/training is missing.*ade20k folder needs images/training/"),
        (only_validation, "images/training is missing.*--split val"),
        (no_label_ids, "gtFine/train has no pictures whose names end in _gtFine_labelIds"),
        (no_common_name, "has a label map of its name"),
    ],
)
def test_a_bad_tree_has_its_sentence(tmp_path, make, says):
    """It names the folder and the way out."""
    make(tmp_path / "data")
    with pytest.raises(DatasetError, match=says) as caught:
        find_pairs(tmp_path / "data")
    assert str(tmp_path / "data") in str(caught.value) and "\n" not in str(caught.value)


def test_a_plain_folder_has_no_splits(tmp_path):
    """Asking for one is refused; so is a tree that is not there."""
    MAKERS["plain"](tmp_path)
    with pytest.raises(DatasetError, match="no split 'val'"):
        find_pairs(tmp_path, "val")
    with pytest.raises(DatasetError, match="leftImg8bit/train is missing"):
        find_pairs(tmp_path, tree="cityscapes")


@pytest.mark.parametrize(
    "part, size, says",
    [
        ("skin", (8, 16), "is 16x12, but the masks before it are 16x8"),
        ("wings", SIZE, "part 'wings', which no label"),
    ],
)
def test_a_bad_mask_is_named(tmp_path, part, size, says):
    """Masks of one photo have one size, and each is of a label."""
    MAKERS["celebamask-hq"](tmp_path)
    path = tmp_path / "CelebAMask-HQ-mask-anno" / "0" / f"00000_{part}.png"
    write(path, np.zeros(size, np.uint8))
    good, problems = check_pairs(find_pairs(tmp_path)[0], Palette.load("celebamask_hq"))
    assert [p.name for p in good] == ["2001"] and says in problems[0] and "00000_" in problems[0]


def test_masks_of_other_proportions_are_refused(tmp_path):
    """A square photo with masks that are not: nobody knows what was cut off."""
    MAKERS["celebamask-hq"](tmp_path)
    write(tmp_path / "CelebA-HQ-img" / "0.jpg", np.zeros((24, 24, 3), np.uint8))
    _, problems = check_pairs(find_pairs(tmp_path)[0], Palette.load("celebamask_hq"))
    assert "same proportions" in problems[0]


def test_a_label_map_of_sixteen_bits_with_foreign_values_is_named(tmp_path):
    """Instance numbers in place of labels are no label map."""
    MAKERS["plain"](tmp_path)
    Image.fromarray(halves(3, 26_001, np.uint16)).save(tmp_path / "labels" / "1.png")
    _, problems = check_pairs(find_pairs(tmp_path)[0], Palette.load("landscape"))
    assert "1.png has the value 26001" in problems[0]


# -- sizes ----------------------------------------------------------------------------------------


def test_the_shorter_side_is_drawn_for_each_sample(tmp_path):
    """Between the two that are given, by the seed; other views of one photo."""
    MAKERS["plain"](tmp_path)
    palette, pairs = Palette.load("landscape"), find_pairs(tmp_path)[0]
    data = PairDataset(pairs, palette, (8, 8), scale=(8, 12), cache_bytes=10**6)
    assert data.sample(0).labels.shape == (8, 11)
    widths = {int((data[(0, seed)]["labels"] == 0).sum()) for seed in range(30)}
    assert len(widths) > 3
    again = data[(0, 7)]["image"]
    assert (data[(0, 7)]["image"] == again).all()


def test_a_street_is_scaled_whole(tmp_path):
    """Cityscapes at half its size needs no crop: a sample is all of it or its mirror image."""
    MAKERS["cityscapes"](tmp_path)
    size = (SIZE[0] // 2, SIZE[1] // 2)
    data = PairDataset(find_pairs(tmp_path)[0], Palette.load("cityscapes"), size, scale=size[0])
    images = {data[(0, seed)]["image"].numpy().tobytes() for seed in range(12)}
    assert len(images) == 2
