"""Write how strongly each photo of a folder shows the 102 scene attributes: a table for training.

    python -m docs.score_photos DATA --places FILE -o scores.csv
    python -m core.train --stage guidance --data DATA --scores scores.csv …

FILE is the Places365 network with its scene attributes; `scene_attributes.txt` lies beside it. Only
training reads the table: the trained encoder needs neither it nor that network.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from core.feature_cache import find_photos, photo_features
from core.features import open_places
from core.files import atomic_path

NAMES = "scene_attributes.txt"


def attributes(places: Path) -> tuple[list[str], np.ndarray]:
    """The attributes' names, and the direction float32 `[names, D]` of each in the features."""
    names = (places.parent / NAMES).read_text(encoding="utf-8").split("\n")
    directions = load_file(places)["scene_attributes.weight"].astype(np.float32)
    return names[: len(directions)], directions


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("data", type=Path)
    parser.add_argument("--places", type=Path, required=True, help="the Places365 network")
    parser.add_argument("--cache", type=Path, help="folder where features are kept")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the table, a .csv file")
    options = parser.parse_args()
    photos = find_photos(options.data)
    features = photo_features(open_places(options.places), photos, options.cache)
    names, directions = attributes(options.places)
    with (
        atomic_path(options.out) as part,
        part.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file)
        table.writerow(["id", *names])
        for photo, row in zip(photos, features @ directions.T, strict=True):
            table.writerow([photo.stem, *(f"{value:.4f}" for value in row)])


if __name__ == "__main__":
    main()
