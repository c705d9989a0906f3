"""OpenRaster: a layout as a picture with one layer per label, for Krita, GIMP and back.

The stack has the picture on top, if there is one, and below it a group with a layer for each label
that occurs, called as the label. On the way back a layer's name is what counts: whatever is at
least half opaque in it has its label, the topmost first.
"""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from core.archive import DAMAGE as ZIP_DAMAGE
from core.archive import read_member
from core.conversion import label_counts
from core.errors import InputError, brief
from core.files import atomic_path, writing
from core.labelmap import (
    MAX_PIXELS,
    changed_box,
    nearest_resize,
    open_image,
    to_color,
)
from core.palette import Palette

MIME = "image/openraster"
PALETTE_ENTRY = "sdm-studio/palette.json"  # other programs drop it; then names must do
PICTURE_NAME = "Picture"
THUMBNAIL = 256  # pixels, the longer side, as the standard asks
MAX_LAYERS = 1024
MAX_ENTRY = 1 << 28  # bytes of one file inside: more is an attack, no layer
HALF = 128  # alpha from which a pixel belongs to a layer

# What the readers of zip, XML and JSON raise on a damaged file.
DAMAGE = (OSError, TypeError, LookupError, ET.ParseError, *ZIP_DAMAGE)


class OpenRasterError(InputError):
    """An OpenRaster file cannot be read."""


class OpenRaster(NamedTuple):
    """What `read_ora` found."""

    labels: np.ndarray  # uint8 [H, W], ids of `palette`
    palette: Palette
    picture: np.ndarray | None  # uint8 [H, W, 3]
    unplaced: float  # share of the pixels, 0..1, that no layer covers: now `erase_id`
    ignored: tuple[str, ...]  # names of layers that are no label's


# -- writing --------------------------------------------------------------------------------------


def write_ora(
    path: str | Path, labels: np.ndarray, palette: Palette, picture: np.ndarray | None = None
) -> None:
    """Write a label map, uint8 `[H, W]`, and its picture, uint8 `[h, w, 3]`, whole or not at all.

    If the picture has another size, the labels take it. Raises `OutputError` if the place cannot be
    written.
    """
    if picture is not None:
        labels = nearest_resize(labels, picture.shape[:2])
    path = Path(path)
    with writing(path), atomic_path(path) as part, zipfile.ZipFile(part, "w") as archive:
        archive.writestr("mimetype", MIME)  # first and stored: programs look at its bytes
        _write_entries(archive, labels, palette, picture)


def _write_entries(
    archive: zipfile.ZipFile, labels: np.ndarray, palette: Palette, picture: np.ndarray | None
) -> None:
    height, width = labels.shape
    image = ET.Element("image", version="0.0.3", w=str(width), h=str(height))
    stack = ET.SubElement(image, "stack")
    if picture is not None:
        _layer(archive, stack, PICTURE_NAME, "data/picture.png", picture, (0, 0))
    group = ET.SubElement(stack, "stack", name=f"Labels ({palette.name})")
    for label in np.flatnonzero(label_counts(labels)).tolist():
        where = labels == label
        box = changed_box(where, np.zeros_like(where))
        pixels = np.zeros((box.height, box.width, 4), np.uint8)
        pixels[where[box.slices]] = (*palette[label].color, 255)
        source = f"data/label{label:03}.png"
        _layer(archive, group, palette[label].name, source, pixels, (box.x, box.y))
    merged = to_color(labels, palette) if picture is None else picture
    small = Image.fromarray(merged)
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    archive.writestr("mergedimage.png", _png(merged))
    archive.writestr("Thumbnails/thumbnail.png", _png(np.asarray(small)))
    archive.writestr(PALETTE_ENTRY, json.dumps(palette.to_dict()), zipfile.ZIP_DEFLATED)
    archive.writestr("stack.xml", ET.tostring(image, "UTF-8", xml_declaration=True))


