"""Everything that reads a file or a text from outside, as a table."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from core import ade_full, data_index
from core.checkpoint import Checkpoint
from core.convert import convert
from core.convert_spade import convert_spade, is_spade
from core.data_trees import TRAIN
from core.data_trees import recognise as recognise_tree
from core.dataset import check_pairs, read_pair
from core.feature_cache import _load as load_features
from core.findings import load_array
from core.fingerprint import fingerprint
from core.header import palette_of
from core.labelmap import read_labels, tagged_palette
from core.official import read_state as read_official
from core.opening import open_model
from core.openraster import read_ora
from core.palette import Palette
from core.picture import read_picture
from core.recipe import read_recipe
from core.recognition import recognise_file
from core.run_status import read_status
from core.training import read_state
from tests import trees
from tests.fuzz import mutations, seeds


@dataclass(frozen=True)
class Reader:
    """One way into the program.

    file: the name, below the case's folder, of what is changed. seeds: good files of it. read: gets
    the path, and whatever it asserts must hold of what is accepted. prepare: puts other files
    beside it, once. never_refuses: it gives what it can and has no error of its own. share: how
    many of a run's cases it gets, beside others.
    """

    name: str
    file: str
    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[Path], object]
    prepare: Callable[[Path], object] | None = None
    never_refuses: bool = False
    named: bool = True
    share: int = 10
    hostile: Callable[[], Sequence[bytes]] = tuple


# -- label maps and pictures ----------------------------------------------------------------------


def _read_labels(path: Path) -> None:
    found = read_labels(path, seeds.palette())
    assert found.labels.ndim == 2 and found.labels.max() < len(seeds.palette())
    tagged_palette(path)


def _recognise(path: Path) -> None:
    for guess in recognise_file(path, seeds.palette())[:2]:
        assert guess.labels.shape == guess.shape and guess.labels.max() < len(guess.palette)
        assert 0 <= guess.unplaced <= 1 and guess.why


def _read_picture(path: Path) -> None:
    from app.guiding.plain import from_recipe
    from app.restoring import request_of, settings_of
    from app.settings import GenerateSettings

    found = read_picture(path)
    assert found.image.ndim == 3 and found.image.dtype == np.uint8
    settings = settings_of(found.recipe, GenerateSettings())
    assert settings == settings.checked() and type(settings.steps) is int
    from_recipe(found.recipe, ())
    if found.layout is not None:
        request = request_of(found.recipe, found.layout)
        assert request is None or _usable(request)


def _usable(request) -> bool:
    """Whether an engine can be asked for it, and it can be written down again."""
    json.dumps(request.recipe("tiny"))
    height, width = request.size or request.layout.size
    whole = all(type(v) is int and v > 0 for v in (height, width))
    return whole and type(request.seed) is int and isinstance(request.steps, int | str)


def image_bombs() -> list[bytes]:
    """Small files that say they are huge, or become it."""
    plain = mutations.png_chunks(seeds.label_images()[0])

    def sized(width: int, height: int) -> bytes:
        head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + plain[0][1][8:]
        return mutations.png_of([(b"IHDR", head), *plain[1:]])

    bomb = mutations.text_bomb()
    texts = [
        (b"zTXt", b"sdm-studio:recipe\0\0" + bomb),
        (b"iTXt", b"sdm-studio:palette\0\1\0\0\0" + bomb),
        (b"iCCP", b"profile\0\0" + bomb),
    ]
    swollen = [(k, bomb if k == b"IDAT" else c) for k, c in plain]
    return [
        sized(2**31 - 1, 2**31 - 1),
        sized(1_000_000, 64),
        sized(8000, 8000),
        sized(0, 5),
        mutations.png_of(swollen),
        *(mutations.png_of([plain[0], text, *plain[1:]]) for text in texts),
        mutations.png_of([plain[0], *texts[:1] * 90, *plain[1:]]),
    ]


# -- palettes, recipes, prompts -------------------------------------------------------------------


def _load_palette(path: Path) -> None:
    found = Palette.load(path)
    assert found.colors.shape == (len(found), 3) and found.raw_to_id.max() < len(found)
    found.find("ground"), found.search("o"), found.flip_ids
    assert Palette.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def _prompt(path: Path) -> None:
    vocabulary, text = seeds.vocabulary(), path.read_bytes().decode("utf-8", "replace")
    vocabulary.unknown(text), vocabulary.complete(text)
    vocabulary.read(text)


# -- weights --------------------------------------------------------------------------------------


def _open_checkpoint(path: Path) -> None:
    checkpoint = Checkpoint.open(path)
    parts = [checkpoint.load_unet] if checkpoint.spec else []
    parts += [checkpoint.load_autoencoder] if checkpoint.spec or checkpoint.autoencoder else []
    parts += [checkpoint.load_segmenter] if checkpoint.segmenter else []
    parts += [checkpoint.load_guidance] if checkpoint.guidance else []
    parts += [checkpoint.load_spade] if checkpoint.spade else []
    for load in parts:
        network = load()
        assert network is None or all(v.isfinite().all() for v in network.state_dict().values())
    if checkpoint.spec or checkpoint.spade:
        assert open_model(path, "cpu", "float32").info.palette == checkpoint.palette
    assert all(side > 0 for side in checkpoint.picture_size)


def _convert(path: Path) -> None:
    state = read_official(path)
    fields = {k: v for k, v in seeds.FIELDS.items() if k != "num_classes"}
    out = path.with_name("out.safetensors")
    if is_spade(state):
        mine, fields = seeds.palette(), seeds.SPADE_FIELDS
        convert_spade(path, out, mine, fields=fields, state=state).load_spade()
    else:
        convert(path, out, seeds.palette(), fields, state=state).load_unet()


def _hostile_official() -> list[bytes]:
    """Pickles with code: bare, and as the heart of a file of `torch.save`."""
    whole = mutations.zip_members(seeds.official_files()[0])
    found = [seeds.official_spade(), *mutations.hostile_pickles()]
    for code in mutations.hostile_pickles():
        members = [(i, code if i.filename.endswith(".pkl") else c) for i, c in whole]
        found.append(mutations.zip_of(members))
    return found


def _resume(path: Path) -> None:
    read_state(path)
    seeds.small_run().load(path, {"stage": "diffusion", "palette": seeds.palette().to_dict()})


def huge_headers() -> list[bytes]:
    """safetensors files that say they hold more than any machine can."""
    good = seeds.checkpoints()[0]
    length = int.from_bytes(good[:8], "little")
    header, body = json.loads(good[8 : 8 + length]), good[8 + length :]
    name = next(key for key in header if key != "__metadata__")
    found = []
    for shape in ([2**40], [2**31, 2**31], [2**62, 4], [0] * 64, [1] * 100_000):
        changed = {**header, name: {**header[name], "shape": shape}}
        found.append(_safetensors(changed, body))
    ours = json.loads(header["__metadata__"]["sdm-studio"])
    for field, value in (
        ("model_channels", 10**9),
        ("num_res_blocks", 10**9),
        ("num_classes", 2**40),
        ("channel_mult", [1] * 100_000),
        ("spade_hidden", -1),
        ("image_size", 0),
        ("aspect_ratio", float("nan")),
        ("attention_resolutions", [0]),
        ("num_head_channels", 0),
        ("model_channels", "16"),
    ):
        changed = {**ours, "spec": {**ours["spec"], field: value}}
        text = {"__metadata__": {"sdm-studio": json.dumps(changed)}}
        found.append(_safetensors({**header, **text}, body))
    return [
        *found,
        seeds.spade_checkpoint(),
        (2**63).to_bytes(8, "little") + good[8:],
        b"\xff" * 64,
        b"{" * 64,
    ]


def _safetensors(header: dict, body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


# -- documents ------------------------------------------------------------------------------------


def _open_project(path: Path) -> None:
    """All that opening does before the window's objects take it over, and every picture."""
    from zipfile import ZipFile

    from app.history import read_result
    from app.label_controls import from_plain
    from app.pen import Pen
    from app.scene_file import _fill_hand, _settings, read_document
    from app.settings import GenerateSettings
    from app.shelf import Shelf
    from core.errors import InputError

    document = read_document(path, seeds.palette())
    project = document.project
    settings = _settings(project.generate, GenerateSettings())
    assert settings == settings.checked()
    from_plain(project.controls)
    _fill_hand(Pen(project.palette), project.pen)
    if document.is_map:
        return
    with ZipFile(path) as archive:
        for record in project.records:
            try:
                found = read_result(record, project.palettes, _shelf_of(archive, Shelf).read)
            except InputError:
                continue  # told when the picture is wanted
            assert record.caption and _usable(found.request)


