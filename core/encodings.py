"""The encodings of label images: how each dataset's files say which label a pixel has.

An image is looked at as codes, the numbers or colours that occur in it. An encoding says which
label each code is, and writes a label map in that way. `core.recognition` tells which one a file
has.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from core import ade_full
from core.errors import InputError
from core.files import atomic_path, writing
from core.labelmap import encode_labels, match_colors, to_color
from core.palette import Palette

CLEAR = 1 << 24  # the code of transparent pixels: behind all colours
NEAR = 60.0  # RGB distance, 0..441, up to which a colour may be meant for another
STRIP = 1 << 14  # colours that are compared at once
TRAIN_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


class EncodingError(InputError):
    """A label map cannot be written in an encoding."""


# -- an image as codes ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Codes:
    """An image as numbers: which occur, how often, and what each looks like.

    `[n]` is one entry per number that occurs.
    """

    map: np.ndarray  # unsigned integers [H, W]
    used: np.ndarray  # int [n], rising
    counts: np.ndarray  # int [n]: pixels of each
    rgb: np.ndarray  # uint8 [n, 3]: the colour of each
    values: np.ndarray | None  # int16 [n]: the value of each, -1 for transparent; None in colour
    colored: bool  # whether its colours may mean something
    blurred: bool  # from a JPEG: no value is exact
    called: tuple[str, ...] = ()  # [n]: what a file beside the image calls each; empty without one

    @classmethod
    def of(cls, image: Image.Image) -> Codes:
        """Look at an image in mode L, P, RGB or RGBA."""
        blurred = image.format == "JPEG"
        if image.mode in ("L", "P"):
            pixels = np.asarray(image)
            used, counts = _count(pixels)
            rgb = _entries(image)[used]
            return cls(pixels, used, counts, rgb, used.astype(np.int16), image.mode == "P", blurred)
        four = np.asarray(image.convert("RGBA"))
        codes = four.view("<u4")[..., 0] & 0xFFFFFF  # red in the lowest byte
        if image.mode == "RGBA":
            codes[four[..., 3] == 0] = CLEAR  # the colour of what is transparent means nothing
        used, counts = _count(codes)
        rgb = np.stack([used & 255, used >> 8 & 255, used >> 16 & 255], axis=1).astype(np.uint8)
        gray = bool((rgb == rgb[:, :1]).all())
        values = np.where(used == CLEAR, -1, rgb[:, 0]).astype(np.int16) if gray else None
        return cls(codes, used, counts, rgb, values, not gray, blurred)

    @property
    def clear(self) -> np.ndarray:
        """bool `[n]`: the code of transparent pixels."""
        return self.used == CLEAR

    def spread(self, per_code: np.ndarray, stride: int = 1) -> np.ndarray:
        """`[H, W]` from one value per code; of every `stride`-th row and column."""
        table = np.zeros(int(self.used[-1]) + 1, per_code.dtype)
        table[self.used] = per_code
        return table[self.map[::stride, ::stride]]


def _count(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The codes that occur, rising, and how often. Counts runs: a map has far fewer than pixels."""
    flat = codes.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(starts, append=flat.size)
    counts = np.bincount(flat[starts], lengths)
    used = np.flatnonzero(counts)
    return used, counts[used].astype(np.int64)


def _entries(image: Image.Image) -> np.ndarray:
    """uint8 `[256, 3]`: the colour of every value of a gray or indexed image."""
    if image.mode == "L":
        return np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    entries = np.zeros((256, 3), np.uint8)
    given = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    entries[: len(given)] = given
    return entries


# -- encodings ------------------------------------------------------------------------------------

Reader = Callable[[Codes, Palette], np.ndarray]  # int16 [n]: the id of every code, -1 for none
Writer = Callable[[np.ndarray, Palette], bytes]  # a label map as PNG


