"""SDM Studio: paint a layout, and a Semantic Diffusion Model makes the picture."""

from __future__ import annotations

import argparse
import builtins
import gc
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from core.errors import InputError

if TYPE_CHECKING:  # everything else is read by `read_window`
    from core.request import Engine

WEIGHTS = Path(__file__).resolve().parent / "weights" / "landscape.safetensors"


def open_engine(path: Path, clip: Path | None = None) -> Engine:
    """Open the model in `path`. Called in the worker thread: this is where torch is imported.

    clip: a CLIP file that words and references guide through.
    """
    if not path.is_file():
        raise ValueError(
            f"There is no model at {path}. Painting works; for pictures, start with --weights FILE."
        )
    from core.opening import open_model

    engine = open_model(path, clip=clip)
    # torch leaves 170,000 objects behind. Frozen, they are not looked through again by every full
    # garbage collection, which would hold the window up for a tenth of a second each time.
    gc.freeze()
    return engine


def read_window() -> ModuleType:
    """`app.application`, which brings all of the window's modules, and numpy.

    Imported here, because Python would look for garbage again and again in what is being read: a
    tenth of the start. From then on the window looks for itself (app/garbage.py).
    """
    gc.disable()
    _read_qt()
    from app import application

    gc.freeze()
    return application


def _read_qt() -> None:
    """PySide6, with the way to import that it found put back in its place.

    Its own reads the source of whatever is imported, to see if it wants other names for Qt's
    methods: of torch's 900 modules too, half a second and 40 MB.
    """
    import_module("PySide6.QtCore")
    builtins.__import__ = getattr(builtins, "__orig_import__", builtins.__import__)


def main(arguments: list[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="sdm-studio", description=__doc__)
    parser.add_argument(
        "file", nargs="?", type=Path, help="project, label map or model (.safetensors) to open"
    )
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="model file")
    parser.add_argument(
        "--palette", help="name, or path of a .toml file; default: that of the model"
    )
    parser.add_argument(
        "--desktop-entry",
        action="store_true",
        help="on Linux: let a double click on projects and models open the program, and end",
    )
    parser.add_argument("--clip", type=Path, help="CLIP file to guide by, with the extra [clip]")
    options = parser.parse_args(arguments)
    if options.desktop_entry:
        return _install_entry()
    weights, layout = options.weights, options.file
    if layout is not None and layout.suffix == ".safetensors":
        weights, layout = layout, None
    application = read_window()
    try:
        palette = application.first_palette(weights, options.palette)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    opened = partial(open_engine, clip=options.clip) if options.clip else open_engine
    engine = partial(opened, weights)
    return application.run(sys.argv[:1], engine, palette, layout, open_weights=opened)


def _install_entry() -> int:
    """Write the program's desktop entry, and say where."""
    from app.desktop_entry import install

    try:
        print(*install([sys.executable, str(Path(__file__).resolve())]), sep="\n")
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
