"""Make the pictures of the example scenes, in app/examples, with the bundled model.

    python -m docs.make_examples                      all pictures, with the seeds of the table
    python -m docs.make_examples --choose sheet.png   eight seeds of each on a sheet, to choose from

After new weights: choose, put the best seeds into app/examples/__init__.py, make all. About a
second a picture on two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from app.examples import EXAMPLES, PALETTE, Example
from app.settings import GenerateSettings
from core.engine import Engine
from core.labelmap import read_labels
from core.palette import Palette
from core.request import Layout, Result, SampleRequest
from core.sample import DEFAULT_WEIGHTS
from core.style import Painted, StyleChoice

QUALITY = 88  # of the JPEG: no artefact to be seen, and under 30 KB
CELL = 204  # pixels of the sheet per picture


def pictures(engine: Engine, example: Example, seed: int, count: int) -> list[Result]:
    """The pictures of `count` seeds from `seed` on."""
    palette = Palette.load(PALETTE)
    layout = Layout(read_labels(example.layout, palette).labels, palette)
    request = SampleRequest(
        layout,
        guidance_scale=example.guidance_scale,
        guidance_start=example.guidance_start,
        seed=seed,
        count=count,
        preview_every=0,
        finish=True,
        painted=Painted(StyleChoice(), GenerateSettings().instant_strength),
    )
    return [event for event in engine.sample(request) if isinstance(event, Result)]


def make(engine: Engine) -> None:
    """Write the picture of every example."""
    for example in EXAMPLES:
        (result,) = pictures(engine, example, example.seed, 1)
        save(result.image, example.picture)
        print(example.picture.name, example.picture.stat().st_size // 1024, "KB")


def save(picture: np.ndarray, path: Path) -> None:
    """Write uint8 `[H, W, 3]` as a small JPEG of full colour resolution."""
    Image.fromarray(picture).save(path, quality=QUALITY, subsampling=0, optimize=True)


def choose(engine: Engine, out: Path, count: int = 8) -> None:
    """Write a sheet: a row for each example, a column for each seed from 1 on."""
    sheet = Image.new("RGB", (count * CELL, len(EXAMPLES) * CELL), "white")
    for row, example in enumerate(EXAMPLES):
        for column, result in enumerate(pictures(engine, example, 1, count)):
            picture = Image.fromarray(result.image).resize((CELL - 4, CELL - 4))
            ImageDraw.Draw(picture).text((4, 4), f"{example.name} {column + 1}", fill="red")
            sheet.paste(picture, (column * CELL, row * CELL))
        print(example.name)
    sheet.save(out)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--choose", type=Path, metavar="SHEET", help="a sheet instead")
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS)
    options = parser.parse_args()
    engine = Engine.open(options.weights)
    if options.choose:
        choose(engine, options.choose)
    else:
        make(engine)


if __name__ == "__main__":
    main()
