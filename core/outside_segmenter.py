"""A segmenter for measuring: which label does each pixel of a picture look like?

The network is a TFLite file that the caller names, trained on a vocabulary of its own; a CSV says
which label of our palette each of its classes means. Nothing of it is part of the product.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from core.errors import InputError
from core.palette import Palette


class OutsideSegmenter:
    """Labels the pixels of pictures.

    interpreter: a TFLite interpreter with allocated tensors, from float32 `[1, H, W, 3]` in [-1, 1]
    to logits `[1, H', W', classes]`. membership: float32 `[classes, labels]`, 1 where class means
    label. Raises `InputError` if they disagree about the number of classes.
    """

    def __init__(self, interpreter: Any, membership: np.ndarray) -> None:
        self._interpreter, self._membership = interpreter, membership
        (self._input,) = interpreter.get_input_details()
        (self._output,) = interpreter.get_output_details()
        classes = int(self._output["shape"][-1])
        if classes != len(membership):
            raise InputError(
                f"The segmenter tells {classes} classes apart, but the table of its classes has "
                f"{len(membership)} rows. The two files do not belong together."
            )

    @property
    def tells(self) -> frozenset[int]:
        """The labels that some class of the network means: only these can ever be found."""
        return frozenset(np.flatnonzero(self._membership.any(0)).tolist())

    @classmethod
    def open(
        cls, network: Path, classes: Path, palette: Palette, threads: int = 1
    ) -> OutsideSegmenter:
        """Open a .tflite file and its table of classes (see `read_membership`).

        Raises `InputError` if a file cannot be used or the TFLite interpreter is not installed.
        """
        return cls(_open_interpreter(network, threads), read_membership(classes, palette))

    def __call__(self, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The most likely label of each pixel, uint8 `[height, width]` = `size`.

        image: uint8 `[H, W, 3]`. Probabilities of classes that mean the same label add up, and are
        resized before the choice: at the network's own size the outlines would be stairs.
        """
        probabilities = softmax(self._logits(image)) @ self._membership
        height, width = size
        planes = np.moveaxis(probabilities, -1, 0)  # one by one: cv2 takes 128 channels at most
        resized = [cv2.resize(plane, (width, height)) for plane in planes]
        return np.argmax(resized, axis=0).astype(np.uint8)

    def _logits(self, image: np.ndarray) -> np.ndarray:
        _, height, width, _ = (int(side) for side in self._input["shape"])
        # PIL's bicubic, antialiased where it shrinks: docs/evaluate.md has what other filters cost.
        resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
        pixels = np.asarray(resized, np.float32) / 127.5 - 1
        self._interpreter.set_tensor(self._input["index"], pixels[None])
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output["index"])[0]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis, float32."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


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


def _open_interpreter(path: Path, threads: int) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise InputError(
            "Measuring agreement needs the TFLite interpreter. Install it with "
            "`pip install ai-edge-litert` (it comes with the extra `eval`)."
        ) from None
    if not path.is_file():
        raise InputError(f"There is no segmenter {path}.")
    try:
        interpreter = Interpreter(str(path), num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path} is not a TFLite network: {error}.") from error
    return interpreter
