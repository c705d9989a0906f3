"""Label maps: painting on them, comparing them, and their files.

A label map is uint8 `[H, W]`, one id of a palette per pixel. Data is ids, colour is only a view:
nothing here ever blends two labels. Positions are floats `(x, y)` in pixels with the origin at the
top left corner of the map, so pixel `[i, j]` covers `j <= x < j + 1`, `i <= y < i + 1`.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
from PIL import Image, PngImagePlugin

from core.errors import InputError
from core.files import atomic_path, unwritable
from core.palette import Palette, hex_color

TAG = "sdm-studio:palette"  # PNG text: this file's values are ids of the palette of this name
MAX_PIXELS = 64_000_000
MAX_FLAT_COLORS = 4096  # a picture with more colours than this is a photo, not a colour-coded map
# JPEG only to be refused by name; TIFF and WebP last: for them Pillow loads all that it can read.
FORMATS = ("PNG", "BMP", "GIF", "PPM", "JPEG", "TIFF", "WEBP")
TIE = 1e-6  # pixels: keeps a centre exactly on a brush's rim on one side, whatever the rounding
TILE = 2**14  # pixels that a wide brush computes at once: what it needs for them stays in the cache

Point = tuple[float, float]
Shape = Literal["round", "square"]


class LabelMapError(InputError):
    """A label map cannot be read or written."""


# -- boxes ----------------------------------------------------------------------------------------


class Box(NamedTuple):
    """A rectangle of whole pixels; empty if it has no width or no height."""

    x: int
    y: int
    width: int
    height: int

    @property
    def empty(self) -> bool:
        """True if the box holds no pixel."""
        return self.width <= 0 or self.height <= 0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the box in an array `[H, W, ...]`."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    def union(self, other: Box) -> Box:
        """The smallest box around both; an empty one adds nothing."""
        if self.empty or other.empty:
            return other if self.empty else self
        return between(
            min(self.x, other.x),
            min(self.y, other.y),
            max(self.x + self.width, other.x + other.width),
            max(self.y + self.height, other.y + other.height),
        )

    def clip(self, shape: Sequence[int]) -> Box:
        """The part of the box that lies in an array of `shape` (H, W, ...)."""
        right = min(self.x + self.width, shape[1])
        bottom = min(self.y + self.height, shape[0])
        return between(max(self.x, 0), max(self.y, 0), right, bottom)

    def moved(self, dx: int, dy: int) -> Box:
        """The box at another place."""
        return Box(self.x + dx, self.y + dy, self.width, self.height)


NO_BOX = Box(0, 0, 0, 0)


def between(left: int, top: int, right: int, bottom: int) -> Box:
    """The box from one corner to the other; `NO_BOX` if there is nothing between them."""
    if right <= left or bottom <= top:
        return NO_BOX
    return Box(left, top, right - left, bottom - top)


def around(points: Sequence[Point], margin: float, shape: Sequence[int]) -> Box:
    """The pixels of a map of `shape` that lie within `margin` of the points' bounding box."""
    height, width = shape[:2]
    xs, ys = zip(*points, strict=True)
    left, top = max(min(xs) - margin, 0), max(min(ys) - margin, 0)
    right, bottom = min(max(xs) + margin, width), min(max(ys) + margin, height)
    return between(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))


def changed_box(before: np.ndarray, after: np.ndarray) -> Box:
    """The smallest box around all pixels that differ between two arrays `[H, W]` of one shape."""
    return mask_box(before != after)


