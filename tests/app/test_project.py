"""Project files: what goes in comes out, and nothing is ever opened half."""

import json
import warnings
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from app.history import History
from app.project import Project, read_project, write_project
from app.session import Session
from app.shelf import Shelf
from app.writer import Writer
from core.errors import InputError
from core.request import Layout, Result, SampleRequest


@pytest.fixture
def shelf(tmp_path):
    shelf = Shelf(Session(tmp_path / "sessions"))
    yield shelf
    shelf.detach()


@pytest.fixture
def history(qapp, shelf):
    history = History(shelf, Writer(), 500 * 2**20)
    yield history
    history._writer.stop()


def picture(palette, seed=1, side=32, instances=None):
    labels = np.full((side, side), seed % 19, np.uint8)
    image = np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)
    layout = Layout(labels, palette, instances)
    return Result(image, SampleRequest(layout, seed=seed, guidance_scale=(1.0, 2.5)), 0.5, "fake")


def kept(history, *results):
    for result in results:
        history.keep(result)
    history.finish()
    return history.records


@pytest.fixture
def project(history, palette):
    """A project with two pictures, whose files lie in the session."""
    records = kept(history, picture(palette, 3), picture(palette, 4))
    labels = np.arange(64 * 48, dtype=np.uint32).reshape(48, 64).astype(np.uint8) % 19
    return Project(
        labels,
        palette,
        {"steps": 40, "seed": 77},
        {"tool": "fill", "diameter": 31},
        records[0].id,
        records,
        history.palettes,
    )


@pytest.fixture
def saved(project, shelf, tmp_path):
    path = tmp_path / "scene.sdms"
    write_project(path, project, shelf)
    return path


def test_what_goes_in_comes_out(project, saved):
    """Labels, palette, settings, pen and records are the same after a round trip."""
    found = read_project(saved)
    assert np.array_equal(found.labels, project.labels)
    assert found.palette == project.palette and found.palettes == project.palettes
    assert (found.generate, found.pen) == (project.generate, project.pen)
    assert (found.picture, found.records) == (project.picture, project.records)


def test_pictures_are_lossless(history, saved, palette, shelf):
    """A picture read from the project has every pixel and the whole request."""
    made = picture(palette, 4)
    shelf.session.discard()
    shelf.attach(saved)
    found = history.result(history.records[0])
    assert np.array_equal(found.image, made.image)
    assert np.array_equal(found.request.layout.labels, made.request.layout.labels)
    assert found.request.recipe("fake") == made.request.recipe("fake")
    assert found.request.layout.palette == palette and found.seconds == 0.5


def test_instances_are_kept(history, palette):
    """A layout with an instance map gives back every number, also large and negative ones."""
    instances = np.arange(32 * 32, dtype=np.int32).reshape(32, 32) * 1_000_003 - 70_000
    record = kept(history, picture(palette, instances=instances))[0]
    assert np.array_equal(history.result(record).request.layout.instances, instances)


def test_one_layout_is_stored_once(history, palette, saved, project, shelf, tmp_path):
    """Variations of one layout share its file."""
    result = picture(palette, 5)
    other = replace(result, request=result.request.single(6))
    records = kept(history, result, other)
    write_project(tmp_path / "b.sdms", replace(project, records=records), shelf)
    names = zipfile.ZipFile(tmp_path / "b.sdms").namelist()
    assert len([n for n in names if n.startswith("layouts/")]) == 3
    assert len([n for n in names if n.startswith("history/")]) == 8


def test_pictures_are_stored_not_packed_again(saved):
    """The bytes in the zip are the PNG's own: saving does not encode anything twice."""
    with zipfile.ZipFile(saved) as archive:
        kinds = {i.compress_type for i in archive.infolist() if i.filename.endswith(".png")}
    assert kinds == {zipfile.ZIP_STORED}


def test_a_failed_save_keeps_the_old_file(project, saved, shelf, monkeypatch):
    """A disk that is full in the middle leaves the old project, whole, and no part of the new."""
    before = saved.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(OSError):
        write_project(saved, project, shelf)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir() if p.is_file()] == ["scene.sdms"]


# -- files that will not do -----------------------------------------------------------------------