def _shelf_of(archive, kind):
    from app.session import Session

    shelf = kind(Session(Path(os.devnull)))
    shelf._archive = archive
    return shelf


def zip_bombs(good: Callable[[], Sequence[bytes]]) -> Callable[[], list[bytes]]:
    """Each member in turn as a gigabyte in a megabyte, told or not; and names that lead outside."""

    def make() -> list[bytes]:
        members = mutations.zip_members(good()[0])
        found = [
            mutations.zip_with_bomb(members, at, lying)
            for at in range(len(members))
            for lying in (False, True)
        ]
        for name in mutations.NAMES:
            info = mutations._renamed(members[0][0], name)
            try:
                found.append(mutations.zip_of([*members, (info, b"outside")]))
            except (ValueError, UnicodeEncodeError):
                continue
        return found

    return make


# -- data sets ------------------------------------------------------------------------------------


def _tree(kind: str, file: str, colors: str) -> Reader:
    """A data folder of which one file is damaged."""

    @cache
    def good() -> list[bytes]:
        with tempfile.TemporaryDirectory() as folder:
            trees.MAKERS[kind](Path(folder))
            return [(Path(folder) / file).read_bytes(), *seeds.label_images()[:10]]

    def read(path: Path) -> None:
        root = path
        for _ in Path(file).parts:
            root = root.parent
        mine = Palette.load(colors)
        pairs = data_index.indexed(root, recognise_tree(root), TRAIN).pairs(root)
        for pair in pairs:
            sample = read_pair(pair, mine)
            assert sample.labels.shape == sample.image.shape[:2]
            assert sample.labels.max() < len(mine)

    where = "label map" if "label" in file or "annot" in file else "photo"
    where = "mask" if kind == "celebamask-hq" else "instances" if "instance" in file else where
    return Reader(f"data set: {kind}, {where}", file, good, read, trees.MAKERS[kind], share=4)


