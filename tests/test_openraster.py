"""OpenRaster: the order of the standard, the way back, and files that will not do."""

import io
import zipfile
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from core.errors import OutputError
from core.openraster import OpenRasterError, read_ora, write_ora
from core.palette import Palette

LANDSCAPE = Palette.load("landscape")


@pytest.fixture
def labels():
    labels = np.full((40, 60), 1, np.uint8)
    labels[20:] = 15
    labels[10:30, 5:25] = 3
    return labels


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def pixels(archive, name):
    return np.asarray(Image.open(io.BytesIO(archive.read(name))))


def test_the_file_is_laid_out_as_the_standard_asks(tmp_path, labels, picture):
    """mimetype first and stored, a stack, a merged picture and a thumbnail of at most 256."""
    write_ora(tmp_path / "scene.ora", labels, LANDSCAPE, picture)
    data = (tmp_path / "scene.ora").read_bytes()
    assert data[30:54] == b"mimetypeimage/openraster"
    with zipfile.ZipFile(tmp_path / "scene.ora") as archive:
        assert archive.testzip() is None
        stack = ElementTree.fromstring(archive.read("stack.xml"))
        assert (stack.tag, stack.get("w"), stack.get("h")) == ("image", "60", "40")
        assert [layer.get("name") for layer in stack.iter("layer")] == [
            "Picture",
            "sky",
            "mountain",
            "sea",
        ]
        assert np.array_equal(pixels(archive, "mergedimage.png"), picture)
        assert max(pixels(archive, "Thumbnails/thumbnail.png").shape[:2]) <= 256
        mountain = next(la for la in stack.iter("layer") if la.get("name") == "mountain")
        layer = pixels(archive, mountain.get("src"))
        assert (mountain.get("x"), mountain.get("y")) == ("5", "10")
        assert layer.shape == (20, 20, 4) and (layer == (*LANDSCAPE[3].color, 255)).all()


def test_it_comes_back(tmp_path, labels, picture, palette):
    """Labels, a palette of one's own and the picture are the same again."""
    small = (labels % 3).astype(np.uint8)
    write_ora(tmp_path / "scene.ora", small, palette, picture)
    found = read_ora(tmp_path / "scene.ora", LANDSCAPE)
    assert np.array_equal(found.labels, small) and found.palette == palette
    assert np.array_equal(found.picture, picture)
    assert found.unplaced == 0 and found.ignored == ()


def test_without_a_picture(tmp_path, labels):
    """The merged picture is the map in its colours."""
    write_ora(tmp_path / "scene.ora", labels, LANDSCAPE)
    with zipfile.ZipFile(tmp_path / "scene.ora") as archive:
        assert np.array_equal(pixels(archive, "mergedimage.png"), LANDSCAPE.colors[labels])
    assert read_ora(tmp_path / "scene.ora", LANDSCAPE).picture is None


def test_a_picture_of_another_size(tmp_path, labels):
    """The labels take the size of the picture, none is blended."""
    write_ora(tmp_path / "scene.ora", labels, LANDSCAPE, np.zeros((80, 120, 3), np.uint8))
    found = read_ora(tmp_path / "scene.ora", LANDSCAPE)
    assert np.array_equal(found.labels, labels.repeat(2, 0).repeat(2, 1))


def repacked(path, stack, **layers):
    """As another program saves it: no palette, layers as given."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "image/openraster")
        archive.writestr("stack.xml", stack)
        for name, layer in layers.items():
            buffer = io.BytesIO()
            Image.fromarray(layer).save(buffer, "PNG")
            archive.writestr(f"{name}.png", buffer.getvalue())
    return path


def test_layers_of_a_paint_program(tmp_path):
    """Names and synonyms count, soft edges are cut at half, a layer may hang over the canvas, and
    what is no label is told."""
    soft = np.zeros((4, 4, 4), np.uint8)
    soft[..., 3] = [[0, 127, 128, 255]] * 4
    whole = np.full((8, 8, 4), 255, np.uint8)
    stack = """<image w="8" h="8"><stack><layer name="notes" src="whole.png"/>
      <layer name="Ocean" src="soft.png" x="6" y="-2"/><stack>
      <layer name="sky" src="whole.png" y="1"/></stack></stack></image>"""
    path = repacked(tmp_path / "krita.ora", stack, soft=soft, whole=whole)
    found = read_ora(path, LANDSCAPE)
    expected = np.full((8, 8), 1, np.uint8)
    expected[0] = 0
    assert np.array_equal(found.labels, expected)  # the half-clear columns lie on the canvas
    assert found.unplaced == 8 / 64 and found.ignored == ("notes",)
    stack = stack.replace('x="6"', 'x="4"')
    found = read_ora(repacked(path, stack, soft=soft, whole=whole), LANDSCAPE)
    expected[:2, 6:] = 15
    assert np.array_equal(found.labels, expected)


@pytest.mark.parametrize(
    "stack, words",
    [
        ('<image w="8" h="8"><stack><layer name="a" src="a.png"/></stack></image>', "called as"),
        ('<image w="8" h="8"><stack/></image>', "called as"),
        ('<image w="99999" h="99999"><stack/></image>', "99999x99999"),
        ('<image w="x" h="8"><stack/></image>', "damaged"),
        ('<image w="8" h="8"><stack><layer name="sky" src="b.png"/></stack></image>', "damaged"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><image w="8" h="8"/>', "DOCTYPE"),
        ("<image", "damaged"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(tmp_path, stack, words):
    """Every refusal names the file and why."""
    path = repacked(tmp_path / "bad.ora", stack, a=np.zeros((8, 8, 4), np.uint8))
    with pytest.raises(OpenRasterError, match=words) as caught:
        read_ora(path, LANDSCAPE)
    assert "bad.ora" in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"PK\3\4 broken", b"x" * 1000])
def test_what_is_no_archive_is_refused_in_words(tmp_path, content):
    """Missing and damaged files are input errors."""
    if content is not None:
        (tmp_path / "bad.ora").write_bytes(content)
    with pytest.raises(OpenRasterError, match=r"bad\.ora"):
        read_ora(tmp_path / "bad.ora", LANDSCAPE)


def test_damaged_bytes_never_escape_as_other_errors(tmp_path, labels, picture):
    """Whatever is broken inside, the user reads a sentence."""
    write_ora(tmp_path / "scene.ora", labels, LANDSCAPE, picture)
    data = (tmp_path / "scene.ora").read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(60):
        broken = bytearray(data)
        for place in rng.integers(0, len(data), 12):
            broken[place] ^= int(rng.integers(1, 256))
        (tmp_path / "bad.ora").write_bytes(broken[: int(rng.integers(len(data) // 2, len(data)))])
        try:
            read_ora(tmp_path / "bad.ora", LANDSCAPE)
        except OpenRasterError:
            pass


def test_a_bad_place_is_named(tmp_path, labels):
    """A folder that is not there is an output error."""
    with pytest.raises(OutputError, match="nowhere"):
        write_ora(tmp_path / "nowhere" / "a.ora", labels, LANDSCAPE)
