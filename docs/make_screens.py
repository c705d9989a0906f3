"""Make the pictures of the window in docs/screens again, with the real window and the real model.

    QT_QPA_PLATFORM=offscreen python -m docs.make_screens [folder]

A minute or two on two cores that have nothing else to do. Look at every one of them: at 1280 × 720
nothing may be cut off, in either theme. QT_SCALE_FACTOR=2 makes them as a dense screen shows them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from PySide6.QtCore import QBuffer, QEvent, QIODevice, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from app.application import build_application, build_window, welcome
from app.main_window import MainWindow
from app.settings import Store
from core.palette import Palette
from main import WEIGHTS, open_engine

FOLDER = Path(__file__).resolve().parent / "screens"
FLAT_COLORS = 96  # of the window: backgrounds, swatches, text
STEPS = 12  # of a picture: enough to see what the window does
EDIT_STEPS = 25  # where the picture itself is what is shown
CLOUD = [(136, 30), (190, 18), (254, 26), (254, 66), (190, 64), (140, 54), (136, 30)]
ROCKS = [(236, 216), (214, 224), (190, 222), (166, 230)]
TREE, TRUNK = 44, [(60, 90), (60, 150)]  # a brush and its way, in pixels of the map
PATIENCE = 900  # seconds for one picture


def shoot(widget: QWidget, path: Path) -> None:
    """Write what a widget shows as a small PNG."""
    QTest.qWait(80)
    data = QBuffer()
    data.open(QIODevice.OpenModeFlag.WriteOnly)
    widget.grab().save(data, "PNG")
    picture = Image.open(BytesIO(bytes(data.data()))).convert("RGB")
    in_few_colors(picture).save(path, optimize=True)
    print(path.name, path.stat().st_size // 1024, "KB")


def in_few_colors(picture: Image.Image) -> Image.Image:
    """The picture in 256 colours: the flat ones of the window exact, the others near."""
    pixels = np.asarray(picture).reshape(-1, 3)
    colors, counts = np.unique(pixels, axis=0, return_counts=True)
    flat = colors[np.argsort(-counts)[:FLAT_COLORS]]
    near = picture.quantize(256 - FLAT_COLORS, dither=Image.Dither.NONE).getpalette()
    table = Image.new("P", (1, 1))
    table.putpalette(flat.flatten().tolist() + near)
    return picture.quantize(palette=table, dither=Image.Dither.FLOYDSTEINBERG)


def until(condition: Callable[[], bool]) -> None:
    """Let the window work until the condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        QApplication.processEvents()
        time.sleep(0.01)  # QTest.qWait would keep the interpreter from the sampling thread
        if time.monotonic() > end:
            raise TimeoutError("the window did not come so far")


