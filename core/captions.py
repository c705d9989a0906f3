"""What photos show, as evidence for each concept of the words file: from captions and photos.

A data folder may hold `captions.csv`: `id` is a photo's name, `tags` are separated by `;`, `scene`
and `scene2` have probabilities `scene_p` and `scene2_p`. A table of scores (CSV: `id` and a column
for each score) can stand beside it, made with whatever network one has: only the trained encoder
goes into the product. What is a matter of degree counts by rank: a photo shows much green if it
shows more than most others.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from core.dataset import PairDataset, Sample
from core.errors import InputError
from core.palette import Palette

CAPTIONS = "captions.csv"
LOW_RANK = 0.65  # share of the photos that show less than those that begin to count
SIDE = 64  # pixels of the small copy that measures are taken of
PLANTS = ("tree", "bush", "grass", "field", "plant", "flower")  # labels that seasons colour
MIN_PLANTS = 0.05  # share of the picture below which it has no season

Row = Mapping[str, str]


def read_table(path: Path) -> dict[str, Row]:
    """The rows of a CSV file by their `id`. Raises `InputError` if it has none."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["id"]: row for row in csv.DictReader(file)}
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no table with a column 'id': {error}.") from error


class Evidence:
    """The targets of a data set: how much each photo shows each concept, 0..1.

    words: a words file. captions, scores: rows by the photo's name; a photo without any shows
    what is measured of it alone.
    """

    def __init__(
        self, words: Mapping[str, Any], captions: Mapping[str, Row], scores: Mapping[str, Row]
    ) -> None:
        self.concepts: Mapping[str, Any] = words["concepts"]
        self.captions, self.scores = captions, scores

    def targets(
        self, data: PairDataset, progress: Callable[[Iterable], Iterable] = iter
    ) -> np.ndarray:
        """float32 `[photos, concepts]`."""
        rows = [self._shown(data, index) for index in progress(range(len(data)))]
        graded = np.array([_grades(row, self._columns()) for row in rows], np.float32)
        ranks = dict(zip(self._columns(), ranked(graded).T, strict=True))
        found = np.zeros((len(rows), len(self.concepts)), np.float32)
        for place, spec in enumerate(self.concepts.values()):
            found[:, place] = [_plain_evidence(spec, row) for row in rows]
            for column in _graded_columns(spec):
                found[:, place] = np.maximum(found[:, place], ranks[column])
        return found

    def every_score(self, data: PairDataset) -> np.ndarray:
        """float32 `[photos, columns]`: the table of scores, each column of mean 0 and deviation 1.

        A photo that the table leaves out has the mean. Raises `InputError` for what is no number.
        """
        columns = [name for name in next(iter(self.scores.values()), {}) if name != "id"]
        rows = [self.scores.get(pair.name, {}) for pair in data.pairs]
        try:
            found = np.array([[float(r.get(c, "nan")) for c in columns] for r in rows], np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"The table of scores cannot be read: {error}.") from error
        found = found.reshape(len(rows), len(columns))
        known = np.isfinite(found)
        count = np.maximum(known.sum(0), 1)
        apart = np.where(known, found - np.where(known, found, 0).sum(0) / count, 0)
        spread = np.sqrt(np.square(apart).sum(0) / count)
        return (apart / (spread + 1e-6)).astype(np.float32)

    def _columns(self) -> list[str]:
        """Every score and measure that some concept asks for."""
        wanted = (column for spec in self.concepts.values() for column in _graded_columns(spec))
        return list(dict.fromkeys(wanted))

    def _shown(self, data: PairDataset, index: int) -> dict[str, Any]:
        sample, name = data.sample(index), data.pairs[index].name
        scores = self.scores.get(name, {})
        caption = self.captions.get(name, {})
        return {
            "tags": frozenset(caption.get("tags", "").split(";")),
            "scenes": scenes_of(caption),
            "labels": _shares(sample, data.palette),
            "graded": {f"score {k}": float(v) for k, v in scores.items() if k != "id"}
            | {f"measure {k}": v for k, v in measures(sample, data.palette).items()},
        }


