"""Label maps: exact pixels under every tool, and files that come back as they went."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from core import files
from core.errors import InputError
from core.labelmap import (
    NO_BOX,
    Box,
    LabelMapError,
    changed_box,
    fill,
    from_color,
    instance_edges,
    nearest_resize,
    read_labels,
    stroke,
    tagged_palette,
    to_color,
    write_labels,
)
from core.palette import Palette, bundled_palettes

LANDSCAPE = Palette.load("landscape")
SHAPES = ("round", "square")


def blank(height: int = 40, width: int = 50) -> np.ndarray:
    return np.zeros((height, width), np.uint8)


def noise(palette: Palette, height: int = 40, width: int = 50) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, len(palette), (height, width), dtype=np.uint8)


# -- boxes ----------------------------------------------------------------------------------------


def test_a_box_indexes_its_pixels():
    """The slices of a box cut its rectangle out of an array."""
    assert blank()[Box(3, 4, 5, 6).slices].shape == (6, 5)


def test_union_ignores_empty_boxes():
    """A union holds both boxes, and an empty one adds nothing."""
    a, b = Box(1, 2, 3, 4), Box(10, 0, 2, 2)
    assert a.union(b) == b.union(a) == Box(1, 0, 11, 6)
    assert a.union(NO_BOX) == NO_BOX.union(a) == a == a.union(Box(90, 90, 0, 7))


def test_clip_keeps_what_is_on_the_map():
    """Clipping leaves the part on the map, or an empty box."""
    assert Box(-2, 35, 10, 10).clip((40, 50)) == Box(0, 35, 8, 5)
    assert Box(50, 0, 5, 5).clip((40, 50)) == NO_BOX
    assert Box(-9, 0, 5, 5).clip((40, 50)).empty


def test_changed_box_is_tight():
    """The changed box is the smallest rectangle around all differences."""
    before, after = blank(), blank()
    assert changed_box(before, after) == NO_BOX
    after[5, 7] = after[9, 8] = 1
    assert changed_box(before, after) == Box(7, 5, 2, 5)


# -- strokes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "diameter", "point", "count"),
    [
        ("round", 1, (10.5, 10.5), 1),
        ("round", 1, (10.0, 10.99), 1),
        ("round", 2, (10.0, 10.0), 4),
        ("round", 2, (10.5, 10.5), 5),
        ("round", 3, (10.5, 10.5), 9),
        ("round", 4, (10.0, 10.0), 12),
        ("round", 5, (10.5, 10.5), 21),
        ("round", 10, (20.0, 20.0), 80),
        ("square", 1, (10.2, 10.7), 1),
        ("square", 2, (10.5, 10.5), 4),
        ("square", 3, (10.1, 10.9), 9),
        ("square", 10, (20.0, 20.0), 100),
    ],
)
def test_a_click_paints_an_exact_number_of_pixels(shape, diameter, point, count):
    """A brush has the size that it says, at any position within a pixel."""
    labels = blank()
    stroke(labels, point, point, diameter, 7, shape)
    assert (labels == 7).sum() == count


def test_a_one_pixel_click_hits_the_pixel_under_it():
    """The smallest brush paints the pixel that the pointer is in."""
    for x, y in [(0.0, 0.0), (3.999, 7.001), (49.5, 39.5), (12.0, 5.5)]:
        labels = blank()
        stroke(labels, (x, y), (x, y), 1, 1)
        assert changed_box(blank(), labels) == Box(int(x), int(y), 1, 1)


def test_a_line_has_its_width_and_round_ends():
    """A level stroke of 4 px is 4 px high and as long as the way plus the brush."""
    labels = blank()
    box = stroke(labels, (10, 20), (30, 20), 4, 1)
    assert box == changed_box(blank(), labels) == Box(8, 18, 24, 4)
    assert (labels == 1).sum() == 20 * 4 + 12


def test_a_square_sweep_is_a_hexagon():
    """A square brush moved along a diagonal leaves the corners of its bounding box alone."""
    labels = blank()
    stroke(labels, (10, 10), (14, 14), 2, 1, "square")
    dabs = blank()
    for i in range(401):
        stroke(dabs, (10 + i / 100, 10 + i / 100), (10 + i / 100, 10 + i / 100), 2, 1, "square")
    assert (labels == dabs).all()
    assert labels.sum() == 16 and changed_box(blank(), labels) == Box(9, 9, 6, 6)


def test_a_thin_line_has_no_gaps():
    """A line of one pixel is 4-connected, so a fill cannot leak through it."""
    labels = blank()
    stroke(labels, (0.3, 3.1), (49.8, 36.6), 1, 1)
    fill(labels, (49.5, 0.5), 2)
    assert labels[39, 0] == 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("diameter", [1, 2, 3, 8, 15])
def test_a_chopped_stroke_equals_the_whole(shape, diameter):
    """However a way is cut into segments, and in either direction, the pixels are the same."""
    rng = np.random.default_rng(diameter)
    for _ in range(60):
        ends = np.round(rng.uniform(-10, 60, (2, 2)) * 4) / 4
        knots = [tuple(ends[0] + (ends[1] - ends[0]) * i / 8) for i in range(9)]
        whole, parts, back = blank(), blank(), blank()
        stroke(whole, knots[0], knots[-1], diameter, 1, shape)
        stroke(back, knots[-1], knots[0], diameter, 1, shape)
        for a, b in zip(knots, knots[1:], strict=False):
            stroke(parts, a, b, diameter, 1, shape)
        assert (whole == parts).all() and (whole == back).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_stroke_contains_its_dabs(shape):
    """Every click on the way lies within the stroke, and the stroke within its box."""
    rng = np.random.default_rng(1)
    for _ in range(40):
        (p0, p1), diameter = rng.uniform(0, 40, (2, 2)), int(rng.integers(1, 9))
        whole, dab, before = blank(), blank(), blank()
        box = stroke(whole, tuple(p0), tuple(p1), diameter, 1, shape)
        middle = tuple((p0 + p1) / 2)
        stroke(dab, middle, middle, diameter, 1, shape)
        assert (whole[dab == 1] == 1).all()
        assert box.union(changed_box(before, whole)) == box


@pytest.mark.parametrize("shape", SHAPES)
def test_a_wide_brush_in_strips_is_the_brush(shape, monkeypatch):
    """However few pixels are computed at once."""
    found = []
    for tile in (10**9, 1000, 1):
        monkeypatch.setattr("core.labelmap.TILE", tile)
        found.append(np.zeros((130, 140), np.uint8))
        stroke(found[-1], (40.3, 70.2), (75.8, 61.9), 90, 1, shape)
    assert found[0].any() and all(np.array_equal(found[0], one) for one in found[1:])


@pytest.mark.parametrize("shape", ["round", "square"])
def test_a_stroke_may_leave_the_map(shape):
    """Off the map nothing is painted, and a stroke that comes back paints on."""
    labels, big = blank(), blank(100, 110)
    assert stroke(labels, (-30, -30), (-20, 60), 9, 1, shape) == NO_BOX
    assert stroke(labels, (20, 60), (20, 46), 9, 1, shape) == NO_BOX
    assert not labels.any()
    stroke(labels, (-20, 10), (70, 45), 9, 1, shape)
    stroke(big, (10, 40), (100, 75), 9, 1, shape)
    assert (labels == big[30:70, 30:80]).all()


def test_a_stroke_never_makes_a_third_label():
    """Labels are exact: there are only those from before and the one that is painted."""
    labels = noise(LANDSCAPE) % 2 * 18
    stroke(labels, (3.3, 4.4), (44.1, 30.9), 11, 9)
    assert set(np.unique(labels)) == {0, 9, 18}


def test_a_stroke_touches_only_its_box():
    """Pixels outside of the returned rectangle are not even written."""
    labels = noise(LANDSCAPE)
    before = labels.copy()
    box = stroke(labels, (10, 10), (20, 14), 6, 3)
    before[box.slices] = labels[box.slices]
    assert (before == labels).all()


def test_a_stroke_can_spare_other_labels():
    """With `over`, only pixels of that label are painted."""
    labels = blank()
    labels[:, 25:] = 4
    stroke(labels, (10, 20), (40, 20), 10, 1, over=0)
    assert (labels[:, 25:] == 4).all() and (labels[:, :25] == 1).any()


def test_a_brush_has_at_least_one_pixel():
    """A brush of no size is a mistake of the caller."""
    with pytest.raises(ValueError, match="0"):
        stroke(blank(), (1, 1), (1, 1), 0, 1)


# -- fills -----------------------------------------------------------------------------------------


def test_a_fill_leaves_diagonal_neighbours():
    """A fill spreads over edges, not over corners."""
    labels = np.eye(5, dtype=np.uint8)
    assert fill(labels, (2.5, 2.5), 9) == Box(2, 2, 1, 1)
    assert (labels == 9).sum() == 1
    assert fill(labels, (4.5, 0.5), 8) == Box(1, 0, 4, 4)
    assert (labels == 8).sum() == 10 and labels[4, 0] == 0


def test_a_fill_everywhere_replaces_the_label():
    """Without `contiguous` the label is replaced in the whole map."""
    labels = np.eye(5, dtype=np.uint8)
    assert fill(labels, (2.5, 2.5), 9, contiguous=False) == Box(0, 0, 5, 5)
    assert (np.diag(labels) == 9).all() and (labels == 9).sum() == 5


def test_a_fill_of_nothing_is_empty():
    """A fill off the map, or with the label that is there, changes nothing."""
    labels = blank()
    for point, label in [((-0.1, 3), 5), ((3, 40), 5), ((50, 3), 5), ((3, 3), 0)]:
        assert fill(labels, point, label) == NO_BOX
    assert not labels.any()


def test_tools_work_on_a_part_of_a_map():
    """A view into a bigger map is painted in place, and nothing around it."""
    big = blank(20, 20)
    view = big[5:15, 5:15]
    fill(view, (1, 1), 3)
    stroke(view, (5, 5), (50, 5), 2, 4)
    assert (big != 0).sum() == 100 and (big == 4).sum() > 10


# -- views ----------------------------------------------------------------------------------------


def test_nearest_resize_takes_the_pixels_that_torch_takes():
    """Source pixel = floor(i * in / out) in single precision; no label is invented."""
    row = np.arange(7, dtype=np.uint8)[None]
    assert nearest_resize(row, (1, 4)).tolist() == [[0, 1, 3, 5]]
    assert nearest_resize(row, (2, 10)).tolist() == [[0, 0, 1, 2, 2, 3, 4, 4, 5, 6]] * 2
    # 3 * float32(41 / 41) is whole, 61 * float32(47 / 61) is not quite: torch gives 46, not 47.
    assert nearest_resize(np.arange(47)[None], (1, 61))[0, -1] == 46
    assert nearest_resize(row, (1, 7)).tolist() == row.tolist()


def test_nearest_resize_gives_a_copy():
    """The result shares no memory with the map."""
    labels = blank()
    nearest_resize(labels, labels.shape)[:] = 5
    assert not labels.any()


def test_instance_edges_mark_both_sides():
    """Both pixels of a differing pair are edges; the border of the map is none."""
    instances = np.zeros((4, 5), np.int32)
    instances[:, 3:] = 26001
    assert instance_edges(instances).astype(int).tolist() == [[0, 0, 1, 1, 0]] * 4
    assert (instance_edges(instances.T) == instance_edges(instances).T).all()
    assert not instance_edges(np.full((3, 3), 7)).any()


@pytest.mark.parametrize("name", bundled_palettes())
def test_colors_give_the_labels_back(name):
    """A map in a palette's colours is read back exactly."""
    palette = Palette.load(name)
    labels = noise(palette)
    rgb = to_color(labels, palette)
    assert (rgb.shape, rgb.dtype) == ((40, 50, 3), np.uint8)
    back, unplaced = from_color(rgb, palette)
    assert (back == labels).all() and back.dtype == np.uint8 and unplaced == 0


