"""Picture files: what goes in comes out, in every format."""

import base64
import json
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from core.errors import OutputError
from core.labelmap import encode_labels
from core.palette import Palette
from core.picture import LABELS_KEY, PictureError, read_picture, write_picture
from core.request import RECIPE_KEY, Layout, SampleRequest

LANDSCAPE = Palette.load("landscape")


@pytest.fixture
def image():
    """Soft shades, so that a lossy format comes close."""
    y, x = np.mgrid[:40, :56]
    return np.stack([y * 6, x * 4, (x + y) * 2], axis=2).astype(np.uint8)


@pytest.fixture
def layout(palette):
    labels = np.zeros((40, 56), np.uint8)
    labels[10:20, 30:50] = 2
    return Layout(labels, palette)


def recipe_of(layout, **settings):
    return SampleRequest(layout, seed=41, **settings).recipe("tiny")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".PNG"])
def test_every_format_keeps_recipe_and_layout(tmp_path, image, layout, suffix):
    """A picture can be made again from its file alone, palette and all, whatever its format."""
    path = tmp_path / f"picture{suffix}"
    write_picture(path, image, recipe_of(layout, guidance_scale=2.5), layout)
    found = read_picture(path)
    assert np.abs(found.image.astype(int) - image).max() <= (0 if "i" in suffix else 24)
    assert found.recipe == recipe_of(layout, guidance_scale=2.5)
    assert np.array_equal(found.layout.labels, layout.labels)
    assert found.layout.palette == layout.palette


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_lossless_formats_are_lossless(tmp_path, image, layout, suffix):
    """PNG and TIFF always, WebP at quality 100: every pixel comes back."""
    path = tmp_path / f"picture{suffix}"
    write_picture(path, image, recipe_of(layout), layout, quality=100)
    assert np.array_equal(read_picture(path).image, image)


def test_a_tiff_has_16_bits_for_any_reader(tmp_path, image, layout):
    """Another decoder sees 16-bit values that are exactly the 8-bit ones."""
    write_picture(tmp_path / "grade.tif", image, recipe_of(layout), layout)
    wide = cv2.imread(str(tmp_path / "grade.tif"), cv2.IMREAD_UNCHANGED)
    assert wide.dtype == np.uint16
    assert np.array_equal(wide[..., ::-1], image.astype(np.uint16) * 257)


def test_quality_makes_small_files(tmp_path, image, layout):
    """A lower quality is a smaller file."""
    sizes = []
    for quality in (20, 95):
        write_picture(tmp_path / "a.jpg", image, recipe_of(layout), quality=quality)
        sizes.append((tmp_path / "a.jpg").stat().st_size)
    assert sizes[0] < sizes[1]


def test_a_layout_too_long_for_a_jpeg_is_left_out(tmp_path, palette):
    """A JPEG with a layout of pure noise keeps the recipe and stays a good file."""
    noise = np.random.default_rng(0).integers(0, 3, (600, 800), np.uint8)
    layout = Layout(noise, palette)
    write_picture(tmp_path / "a.jpg", np.zeros((8, 8, 3), np.uint8), recipe_of(layout), layout)
    found = read_picture(tmp_path / "a.jpg")
    assert found.layout is None and found.recipe["seed"] == 41


def test_a_picture_of_the_first_version_opens(tmp_path, image):
    """Older files name their palette and carry their map without a tag."""
    labels = np.full((40, 56), 3, np.uint8)
    plain = Image.frombytes("P", (56, 40), labels.tobytes())
    plain.putpalette(LANDSCAPE.colors.tobytes())
    plain.save(tmp_path / "labels.png")
    chunks = PngInfo()
    chunks.add_text(RECIPE_KEY, json.dumps(recipe_of(Layout(labels, LANDSCAPE))))
    encoded = base64.b64encode((tmp_path / "labels.png").read_bytes()).decode()
    chunks.add_text(LABELS_KEY, encoded)
    Image.fromarray(image).save(tmp_path / "old.png", pnginfo=chunks)
    found = read_picture(tmp_path / "old.png")
    assert found.layout.palette == LANDSCAPE and (found.layout.labels == 3).all()


@pytest.mark.parametrize("text", ["", "not base64!", base64.b64encode(b"no image").decode()])
def test_a_broken_layout_does_not_hide_the_picture(tmp_path, image, layout, text):
    """What can be read is read."""
    chunks = PngInfo()
    chunks.add_text(RECIPE_KEY, json.dumps(recipe_of(layout)))
    chunks.add_text(LABELS_KEY, text)
    Image.fromarray(image).save(tmp_path / "odd.png", pnginfo=chunks)
    found = read_picture(tmp_path / "odd.png")
    assert found.layout is None and found.recipe["seed"] == 41


@pytest.mark.parametrize("comment", [b"", b"ASCII\0\0\0hello", b"\xff\xfe", zlib.compress(b"1")])
def test_a_photo_carries_nothing_of_ours(tmp_path, image, comment):
    """A camera's own description and comment are not taken for a recipe."""
    exif = Image.Exif()
    exif[270] = "Holiday 2024"
    exif.get_ifd(0x8769)[37510] = comment
    Image.fromarray(image).save(tmp_path / "photo.jpg", exif=exif)
    found = read_picture(tmp_path / "photo.jpg")
    assert found.recipe == {} and found.layout is None


def test_a_photo_stands_upright(tmp_path, image):
    """The camera's rotation is applied."""
    exif = Image.Exif()
    exif[274] = 6  # turn by 90 degrees
    Image.fromarray(image).save(tmp_path / "photo.jpg", exif=exif)
    assert read_picture(tmp_path / "photo.jpg").image.shape == (56, 40, 3)


@pytest.mark.parametrize("content", [None, b"", b"\x89PNG\r\n\x1a\n broken", b"\xff\xd8\xff\xe1"])
def test_what_is_no_picture_is_refused_in_words(tmp_path, content):
    """Missing and damaged files are named."""
    path = tmp_path / "picture.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PictureError, match=r"picture\.png"):
        read_picture(path)


def test_a_bad_place_or_name_is_refused_in_words(tmp_path, image, layout):
    """A missing folder and an unknown format are named, with the formats there are."""
    with pytest.raises(OutputError, match="nowhere"):
        write_picture(tmp_path / "nowhere" / "a.png", image, recipe_of(layout))
    with pytest.raises(OutputError, match=r"a\.psd.*\.webp"):
        write_picture(tmp_path / "a.psd", image, recipe_of(layout))
    assert list(tmp_path.iterdir()) == []


def test_a_saved_file_is_an_8_bit_map_inside(tmp_path, image, layout):
    """The embedded map is a label PNG that any tool can take out."""
    write_picture(tmp_path / "a.png", image, recipe_of(layout), layout)
    with Image.open(tmp_path / "a.png") as opened:
        assert base64.b64decode(opened.text[LABELS_KEY]) == encode_labels(
            layout.labels, layout.palette
        )
