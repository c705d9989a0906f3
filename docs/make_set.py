"""Paint a small set to learn from: volcanoes and their label maps, as the guide's first steps use.

    python -m docs.make_set my_photos             24 pairs of 256x256, and my_photos/palette.toml
    python -m docs.make_set my_photos --count 40

Made from a seed, so that the same command makes the same set. docs/own-model.md goes on from here.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from core.labelmap import write_labels
from core.palette import Palette

SIDE = 256  # pixels
OTHER, HEAVEN, LAVA, ROCK, SEA = range(5)
PALETTE = """\
title = "Volcano"
unlabeled = 0

[[classes]]
id = 0
name = "other"
color = "#000000"

[[classes]]
id = 1
name = "heaven"
synonyms = ["sky"]
color = "#70b2ee"

[[classes]]
id = 2
name = "lava"
color = "#eb5014"

[[classes]]
id = 3
name = "rock"
color = "#5a5450"

[[classes]]
id = 4
name = "sea"
color = "#205a8c"
"""


def make_set(folder: Path, count: int) -> None:
    """Write `count` pairs and their palette. Raises `OSError` if the folder cannot be written."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "palette.toml").write_text(PALETTE, encoding="utf-8")
    palette = Palette.load(str(folder / "palette.toml"))
    for number in range(count):
        rng = np.random.default_rng(number)
        labels = scene(rng)
        write_labels(folder / "labels" / f"{number:02d}.png", labels, palette)
        Image.fromarray(photo(labels, rng)).save(folder / "images" / f"{number:02d}.png")


def scene(rng: np.random.Generator) -> np.ndarray:
    """Label map uint8 `[SIDE, SIDE]`: a cone between sky and sea, with streams of lava."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    shore, top, middle = rng.uniform(0.65, 0.85), rng.uniform(0.2, 0.4), rng.uniform(0.3, 0.7)
    rough = 0.05 * (clouds(rng, 24) - 0.5)
    height = (y + rough - top) / (shore - top)  # 0 at the top, 1 at the shore
    labels = np.full((SIDE, SIDE), HEAVEN, np.uint8)
    wide = rng.uniform(0.35, 0.6)
    cone = (height > 0.08) & (np.abs(x - middle) < wide * np.clip(height, 0, None) ** 1.3 + 0.05)
    labels[cone] = ROCK
    for _ in range(rng.integers(1, 4)):
        lean, reach = rng.uniform(-0.8, 0.8) * wide, rng.uniform(0.4, 1.1)
        bed = middle + lean * np.clip(height, 0, None) ** 1.3 + 0.02 * np.sin(20 * y)
        stream = np.abs(x - bed) < 0.012 + 0.02 * height
        labels[cone & stream & (height < reach)] = LAVA
    labels[y > shore + 0.2 * rough] = SEA
    return labels


def photo(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture uint8 `[SIDE, SIDE, 3]` of the map: an evening with smoke, glow and grain."""
    y = np.linspace(0, 1, SIDE)[:, None, None]
    dusk = np.float64([rng.uniform(150, 250), rng.uniform(90, 150), rng.uniform(60, 120)])
    night = np.float64([rng.uniform(10, 60), rng.uniform(20, 60), rng.uniform(60, 110)])
    smoke = clouds(rng, 4)[..., None]
    sky = (1 - y) * night + y * dusk + 40 * (smoke - 0.5)
    stone = np.float64([70, 62, 58]) * (0.5 + clouds(rng, 48)[..., None])
    fire = np.float64([250, 110, 30]) * (0.8 + 0.4 * clouds(rng, 64)[..., None])
    sea = 0.45 * sky[::-1] + 25 * (clouds(rng, 96)[..., None] - 0.5)
    parts = np.stack([np.zeros_like(sky), sky, fire, stone, sea])
    picture = np.take_along_axis(parts, labels[None, ..., None].astype(np.int64), axis=0)[0]
    glow = cv2.GaussianBlur((labels == LAVA).astype(np.float64), (0, 0), 9)[..., None]
    picture = cv2.GaussianBlur(picture, (0, 0), 0.8) + glow * np.float64([120, 45, 10])
    return np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def clouds(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Smooth noise from 0 to 1, float64 `[SIDE, SIDE]`, of so many cells a side and finer."""
    total = np.zeros((SIDE, SIDE))
    for finer in (1, 2, 4):
        noise = rng.random((cells * finer, cells * finer))
        total += cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) / finer
    return np.clip(total / 1.75, 0, 1)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=24)
    args = parser.parse_args()
    make_set(args.folder, args.count)
    print(f"{args.count} pairs in {args.folder}")


if __name__ == "__main__":
    main()