def mask_box(mask: np.ndarray) -> Box:
    """The smallest box around all pixels of a mask, bool `[H, W]`."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return NO_BOX
    return between(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


# -- painting -------------------------------------------------------------------------------------


def stroke(
    labels: np.ndarray,
    p0: Point,
    p1: Point,
    diameter: int,
    label: int,
    shape: Shape = "round",
    over: int | None = None,
) -> Box:
    """Paint `label` along the line from `p0` to `p1`, in place; a click has `p0 == p1`.

    labels: uint8 `[H, W]`. diameter: of the brush in pixels, at least 1. A round brush paints the
    pixels whose centre is at most half the diameter from the line; a square one those that it
    covers on its way; a brush of 1 those that the line touches. So a line cut into pieces paints
    the same pixels as the whole. over: if given, only pixels with this label are painted.
    Any part may lie off the map. Returns the rectangle outside of which nothing was touched; it is
    empty if that is off the map. Raises ValueError for a diameter below 1.
    """
    if diameter < 1:
        raise ValueError(f"a brush has a diameter of at least 1 pixel, not {diameter}")
    covers = _square_covers if shape == "square" or diameter == 1 else _round_covers
    radius = diameter / 2
    for tile in _tiles(p0, p1, radius, labels.shape):
        mask = covers(*centres(tile), p0, p1, radius)
        pixels = labels[tile.slices]
        pixels[mask if over is None else mask & (pixels == over)] = label
    return around((p0, p1), radius, labels.shape)


def _tiles(p0: Point, p1: Point, radius: float, shape: Sequence[int]) -> Iterator[Box]:
    """Boxes that together hold the whole stroke: a long diagonal's bounding box is mostly air.

    Each is small enough for what is computed of it to stay in the cache.
    """
    (x0, y0), (x1, y1) = p0, p1
    count = max(1, math.ceil(math.dist(p0, p1) / max(2 * radius, 64)))
    knots = [(x0 + (x1 - x0) * i / count, y0 + (y1 - y0) * i / count) for i in range(count + 1)]
    for ends in zip(knots, knots[1:], strict=False):
        box = around(ends, radius, shape)
        if box.empty:
            continue
        rows = max(1, TILE // box.width)
        for top in range(box.y, box.y + box.height, rows):
            yield Box(box.x, top, box.width, min(rows, box.y + box.height - top))


def centres(box: Box) -> tuple[np.ndarray, np.ndarray]:
    """x `[1, w]` and y `[h, 1]` of the pixel centres in a box."""
    x = np.arange(box.x, box.x + box.width) + 0.5
    y = np.arange(box.y, box.y + box.height) + 0.5
    return x[None, :], y[:, None]


def _round_covers(x: np.ndarray, y: np.ndarray, p0: Point, p1: Point, radius: float) -> np.ndarray:
    """bool `[h, w]`: is the point at most `radius` from the segment?"""
    dx, dy = p1[0] - p0[0], p1[1] - p0[1]
    x, y = x - p0[0], y - p0[1]
    length2 = dx * dx + dy * dy
    if length2 > 0:
        along = np.minimum(np.maximum((x * dx + y * dy) / length2, 0), 1)
        x, y = x - along * dx, y - along * dy
    return x * x + y * y <= (radius + TIE) ** 2


def _square_covers(x: np.ndarray, y: np.ndarray, p0: Point, p1: Point, radius: float) -> np.ndarray:
    """bool `[h, w]`: does a square of half side `radius`, moved along the segment, reach the point?

    The square is open on the left and above and closed on the right and below, so that it holds
    exactly (2 radius)² centres wherever it stands. Its sweep is the hexagon that the bounding box
    and the two lines through its outer corners bound.
    """
    box = _reaches(x, p0[0], p1[0], radius) & _reaches(y, p0[1], p1[1], radius)
    # The normal of the segment, turned so that the closed corner, if it is one of the two outer
    # corners, is on the positive side.
    nx, ny = p0[1] - p1[1], p1[0] - p0[0]
    if nx < 0 or (nx == 0 and ny < 0):
        nx, ny = -nx, -ny
    length = math.hypot(nx, ny)
    if nx == 0 or ny == 0 or length == 0:
        return box
    nx, ny = nx / length, ny / length
    reach = radius * (abs(nx) + abs(ny))
    across = (x - p0[0]) * nx + (y - p0[1]) * ny
    return box & (across > TIE - reach) & (across < reach + (TIE if ny > 0 else -TIE))


def _reaches(values: np.ndarray, a: float, b: float, radius: float) -> np.ndarray:
    return (values > min(a, b) - radius + TIE) & (values <= max(a, b) + radius + TIE)


def fill(labels: np.ndarray, point: Point, label: int, contiguous: bool = True) -> Box:
    """Replace the label under `point`, in place: in its 4-connected region, or everywhere.

    labels: uint8 `[H, W]`. Returns the smallest box around the pixels that changed; it is empty if
    the point is off the map or already has `label`.
    """
    height, width = labels.shape
    x, y = math.floor(point[0]), math.floor(point[1])
    if not (0 <= x < width and 0 <= y < height) or labels[y, x] == label:
        return NO_BOX
    if contiguous:
        return _fill_region(labels, x, y, label)
    mask = labels == labels[y, x]
    labels[mask] = label
    return mask_box(mask)


def _fill_region(labels: np.ndarray, x: int, y: int, label: int) -> Box:
    height, width = labels.shape
    mask = np.zeros((height + 2, width + 2), np.uint8)  # cv2 wants a border of one pixel
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | (1 << 8)
    source = np.ascontiguousarray(labels)
    _, _, _, rectangle = cv2.floodFill(source, mask, (x, y), 0, 0, 0, flags)
    box = Box(*rectangle)
    labels[box.slices][mask[1:-1, 1:-1][box.slices] == 1] = label
    return box


# -- other views of the same pixels ---------------------------------------------------------------


def nearest_resize(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A copy of `[H, W, ...]` at `size` (height, width), each pixel the nearest one: no new label.

    The same pixels as torch's `interpolate(mode="nearest")`: source = floor(i * in / out), in
    single precision as there.
    """
    if labels.shape[:2] == tuple(size):
        return labels.copy()
    rows, columns = (_nearest(n, m) for n, m in zip(labels.shape[:2], size, strict=True))
    return labels[rows[:, None], columns]


