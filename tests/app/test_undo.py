"""Undo: what a step keeps, what it brings back, and what happens when memory is short."""

import numpy as np
import pytest

from app import commands
from app.commands import Edit, ReplaceScene, UndoStack
from app.patch import TILE, Patch
from app.scene import Scene
from core.palette import Palette
from tests.app import hand


@pytest.fixture
def scene(qapp, palette):
    return Scene(np.zeros((600, 700), np.uint8), palette)


@pytest.fixture
def stack(qapp):
    return UndoStack()


def noise(seed, shape=(600, 700)):
    return np.random.default_rng(seed).integers(0, 19, shape, np.uint8)


def stripes(seed):
    """A map that a file would hold in little."""
    return np.broadcast_to(((np.arange(600) + seed) // 9 % 19)[:, None], (600, 700)).astype("u1")


def paint(scene, stack, labels):
    """One gesture that leaves the map as `labels`."""
    before = Patch.of(scene.labels)
    scene.labels[:] = labels
    stack.push(Edit(scene, before, "noise"))


def test_a_patch_gives_back_what_was_there():
    """Uniform, mixed and compressed pieces all come back, at the rim of the map too."""
    labels = noise(1)
    labels[:TILE, :TILE] = 4
    patch = Patch.of(labels)
    assert patch.nbytes == labels.size - TILE * TILE
    patch.pack()
    assert patch.nbytes < 0.8 * labels.size
    back = np.zeros_like(labels)
    patch.paste(back)
    assert np.array_equal(back, labels)


def test_a_long_stroke_keeps_little(scene, stack):
    """A diagonal line across the map keeps the pixels around it, not the box around all of it."""
    scene.begin()
    scene.stroke((0, 0), (700, 600), 8, 5, "round")
    before = scene.end()
    changed = int((scene.labels == 5).sum())
    assert before.nbytes == 0  # it painted over a single label
    assert sum(b.width * b.height for b in before.boxes) < 0.5 * scene.labels.size
    scene.swap(before)
    assert changed > 5000 and not scene.labels.any()


def test_replacing_the_scene_is_one_step(scene, stack):
    """Another map of another size and palette comes and goes by undo and redo."""
    old, new = noise(1), noise(2, (64, 128))
    other = Palette.load("cityscapes")
    own = scene.palette
    scene.replace(old)
    stack.push(ReplaceScene(scene, new, other, "import"))
    assert scene.size == (128, 64) and scene.palette is other
    stack.undo()
    assert np.array_equal(scene.labels, old) and scene.palette is own
    stack.redo()
    assert np.array_equal(scene.labels, new) and scene.palette is other


def test_a_scene_with_foreign_ids_is_refused(scene, stack):
    """A map that the palette has no labels for changes nothing."""
    with pytest.raises(ValueError, match="ends at 18"):
        ReplaceScene(scene, np.full((8, 8), 200, np.uint8))
    with pytest.raises(ValueError):
        scene.replace(np.full((8, 8), 200, np.uint8))
    assert scene.size == (700, 600)


def test_everything_follows_the_palette(closed_window):
    """Canvas, pen and palette panel take the new palette, and the old one back on undo."""
    window, other = closed_window, Palette.load("cityscapes")
    window.pen.choose(window.pen.palette.find("sky"))
    labels = np.full((64, 64), other.find("car"), np.uint8)
    window.undo_stack.push(ReplaceScene(window.scene, labels, other, "convert"))
    middle = window.canvas.rect().center()
    shown = window.canvas.grab().toImage().pixelColor(middle).getRgb()[:3]
    assert shown == other[other.find("car")].color
    assert other[window.pen.label].name == "sky"
    assert len(window.palette_panel.rows.labels) == len(other.search(""))
    window.undo_stack.undo()
    assert window.pen.palette[window.pen.label].name == "sky"
    assert len(window.palette_panel.rows.labels) == 19


def test_the_view_stays_with_a_map_of_the_same_size(closed_window):
    """A conversion does not throw the zoom away; another size shows the whole map."""
    hand.wheel(closed_window.canvas, (10, 10), 5)
    view = closed_window.canvas.view
    closed_window.scene.replace(np.ones((64, 64), np.uint8))
    assert closed_window.canvas.view == view
    closed_window.scene.replace(np.ones((32, 64), np.uint8))
    assert closed_window.canvas.view != view


def test_another_document_is_shown_whole(closed_window):
    """Opening or beginning another scene of the same size shows all of it."""
    view = closed_window.canvas.view
    hand.wheel(closed_window.canvas, (10, 10), 5)
    closed_window.undo_stack.setClean()
    closed_window.filing.new()
    assert closed_window.canvas.view == view


def test_memory_is_bounded(scene, stack, monkeypatch):
    """Old steps are compressed, then given up; what is left comes back exactly."""
    monkeypatch.setattr(commands, "PLAIN_BYTES", 1_000_000)
    monkeypatch.setattr(commands, "TOTAL_BYTES", 2_000_000)
    maps = [noise(seed) for seed in range(12)]
    for labels in maps:
        paint(scene, stack, labels)
    assert stack.nbytes <= 2_000_000 and stack.count() == 12
    steps = 0
    while stack.canUndo():
        stack.undo()
        steps += 1
        assert np.array_equal(scene.labels, maps[-1 - steps])
    assert 4 <= steps < 11 and stack.index() == 0


def test_old_steps_are_packed(scene, stack):
    """All but the newest, whatever room there is: whole maps would pile up otherwise."""
    for seed in range(commands.PLAIN_STEPS + 4):
        paint(scene, stack, stripes(seed))
    plain = [
        step.nbytes >= scene.labels.nbytes for step in map(stack.command, range(stack.count()))
    ]
    assert plain == [False] * 4 + [True] * commands.PLAIN_STEPS
    for seed in reversed(range(commands.PLAIN_STEPS + 3)):
        stack.undo()
        assert np.array_equal(scene.labels, stripes(seed))


def test_a_given_up_step_never_looks_saved(scene, stack, monkeypatch):
    """If the way back to the saved map is lost, undoing all does not say "saved"."""
    monkeypatch.setattr(commands, "TOTAL_BYTES", 1_000_000)
    stack.setClean()
    for seed in range(5):
        paint(scene, stack, noise(seed))
    while stack.canUndo():
        stack.undo()
    assert not stack.isClean()


def test_the_newest_step_is_always_kept(scene, stack, monkeypatch):
    """A single step larger than the bound can still be taken back."""
    monkeypatch.setattr(commands, "TOTAL_BYTES", 1000)
    paint(scene, stack, noise(1))
    paint(scene, stack, noise(2))
    stack.undo()
    assert np.array_equal(scene.labels, noise(1)) and not stack.canUndo()