def _graded_columns(spec: Mapping[str, Any]) -> list[str]:
    return [f"score {k}" for k in spec.get("scores", ())] + [
        f"measure {k}" for k in spec.get("measures", ())
    ]


def _grades(row: Mapping[str, Any], columns: Sequence[str]) -> list[float]:
    return [row["graded"].get(column, np.nan) for column in columns]


def _plain_evidence(spec: Mapping[str, Any], row: Mapping[str, Any]) -> float:
    """What tags, scenes and labels say of a concept, 0..1."""
    found = [float(tag in row["tags"]) for tag in spec.get("tags", ())]
    for name, likely in row["scenes"].items():
        if any(name == s or name.startswith(f"{s}/") for s in spec.get("scenes", ())):
            found.append(min(1.0, 2 * likely))
    for label, enough in spec.get("labels", {}).items():
        found.append(min(1.0, row["labels"].get(label, 0.0) / enough))
    return max(found, default=0.0)


def scenes_of(caption: Row) -> dict[str, float]:
    """Scenes with their probabilities; 1 where none is written."""
    named = [("scene", "scene_p"), ("scene2", "scene2_p")]
    return {caption[n]: float(caption.get(p) or 1) for n, p in named if caption.get(n)}


def _shares(sample: Sample, palette: Palette) -> dict[str, float]:
    """Share of the photo that each label covers, by name."""
    counts = np.bincount(sample.labels.ravel(), minlength=len(palette)) / sample.labels.size
    return {palette[i].name: float(count) for i, count in enumerate(counts)}


def ranked(values: np.ndarray) -> np.ndarray:
    """Each column `[photos, columns]` as evidence: 0 up to `LOW_RANK`, then rising to 1.

    Nothing (NaN), the smallest value, and what all photos have alike, is no evidence.
    """
    found = np.zeros(values.shape, np.float32)
    for column, own in zip(found.T, values.T, strict=True):
        known = np.isfinite(own)
        if known.any():
            below = np.searchsorted(np.sort(own[known]), own[known], "left") / known.sum()
            column[known] = np.clip((below - LOW_RANK) / (1 - LOW_RANK), 0, 1)
    return found


# -- what is measured of a photo ------------------------------------------------------------------

HUES = {  # degrees: from, to
    "red": (345, 32),
    "yellow": (40, 64),
    "green": (75, 160),
    "cyan": (165, 200),
    "blue": (200, 255),
    "purple": (265, 345),
}


def measures(sample: Sample, palette: Palette) -> dict[str, float]:
    """Brightness and colours of a photo, each a number that is larger where there is more of it."""
    small = cv2.resize(sample.image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    labels = cv2.resize(sample.labels, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT)
    pixels = small.astype(np.float32) / 255
    grey = pixels.mean(2)
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    hue, colour = hsv[..., 0], hsv[..., 1] * hsv[..., 2]
    return {
        "dark": float(-grey.mean()),
        "bright": float(grey.mean()),
        "saturated": float(colour.mean()),
        "contrast": float(grey.std()),
        "hazy": float(np.quantile(pixels.min(2), 0.1) - grey.std()),
        **{
            name: float(colour[_within(hue, *ends)].sum() / colour.size)
            for name, ends in HUES.items()
        },
        **_seasons(hue, colour, _plants(labels, palette)),
    }


def _within(hue: np.ndarray, low: float, high: float) -> np.ndarray:
    return (low <= hue) & (hue < high) if low < high else (low <= hue) | (hue < high)


def _plants(labels: np.ndarray, palette: Palette) -> np.ndarray:
    """bool `[h, w]`: where plants grow."""
    ids = [i for i in map(palette.find, PLANTS) if i is not None]
    return np.isin(labels, ids)


def _seasons(hue: np.ndarray, colour: np.ndarray, plants: np.ndarray) -> dict[str, float]:
    """How strongly plants have the colours of autumn and of spring; nothing without plants."""
    if plants.mean() < MIN_PLANTS:
        return {"autumn": 0.0, "fresh": 0.0}
    ends = {"autumn": (5, 48), "fresh": (65, 110)}
    found = {name: colour[plants & _within(hue, *e)].sum() for name, e in ends.items()}
    return {name: float(value / plants.sum()) for name, value in found.items()}