def test_colors_must_be_exact():
    """A colour one step off is no label: it is erased and counted."""
    rgb = to_color(np.full((4, 5), 3, np.uint8), LANDSCAPE)
    rgb[0, :] += 1
    labels, unplaced = from_color(rgb, LANDSCAPE)
    assert (labels[0] == 0).all() and (labels[1:] == 3).all() and unplaced == 0.25


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", bundled_palettes())
def test_our_own_file_comes_back(tmp_path, name):
    """A map saved with any palette is read back exactly, whatever the dataset's values are."""
    palette, path = Palette.load(name), tmp_path / "map.png"
    labels = noise(palette)
    write_labels(path, labels, palette)
    found = read_labels(path, palette)
    assert (found.labels == labels).all() and found[1:] == ("own", 0)
    assert tagged_palette(path) == name


def test_our_file_is_an_8_bit_palette_png(tmp_path):
    """Any program sees the palette's colours, and its indices are the ids."""
    write_labels(tmp_path / "map.png", noise(LANDSCAPE), LANDSCAPE)
    data = (tmp_path / "map.png").read_bytes()
    assert data[24:26] == b"\x08\x03"  # 8 bits, indexed
    with Image.open(tmp_path / "map.png") as image:
        assert (np.asarray(image) == noise(LANDSCAPE)).all()
        assert (np.asarray(image.convert("RGB")) == to_color(noise(LANDSCAPE), LANDSCAPE)).all()


