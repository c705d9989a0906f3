"""Picture files: PNG, JPEG, WebP and TIFF that know how they were made.

A picture carries its recipe (all settings, as JSON) and its layout (the label map as one of our
PNGs, and the whole palette), so that it can be made again from its file alone. In a PNG these are
text chunks; in the other formats the recipe is the image's description and the layout its comment.
"""

from __future__ import annotations

import base64
import io
import json
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from core.errors import InputError, OutputError
from core.files import atomic_path, writing
from core.labelmap import LabelMapError, encode_labels, open_image
from core.palette import Palette, PaletteError
from core.request import RECIPE_KEY, Layout
from core.tiff import COMMENT, DESCRIPTION, encode_tiff

LABELS_KEY = "sdm-studio:labels"  # text: the label map as base64 of an 8-bit palette PNG
PALETTE_KEY = "sdm-studio:palette-data"  # text: the palette of that map, as JSON
SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF"}
SUFFIXES[".tiff"] = "TIFF"
QUALITY = 92  # of JPEG and WebP; WebP is lossless at 100
EXIF_FOLDER = 0x8769  # the directory in which a camera's comment stands
UNICODE_MARK = b"ASCII\0\0\0"  # a comment begins with its character code
JPEG_ROOM = 60_000  # bytes of metadata that a JPEG has room for in one piece


class PictureError(InputError):
    """A picture file cannot be read."""


class Picture(NamedTuple):
    """What `read_picture` found in a file."""

    image: np.ndarray  # uint8 [H, W, 3]
    recipe: dict  # as `SampleRequest.recipe` gave it; empty for a picture that is not ours
    layout: Layout | None  # what it was made from, if the file carries that


def write_picture(
    path: str | Path,
    image: np.ndarray,
    recipe: dict,
    layout: Layout | None = None,
    quality: int = QUALITY,
) -> bool:
    """Write uint8 `[H, W, 3]` in the format of the name, with its recipe, whole or not at all.

    A TIFF has 16 bits a channel. quality: 1..100, of JPEG and WebP. Returns whether the file
    carries all that it was given: a JPEG leaves out a layout that is too long for it. Raises
    `OutputError` for a suffix that is none of `SUFFIXES`, or if the place cannot be written.
    """
    path = Path(path)
    kind = picture_format(path)
    data, whole = _encode(kind, image, recipe, layout, quality)
    with writing(path), atomic_path(path) as part:
        part.write_bytes(data)
    return whole


def picture_format(path: Path) -> str:
    """ "PNG", "JPEG", "WEBP" or "TIFF" by the suffix. Raises `OutputError` for another."""
    try:
        return SUFFIXES[path.suffix.lower()]
    except KeyError:
        known = ", ".join(SUFFIXES)
        raise OutputError(
            f"{path} does not say in which format to write; give a name that ends in {known}."
        ) from None


def encode_png(image: np.ndarray, recipe: dict, layout: Layout | None = None) -> bytes:
    """uint8 `[H, W, 3]` as a PNG that carries its recipe and layout."""
    data, _ = _encode("PNG", image, recipe, layout, QUALITY)
    return data


def _encode(
    kind: str, image: np.ndarray, recipe: dict, layout: Layout | None, quality: int
) -> tuple[bytes, bool]:
    """The file, and whether the layout is in it."""
    recipe_text = json.dumps(recipe)
    layout_texts = _layout_texts(layout) if layout is not None else {}
    whole = True
    if kind == "TIFF":
        return encode_tiff(image, recipe_text, _comment(layout_texts)), whole
    options: dict = {"quality": quality}
    if kind == "PNG":
        options = {"pnginfo": _chunks({RECIPE_KEY: recipe_text, **layout_texts})}
    else:
        room = JPEG_ROOM - len(recipe_text) if kind == "JPEG" else None
        comment = _comment(layout_texts, room)
        whole = bool(comment) or not layout_texts
        options["exif"] = _exif(recipe_text, comment)
    if kind == "WEBP":
        options |= {"lossless": quality == 100, "method": 4}
    if kind == "JPEG" and quality >= 90:
        options["subsampling"] = 0  # full colour: who asks for quality sees the red edges bleed
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue(), whole


