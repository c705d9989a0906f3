"""Miniature trees of the datasets, with the quirks of their files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (12, 16)  # height, width of every photo


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def photo(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


def halves(left: int, right: int, dtype: type = np.uint8) -> np.ndarray:
    """A label map of two values, side by side."""
    return np.repeat(np.array([[left, right]], dtype), SIZE[1] // 2, axis=1).repeat(SIZE[0], axis=0)


def ade20k(root: Path) -> None:
    """Values 1..150, and 0 where nothing is labelled."""
    for split in ("training", "validation"):
        for i in (1, 2):
            name = f"ADE_{split[:5]}_{i:08d}"
            write(root / "images" / split / f"{name}.jpg", photo(i))
            write(root / "annotations" / split / f"{name}.png", halves(0, 3))


def coco_stuff(root: Path) -> None:
    """As prepared for SPADE, with instance maps."""
    for split in ("train", "val"):
        for i in (9, 25):
            write(root / f"{split}_img" / f"{i:012d}.jpg", photo(i))
            write(root / f"{split}_label" / f"{i:012d}.png", halves(255, 105))
            write(root / f"{split}_inst" / f"{i:012d}.png", halves(0, 7))


def coco_maps(root: Path) -> None:
    """The pixel maps as they are distributed; beside them somebody's other encoding."""
    for split in ("train2017", "val2017"):
        for i in (9, 25):
            write(root / "images" / split / f"{i:012d}.jpg", photo(i))
            write(root / "annotations" / split / f"{i:012d}.png", halves(255, 181))
            write(root / "annotations" / split / f"{i:012d}_labelTrainIds.png", halves(0, 1))


def cityscapes(root: Path) -> None:
    """A folder a town; instance maps of 16 bits."""
    for split, town in (("train", "aachen"), ("train", "ulm"), ("val", "lindau")):
        name = f"{town}_000000_000019"
        truth = root / "gtFine" / split / town / f"{name}_gtFine"
        write(root / "leftImg8bit" / split / town / f"{name}_leftImg8bit.png", photo())
        write(Path(f"{truth}_labelIds.png"), halves(26, 26))
        write(Path(f"{truth}_instanceIds.png"), halves(26_000, 26_001, np.uint16))
        write(Path(f"{truth}_labelTrainIds.png"), halves(13, 13))
        write(Path(f"{truth}_color.png"), photo())
        Path(f"{truth}_polygons.json").write_text("{}")


def celebamask_hq(root: Path) -> None:
    """Photos twice as large as the masks, which overlap; the last photos are for validation."""
    for number in (0, 2001, 29_999):
        picture = photo(number).repeat(2, axis=0).repeat(2, axis=1)
        write(root / "CelebA-HQ-img" / f"{number}.jpg", picture)
        masks = root / "CelebAMask-HQ-mask-anno" / str(number // 2000)
        face, eye, hair = (np.zeros(SIZE, np.uint8) for _ in range(3))
        face[2:, :], eye[4:6, 2:4], hair[:3, :] = 255, 255, 255
        write(masks / f"{number:05d}_skin.png", face)
        write(masks / f"{number:05d}_hair.png", hair)
        write(masks / f"{number:05d}_l_eye.png", np.stack([eye] * 3, axis=2))


def plain(root: Path) -> None:
    for i in (1, 2):
        write(root / "images" / f"{i}.jpg", photo(i))
        write(root / "labels" / f"{i}.png", halves(0, 2))


MAKERS: dict[str, Callable[[Path], None]] = {
    "plain": plain,
    "ade20k": ade20k,
    "coco-stuff": coco_stuff,
    "coco-maps": coco_maps,
    "cityscapes": cityscapes,
    "celebamask-hq": celebamask_hq,
}