def rewritten(path, change=None, add=None, drop=None):
    """Write the project again with its index changed, files added or files left out."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    index = json.loads(files["project.json"])
    if change:
        change(index)
    files["project.json"] = json.dumps(index).encode()
    files.update(add or {})
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            if drop is None or drop not in name:
                archive.writestr(name, data)
    return path


def refused(path):
    with pytest.raises(InputError) as caught:
        read_project(path)
    sentence = str(caught.value)
    assert path.name in sentence and "Traceback" not in sentence and sentence.endswith(".")
    return sentence


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file(saved, share):
    """A file that was cut off is refused with a sentence, wherever the cut is."""
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * share)])
    assert "damaged or was cut off" in refused(saved)


def test_a_missing_file(tmp_path):
    """A file that is not there."""
    assert "no file" in refused(tmp_path / "none.sdms")


def test_every_flipped_byte_is_noticed_or_harmless(saved, project):
    """Damage anywhere in the scene's part is either refused or changes nothing of the scene."""
    data = saved.read_bytes()
    end = data.index(b"history/")
    for place in range(0, end, max(1, end // 60)):
        saved.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        try:
            found = read_project(saved)
        except InputError as error:
            assert saved.name in str(error)
        else:
            assert np.array_equal(found.labels, project.labels)


def test_a_newer_version(saved):
    """A project of a newer program names both versions."""
    rewritten(saved, lambda index: index.update(version=9))
    assert "version 9" in refused(saved) and "reads 1" in refused(saved)


@pytest.mark.parametrize("version", [None, "1", 0, -1, 1.5, True])
def test_no_version(saved, version):
    """A version that no program writes."""
    rewritten(saved, lambda index: index.update(version=version))
    if version is not True:  # JSON's true is Python's 1
        assert "version" in refused(saved)


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/etc/evil", "a/../../b", "C:\\evil", "history\\..\\x", "a/b:c"]
)
def test_names_that_would_leave_the_folder(saved, name):
    """Zip-slip names are refused, although nothing is ever written by a name of the file."""
    rewritten(saved, add={name: b"evil"})
    assert "name" in refused(saved)


def test_a_name_twice(saved):
    """Two files of one name would be read differently by different programs."""
    with warnings.catch_warnings(), zipfile.ZipFile(saved, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("labels.png", b"other")
    assert "twice" in refused(saved)


def test_a_bomb_in_the_zip(saved):
    """A small file that would unpack to more than any project is refused before it is unpacked."""
    with zipfile.ZipFile(saved) as archive:
        files = {n: archive.read(n) for n in archive.namelist() if n != "project.json"}
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("project.json", b" " * (2**26 + 1))
        for name, data in files.items():
            archive.writestr(name, data)
    assert saved.stat().st_size < 2**20 and "would take" in refused(saved)


def test_a_bomb_in_the_png(saved):
    """A label map that claims a hundred thousand pixels a side is not decoded."""
    with zipfile.ZipFile(saved) as archive:
        labels = bytearray(archive.read("labels.png"))
    labels[16:24] = (100_000).to_bytes(4, "big") * 2
    assert "too large" in refused(rewritten(saved, add={"labels.png": bytes(labels)}))


def test_ids_outside_the_palette(saved):
    """A map with an id that its palette does not have."""

    def shorten(index):
        index["palette"]["classes"] = index["palette"]["classes"][:10]

    assert "id 18" in refused(rewritten(saved, shorten))


@pytest.mark.parametrize("name", ["labels.png", "project.json", "thumb", "layouts/"])
def test_a_missing_part(saved, name):
    """A part that is left out is named."""
    assert "missing" in refused(rewritten(saved, drop=name))


@pytest.mark.parametrize("part", ["size", "palette", "generate", "history", "palettes", "picture"])
@pytest.mark.parametrize("value", [None, 7, "x", [1], {"a": 1}, [[]]])
def test_odd_parts(saved, part, value, project):
    """Whatever stands in the index, the answer is a sentence or a project."""
    rewritten(saved, lambda index: index.update({part: value}))
    try:
        assert np.array_equal(read_project(saved).labels, project.labels)
    except InputError as error:
        assert saved.name in str(error)


@pytest.mark.parametrize(
    ("entry", "value"),
    [("id", "../../x"), ("layout", "a"), ("labels", ["x"]), ("size", -1), ("starred", "yes")],
)
def test_odd_records(saved, entry, value):
    """A record that could name a file elsewhere, or makes no sense, is refused."""
    rewritten(saved, lambda index: index["history"][0].update({entry: value}))
    assert "record" in refused(saved)


def test_any_zip_is_not_a_project(tmp_path):
    """A zip of something else says so."""
    with zipfile.ZipFile(tmp_path / "a.sdms", "w") as archive:
        archive.writestr("project.json", '{"name": "other"}')
    assert "not a project" in refused(tmp_path / "a.sdms")
