"""The program's own icons: SVG files drawn in one colour, tinted to the theme when loaded."""

from __future__ import annotations

from functools import cache, lru_cache
from math import ceil
from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QAction, QColor, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QWidget

FOLDER = Path(__file__).resolve().parent
SIDE = 20  # logical pixels; each icon is also kept at twice and three times that, if a screen is so
DENSEST = 3
PROPERTY = "iconName"


def set_icon(target: QAction | QAbstractButton, name: str) -> None:
    """Let `target` carry the icon `name`, from the next `retint` on.

    "unlock/lock" is the icon "unlock", and "lock" while the target is checked.
    """
    target.setProperty(PROPERTY, name)


def retint(root: QWidget) -> None:
    """Draw all icons under `root` in the text colours of the application's palette."""
    for target in [*root.findChildren(QAction), *root.findChildren(QAbstractButton)]:
        name = target.property(PROPERTY)
        if name:
            target.setIcon(themed(name))


def themed(name: str) -> QIcon:
    """An icon in the text colours of the application's palette, as it is now."""
    palette = QGuiApplication.palette()
    roles = (
        QPalette.ColorRole.ButtonText,
        QPalette.ColorRole.HighlightedText,
        QPalette.ColorRole.PlaceholderText,
    )
    densest = min(DENSEST, ceil(QGuiApplication.instance().devicePixelRatio()))  # of all screens
    return tinted(name, *(palette.color(role).name() for role in roles), densest)


@lru_cache(maxsize=256)
def tinted(name: str, ink: str, chosen: str, faint: str, densest: int = DENSEST) -> QIcon:
    """The icon in the colour `ink`; `chosen` while checked, `faint` while disabled.

    densest: pixels to a logical one, up to which it is drawn.
    """
    off, _, on = name.partition("/")
    icon = QIcon()
    looks = (
        (off, ink, QIcon.Mode.Normal, QIcon.State.Off),
        (on or off, chosen, QIcon.Mode.Normal, QIcon.State.On),
        (off, faint, QIcon.Mode.Disabled, QIcon.State.Off),
        (on or off, faint, QIcon.Mode.Disabled, QIcon.State.On),
    )
    for scale in range(1, densest + 1):
        drawn = {look: _draw(*look, scale) for look in {look[:2] for look in looks}}
        for *look, mode, state in looks:
            icon.addPixmap(drawn[tuple(look)], mode, state)
    return icon


@cache
def _source(name: str) -> str:
    return (FOLDER / f"{name}.svg").read_text(encoding="utf-8")


def _draw(name: str, color: str, scale: int) -> QPixmap:
    drawing = _source(name)
    pixmap = QPixmap(SIDE * scale, SIDE * scale)
    pixmap.fill(QColor(Qt.GlobalColor.transparent))
    painter = QPainter(pixmap)
    renderer = QSvgRenderer(QByteArray(drawing.replace("currentColor", color).encode()))
    renderer.render(painter, QRectF(0, 0, SIDE * scale, SIDE * scale))
    painter.end()
    pixmap.setDevicePixelRatio(scale)
    return pixmap
