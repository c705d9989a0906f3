"""Make the sheets that show what the bundled model can do, in docs/sheets.

    python -m docs.make_sheets layouts FOLDER   24 label maps of a folder beside their pictures
    python -m docs.make_sheets sizes            canvases from 128 to 768 pixels and a panorama
    python -m docs.make_sheets steps            the student's few steps beside the model's many
    python -m docs.make_sheets guidance         one scene at rising guidance scales

The scenes of the last three are the example scenes. After new weights: make them all, and look.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from app.examples import EXAMPLES
from core.engine import Engine
from core.labelmap import nearest_resize, read_labels, to_color
from core.request import Layout, Result, SampleRequest
from core.sample import DEFAULT_WEIGHTS
from core.sheets import sheet

FOLDER = Path(__file__).parent / "sheets"
ACROSS = 4  # layouts of a folder in a row, each beside its picture
SHOWN = 192  # pixels of a picture's longer side where many are on a sheet
SIZES = ((128, 128), (256, 256), (384, 384), (512, 512), (768, 768), (256, 512), (384, 768))

Cell = tuple[np.ndarray, str]


class Maker:
    """Pictures of one engine, with one guidance scale."""

    def __init__(self, weights: Path, guidance: float, start: float) -> None:
        self.engine, self.guidance, self.start = Engine.open(weights), guidance, start
        self.palette = self.engine.info.palette

    def layout(self, path: Path) -> Layout:
        return Layout(read_labels(path, self.palette).labels, self.palette)

    def colours(self, layout: Layout) -> np.ndarray:
        return to_color(layout.labels, self.palette)

    def picture(self, layout: Layout, **settings) -> Result:
        request = SampleRequest(layout, seed=1, preview_every=0, finish=True)
        guided = {"guidance_scale": self.guidance, "guidance_start": self.start}
        request = replace(request, **(guided | settings))
        return next(e for e in self.engine.sample(request) if isinstance(e, Result))

    # -- the sheets -------------------------------------------------------------------------------

    def layouts(self, folder: Path, count: int = 24) -> Iterator[list[Cell]]:
        """Label maps spread evenly over a folder, each beside its picture."""
        paths = sorted(folder.glob("*.png"))
        paths = [paths[i * len(paths) // count] for i in range(min(count, len(paths)))]
        cells: list[Cell] = []
        for path in paths:
            layout = self.layout(path)
            wanted = _fitted(layout.size, 256, self.engine.info.multiple)
            made = self.picture(layout, size=wanted).image
            cells += [(_small(self.colours(layout)), path.stem), (_small(made), "")]
        yield from (cells[i : i + 2 * ACROSS] for i in range(0, len(cells), 2 * ACROSS))

    def sizes(self) -> Iterator[list[Cell]]:
        """One scene on canvases of several sizes, all shown at half their size."""
        for example in EXAMPLES[:3]:
            scene = self.layout(example.layout)
            row: list[Cell] = []
            for size in SIZES:
                layout = Layout(nearest_resize(scene.labels, size), self.palette)
                made = self.picture(layout)
                half = cv2.resize(made.image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
                row.append((half, f"{size[1]} x {size[0]}, {made.seconds:.1f} s"))
            yield row

    def steps(self) -> Iterator[list[Cell]]:
        """The student's 1, 2 and 4 steps if there is one, the model's own, and its 25."""
        student = [{"student": True, "steps": n} for n in (1, 2, 4)]
        tried = [
            *(student if self.engine.info.student else []),
            *({"steps": n} for n in (2, 3, 4, 25)),
        ]
        for example in EXAMPLES:
            layout = self.layout(example.layout)
            row: list[Cell] = [(_small(self.colours(layout)), example.name)]
            for settings in tried:
                made = self.picture(layout, **settings)
                who = "student" if made.request.student else "model"
                text = f"{who}, {settings['steps']} steps, {made.seconds * 1000:.0f} ms"
                row.append((_small(made.image), text))
            yield row

    def scales(self) -> Iterator[list[Cell]]:
        """Guidance scales from none to too much."""
        for example in EXAMPLES:
            layout = self.layout(example.layout)
            row: list[Cell] = [(_small(self.colours(layout)), example.name)]
            for scale in (1.0, 1.5, 2.0, 3.0, 5.0, 8.0):
                made = self.picture(layout, guidance_scale=scale)
                row.append((_small(made.image), f"guidance {scale:g}"))
            yield row


def _fitted(size: tuple[int, int], shorter: int, multiple: int) -> tuple[int, int]:
    """A size of the same shape whose shorter side is about `shorter`."""
    factor = shorter / min(size)
    height, width = (round(side * factor / multiple) * multiple for side in size)
    return height, width


def _small(image: np.ndarray) -> np.ndarray:
    factor = SHOWN / max(image.shape[:2])
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def write(name: str, rows: Iterator[list[Cell]]) -> None:
    """Draw the rows and save the sheet as a small WebP."""
    done = list(rows)
    image = sheet([[p for p, _ in row] for row in done], [[t for _, t in row] for row in done])
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.webp"
    Image.fromarray(image).save(path, quality=86, method=6)
    print(path.name, path.stat().st_size // 1024, "KB")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("sheet", choices=("layouts", "sizes", "steps", "guidance"))
    parser.add_argument("folder", type=Path, nargs="?", help="label maps, for the first sheet")
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS)
    parser.add_argument("--guidance", type=float, default=EXAMPLES[0].guidance_scale)
    parser.add_argument("--guidance-start", type=float, default=EXAMPLES[0].guidance_start)
    options = parser.parse_args()
    if (options.sheet == "layouts") != (options.folder is not None):
        parser.error("the sheet of layouts, and it alone, needs a folder of label maps")
    maker = Maker(options.weights, options.guidance, options.guidance_start)
    make: dict[str, Callable[[], Iterator[list[Cell]]]] = {
        "layouts": lambda: maker.layouts(options.folder),
        "sizes": maker.sizes,
        "steps": maker.steps,
        "guidance": maker.scales,
    }
    write(options.sheet, make[options.sheet]())


if __name__ == "__main__":
    main()
