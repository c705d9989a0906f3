"""How labels are shown: one alone, with borders, with patterns. The label map never changes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QObject, QRect, QRectF, Signal
from PySide6.QtGui import QPainter

from app.imaging import ink_image
from app.patterns import INKS, SIDE, inked_patterns, inks
from app.scene import Scene
from app.viewport import Viewport
from core.palette import Palette

DIMMED = 0.2  # how much is left of a colour while another label is shown alone
GREY = 112  # what the rest of it is
LINE = 190  # opacity of a border, 0..255
Inks = Sequence[tuple[int, int, int, int]]
BORDER_INKS: Inks = [(*rgb, LINE if alpha else 0) for *rgb, alpha in INKS]


class LabelView(QObject):
    """changed: whatever shows labels must be drawn again."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.alone: int | None = None  # the only label that keeps its colour
        self.borders = False
        self.patterns = False

    def show_alone(self, label: int | None) -> None:
        """Dim every label but this one; None for all in their colours."""
        self._set("alone", label)

    def show_borders(self, shown: bool) -> None:
        """Draw a line where two labels meet."""
        self._set("borders", shown)

    def show_patterns(self, shown: bool) -> None:
        """Draw a pattern on every label."""
        self._set("patterns", shown)

    def _set(self, name: str, value: object) -> None:
        if getattr(self, name) != value:
            setattr(self, name, value)
            self.changed.emit()

    def colors(self, palette: Palette) -> np.ndarray:
        """The colours to show, uint8 `[n, 3]`."""
        if self.alone is None or self.alone >= len(palette):
            return palette.colors
        dimmed = (palette.colors * DIMMED + GREY * (1 - DIMMED)).astype(np.uint8)
        dimmed[self.alone] = palette.colors[self.alone]
        return dimmed

    def draw(
        self, painter: QPainter, exposed: QRect, view: Viewport, scene: Scene, opacity: float
    ) -> None:
        """Draw patterns and borders over the layout, within the exposed part of the widget.

        Both are as fine as the screen, whatever the zoom: an array of screen pixels is made for the
        exposed rectangle alone, which for a brush is small.
        """
        if opacity == 0 or not (self.borders or self.patterns):
            return
        ratio = painter.device().devicePixelRatioF()
        window = ScreenWindow(exposed, view, scene.labels.shape, ratio)
        if window.empty:
            return
        ids = window.sample(scene.labels)
        colors = tuple(c.color for c in scene.palette.classes)
        if self.patterns:
            painter.setOpacity(opacity)
            _draw_inks(painter, window, _pattern_inks(ids, window, colors), INKS)
            painter.setOpacity(1.0)
        if self.borders:
            _draw_inks(painter, window, _border_inks(ids, colors), BORDER_INKS)


class ScreenWindow:
    """The pixels of the screen in a rectangle of the widget that show the map.

    left, top, width, height: in pixels of the screen from the widget's corner.
    """

    def __init__(
        self, exposed: QRect, view: Viewport, shape: tuple[int, int], ratio: float
    ) -> None:
        self.ratio = ratio
        self._scale = view.scale * ratio
        self._x, self._y = view.x * ratio, view.y * ratio
        across = (exposed.x(), exposed.width(), self._x, shape[1])
        down = (exposed.y(), exposed.height(), self._y, shape[0])
        self.left, self.width = self._span(*across)
        self.top, self.height = self._span(*down)

    def _span(self, start: int, length: int, offset: float, side: int) -> tuple[int, int]:
        """First pixel and number of pixels whose middle lies on the map."""
        first = max(math.floor(start * self.ratio), math.ceil(offset - 0.5))
        end = math.ceil((start + length) * self.ratio)
        last = min(end, math.ceil(offset + side * self._scale - 0.5))
        return first, max(0, last - first)

    @property
    def empty(self) -> bool:
        """Whether nothing of the map is in it."""
        return not (self.width and self.height)

    def sample(self, labels: np.ndarray) -> np.ndarray:
        """The id under the middle of every pixel, and of one more column and row beyond:
        uint8 `[height + 1, width + 1]`; at the edge of the map that is the last one again."""
        rows = self._places(self.top, self.height, self._y, labels.shape[0])
        columns = self._places(self.left, self.width, self._x, labels.shape[1])
        return labels[rows][:, columns]

    def _places(self, first: int, count: int, offset: float, side: int) -> np.ndarray:
        middles = np.arange(first, first + count + 1) + (0.5 - offset)
        return (middles / self._scale).astype(np.intp).clip(0, side - 1)

    def tile_places(self) -> tuple[np.ndarray, np.ndarray]:
        """Row `[h, 1]` and column `[1, w]` of every pixel in a tile; tiles move with the map and
        are as large on a dense screen as on another."""
        grain = max(1, round(self.ratio))
        rows = np.arange(self.top, self.top + self.height) - round(self._y)
        columns = np.arange(self.left, self.left + self.width) - round(self._x)
        return (rows // grain % SIDE)[:, None], (columns // grain % SIDE)[None, :]

    @property
    def target(self) -> QRectF:
        """Where it lies in the widget."""
        left, top, width, height = (
            v / self.ratio for v in (self.left, self.top, self.width, self.height)
        )
        return QRectF(left, top, width, height)


def _pattern_inks(ids: np.ndarray, window: ScreenWindow, colors: tuple) -> np.ndarray:
    rows, columns = window.tile_places()
    places = ids[:-1, :-1].astype(np.int32) * (SIDE * SIDE)
    places += (rows * SIDE + columns).astype(np.int32)
    return inked_patterns(colors).take(places)


def _border_inks(ids: np.ndarray, colors: tuple) -> np.ndarray:
    here = ids[:-1, :-1]
    edges = (here != ids[:-1, 1:]) | (here != ids[1:, :-1])
    return inks(colors).take(here) * edges


def _draw_inks(painter: QPainter, window: ScreenWindow, pixels: np.ndarray, inks: Inks) -> None:
    """pixels: uint8 `[h, w]`, indices into `inks`."""
    rows = np.ascontiguousarray(pixels)
    painter.drawImage(window.target, ink_image(rows, inks))