@dataclass(frozen=True)
class Encoding:
    """One way to write labels into an image.

    palette: the name of the only palette that has it; "" if any palette can be written so.
    by_value: it reads values rather than colours. trust: breaks a tie between encodings that place
    the same share. strict: hidden labels never occur in its files. named: what the dataset's file
    names have in them.
    """

    name: str
    title: str
    read: Reader = field(repr=False)
    write: Writer | None = field(repr=False, default=None)
    palette: str = ""
    by_value: bool = True
    trust: int = 0
    strict: bool = False
    named: str = ""

    def title_for(self, palette: Palette) -> str:
        """The title with the palette that it is read with."""
        return self.title.format(palette.title or palette.name)


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _read_ids(codes: Codes, palette: Palette) -> np.ndarray:
    return np.where(codes.values < len(palette), codes.values, -1)


def _write_ids(labels: np.ndarray, palette: Palette) -> bytes:
    return _png(labels)


def _read_raw(codes: Codes, palette: Palette) -> np.ndarray:
    return np.where(codes.values >= 0, palette.raw_to_id[codes.values], -1)


def _write_raw(labels: np.ndarray, palette: Palette) -> bytes:
    """The dataset's value for each label, the first if it has several."""
    raw = [c.raw[0] if c.raw else c.id for c in palette.classes]
    return _png(np.array(raw, np.uint8)[labels])


def _write_coco(labels: np.ndarray, palette: Palette) -> bytes:
    return _png(np.where(labels == palette.erase_id, np.uint8(255), labels))


def _read_train(codes: Codes, palette: Palette) -> np.ndarray:
    ids = np.full(256, -1, np.int16)
    ids[: len(TRAIN_IDS)] = TRAIN_IDS
    ids[255] = palette.erase_id
    return np.where(codes.values >= 0, ids[codes.values], -1)


def _write_train(labels: np.ndarray, palette: Palette) -> bytes:
    values = np.full(256, 255, np.uint8)
    values[list(TRAIN_IDS)] = np.arange(len(TRAIN_IDS))
    return _png(values[labels])


def exact_ids(codes: Codes, palette: Palette) -> np.ndarray:
    """int16 `[n]`: the id of every code whose colour is exactly one of the palette, else -1."""
    ids, known = match_colors(codes.rgb, palette)
    return np.where(known & ~codes.clear, ids.astype(np.int16), -1)


def _read_nearest(codes: Codes, palette: Palette) -> np.ndarray:
    ids, distance = nearest_colors(codes.rgb, palette)
    return np.where((distance <= NEAR) & ~codes.clear, ids, -1)


def _write_colors(labels: np.ndarray, palette: Palette) -> bytes:
    return _png(to_color(labels, palette))


def _read_red(codes: Codes, palette: Palette) -> np.ndarray:
    return np.where(codes.clear, -1, palette.raw_to_id[codes.rgb[:, 0]])


def _read_ade_full(codes: Codes, palette: Palette) -> np.ndarray:
    """By the names of its classes, which only a file beside the image knows."""
    names = codes.called or [""] * len(codes.used)
    places = [ade_full.place(name, palette) for name in names]
    ids = np.array([-1 if place is None else place for place in places], np.int16)
    ids[ade_full.class_numbers(codes.rgb) == 0] = palette.erase_id
    return np.where(codes.clear, -1, ids)


