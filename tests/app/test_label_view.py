"""How labels are shown: patterns, borders, and nothing of it in the label map."""

import time

import numpy as np
import pytest
from PySide6.QtCore import QRect
from PySide6.QtGui import QImage, QPainter

from app import patterns
from app.application import build_window
from app.color_sight import least_distances
from app.label_view import LabelView, ScreenWindow
from app.scene import Scene
from app.settings import Store
from app.swatch import swatch_pixmap
from app.viewport import Viewport
from core.palette import Palette, bundled_palettes
from tests.app import hand

ROOM = QRect(0, 0, 400, 300)
VIEW = Viewport(4.0, 20.0, 10.0)


@pytest.fixture
def scene(qapp, palette):
    """Sky over a lake, with a tree of one pixel."""
    labels = np.full((60, 80), 1, np.uint8)
    labels[30:] = 15
    labels[10, 10] = 7
    return Scene(labels, palette)


def draw(scene, rect=ROOM, view=VIEW, ratio=1.0, opacity=1.0, **shown):
    """What is drawn over a black widget: uint8 `[H, W]`, its brightness."""
    size = ROOM.size() * ratio
    image = QImage(size, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    image.fill(0)
    label_view = LabelView()
    label_view.show_borders(shown.get("borders", False))
    label_view.show_patterns(shown.get("patterns", False))
    painter = QPainter(image)
    label_view.draw(painter, rect, view, scene, opacity)
    painter.end()
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(size.height(), size.width(), 4)
    return pixels[..., :3].max(axis=2)


def test_patterns_can_be_told_apart():
    """At least eight patterns; however two are shifted, they differ in a tenth of their pixels."""
    drawings = patterns.DRAWINGS
    assert len(drawings) == 24
    for i, one in enumerate(drawings):
        for other in drawings[:i]:
            gaps = [
                (np.roll(one, (dy, dx), (0, 1)) != other).mean()
                for dy in range(patterns.SIDE)
                for dx in range(patterns.SIDE)
            ]
            assert min(gaps) >= 0.08, (i,)


@pytest.mark.parametrize("name", bundled_palettes())
def test_alike_colours_have_other_patterns(name):
    """Labels of one pattern can be told apart by their colours, also by eyes that lack a cone."""
    palette = Palette.load(name)
    numbers, apart = patterns.numbers_of(palette), least_distances(palette.colors)
    shown = [c.id for c in palette.classes if not c.hidden]
    pairs = [(a, b) for a in shown for b in shown if a < b and numbers[a] == numbers[b]]
    assert min((apart[pair] for pair in pairs), default=100) >= 5
    assert patterns.numbers_of(palette) == numbers and max(numbers) < len(patterns.DRAWINGS)


def test_red_and_green_are_one_colour_to_some():
    """The classic pair is far apart to most and near to some; gray is gray to everybody."""
    red, green, gray, white = (190, 90, 60), (120, 120, 60), (128, 128, 128), (255, 255, 255)
    apart = least_distances(np.array([red, green, gray, white], np.uint8))
    assert apart[0, 1] < 15 and apart[2, 3] == pytest.approx(46.4, abs=0.5)
    assert np.allclose(apart, apart.T) and not apart.diagonal().any()


def test_a_pattern_lies_on_its_label(scene):
    """Every label of the map carries its own pattern, tiled over exactly its pixels."""
    shown = draw(scene, patterns=True) > 0
    view = draw(Scene(np.full((60, 80), 15, np.uint8), scene.palette), patterns=True) > 0
    assert np.array_equal(shown[130:250, 20:340], view[130:250, 20:340])
    tile = patterns.DRAWINGS[15] > 0
    assert np.array_equal(view[10:26, 20:36], tile) and not shown[:, :20].any()


def test_dark_ink_on_light_labels(scene):
    """Ink is chosen to be seen: black on a light label adds nothing to a black ground."""
    assert patterns.ink((250, 250, 255)) == patterns.DARK
    assert patterns.ink((30, 30, 80)) == patterns.LIGHT
    assert draw(Scene(np.full((60, 80), 5, np.uint8), scene.palette), patterns=True).max() == 0


def test_borders_lie_between_labels(scene):
    """A line of one screen pixel where two labels meet, at any zoom, and none elsewhere."""
    labels = np.full((60, 80), 15, np.uint8)  # both dark: their borders are light
    labels[:, 40:] = 7
    shown = draw(Scene(labels, scene.palette), borders=True) > 0
    assert np.flatnonzero(shown.any(axis=0)).tolist() == [20 + 160 - 1]
    assert shown[:, 179].sum() == 240
    far = Viewport(0.5, 0.0, 0.0)
    assert draw(Scene(labels, scene.palette), view=far, borders=True).any(axis=0).sum() == 1


@pytest.mark.parametrize("ratio", [1.0, 2.0, 1.5])
@pytest.mark.parametrize("kind", ["patterns", "borders"])
def test_parts_fit_together(palette, ratio, kind):
    """A repaint of any rectangle draws the same pixels as a repaint of the whole."""
    labels = np.random.default_rng(0).choice(np.uint8([6, 7, 15]), (30, 40)).repeat(2, 0)
    scene = Scene(labels, palette)
    view = Viewport(5.3, 11.0, -7.0)
    whole = draw(scene, view=view, ratio=ratio, **{kind: True})
    part = QRect(100, 62, 52, 34)
    left, top, right, bottom = (
        round(v * ratio) for v in (part.left(), part.top(), 100 + 52, 62 + 34)
    )
    drawn = draw(scene, part, view, ratio, **{kind: True})
    inner = (slice(top, bottom), slice(left, right))
    assert np.array_equal(drawn[inner], whole[inner]) and drawn[inner].any()
    drawn[inner] = 0
    assert not drawn.any()


def test_the_picture_alone_is_alone(scene):
    """With the layout out of sight, its patterns and borders are too."""
    assert draw(scene, opacity=0.0, patterns=True, borders=True).max() == 0


def test_off_the_map_nothing_is_drawn(scene):
    """A view that shows no pixel of the map has an empty window."""
    window = ScreenWindow(ROOM, Viewport(1.0, 1000.0, 0.0), scene.labels.shape, 1.0)
    assert window.empty and draw(scene, view=Viewport(1.0, 1000.0, 0.0), borders=True).max() == 0


def test_a_brush_redraws_little(palette):
    """On a large map the part under a brush takes well under a millisecond; a loaded machine has
    ten times that."""
    scene = Scene(np.random.default_rng(0).integers(0, 19, (4096, 4096), np.uint8), palette)
    label_view = LabelView()
    label_view.show_patterns(True)
    label_view.show_borders(True)
    image = QImage(900, 640, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        label_view.draw(painter, QRect(400, 300, 64, 64), Viewport(1.0, -900.0, -900.0), scene, 1.0)
        times.append(time.perf_counter() - start)
    painter.end()
    assert np.median(times) < 0.01


def test_the_map_is_never_touched(scene):
    """Patterns and borders are a view: the ids stay."""
    before = scene.labels.copy()
    draw(scene, patterns=True, borders=True)
    assert np.array_equal(scene.labels, before)


def test_switches_are_remembered(closed_window, qtbot, qapp, palette, engine, tmp_path):
    """View ▸ Patterns and C for borders come back at the next start."""
    closed_window.acts["patterns"].trigger()
    qtbot.keyClick(closed_window.canvas, "c")
    assert closed_window.canvas.label_view.borders and closed_window.canvas.label_view.patterns
    closed_window.store._settings.sync()
    again = build_window(qapp, lambda: engine, palette, store=Store(tmp_path / "settings.ini"))
    assert again.canvas.label_view.patterns and again.acts["borders"].isChecked()
    hand.put_away(again)


def test_swatches_carry_the_pattern(closed_window, palette):
    """The palette shows the same pattern as the canvas."""
    plain, hatched = (swatch_pixmap(palette[7].color, 18, p).toImage() for p in (None, 7))
    assert plain != hatched
    closed_window.acts["patterns"].trigger()
    rows = closed_window.palette_panel.rows
    icon = rows.row(7).icon(0).pixmap(18).toImage()
    closed_window.acts["patterns"].trigger()
    assert icon != rows.row(7).icon(0).pixmap(18).toImage()
