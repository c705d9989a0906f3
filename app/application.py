"""Builds the application: the objects, the window, and the wires between them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType

import numpy as np
from PySide6.QtWidgets import QApplication

from app.commands import UndoStack
from app.examples import EXAMPLES
from app.garbage import Collector
from app.icons import tinted
from app.keeping import build_keeping
from app.main_window import MainWindow
from app.painted import FirstPaint
from app.palettes.library import Library
from app.pen import Pen
from app.scene import Scene
from app.settings import Store, data_folder
from app.studio import Studio
from app.theme import Theme
from app.worker import failure
from core.conversion import same_labels
from core.errors import InputError
from core.header import palette_of
from core.palette import Palette, bundled_palettes
from core.request import Engine


def build_application(arguments: list[str]) -> QApplication:
    """The one QApplication, in the style that our themes are made for.

    From then on Python's garbage is collected in this thread alone.
    """
    application = QApplication.instance() or QApplication(arguments)
    Collector(application)
    application.setApplicationName("SDM Studio")
    application.setStyle("Fusion")
    application.setWindowIcon(tinted("app", "#2fa3b8", "#2fa3b8", "#2fa3b8"))
    return application


def first_palette(weights: Path, wanted: str | None = None) -> Palette:
    """The palette of that name or file; else the model's own, or landscapes if it cannot be read.

    Of a palette that is bundled too, the bundled one: it may know more synonyms by now. Raises
    `PaletteError` for one that was wanted and is not there.
    """
    if wanted:
        return Palette.load(wanted)
    bundled = Palette.load("landscape")
    try:
        palette = palette_of(weights)
        if palette.name in bundled_palettes():
            bundled = Palette.load(palette.name)
    except InputError:  # the model's thread will say why
        return bundled
    return bundled if same_labels(palette, bundled) else palette


def build_window(
    application: QApplication,
    open_engine: Callable[[], Engine],
    palette: Palette,
    layout: Path | None = None,
    store: Store | None = None,
    data: Path | None = None,
) -> MainWindow:
    """The window with a scene in it: the project or label map in `layout`, or the example.

    open_engine is called in the worker thread, after `studio.start()`. data: the user's data
    folder.
    """
    store, data = store or Store(), data or data_folder()
    theme = Theme(application)
    theme.choose(store.theme)
    scene = Scene(np.full((256, 256), palette.erase_id, np.uint8), palette)
    undo_stack = UndoStack()
    studio = Studio(scene, store.generate(), open_engine)
    pen = Pen(palette, palette.find("tree") or palette.erase_id)
    pen.pressure = store.pressure
    keeping = build_keeping(scene, undo_stack, pen, studio, store, data)
    library = Library(data / "palettes")
    window = MainWindow(scene, pen, undo_stack, keeping, studio, store, theme, library)
    if layout is not None:
        window.filing.open_path(layout)
    elif palette.name == "landscape":  # the example is painted with that one
        keeping.scene_file.open_example()
        window.start.show_picture(EXAMPLES[0])
    keeping.recovery.look()
    return window


def show(window: MainWindow) -> None:
    """Show the window, and open its model when it is painted: what reads torch takes turns with
    what paints, and both would wait for each other."""
    window.show()
    FirstPaint(window, window.studio.start)


def run(
    arguments: list[str],
    open_engine: Callable[[], Engine],
    palette: Palette,
    layout: Path | None = None,
    open_weights: Callable[[Path], Engine] | None = None,
) -> int:
    """Open the window and stay until it is closed. open_weights: opens another model's file."""
    application = build_application(arguments)
    window = build_window(application, open_engine, palette, layout)
    window.exchange.open_weights = open_weights
    show(window)
    if layout is None:
        welcome(window)
    sys.excepthook = partial(_report, window)
    return application.exec()


def welcome(window: MainWindow) -> None:
    """On a first start, show scenes to begin with."""
    if not window.store.welcomed:
        window.store.welcomed = True
        window.acts["start_page"].trigger()


def _report(window: MainWindow, kind: type, error: Exception, trace: TracebackType) -> None:
    """A mistake of the window's own: into the terminal, and where the user looks."""
    sys.__excepthook__(kind, error, trace)
    window.show_failure(failure(error))