def _read_index(path: Path) -> None:
    """The kept index of a folder, which may be anybody's leftovers."""
    root = path.parent / "photos"
    tree, mine = recognise_tree(root), Palette.load("landscape")
    kept = data_index.cache_folder() / f"index-{data_index._key(root.resolve(), tree.name, TRAIN)}"
    checked = data_index.Checked(root, mine).path
    kept.parent.mkdir(parents=True, exist_ok=True)
    for place in (kept.with_suffix(".json"), checked):
        place.write_bytes(path.read_bytes())
    pairs = data_index.indexed(root, tree, TRAIN).pairs(root)
    assert all(file.is_relative_to(root) for pair in pairs for file in pair.files)
    check_pairs(pairs, mine, known=data_index.Checked(root, mine))


def _photos_from_long_ago(folder: Path) -> None:
    """A folder that has not changed since its index was made."""
    trees.plain(folder / "photos")
    for part in ("images", "labels"):
        os.utime(folder / "photos" / part, (0, 0))


@cache
def _indexes() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        _photos_from_long_ago(Path(folder))
        root = Path(folder) / "photos"
        found = vars(data_index.scan(root, recognise_tree(root)))
    kept = {"format": data_index.FORMAT, "stamps": {"1": "0123456789abcdef"}, **found}
    return [json.dumps(kept).encode()]


def _names_beside(path: Path) -> None:
    picture = path.with_name("ADE_train_00000001_seg.png")
    rgb = np.array([[0, 1, 1], [0, 2, 2], [10, 3, 3]], np.uint8)
    names = ade_full.names_beside(picture, rgb)
    assert all(isinstance(name, str) for name in names)
    for name in names:
        ade_full.place(name, seeds.palette())
    recognise_file(picture, seeds.palette())


def _put_ade(folder: Path) -> None:
    (folder / "ADE_train_00000001_seg.png").write_bytes(seeds.label_images()[9])


# -- what the program keeps for itself ------------------------------------------------------------


def _settings_file(path: Path) -> None:
    from app.settings import THEMES, Store

    store = Store(path)
    settings = store.generate()
    assert settings == settings.checked() and type(settings.steps) is int
    assert store.theme in THEMES and store.history_limit > 0
    store.keys(), store.pins("tiny"), store.prompts(), store.recent(), store.window()
    store.welcomed, store.pressure, store.folder("set"), store.flag("contours")