def test_a_file_of_another_palette_is_not_guessed_at(tmp_path):
    """Our own file opens with its own palette only; the error names it."""
    write_labels(tmp_path / "map.png", blank(), Palette.load("ade20k"))
    with pytest.raises(LabelMapError, match=r"'ade20k', not 'landscape'"):
        read_labels(tmp_path / "map.png", LANDSCAPE)


@pytest.mark.parametrize("name", bundled_palettes())
@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
def test_dataset_values_become_ids(tmp_path, name, mode):
    """Gray, indexed and gray-as-RGB files hold the dataset's own values."""
    palette, path = Palette.load(name), tmp_path / "raw.png"
    values = np.flatnonzero(palette.raw_to_id >= 0).astype(np.uint8).reshape(1, -1)
    image = Image.fromarray(values)
    if mode == "P":
        image.putpalette(bytes(range(255, -1, -1)) * 3)
    (image.convert("RGB") if mode == "RGB" else image).save(path)
    found = read_labels(path, palette)
    assert (found.labels == palette.raw_to_id[values]).all() and found[1:] == ("raw", 0)
    assert tagged_palette(path) is None


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colors_become_ids(tmp_path, mode):
    """A colour-coded map is read by its colours, even if a program renumbered its indices."""
    palette, path = Palette.load("ade20k"), tmp_path / "color.png"
    labels = np.arange(150, dtype=np.uint8).reshape(10, 15)
    image = Image.fromarray(to_color(labels, palette)).convert(mode, palette=Image.Palette.ADAPTIVE)
    image.save(path)
    found = read_labels(path, palette)
    assert (found.labels == labels).all() and found[1:] == ("color", 0)