def _nearest(size_in: int, size_out: int) -> np.ndarray:
    step = np.float32(size_in) / np.float32(size_out)
    index = np.floor(np.arange(size_out, dtype=np.float32) * step)
    return np.minimum(index.astype(np.intp), size_in - 1)


def instance_edges(instances: np.ndarray) -> np.ndarray:
    """bool `[H, W]`: True on both sides of every border between two instances.

    instances: integers `[H, W]`; a pixel is an edge if its left, right, upper or lower neighbour is
    another instance. The border of the map is none.
    """
    edges = np.zeros(instances.shape, bool)
    beside = instances[:, 1:] != instances[:, :-1]
    below = instances[1:] != instances[:-1]
    edges[:, 1:] |= beside
    edges[:, :-1] |= beside
    edges[1:] |= below
    edges[:-1] |= below
    return edges


def layout_edges(labels: np.ndarray, instances: np.ndarray | None) -> np.ndarray:
    """bool `[H, W]`: the instance edges of a layout; without an instance map, its labels' edges."""
    return instance_edges(labels if instances is None else instances)


def to_color(labels: np.ndarray, palette: Palette) -> np.ndarray:
    """uint8 `[H, W, 3]`: the map in the palette's colours.

    Raises IndexError for an id that the palette does not have.
    """
    return palette.colors[labels]


def from_color(rgb: np.ndarray, palette: Palette) -> tuple[np.ndarray, float]:
    """A colour-coded map `[H, W, 3]` uint8 back to labels uint8 `[H, W]`.

    Only exact colours count. Every other pixel becomes the palette's `erase_id`; the second value
    is the share of such pixels, 0..1.
    """
    labels, known = match_colors(rgb, palette)
    return _erase_unknown(labels, known, palette), _share_unknown(known)


def match_colors(rgb: np.ndarray, palette: Palette) -> tuple[np.ndarray, np.ndarray]:
    """Ids uint8 and bool "is exactly a colour of the palette", both of `rgb`'s shape less one."""
    # Where a hidden label has a visible one's colour, the visible one comes last and wins.
    order = sorted(palette.classes, key=lambda c: not c.hidden)
    ids = dict(sorted((_color_key(*c.color), c.id) for c in {c.color: c for c in order}.values()))
    keys = np.array(list(ids), np.int32)
    wanted = _color_key(*(rgb[..., i].astype(np.int32) for i in range(3)))
    nearest = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.array(list(ids.values()), np.uint8)[nearest], keys[nearest] == wanted