def stroke(window: MainWindow, points: list[tuple[int, int]]) -> None:
    """Press at the first point of the map and move through the others; the button stays down."""
    canvas, left = window.canvas, Qt.MouseButton.LeftButton
    kinds = [QEvent.Type.MouseButtonPress] + [QEvent.Type.MouseMove] * (len(points) - 1)
    for kind, point in zip(kinds, points, strict=True):
        place = QPointF(QPoint(*map(round, canvas.view.to_widget(*point))))
        button = left if kind == QEvent.Type.MouseButtonPress else Qt.MouseButton.NoButton
        glob = canvas.mapToGlobal(place)
        event = QMouseEvent(kind, place, glob, button, left, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(canvas, event)


def lift(window: MainWindow, point: tuple[int, int]) -> None:
    """Let go of the button."""
    place = QPointF(*window.canvas.view.to_widget(*point))
    glob, left = window.canvas.mapToGlobal(place), Qt.MouseButton.LeftButton
    none, plain = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    kind = QEvent.Type.MouseButtonRelease
    QApplication.sendEvent(window.canvas, QMouseEvent(kind, place, glob, left, none, plain))


def shoot_dialog(window: MainWindow, wish: str, path: Path) -> None:
    """The dialog that a command opens."""
    window.acts[wish].trigger()
    (dialog,) = [d for d in window.findChildren(QDialog) if d.isVisible()]
    shoot(dialog, path)
    dialog.close()


def press(window: MainWindow, key: Qt.Key, shift: bool = False) -> None:
    """Press a key on the canvas, perhaps with Shift."""
    modifier = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    QTest.keyClick(window.canvas, key, modifier)


def shoot_edits(window: MainWindow, path: Callable[[str], Path]) -> None:
    """Six pictures of two local edits: a region is repainted, then a tree is planted."""
    edits = window.local.edits

    history = window.keeping.history

    def proposed(count: int) -> bool:
        return len(edits.proposals) == count and window.studio.status().steps == 0

    def keep(count: int) -> None:
        press(window, Qt.Key.Key_Return)
        until(lambda: len(history.records) == count)

    window.generate_panel.steps.setValue(EDIT_STEPS)
    press(window, Qt.Key.Key_Q)
    press(window, Qt.Key.Key_L)
    stroke(window, CLOUD)
    lift(window, CLOUD[-1])
    shoot(window, path("edit-1-marked"))
    press(window, Qt.Key.Key_F5, shift=True)
    until(lambda: proposed(1))
    press(window, Qt.Key.Key_Right)
    until(lambda: window.studio.status().step >= EDIT_STEPS // 2)
    shoot(window, path("edit-2-forming"))
    until(lambda: proposed(2))
    shoot(window, path("edit-3-proposal"))
    keep(2)
    press(window, Qt.Key.Key_B)
    window.pen.choose(window.scene.palette.find("tree"))
    window.pen.resize(TREE)
    press(window, Qt.Key.Key_Q, shift=True)
    window.acts["edit_controls"].trigger()
    stroke(window, TRUNK)
    lift(window, TRUNK[-1])
    shoot(window, path("edit-4-painted"))
    window.acts["update"].trigger()
    until(lambda: proposed(1))
    press(window, Qt.Key.Key_Q, shift=True)
    QApplication.sendEvent(window.canvas, QEvent(QEvent.Type.Leave))  # the brush hides the tree
    shoot(window, path("edit-5-updated"))
    keep(3)
    press(window, Qt.Key.Key_Tab)
    shoot(window, path("edit-6-kept"))
    press(window, Qt.Key.Key_Tab)
    window.docks[2].raise_()


def shoot_live(window: MainWindow, path: Path) -> None:
    """A picture that follows the brush, which is still down."""
    before = window.studio.result
    window.acts["live"].setChecked(True)
    window.pen.choose(window.scene.palette.find("rock"))
    stroke(window, ROCKS)
    until(lambda: window.studio.result is not before)
    until(lambda: window.studio.status().state == "live" and not window.studio.busy)
    shoot(window, path)
    lift(window, ROCKS[-1])
    window.acts["live"].setChecked(False)


def shoot_match(window: MainWindow, path: Path) -> None:
    """Where the picture differs from the layout, and how each label came out."""
    until(window.acts["differences"].isEnabled)
    window.acts["differences"].trigger()
    shoot(window, path)
    window.acts["differences"].trigger()


def session(application: QApplication, theme: str, folder: Path) -> None:
    """One life of the window in a theme: start, paint, sample, choose, err."""

    def path(name: str) -> Path:
        return folder / f"{name}-{theme}.png"

    own = Path(tempfile.mkdtemp())
    store = Store(own / "settings.ini")
    store.theme = theme
    palette = Palette.load("landscape")
    engine = partial(open_engine, WEIGHTS)
    window = build_window(application, engine, palette, store=store, data=own)
    window.resize(1280, 720)
    window.show()
    window.studio.start()
    welcome(window)
    until(lambda: window.studio.model is not None)
    shoot(window, path("start"))
    window.start.close()
    trail = [(30, 196), (60, 186), (100, 192), (140, 186), (176, 194)]
    stroke(window, trail)
    shoot(window, path("painting"))
    lift(window, trail[-1])
    window.generate_panel.seed.setValue(21)
    window.generate_panel.steps.setValue(STEPS)
    window.studio.generate()
    until(lambda: window.studio.status().step >= STEPS // 2)
    shoot(window, path("sampling"))
    until(lambda: window.studio.result is not None)
    shoot(window, path("result"))
    shoot_match(window, path("match"))
    shoot_edits(window, path)
    shoot_live(window, path("live"))
    window.acts["variations"].trigger()
    until(lambda: all(picture.result for picture in window.desk.variations.pictures))
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Down):
        QTest.keyClick(window.desk.panel.grid, key)
    shoot(window, path("variations"))
    QTest.keyClick(window.desk.panel.grid, Qt.Key.Key_Escape)
    shoot_dialog(window, "shortcuts", path("shortcuts"))
    shoot_dialog(window, "keys", path("keys"))
    window.filing.open_path(Path("holiday.png"))
    shoot(window, path("error"))
    window.filing.may_go = lambda: True  # nothing here is worth a question
    window.close()


def main() -> None:
    """Both themes, into the folder given or docs/screens."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    application = build_application(sys.argv[:1])
    for theme in ("light", "dark"):
        session(application, theme, folder)


if __name__ == "__main__":
    main()
