"""SDM Studio: paint a layout, and a Semantic Diffusion Model makes the picture."""

from __future__ import annotations

import argparse
import gc
import sys
from functools import partial
from pathlib import Path

from app.application import run
from core.palette import Palette, PaletteError
from core.request import Engine

WEIGHTS = Path(__file__).resolve().parent / "weights" / "landscape.safetensors"


def open_engine(path: Path) -> Engine:
    """Open the model in `path`. Called in the worker thread: this is where torch is imported."""
    if not path.is_file():
        raise ValueError(
            f"There is no model at {path}. Painting works; for pictures, start with --weights FILE."
        )
    from core.engine import Engine as TorchEngine

    engine = TorchEngine.open(path)
    # torch leaves 170,000 objects behind. Frozen, they are not looked through again by every full
    # garbage collection, which would hold the window up for a tenth of a second each time.
    gc.freeze()
    return engine


def main(arguments: list[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="sdm-studio", description=__doc__)
    parser.add_argument("layout", nargs="?", type=Path, help="project or label map to open")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="model file")
    parser.add_argument("--palette", default="landscape", help="name, or path of a .toml file")
    options = parser.parse_args(arguments)
    try:
        palette = Palette.load(options.palette)
    except PaletteError as error:
        print(error, file=sys.stderr)
        return 2
    model = partial(open_engine, options.weights)
    return run(sys.argv[:1], model, palette, options.layout, open_weights=open_engine)


if __name__ == "__main__":
    sys.exit(main())
