"""A segmenter for measuring: which label does each pixel of a picture look like?

The network is a file that the caller names, trained on a vocabulary of its own; a CSV says which
label of our palette each of its classes means. Nothing of it is part of the product.
"""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

from core.errors import InputError
from core.files import file_digest
from core.palette import Palette
from core.segmenter_networks import ClassNetwork, open_network


class OutsideSegmenter:
    """Labels the pixels of pictures.

    membership: float32 `[classes, labels]`, 1 where class means label. identity: changes with the
    network and how it is used. Raises `InputError` if network and membership disagree about the
    number of classes, in the first picture at the latest.
    """

    def __init__(self, network: ClassNetwork, membership: np.ndarray, identity: str = "") -> None:
        self._network, self._membership = network, membership
        self.identity = identity and f"{identity} {membership.argmax(1).tolist()}"
        if network.classes is not None:
            self._check(network.classes)

    @property
    def tells(self) -> frozenset[int]:
        """The labels that some class of the network means: only these can ever be found."""
        return frozenset(np.flatnonzero(self._membership.any(0)).tolist())

    @classmethod
    def open(
        cls,
        network: Path,
        classes: Path,
        palette: Palette,
        threads: int = 1,
        size: tuple[int, int] | None = None,
        pixels: str | None = None,
    ) -> OutsideSegmenter:
        """Open a network (see `open_network`) and its table of classes (see `read_membership`).

        Raises `InputError` if a file cannot be used or what runs the network is not installed.
        """
        membership = read_membership(classes, palette)
        opened = open_network(network, threads, len(membership), size, pixels)
        return cls(opened, membership, f"{file_digest(network)} {size} {pixels}")

    def __call__(self, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The most likely label of each pixel, uint8 `[height, width]` = `size`.

        image: uint8 `[H, W, 3]`. Probabilities of classes that mean the same label add up, and are
        resized before the choice: at the network's own size the outlines would be stairs.
        """
        logits = self._network(image)
        self._check(logits.shape[-1])
        planes = label_shares(logits, self._membership)
        height, width = size
        resized = [cv2.resize(plane, (width, height)) for plane in planes]  # cv2 takes few channels
        return np.argmax(resized, axis=0).astype(np.uint8)

    def _check(self, classes: int) -> None:
        if classes != len(self._membership):
            raise InputError(
                f"The segmenter tells {classes} classes apart, but the table of its classes has "
                f"{len(self._membership)} rows. The two files do not belong together."
            )


def label_shares(logits: np.ndarray, membership: np.ndarray) -> np.ndarray:
    """Probabilities of labels, float32 `[labels, h, w]`: the softmax of `[h, w, classes]`, added up
    over the classes of a label."""
    height, width, classes = logits.shape
    rows = np.float32(logits).reshape(-1, classes)
    shares = np.exp(rows - rows.max(1, keepdims=True))
    sums = membership.T @ shares.T  # whole planes, as the resizing wants them
    sums /= shares.sum(1)
    return sums.reshape(-1, height, width)


def read_membership(path: Path, palette: Palette) -> np.ndarray:
    """Which label each class means: float32 `[classes, labels]` with a single 1 in each row.

    The CSV has a heading and the columns class id, class name, label id, label name; class ids run
    0..n-1 in order. Raises `InputError` if the file is something else, or if it and the palette
    disagree about a label.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file)][1:]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a table of classes: {error}.") from error
    if not rows:
        raise InputError(f"{path} has no classes in it.")
    labels = [_label_of(row, line, path, palette) for line, row in enumerate(rows)]
    return np.eye(len(palette), dtype=np.float32)[labels]


def _label_of(row: list[str], expected: int, path: Path, palette: Palette) -> int:
    where = f"{path}, line {expected + 2}"
    try:
        number, _, label, name = int(row[0]), row[1], int(row[2]), row[3]
    except (ValueError, IndexError):
        raise InputError(f"{where} is not: class id, its name, label id, its name.") from None
    if number != expected:
        raise InputError(f"{where} is class {number}, not {expected}: ids run 0..n-1 in order.")
    if not 0 <= label < len(palette) or palette[label].name != name:
        raise InputError(f"{where}: label {label} of palette {palette.name!r} is not {name!r}.")
    return label