def test_unknown_values_are_erased_and_counted(tmp_path):
    """What the palette does not know becomes unlabeled, and the share is told."""
    values = np.array([[1, 2, 3, 200]], np.uint8)
    Image.fromarray(values).save(tmp_path / "raw.png")
    found = read_labels(tmp_path / "raw.png", Palette.load("ade20k"))
    assert found.labels.tolist() == [[0, 1, 2, 150]] and found.unplaced == 0.25


def test_transparent_pixels_are_unknown(tmp_path):
    """Where a drawing program saved nothing, there is no label, whatever colour is below."""
    rgb = to_color(np.full((4, 5), 3, np.uint8), LANDSCAPE)
    alpha = np.full((4, 5, 1), 255, np.uint8)
    alpha[0] = 0
    Image.fromarray(np.concatenate([rgb, alpha], axis=2)).save(tmp_path / "drawn.png")
    found = read_labels(tmp_path / "drawn.png", LANDSCAPE)
    assert (found.labels[0] == 0).all() and (found.labels[1:] == 3).all() and found.unplaced == 0.25


def test_gray_with_alpha_and_black_and_white(tmp_path):
    """Rare gray modes are read by their gray value."""
    Image.new("LA", (3, 2), (5, 255)).save(tmp_path / "la.png")
    Image.new("1", (3, 2), 0).save(tmp_path / "bit.png")
    assert (read_labels(tmp_path / "la.png", LANDSCAPE).labels == 5).all()
    assert (read_labels(tmp_path / "bit.png", LANDSCAPE).labels == 0).all()


def test_an_id_beyond_the_palette_in_our_own_file(tmp_path):
    """A file of ours that was written with a longer palette of that name loses only those ids."""
    longer = Palette("landscape", Palette.load("ade20k").classes)
    labels = np.array([[0, 18, 19]], np.uint8)
    write_labels(tmp_path / "map.png", labels, longer)
    found = read_labels(tmp_path / "map.png", LANDSCAPE)
    assert found.labels.tolist() == [[0, 18, 0]] and found.unplaced == pytest.approx(1 / 3)


def refused(path, words: str, palette: Palette = LANDSCAPE) -> None:
    """Reading `path` fails with a sentence that names the file and has `words` in it."""
    with pytest.raises(LabelMapError, match=words) as error:
        read_labels(path, palette)
    assert str(path) in str(error.value) and isinstance(error.value, InputError)


def test_a_missing_file_is_named(tmp_path):
    """A file that is not there is an input error."""
    refused(tmp_path / "none.png", "There is no file")


def test_a_folder_and_a_text_are_no_images(tmp_path):
    """What is not an image is refused in words."""
    refused(tmp_path, "cannot be read")
    (tmp_path / "notes.png").write_text("not a picture")
    refused(tmp_path / "notes.png", "not an image")
    (tmp_path / "empty.png").write_bytes(b"")
    refused(tmp_path / "empty.png", "not an image")


