"""Which encoding a label image has: guesses with reasons, the likeliest first.

Whatever a guess cannot place is counted, never passed over in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from core import ade_full
from core.encodings import ENCODINGS, NEAR, TRAIN_IDS, Codes, Encoding, exact_ids, nearest_colors
from core.labelmap import MAX_FLAT_COLORS, TAG, nearest_resize, open_image
from core.palette import Palette, bundled_palettes

CLOSE = 12.0  # RGB distance as far as a good JPEG moves a flat colour
TRIALS = 1 << 12  # colours that are looked at to tell a photo from a blurred map
NAMED = "The name of the file says so, too."
MARKED = "255 stands for unlabeled there."
NEVER = "Some of its labels never occur in the dataset, which speaks against it."
DEMO = "All its colours are those of the demo."
NAMELESS = (
    "It has {} class numbers of the full release; which classes these are says only its .json or "
    "_atr.txt. Put that beside it and import again, or place the rest by hand."
)


@dataclass(frozen=True, eq=False)
class Guess:
    """One way to read an image.

    why: sentences for people. unplaced: share of the pixels, 0..1, without a label: they become the
    palette's `erase_id`. evidence: ranks guesses that place the same share.
    """

    encoding: Encoding
    palette: Palette
    why: str
    unplaced: float
    evidence: int
    codes: Codes = field(repr=False)
    ids: np.ndarray = field(repr=False)  # int16 [n]: the id of every code, -1 for none

    @property
    def title(self) -> str:
        """For a list to choose from."""
        return self.encoding.title_for(self.palette)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self.codes.map.shape

    @cached_property
    def labels(self) -> np.ndarray:
        """The label map, uint8 `[H, W]`."""
        return self.every(1)

    def labels_at(self, size: tuple[int, int]) -> np.ndarray:
        """The label map at `size` (height, width), each pixel the nearest one."""
        return self.labels if size == self.shape else nearest_resize(self.labels, size)

    def every(self, stride: int) -> np.ndarray:
        """The label map, uint8, of every so many rows and columns: for a quick look."""
        erased = np.where(self.ids < 0, self.palette.erase_id, self.ids)
        return self.codes.spread(erased.astype(np.uint8), stride)

    @cached_property
    def counts(self) -> dict[int, int]:
        """Pixels of every label that was read, most first; what was not placed is in none."""
        placed = self.ids >= 0
        sums = np.bincount(self.ids[placed], self.codes.counts[placed]).astype(int)
        return {int(i): int(sums[i]) for i in np.argsort(-sums, kind="stable") if sums[i]}


def recognise(image: Image.Image, palette: Palette, name: str = "") -> list[Guess]:
    """Every sensible way to read `image` as a label map, the likeliest first.

    image: as `open_image` gives it. palette: of the present scene; the bundled ones are tried too.
    name: of the file, which may tell. An empty list means that it is a photo, or means nothing.
    """
    return _recognise(Codes.of(image), image.info.get(TAG), palette, name)


def recognise_file(path: str | Path, palette: Palette) -> list[Guess]:
    """`recognise` for a file, with what a file beside it tells. Raises `LabelMapError` if it cannot
    be opened as an image."""
    path = Path(path)
    image = open_image(path, exact=False)
    codes = Codes.of(image)
    codes = replace(codes, called=ade_full.names_beside(path, codes.rgb))
    return _recognise(codes, image.info.get(TAG), palette, path.name)


def _recognise(codes: Codes, tag: str | None, palette: Palette, name: str) -> list[Guess]:
    palettes = _palettes(palette)
    if codes.colored and codes.values is None and _is_photo(codes, palettes):
        return []
    guesses = [
        guess
        for encoding in ENCODINGS.values()
        for candidate in palettes
        if _applies(encoding, candidate, codes, tag, name)
        and ((guess := _guess(encoding, candidate, codes, name)).unplaced < 0.95 or _certain(guess))
    ]
    return _with_rivals(sorted(guesses, key=lambda guess: _rank(guess, palette)))


def _palettes(first: Palette) -> list[Palette]:
    return [first, *(palette for palette in _bundled() if palette.name != first.name)]


@cache
def _bundled() -> tuple[Palette, ...]:
    return tuple(Palette.load(name) for name in bundled_palettes())


def _applies(
    encoding: Encoding, palette: Palette, codes: Codes, tag: str | None, name: str
) -> bool:
    if encoding.name == "own":
        return tag == palette.name and codes.values is not None and not codes.blurred
    if encoding.palette not in ("", palette.name):
        return False
    if encoding.name == "ade20k_full":  # random colours fit now and then: something has to say so
        told = codes.called or re.search(encoding.named, name.casefold())
        return bool(told) and codes.colored and ade_full.fits(codes.rgb) and not codes.blurred
    if encoding.by_value:
        return codes.values is not None and not codes.blurred
    if encoding.name == "nearest":
        return codes.colored and _share_close(codes, palette) > 0.3
    return codes.colored and not codes.blurred


def _guess(encoding: Encoding, palette: Palette, codes: Codes, name: str) -> Guess:
    ids = encoding.read(codes, palette)
    unplaced = _share(codes, ids < 0)
    hidden = {c.id for c in palette.classes if c.hidden} & set(ids.tolist())
    is_named = encoding.named and encoding.name != "ade20k_full"  # that one is certain already
    hints = (
        (3, is_named and re.search(encoding.named, name.casefold()), NAMED),
        (1, _is_marked(encoding, codes), MARKED),
        (-2, encoding.strict and hidden, NEVER),
        (5, encoding.name == "gaugan" and not _share(codes, exact_ids(codes, palette) < 0), DEMO),
    )
    found = [(weight, sentence) for weight, holds, sentence in hints if holds]
    evidence = encoding.trust + sum(weight for weight, _ in found)
    reason = _reason(encoding, palette, codes, unplaced)
    why = " ".join([reason, *(sentence for _, sentence in found)])
    return Guess(encoding, palette, why, unplaced, evidence, codes, ids)


def _share(codes: Codes, which: np.ndarray) -> float:
    """Share of the pixels, 0..1, whose code is one of `which`, bool `[n]`."""
    return float(codes.counts[which].sum() / codes.counts.sum())


def _is_marked(encoding: Encoding, codes: Codes) -> bool:
    """Whether 255, which means unlabeled in this encoding, occurs."""
    return encoding.name in ("coco_stuff", "cityscapes_train") and bool((codes.values == 255).any())


def _reason(encoding: Encoding, palette: Palette, codes: Codes, unplaced: float) -> str:
    if encoding.name == "own":
        return f"The file says itself that SDM Studio painted it in the palette {palette.name!r}."
    if encoding.name == "ade20k_full":
        return _names_sentence(codes, palette)
    title = palette.title or palette.name
    if encoding.name == "nearest":
        _, distance = nearest_colors(codes.rgb, palette)
        mean = float(np.average(distance, weights=codes.counts))
        return (
            f"Every pixel takes the nearest colour of {title}: {mean:.1f} of 255 away on average, "
            f"{distance.max():.0f} at most; above {NEAR:.0f} it is not placed."
        )
    if encoding.by_value:
        low, high = codes.values.min(), codes.values.max()
        return _share_sentence(unplaced, f"values ({low}–{high})", f"values of {title}")
    if encoding.name == "gaugan":
        return _share_sentence(unplaced, "red bytes", f"values of {title}")
    return _share_sentence(unplaced, "colours", f"colours of {title}")


def _names_sentence(codes: Codes, palette: Palette) -> str:
    """Which of its classes the palette has, and which not."""
    numbers = ade_full.class_numbers(codes.rgb).tolist()
    if not codes.called:
        return NAMELESS.format(len({*numbers} - {0}))
    names = dict(zip(numbers, codes.called, strict=True))
    places = {name: ade_full.place(name, palette) for name in names.values() if name}
    known = [name for name, place in places.items() if place is not None]
    title = palette.title or palette.name
    return (
        f"The file beside it names {len(places)} of its classes; "
        f"{len(known)} of them are labels of {title}."
    )


def _share_sentence(unplaced: float, what: str, known: str) -> str:
    if not unplaced:
        return f"All its {what} are {known}."
    return f"Of its pixels {1 - unplaced:.1%} have {what} that are {known}."


def _rank(guess: Guess, palette: Palette) -> tuple:
    """Most pixels placed, then most evidence, then the fewest labels: the tightest fit."""
    mine = guess.palette.name == palette.name
    looseness = len(TRAIN_IDS) if guess.encoding.name == "cityscapes_train" else len(guess.palette)
    return not _certain(guess), round(guess.unplaced, 3), -guess.evidence - 2 * mine, looseness


def _certain(guess: Guess) -> bool:
    """Whether the file, or the one beside it, says itself what it is."""
    return guess.encoding.name in ("own", "ade20k_full")


def _with_rivals(guesses: list[Guess]) -> list[Guess]:
    """The same, the first with a word on those that fit as well."""
    if not guesses or _certain(guesses[0]):
        return guesses
    first = guesses[0]
    rivals = [
        guess.title
        for guess in guesses[1:]
        if guess.unplaced <= first.unplaced
        and guess.encoding.name not in ("ids", "nearest")
        and not np.array_equal(guess.ids, first.ids)
    ]
    if not rivals:
        return guesses
    also = " and ".join(rivals) if len(rivals) < 3 else ", ".join(rivals)
    return [replace(first, why=f"{first.why} It would also fit {also}."), *guesses[1:]]


def _is_photo(codes: Codes, palettes: Iterable[Palette]) -> bool:
    """Whether it has too many colours for a map, and they are not the blur of a palette's."""
    if len(codes.used) <= MAX_FLAT_COLORS:
        return False
    return max(_share_close(codes, palette) for palette in palettes) < 0.6


def _share_close(codes: Codes, palette: Palette) -> float:
    """About what share of the pixels has nearly a colour of the palette, 0..1."""
    some = np.linspace(0, len(codes.used) - 1, min(len(codes.used), TRIALS)).astype(int)
    _, distance = nearest_colors(codes.rgb[some], palette)
    return float(np.average(distance <= CLOSE, weights=codes.counts[some]))
