"""How datasets lie on disk, as a table: which folders hold photos, label maps and instances.

A tree is recognised by the folders that are there. What the numbers in its label maps mean is the
palette's business, so the loader never asks which dataset it has. Nothing is copied, and finding
the pairs opens no picture.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import InputError
from core.files import reason

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
TRAIN, VAL, TEST = "train", "val", "test"
SPLITS = (TRAIN, VAL, TEST)


class DatasetError(InputError):
    """A data folder or one of its pairs cannot be used."""


@dataclass(frozen=True)
class Pair:
    """Files of one photo: label map always, instance map where the folder has one.

    With `parts`, the label map is in several files, one mask a part: `labels` is then what their
    names begin with, and a part's file is LABELS_PART.png.
    """

    name: str
    image: Path
    labels: Path
    instances: Path | None = None
    parts: tuple[str, ...] = ()

    def part_file(self, part: str) -> Path:
        """The mask of one of the parts."""
        return self.labels.with_name(f"{self.labels.name}_{part}.png")

    @property
    def files(self) -> list[Path]:
        """All the files that are read for it."""
        labels = [self.part_file(part) for part in self.parts] or [self.labels]
        return [self.image, *labels, *([self.instances] if self.instances else [])]


@dataclass(frozen=True)
class Tree:
    """Where a dataset keeps what. The first of several folders that is there counts.

    `{split}` in a folder stands for the dataset's own word for a split. Files are found in folders
    below it too; the names of a pair agree but for what follows them (`image_end`, …).
    """

    name: str
    images: tuple[str, ...]
    labels: tuple[str, ...]
    instances: tuple[str, ...] = ()
    splits: Mapping[str, str] = field(default_factory=dict)  # train, val, test → its own words
    image_end: str = ""  # what follows the name in front of the suffix
    label_end: str = ""
    instance_end: str = ""
    skipped_ends: tuple[str, ...] = ()  # files beside label maps that are something else
    palette: str = ""  # of its label maps, if they are always the same
    ranges: Mapping[str, range] = field(default_factory=dict)  # splits of numbered photos
    parts: bool = False  # label maps are masks of one part each, NNNNN_PART.png

    def folder(self, root: Path, kind: tuple[str, ...], split: str) -> Path | None:
        """The folder of `kind` for a split; None if it is not there."""
        word = self.splits.get(split)
        if self.splits and word is None:
            return None
        folders = (root / one.format(split=word) for one in kind)
        return next((folder for folder in folders if folder.is_dir()), None)

    def has(self, root: Path, split: str) -> bool:
        """Whether both photos and label maps of a split are there."""
        both = (self.folder(root, kind, split) for kind in (self.images, self.labels))
        return all(folder is not None for folder in both)

    def splits_in(self, root: Path) -> list[str]:
        """The splits that are there."""
        known = self.splits or self.ranges or (TRAIN,)
        return [split for split in SPLITS if split in known and self.has(root, split)]

    def shown(self, split: str = TRAIN) -> str:
        """Its two folders, for people."""
        word = self.splits.get(split, split)
        return " and ".join(f"{kind[0].format(split=word)}/" for kind in (self.images, self.labels))


TREES = (
    Tree("plain", images=("images",), labels=("labels",), instances=("instances",)),
    Tree(
        "ade20k",
        images=("images/{split}",),
        labels=("annotations/{split}",),
        splits={TRAIN: "training", VAL: "validation"},
        palette="ade20k",
    ),
    Tree(
        "coco-stuff",
        images=("{split}_img",),
        labels=("{split}_label",),
        instances=("{split}_inst",),
        splits={TRAIN: "train", VAL: "val", TEST: "test"},
        palette="coco_stuff",
    ),
    Tree(
        "coco-maps",
        images=("images/{split}", "{split}"),
        labels=(
            "annotations/{split}",
            "stuffthingmaps/{split}",
            "stuffthingmaps_trainval2017/{split}",
        ),
        splits={TRAIN: "train2017", VAL: "val2017"},
        skipped_ends=("_labelTrainIds", "_instanceTrainIds"),
        palette="coco_stuff",
    ),
    Tree(
        "cityscapes",
        images=("leftImg8bit/{split}",),
        labels=("gtFine/{split}",),
        instances=("gtFine/{split}",),
        splits={TRAIN: "train", VAL: "val", TEST: "test"},
        image_end="_leftImg8bit",
        label_end="_gtFine_labelIds",
        instance_end="_gtFine_instanceIds",
        palette="cityscapes",
    ),
    Tree(
        "celebamask-hq",
        images=("CelebA-HQ-img",),
        labels=("CelebAMask-HQ-mask-anno",),
        ranges={TRAIN: range(28_000), VAL: range(28_000, 30_000)},
        palette="celebamask_hq",
        parts=True,
    ),
)
BY_NAME = {tree.name: tree for tree in TREES}


def recognise(root: Path, split: str = TRAIN) -> Tree:
    """The tree that a folder holds. Raises `DatasetError`, one sentence, if it holds none."""
    if not root.is_dir():
        raise DatasetError(f"{root} is no folder. Give the folder that holds the photos' folders.")
    found = [tree for tree in TREES if tree.splits_in(root)]
    if found:
        return next((tree for tree in found if tree.has(root, split)), found[0])
    below = [p for p in sorted(root.iterdir()) if p.is_dir()]
    inner = next((p for p in below if any(tree.splits_in(p) for tree in TREES)), None)
    if inner is not None:
        raise DatasetError(f"{root} holds no photos, but {inner} does. Give that folder.")
    for tree in reversed(TREES):  # the particular before the plain
        if any(tree.folder(root, kind, split) for kind in (tree.images, tree.labels)):
            _check_split(root, tree, split)
    known = ", ".join(tree.name for tree in TREES[1:])
    raise DatasetError(
        f"{root} holds no data: {TREES[0].shown(split)} with pictures are needed, or the folders "
        f"of one of {known} (docs/datasets.md)."
    )


@dataclass
class Scan:
    """What was found under a root. Paths are relative to it, as text with `/`.

    rows: (name, image, labels, instances or "", parts). folders: all that were looked through,
    with the times of their last change.
    """

    rows: list[tuple[str, str, str, str, tuple[str, ...]]]
    problems: list[str]
    folders: dict[str, int]

    def pairs(self, root: Path) -> list[Pair]:
        """The rows as pairs."""
        return [
            Pair(name, root / image, root / labels, root / inst if inst else None, tuple(parts))
            for name, image, labels, inst, parts in self.rows
        ]


def scan(root: Path, tree: Tree, split: str = TRAIN) -> Scan:
    """Find the pairs of a split by the names of their files; no file is opened.

    Raises `DatasetError` if a folder is missing or empty, or if no name has a partner.
    """
    _check_split(root, tree, split)
    image_folder, label_folder, instance_folder = (
        tree.folder(root, kind, split) for kind in (tree.images, tree.labels, tree.instances)
    )
    folders: dict[str, int] = {}
    images = _files(root, image_folder, tree.image_end, folders)
    labels = _files(root, label_folder, tree.label_end, folders, tree.skipped_ends)
    for found, folder, end in (
        (images, image_folder, tree.image_end),
        (labels, label_folder, tree.label_end),
    ):
        if not found:
            ending = f" whose names end in {end}" if end else ""
            raise DatasetError(
                f"{folder} has no pictures{ending}. A {tree.name} folder needs {tree.shown(split)}."
            )
    instances: dict[str, str] = {}
    if instance_folder is not None:
        instances = _files(root, instance_folder, tree.instance_end, folders)
    parts: dict[str, tuple[str, ...]] = {}
    if tree.parts:
        numbers = tree.ranges[split]
        labels, parts = _parts_of(labels, numbers)
        images = {n: path for name, path in images.items() if (n := _number(name, numbers))}
    names = sorted(images.keys() & labels.keys())
    if not names:
        raise DatasetError(
            f"No photo in {image_folder} has a label map of its name in {label_folder} ({split})."
        )
    rows = [(n, images[n], labels[n], instances.get(n, ""), parts.get(n, ())) for n in names]
    alone = [
        f"{root / these[name]} has no {what} in {folder}."
        for these, those, folder, what in (
            (images, labels, label_folder, "label map"),
            (labels, images, image_folder, "photo"),
        )
        for name in sorted(these.keys() - those.keys())
    ]
    return Scan(rows, alone, folders)


def _check_split(root: Path, tree: Tree, split: str) -> None:
    """Refuse a split that the tree does not know, or whose folders are not there."""
    if split not in (tree.splits or tree.ranges or (TRAIN,)):
        raise DatasetError(
            f"{root} is a {tree.name} folder, which has no split {split!r}. Leave --split out, or "
            "give the folder of that split."
        )
    for kind in (tree.images, tree.labels):
        if tree.folder(root, kind, split) is None:
            there = tree.splits_in(root)
            other = f" It has --split {there[0]}." if there else ""
            raise DatasetError(
                f"{root / kind[0].format(split=tree.splits.get(split))} is missing. A {tree.name} "
                f"folder needs {tree.shown(split)}.{other}"
            )


def _files(
    root: Path,
    folder: Path,
    end: str,
    folders: dict[str, int],
    skipped: tuple[str, ...] = (),
) -> dict[str, str]:
    """Name → path of the pictures in a folder and below it, paths relative to the root.

    The name is the path below the folder, without `end` and suffix.
    """
    start = folder.relative_to(root).as_posix()
    found = {}
    for path in _walk(root, start, folders):
        stem, suffix = os.path.splitext(path)
        if suffix.lower() in IMAGE_SUFFIXES and stem.endswith(end) and not stem.endswith(skipped):
            found[stem[len(start) + 1 : len(stem) - len(end)]] = path
    return found


def _walk(root: Path, folder: str, folders: dict[str, int]) -> Iterator[str]:
    """The files of a folder and of those below it; notes when each folder was changed last."""
    try:
        folders[folder] = os.stat(root / folder).st_mtime_ns
        with os.scandir(root / folder) as entries:
            listed = sorted((entry.name, entry.is_dir()) for entry in entries)
    except OSError as error:
        raise DatasetError(f"{root / folder} cannot be read: {reason(error)}.") from error
    for name, is_folder in listed:
        if is_folder:
            yield from _walk(root, f"{folder}/{name}", folders)
        elif not name.startswith("."):
            yield f"{folder}/{name}"


def _number(name: str, numbers: range) -> str:
    """The number that a name is, without zeros in front; "" if it is none of `numbers`."""
    last = name.rpartition("/")[2]
    return str(int(last)) if last.isascii() and last.isdigit() and int(last) in numbers else ""


def _parts_of(
    files: Mapping[str, str], numbers: range
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """From masks NNNNN_PART.png: number → what their paths begin with, and number → parts."""
    starts: dict[str, str] = {}
    parts: dict[str, list[str]] = {}
    for path in files.values():
        folder, _, name = os.path.splitext(path)[0].rpartition("/")
        digits, _, part = name.partition("_")
        number = _number(digits, numbers)
        if number and part:
            starts[number] = f"{folder}/{digits}"
            parts.setdefault(number, []).append(part)
    return starts, {number: tuple(found) for number, found in parts.items()}