def _status(path: Path) -> None:
    found = read_status(path.parent)
    if found is not None:
        assert isinstance(found.state, str) and isinstance(found.alive(0.0), bool)
        assert all(isinstance(word, str) for word in found.words)
        assert f"{found.step:d} {found.steps:d} {found.rate:.1f} {found.text}"


def _log(path: Path) -> None:
    from app.training.loss_curve import read_losses, smoothed
    from core.run_folder import RunFolder

    points = read_losses(path)
    assert all(isinstance(step, int) for step, _ in points)
    smoothed(points)
    (path.parent / "state.safetensors").touch()
    RunFolder(path.parent, resume=True).forget_after(2)


def _array(path: Path) -> None:
    for found in (load_array(path), load_features(path, 3)):
        assert found is None or found.dtype != object


READERS = (
    Reader("label map", "map.png", seeds.label_images, _read_labels, share=24, hostile=image_bombs),
    Reader(
        "label map to import",
        "map.png",
        seeds.label_images,
        _recognise,
        share=12,
        hostile=image_bombs,
    ),
    Reader(
        "full ADE20K, names beside",
        "ADE_train_00000001.json",
        lambda: [seeds.NOTES_JSON],
        _names_beside,
        _put_ade,
        share=4,
    ),
    Reader(
        "full ADE20K, notes beside",
        "ADE_train_00000001_atr.txt",
        lambda: [seeds.NOTES_TEXT],
        _names_beside,
        _put_ade,
        share=4,
    ),
    Reader(
        "picture with recipe",
        "picture.png",
        seeds.pictures,
        _read_picture,
        share=24,
        hostile=image_bombs,
    ),
    Reader("palette", "mine.toml", seeds.palette_files, _load_palette, share=16),
    Reader(
        "checkpoint",
        "model.safetensors",
        seeds.checkpoints,
        _open_checkpoint,
        share=24,
        hostile=huge_headers,
    ),
    Reader("checkpoint's palette", "model.safetensors", seeds.checkpoints, palette_of, share=4),
    Reader("checkpoint's tensors", "model.safetensors", seeds.checkpoints, fingerprint, share=4),
    Reader(
        "official .pt, .pth",
        "theirs.pt",
        seeds.official_files,
        _convert,
        share=16,
        hostile=_hostile_official,
    ),
    Reader(
        "project",
        "scene.sdms",
        seeds.projects,
        _open_project,
        share=24,
        hostile=zip_bombs(seeds.projects),
    ),
    Reader(
        "OpenRaster",
        "scene.ora",
        seeds.layered,
        lambda path: read_ora(path, seeds.palette()),
        share=12,
        hostile=zip_bombs(seeds.layered),
    ),
    Reader(
        "training recipe",
        "mine.toml",
        lambda: seeds.RECIPE_FILES,
        lambda path: read_recipe(path, seeds.OPTIONS),
        share=8,
    ),
    Reader("prompt", "prompt.txt", lambda: seeds.PROMPTS, _prompt, named=False, share=12),
    _tree("plain", "images/1.jpg", "landscape"),
    _tree("plain", "labels/1.png", "landscape"),
    _tree("ade20k", "annotations/training/ADE_train_00000001.png", "ade20k"),
    _tree(
        "cityscapes",
        "gtFine/train/aachen/aachen_000000_000019_gtFine_instanceIds.png",
        "cityscapes",
    ),
    _tree("celebamask-hq", "CelebAMask-HQ-mask-anno/0/00000_skin.png", "celebamask_hq"),
    Reader(
        "data set's kept index",
        "index.json",
        _indexes,
        _read_index,
        _photos_from_long_ago,
        never_refuses=True,
        share=4,
    ),
    Reader("training state", "state.safetensors", seeds.states, _resume, share=6),
    Reader(
        "status of a run",
        "status.json",
        lambda: [seeds.STATUS],
        _status,
        never_refuses=True,
        share=8,
    ),
    Reader("losses of a run", "log.csv", lambda: [seeds.LOG], _log, share=8),
    Reader(
        "kept features",
        "found.npz",
        seeds.arrays,
        _array,
        never_refuses=True,
        share=8,
        hostile=zip_bombs(seeds.arrays),
    ),
    Reader(
        "settings",
        "settings.ini",
        lambda: [seeds.SETTINGS],
        _settings_file,
        never_refuses=True,
        share=8,
    ),
)
