"""Plain plots of a few points, drawn with Pillow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from core.files import atomic_path, writing

FINE = 2  # drawn so many times as large, then reduced: smooth lines
SIZE = (560 * FINE, 380 * FINE)  # pixels of a panel
LEFT, RIGHT, TOP, BOTTOM = (FINE * side for side in (78, 26, 46, 58))  # around its axes
INK, GRID, PAPER = "#24292f", "#d8dee4", "#ffffff"
COLOURS = ("#0b6e99", "#c2410c", "#4d7c0f", "#7e22ce")
FONT, SMALL = 15 * FINE, 13 * FINE
TICKS = 5
DOT, PAD = 3 * FINE, 3 * FINE


@dataclass(frozen=True)
class Panel:
    """Lines over the same x. Logarithmic where `log` is set, for what grows by factors."""

    title: str
    x_title: str
    x: Sequence[float]
    lines: dict[str, Sequence[float]]
    unit: str
    log: bool = True


def draw(panels: Sequence[Panel], path: Path) -> None:
    """Write the panels beside each other as a PNG. Raises `OutputError`."""
    image = Image.new("RGB", (SIZE[0] * len(panels), SIZE[1]), PAPER)
    for number, panel in enumerate(panels):
        _draw_panel(ImageDraw.Draw(image), panel, number * SIZE[0])
    with writing(path), atomic_path(path) as part:
        image.reduce(FINE).quantize(64, dither=Image.Dither.NONE).save(part, "PNG", optimize=True)


def _draw_panel(pen: ImageDraw.ImageDraw, panel: Panel, offset: int) -> None:
    values = [value for line in panel.lines.values() for value in line]
    x_axis = Axis.of(panel.x, panel.log, offset + LEFT, offset + SIZE[0] - RIGHT, exact=True)
    y_axis = Axis.of(values, panel.log, SIZE[1] - BOTTOM, TOP)
    font, small = ImageFont.load_default(FONT), ImageFont.load_default(SMALL)
    for tick in y_axis.ticks:
        y = y_axis.place(tick)
        pen.line([(x_axis.start, y), (x_axis.end, y)], fill=GRID, width=FINE)
        pen.text((x_axis.start - 8 * FINE, y), number_text(tick), INK, small, anchor="rm")
    for tick in x_axis.ticks:
        x = x_axis.place(tick)
        pen.line([(x, y_axis.start), (x, y_axis.start + 5 * FINE)], fill=INK, width=FINE)
        pen.text((x, y_axis.start + 9 * FINE), number_text(tick), INK, small, anchor="ma")
    pen.line([(x_axis.start, y_axis.start), (x_axis.end, y_axis.start)], fill=INK, width=FINE)
    pen.text((offset + LEFT, 12 * FINE), f"{panel.title}, {panel.unit}", INK, font)
    middle = (x_axis.start + x_axis.end) / 2
    pen.text((middle, SIZE[1] - 24 * FINE), panel.x_title, INK, small, anchor="ma")
    for colour, line in zip(COLOURS, panel.lines.values(), strict=False):
        points = [(x_axis.place(x), y_axis.place(y)) for x, y in zip(panel.x, line, strict=True)]
        pen.line(points, fill=colour, width=2 * FINE)
        for x, y in points:
            pen.ellipse([x - DOT, y - DOT, x + DOT, y + DOT], fill=colour)
    _legend(pen, list(panel.lines), x_axis.start + 12 * FINE, small)


def _legend(pen: ImageDraw.ImageDraw, names: Sequence[str], x: float, font) -> None:
    """The names of the lines, where there are several; upper left, where rising lines are not."""
    if len(names) < 2:
        return
    for number, (colour, name) in enumerate(zip(COLOURS, names, strict=False)):
        y = TOP + 6 * FINE + number * (SMALL + 5 * FINE)
        box = pen.textbbox((x + 18 * FINE, y), name, font)
        pen.rectangle([x - PAD, box[1] - PAD, box[2] + PAD, box[3] + PAD], fill=PAPER)
        middle = y + SMALL / 2 + FINE
        pen.line([(x, middle), (x + 12 * FINE, middle)], fill=colour, width=3 * FINE)
        pen.text((x + 18 * FINE, y), name, INK, font)


@dataclass(frozen=True)
class Axis:
    """From values to pixels."""

    low: float
    high: float
    ticks: Sequence[float]
    log: bool
    start: float
    end: float

    @classmethod
    def of(
        cls, values: Sequence[float], log: bool, start: float, end: float, exact: bool = False
    ) -> Axis:
        """An axis that holds the values. exact: with a tick at every one."""
        low, high = min(values), max(values)
        if exact:
            return cls(low, high, values, log, start, end)
        if log:
            powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            ticks = [f * 10.0**p for p in powers for f in (1, 2, 5)]
            below = [t for t in ticks if t <= low][-1:]
            above = [t for t in ticks if t >= high][:1]
            ticks = below + [t for t in ticks if low < t < high] + above
            return cls(ticks[0], ticks[-1], ticks, True, start, end)
        step = _round_step(high / TICKS)
        count = math.ceil(high / step)
        return cls(0, count * step, [i * step for i in range(count + 1)], False, start, end)

    def place(self, value: float) -> float:
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(value)
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)


def _round_step(step: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(f * power for f in (1, 2, 5, 10) if f * power >= step)


def number_text(value: float) -> str:
    """Short: 0.05, 1, 256, 4096."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