def _layer(
    archive: zipfile.ZipFile,
    parent: ET.Element,
    name: str,
    source: str,
    pixels: np.ndarray,
    at: tuple[int, int],
) -> None:
    x, y = (str(value) for value in at)
    ET.SubElement(parent, "layer", name=name, src=source, x=x, y=y, opacity="1.0")
    archive.writestr(source, _png(pixels))


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


# -- reading --------------------------------------------------------------------------------------


def read_ora(path: str | Path, palette: Palette) -> OpenRaster:
    """Open a layered picture whose layers are called as labels.

    palette: to read with if the file does not carry its own. Raises `OpenRasterError`, naming the
    file, if it is missing, damaged, too big, or has no layer with the name of a label.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_entries(path, archive, palette)
    except FileNotFoundError:
        raise OpenRasterError(f"There is no file {path}.") from None
    except InputError as error:
        raise OpenRasterError(str(error)) from error
    except DAMAGE as error:
        raise OpenRasterError(
            f"{path} cannot be read as OpenRaster, it may be damaged: {brief(error)}."
        ) from error


def _read_entries(path: Path, archive: zipfile.ZipFile, palette: Palette) -> OpenRaster:
    image = _parse(path, _entry(path, archive, "stack.xml"))
    width, height = (int(image.get(side, "0")) for side in ("w", "h"))
    if not 0 < width * height <= MAX_PIXELS or min(width, height) < 1:
        raise OpenRasterError(f"{path} is {width}x{height} pixels, which cannot be opened.")
    if PALETTE_ENTRY in archive.namelist():
        data = json.loads(_entry(path, archive, PALETTE_ENTRY))
        palette = Palette.from_dict(data, where=str(path))
    layers = [layer for layer in image.iter("layer") if layer.get("src")]
    if len(layers) > MAX_LAYERS:
        raise OpenRasterError(f"{path} has {len(layers)} layers; up to {MAX_LAYERS} can be read.")
    labels = np.full((height, width), palette.erase_id, np.uint8)
    covered = np.zeros((height, width), bool)
    picture, ignored = None, []
    for layer in reversed(layers):  # from the bottom: what is above is drawn over it
        name = layer.get("name", "")
        label = palette.find(name)
        if label is None and name != PICTURE_NAME:
            ignored.append(name)
            continue
        pixels = np.asarray(_decode(path, _entry(path, archive, layer.get("src"))))
        if label is None:
            picture = pixels[..., :3] if pixels.shape[:2] == (height, width) else None
            continue
        for at, part in _inside(layer, pixels, labels.shape):
            opaque = pixels[part][..., 3] >= HALF
            labels[at][opaque] = label
            covered[at] |= opaque
    if len(ignored) == len(layers) or not covered.any():
        raise OpenRasterError(
            f"{path} has no layer that is called as a label of the palette {palette.name!r}. "
            "Rename its layers, or choose another palette."
        )
    unplaced = 1.0 - float(covered.mean())
    return OpenRaster(labels, palette, picture, unplaced, tuple(reversed(ignored)))


def _entry(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > MAX_ENTRY:
        raise OpenRasterError(f"{path} has a part, {brief(name)}, that is too big to open.")
    return read_member(archive, name, MAX_ENTRY)


def _parse(path: Path, data: bytes) -> ET.Element:
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:  # no program writes them, bombs are made so
        raise OpenRasterError(f"{path} is not the OpenRaster of a paint program: it has a DOCTYPE.")
    return ET.fromstring(data)


def _decode(path: Path, data: bytes) -> Image.Image:
    return open_image(path, data, exact=False).convert("RGBA")


def _inside(
    layer: ET.Element, pixels: np.ndarray, shape: tuple[int, int]
) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Where the part of a layer that lies on the canvas is: there, and in the layer."""
    x, y = (round(float(layer.get(axis, "0"))) for axis in ("x", "y"))
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + pixels.shape[0], shape[0]), min(x + pixels.shape[1], shape[1])
    if top < bottom and left < right:
        there = slice(top, bottom), slice(left, right)
        yield there, (slice(top - y, bottom - y), slice(left - x, right - x))