def _color_key(red, green, blue):
    return red << 16 | green << 8 | blue


def _erase_unknown(labels: np.ndarray, known: np.ndarray, palette: Palette) -> np.ndarray:
    return np.where(known, labels, np.uint8(palette.erase_id))


def _share_unknown(known: np.ndarray) -> float:
    return 1.0 - float(known.mean())


# -- files ----------------------------------------------------------------------------------------


class LabelImage(NamedTuple):
    """What `read_labels` found in a file."""

    labels: np.ndarray  # uint8 [H, W], ids of the palette
    kind: Literal["own", "raw", "color"]  # our ids, the dataset's values, or a colour-coded map
    unplaced: float  # share of pixels, 0..1, that the palette does not know: now its `erase_id`


def read_labels(path: str | Path, palette: Palette) -> LabelImage:
    """Open an image file as a label map of `palette`.

    Understood are our own PNGs, gray and indexed files with the dataset's own values, and files in
    the palette's exact colours. Raises `LabelMapError` if the file is missing, damaged, too big, of
    another palette, a photo, or if more than half of its pixels mean nothing in the palette.
    """
    image = open_image(path)
    painted_with = image.info.get(TAG)
    indexed = image.mode in ("L", "P")
    if indexed and painted_with not in (None, palette.name):
        raise LabelMapError(
            f"{path} was painted with the palette {painted_with!r}, not {palette.name!r}. "
            "Choose that palette, then open the file."
        )
    read = _read_own if indexed and painted_with else _read_raw if indexed else _read_color
    labels, known, kind = read(image, palette)
    unplaced = _share_unknown(known)
    if unplaced > 0.5:
        raise LabelMapError(_why_not(path, image, known, palette))
    return LabelImage(_erase_unknown(labels, known, palette), kind, unplaced)


def tagged_palette(path: str | Path) -> str | None:
    """The name of the palette that one of our own label PNGs was painted with; None for others.

    Raises `LabelMapError` as `read_labels` does if the file cannot be opened at all.
    """
    return open_image(path).info.get(TAG)