ENCODINGS = {
    encoding.name: encoding
    for encoding in (
        Encoding("own", "SDM Studio label map ({})", _read_ids, encode_labels, trust=9),
        Encoding(
            "ade20k",
            "ADE20K (0 other, 1–150)",
            _read_raw,
            _write_raw,
            "ade20k",
            named=r"^ade_(train|val)",
        ),
        Encoding(
            "ade20k_full",
            "ADE20K, full release (R ÷ 10 × 256 + G)",
            _read_ade_full,
            None,
            "ade20k",
            by_value=False,
            named=r"^ade_(train|val)_\d+_(seg|parts_\d+)\.",
        ),
        Encoding(
            "coco_stuff",
            "COCO-Stuff (id − 1, 255 unlabeled)",
            _read_raw,
            _write_coco,
            "coco_stuff",
            strict=True,
            named=r"^(coco_)?\d{12}|stuffthing",
        ),
        Encoding(
            "cityscapes_ids",
            "Cityscapes labelIds (0–33)",
            _read_raw,
            _write_raw,
            "cityscapes",
            named="labelids",
        ),
        Encoding(
            "cityscapes_train",
            "Cityscapes trainIds (0–18, 255 unlabeled)",
            _read_train,
            _write_train,
            "cityscapes",
            named="trainids",
        ),
        Encoding(
            "celebamask_hq",
            "CelebAMask-HQ (0–18)",
            _read_raw,
            _write_raw,
            "celebamask_hq",
            named="celeb",
        ),
        Encoding(
            "gaugan",
            "GauGAN demo (red byte is the COCO value)",
            _read_red,
            _write_colors,
            "coco_stuff",
            by_value=False,
            trust=-2,
            named="gaugan",
        ),
        Encoding("colors", "Colours of {}", exact_ids, _write_colors, by_value=False, trust=3),
        Encoding("ids", "Values are ids of {}", _read_ids, _write_ids, trust=-1),
        Encoding("nearest", "Nearest colours of {}", _read_nearest, by_value=False, trust=-3),
    )
}


def nearest_colors(rgb: np.ndarray, palette: Palette) -> tuple[np.ndarray, np.ndarray]:
    """For colours uint8 `[n, 3]`: the id int16 of the nearest visible label, and how far it is.

    Distances are Euclidean in RGB, float32, 0..441.
    """
    shown = [c for c in palette.classes if not c.hidden]
    ids = np.array([c.id for c in shown], np.int16)
    colors = np.array([c.color for c in shown], np.float32)
    best, distance = np.zeros(len(rgb), np.int16), np.zeros(len(rgb), np.float32)
    for start in range(0, len(rgb), STRIP):
        part = slice(start, start + STRIP)
        given = rgb[part].astype(np.float32)
        # |a - b|² = |a|² - 2ab + |b|²: whole numbers below 2^24, so float32 is exact.
        apart = (given**2).sum(axis=1)[:, None] - 2 * given @ colors.T + (colors**2).sum(axis=1)
        best[part], distance[part] = ids[apart.argmin(axis=1)], np.sqrt(apart.min(axis=1))
    return best, distance


# -- writing --------------------------------------------------------------------------------------


def writable(palette: Palette) -> list[Encoding]:
    """The encodings that a map of `palette` can be written in as it is."""
    return [e for e in ENCODINGS.values() if e.write and e.palette in ("", palette.name)]


def encode(labels: np.ndarray, palette: Palette, encoding: Encoding) -> bytes:
    """A label map, uint8 `[H, W]`, as PNG in `encoding`.

    Raises `EncodingError` if that encoding is of another palette or if the map has an id that the
    palette lacks.
    """
    if encoding not in writable(palette):
        wanted = f"the palette {encoding.palette!r}" if encoding.palette else "another encoding"
        raise EncodingError(
            f"A map of the palette {palette.name!r} cannot be written as "
            f"{encoding.title_for(palette)}. Convert it to {wanted} first."
        )
    highest = int(labels.max())
    if highest >= len(palette):
        raise EncodingError(
            f"The map has the id {highest}, but the palette {palette.name!r} ends at "
            f"{len(palette) - 1}. Choose the palette of the map."
        )
    return encoding.write(labels, palette)


def write(path: str | Path, labels: np.ndarray, palette: Palette, encoding: Encoding) -> None:
    """Write a label map into the PNG `path`, whole or not at all.

    Raises `EncodingError` as `encode`, and `OutputError` if the place cannot be written.
    """
    data = encode(labels, palette, encoding)
    path = Path(path)
    with writing(path), atomic_path(path) as part:
        part.write_bytes(data)