def _layout_texts(layout: Layout) -> dict[str, str]:
    labels = encode_labels(layout.labels, layout.palette)
    return {
        LABELS_KEY: base64.b64encode(labels).decode("ascii"),
        PALETTE_KEY: json.dumps(layout.palette.to_dict()),
    }


def _chunks(texts: dict[str, str]) -> PngInfo:
    chunks = PngInfo()
    for key, text in texts.items():
        # Labels are compressed already, and Pillow reads no compressed text above a megabyte.
        chunks.add_text(key, text, zip=key == PALETTE_KEY)
    return chunks


def _exif(recipe: str, comment: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif[DESCRIPTION] = recipe
    if comment:
        exif.get_ifd(EXIF_FOLDER)[COMMENT] = comment
    return exif


def _comment(texts: dict[str, str], room: int | None = None) -> bytes:
    """The texts in one comment; none of them if they take more than `room` bytes."""
    if not texts:
        return b""
    packed = zlib.compress(json.dumps(texts).encode("ascii"), 9)
    comment = UNICODE_MARK + base64.b64encode(packed)
    return comment if room is None or len(comment) <= room else b""


# -- reading --------------------------------------------------------------------------------------


def read_picture(path: str | Path) -> Picture:
    """Open a picture or photo, with what it carries if it is one of ours.

    Raises `PictureError`, naming the file, if it is missing, damaged or too big.
    """
    try:
        image = open_image(path, exact=False)
    except LabelMapError as error:
        raise PictureError(str(error)) from error
    texts = _texts(image)
    pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    return Picture(pixels, _recipe(texts), _layout(Path(path), texts))


def _texts(image: Image.Image) -> dict[str, str]:
    """Everything that the file says about itself under our keys."""
    if image.format == "PNG" or RECIPE_KEY in image.info:
        return {key: text for key, text in image.info.items() if isinstance(text, str)}
    if image.format == "TIFF":
        tags = getattr(image, "tag_v2", {})
        description, comment = tags.get(DESCRIPTION), tags.get(COMMENT)
    else:
        exif = image.getexif()
        description, comment = exif.get(DESCRIPTION), exif.get_ifd(EXIF_FOLDER).get(COMMENT)
    texts = _unpack(comment) if isinstance(comment, bytes) else {}
    return texts | ({RECIPE_KEY: description} if isinstance(description, str) else {})


def _unpack(comment: bytes) -> dict[str, str]:
    """The inverse of `_comment`; empty for the comment of another program."""
    try:
        packed = base64.b64decode(comment.removeprefix(UNICODE_MARK), validate=True)
        inflate = zlib.decompressobj()
        texts = json.loads(inflate.decompress(packed, 1 << 27))  # a bomb ends as broken JSON
    except (ValueError, zlib.error):
        return {}
    return texts if isinstance(texts, dict) else {}


def _recipe(texts: dict[str, str]) -> dict:
    try:
        recipe = json.loads(texts.get(RECIPE_KEY, ""))
    except ValueError:  # a camera's own description
        return {}
    return recipe if isinstance(recipe, dict) and "sampler" in recipe else {}


def _layout(path: Path, texts: dict[str, str]) -> Layout | None:
    """The layout that the file carries. A picture is worth opening even if that part is broken."""
    try:
        data = base64.b64decode(texts[LABELS_KEY], validate=True)
        labels = np.asarray(open_image(path, data))
        return Layout(labels, _palette(path, texts))
    except (KeyError, ValueError):
        return None


def _palette(path: Path, texts: dict[str, str]) -> Palette:
    """The palette that the file carries; files of the first version name a bundled one."""
    if PALETTE_KEY in texts:
        return Palette.from_dict(json.loads(texts[PALETTE_KEY]), where=str(path))
    name = _recipe(texts).get("palette")
    if not isinstance(name, str):
        raise PaletteError(f"{path} does not say which palette it was painted with.")
    return Palette.load(name)