def open_image(path: str | Path, data: bytes | None = None, exact: bool = True) -> Image.Image:
    """The decoded image of a file in mode L, P, RGB or RGBA; its `info` has the file's texts.

    data: the bytes of an image that lay inside `path`; None reads the file itself. exact: refuse a
    JPEG, whose pixels are no ids. Raises `LabelMapError`, naming the file, for one that is missing,
    damaged, too big or deeper than 8 bits.
    """
    path = Path(path)
    try:
        with path.open("rb") if data is None else io.BytesIO(data) as file, _bombs_refused():
            image = Image.open(file, formats=FORMATS)
            _check_header(path, image, exact)
            image.load()
            return _plain(image)
    except LabelMapError:
        raise
    except FileNotFoundError:
        raise LabelMapError(f"There is no file {path}.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise LabelMapError(_too_big(path)) from None
    except Image.UnidentifiedImageError:
        raise LabelMapError(f"{path} is not an image. A label map is a PNG file.") from None
    except Exception as error:  # Pillow's decoders raise nearly anything on a damaged file
        raise LabelMapError(f"{path} cannot be read, it may be damaged: {error}.") from error


@contextmanager
def _bombs_refused() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _check_header(path: Path, image: Image.Image, exact: bool) -> None:
    """Refuse what cannot be a label map before a pixel is decoded."""
    if image.width * image.height > MAX_PIXELS:
        raise LabelMapError(_too_big(path))
    if image.format == "JPEG" and exact:
        raise LabelMapError(f"{path} is a JPEG, which blurs labels. Save the label map as a PNG.")
    if image.mode.startswith(("I", "F")):
        raise LabelMapError(
            f"{path} has more than 8 bits per pixel (mode {image.mode}). A label map has the "
            "values 0..255: save it with 8 bits."
        )


def _too_big(path: Path) -> str:
    return f"{path} has more than {MAX_PIXELS:,} pixels. Make it smaller, then open it."


def _plain(image: Image.Image) -> Image.Image:
    if image.mode in ("L", "P", "RGB", "RGBA"):
        return image
    plain = image.getchannel(0) if image.mode == "LA" else None
    plain = plain or image.convert("L" if image.mode == "1" else "RGB")
    plain.info = image.info
    return plain


Found = tuple[np.ndarray, np.ndarray, str]  # labels uint8, known bool, kind


def _read_own(image: Image.Image, palette: Palette) -> Found:
    values = np.asarray(image)
    return values, values < len(palette), "own"


def _read_raw(image: Image.Image, palette: Palette) -> Found:
    """The dataset's values, unless an indexed file has colours that say better what they mean.

    Other programs renumber the entries of an indexed file; its colours survive that.
    """
    values = np.asarray(image)
    if image.mode == "P":
        entries = np.zeros((256, 3), np.uint8)
        given = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        entries[: len(given)] = given
        ids, known = match_colors(entries, palette)
        if known[np.unique(values)].all():
            return ids[values], known[values], "color"
    ids = palette.raw_to_id[values]
    return ids.astype(np.uint8), ids >= 0, "raw"


def _read_color(image: Image.Image, palette: Palette) -> Found:
    """Exact colours; or the dataset's values, where a program saved a gray file as RGB."""
    pixels = np.asarray(image)
    rgb = pixels[..., :3]
    labels, known = match_colors(rgb, palette)
    if known.mean() < 0.5 and (rgb == rgb[..., :1]).all():
        return _read_raw(image.getchannel(0), palette)
    if image.mode == "RGBA":
        known &= pixels[..., 3] > 0  # the colour of what is transparent means nothing
    return labels, known, "color"


def _why_not(path: str | Path, image: Image.Image, known: np.ndarray, palette: Palette) -> str:
    share = f"{_share_unknown(known):.0%} of its pixels"
    if not image.mode.startswith("RGB"):
        value = np.asarray(image)[~known][0]
        return (
            f"{path} is not a label map of the palette {palette.name!r}: {share} have values that "
            f"it does not know, such as {value}. Choose the palette that the file belongs to."
        )
    if image.getcolors(MAX_FLAT_COLORS) is None:
        return (
            f"{path} looks like a photo, not like a label map: it has more than {MAX_FLAT_COLORS} "
            "colours. A label map has one colour per label."
        )
    color = hex_color(np.asarray(image)[~known][0][:3])
    return (
        f"{path} is not in the colours of the palette {palette.name!r}: {share} have others, such "
        f"as {color}. Choose the palette that the file belongs to."
    )


def write_labels(path: str | Path, labels: np.ndarray, palette: Palette) -> None:
    """Save as an 8-bit palette PNG whose values are the ids, in the palette's colours.

    labels: uint8 `[H, W]`. The file appears whole or not at all: on `LabelMapError`, for an id that
    the palette does not have or a disk that does not take the file, what was there is unharmed.
    """
    highest = int(labels.max())
    if highest >= len(palette):
        raise LabelMapError(
            f"{path} is not written: the map has the id {highest}, but the palette "
            f"{palette.name!r} ends at {len(palette) - 1}. Choose the palette of the map."
        )
    try:
        with atomic_path(Path(path)) as part:
            part.write_bytes(encode_labels(labels, palette))
    except OSError as error:
        raise LabelMapError(unwritable(Path(path), error)) from error


def encode_labels(labels: np.ndarray, palette: Palette) -> bytes:
    """A label map as our own PNG: 8 bits, values = ids, the palette's colours and its name."""
    height, width = labels.shape
    image = Image.frombytes("P", (width, height), labels.tobytes())
    image.putpalette(palette.colors.tobytes())
    text = PngImagePlugin.PngInfo()
    text.add_text(TAG, palette.name)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", bits=8, pnginfo=text)
    return buffer.getvalue()