def test_a_truncated_file_is_refused_at_any_length(tmp_path):
    """A file that ends early never comes back as a map with a black rest."""
    write_labels(tmp_path / "map.png", noise(LANDSCAPE), LANDSCAPE)
    data = (tmp_path / "map.png").read_bytes()
    for length in range(0, len(data) - 12, 61):  # the last 12 bytes are only the end mark
        (tmp_path / "cut.png").write_bytes(data[:length])
        refused(tmp_path / "cut.png", "not an image|damaged")


def test_damaged_bytes_never_escape_as_other_errors(tmp_path):
    """Whatever a damaged file makes the decoder raise, the user reads a sentence."""
    write_labels(tmp_path / "map.png", noise(LANDSCAPE), LANDSCAPE)
    data, rng = (tmp_path / "map.png").read_bytes(), np.random.default_rng(0)
    for _ in range(60):
        broken = bytearray(data)
        for place in rng.integers(8, len(data), 3):
            broken[place] = rng.integers(0, 256)
        (tmp_path / "broken.png").write_bytes(broken)
        try:
            found = read_labels(tmp_path / "broken.png", LANDSCAPE)
        except LabelMapError:
            continue
        assert found.labels.max() < len(LANDSCAPE)


def test_a_photo_is_recognised(tmp_path):
    """An RGB picture with thousands of colours is called a photo."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (80, 80, 3), dtype=np.uint8)).save(tmp_path / "cat.png")
    refused(tmp_path / "cat.png", "looks like a photo")


def test_colors_of_another_palette_are_named(tmp_path):
    """A colour-coded map of another palette is refused with an example of a colour."""
    rgb = to_color(np.full((4, 4), 2, np.uint8), Palette.load("ade20k"))
    Image.fromarray(rgb).save(tmp_path / "ade.png")
    refused(tmp_path / "ade.png", "#06e6e6.*Choose the palette")


def test_values_of_another_palette_are_named(tmp_path):
    """A gray map whose values mostly mean nothing is refused with an example of a value."""
    Image.fromarray(np.full((4, 4), 77, np.uint8)).save(tmp_path / "gray.png")
    refused(tmp_path / "gray.png", "100%.*such as 77")


def test_a_jpeg_is_refused(tmp_path):
    """A format that blurs labels is refused, with the way out."""
    Image.fromarray(blank()).save(tmp_path / "map.jpg")
    refused(tmp_path / "map.jpg", "JPEG.*PNG")


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_more_than_8_bits_are_refused(tmp_path, dtype):
    """Values beyond a byte are no labels."""
    Image.fromarray(np.ones((4, 4), dtype)).save(tmp_path / "deep.tif")
    refused(tmp_path / "deep.tif", "more than 8 bits")


@pytest.mark.parametrize("side", [8001, 12000, 30000])
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, side):
    """A tiny file that claims too many pixels is refused by its header."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    (tmp_path / "bomb.png").write_bytes(data)
    refused(tmp_path / "bomb.png", "more than 64,000,000 pixels")


def test_an_id_that_the_palette_lacks_is_not_written(tmp_path):
    """A map with a foreign id is refused before the file is touched."""
    with pytest.raises(LabelMapError, match=r"map\.png.*id 19.*'landscape'"):
        write_labels(tmp_path / "map.png", np.full((2, 2), 19, np.uint8), LANDSCAPE)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch, broken):
    """If the disk gives up half way, the old map is there, and no scrap beside it."""
    path = tmp_path / "map.png"
    write_labels(path, blank(), LANDSCAPE)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, broken, full)
    with pytest.raises(LabelMapError, match=r"map\.png cannot be written: the disk is full"):
        write_labels(path, blank() + 1, LANDSCAPE)
    assert os.listdir(tmp_path) == ["map.png"]
    assert not read_labels(path, LANDSCAPE).labels.any()


def test_a_folder_that_is_missing_cannot_be_written_to(tmp_path):
    """Saving to a place that does not exist says so."""
    with pytest.raises(LabelMapError, match="no such file"):
        write_labels(tmp_path / "no" / "map.png", blank(), LANDSCAPE)


def test_saving_replaces_and_follows_links(tmp_path):
    """A second save replaces the first; a link keeps pointing at the file."""
    write_labels(tmp_path / "map.png", blank(), LANDSCAPE)
    (tmp_path / "link.png").symlink_to(tmp_path / "map.png")
    write_labels(tmp_path / "link.png", blank() + 2, LANDSCAPE)
    assert (read_labels(tmp_path / "map.png", LANDSCAPE).labels == 2).all()
    assert (tmp_path / "link.png").is_symlink()
