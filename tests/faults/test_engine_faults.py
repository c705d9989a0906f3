"""What the engine meets: the window keeps scene and picture, says why, and goes on."""

import pytest
from PySide6.QtCore import Qt

from app.application import build_window
from core.errors import DeviceLost, NotAPicture, OutOfMemory
from tests.app import hand
from tests.app.fake_engine import FakeEngine
from tests.faults.watch import holds, made, said

ALLOCATOR = (
    "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate 9223372036854775807 bytes. Error code 12 (Cannot allocate memory)"
)


class Mute(Exception):
    """One that cannot even say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


FAULTS = [
    (MemoryError(), "There is not enough memory for that."),
    (RuntimeError(ALLOCATOR), "There is not enough memory for that."),
    (OutOfMemory((64, 64)), "There is not enough memory for a picture of 64 × 64."),
    (NotAPicture(), "The model's numbers ran over, and no picture came of them."),
    (DeviceLost("CUDA error"), "The graphics card gave up: CUDA error. Generate again"),
    (KeyError("x"), "Something unforeseen went wrong: KeyError: 'x'"),
    (RecursionError("deep"), "Something unforeseen went wrong: RecursionError: deep"),
    (Mute(), "Something unforeseen went wrong: Mute"),
    (SystemExit(3), "Something unforeseen went wrong: SystemExit: 3"),
    (KeyboardInterrupt(), "Something unforeseen went wrong: KeyboardInterrupt"),
]


def test_every_fault_in_one_window(window, engine, qtbot):
    """In the middle of a sample: the sentence, the scene, the last picture; then the next one."""
    hand.drag(window.canvas, (10, 10), (40, 30))
    last, labels = made(window, qtbot), window.scene.labels.copy()
    for error, sentence in FAULTS:
        window.error_bar.hide()
        engine.fail_at, engine.error = 2, error
        window.acts["generate"].trigger()
        qtbot.waitUntil(lambda: said(window) != "", timeout=10_000)
        assert said(window).startswith(sentence) and window.studio.status().state == "failed"
        assert window.studio.result is last and holds(window, labels)
        assert (window.result_panel.view._array == last.image).all()
        engine.fail_at = 0
        last = made(window, qtbot)
    assert len(window.keeping.history.records) == len(FAULTS) + 1


@pytest.mark.parametrize("act", ["variations", "update"])
def test_a_fault_in_other_samples(window, engine, qtbot, act):
    """Variations and local edits end without a picture; Generate works."""
    first = made(window, qtbot)
    hand.drag(window.canvas, (10, 10), (40, 30))
    engine.fail_at, engine.error = 1, KeyError("x")
    window.acts[act].trigger()
    qtbot.waitUntil(lambda: "KeyError" in said(window), timeout=10_000)
    assert window.studio.result is first and not window.studio.busy
    engine.fail_at = 0
    window.acts["cancel"].trigger()
    assert made(window, qtbot) is not first


class OneLife(FakeEngine):
    """An engine that loses its device with the first thing that it is asked."""

    def sample(self, *wish):
        raise DeviceLost("CUDA error: unspecified launch failure")

    recombine = picture_of = segment = sample


@pytest.fixture
def reopened(qapp, qtbot, palette, store, data):
    """The window over such an engine, which is a sound one when it is opened again."""
    opened = []

    def open_engine():
        opened.append(OneLife() if not opened else FakeEngine())
        return opened[-1]

    window = build_window(qapp, open_engine, palette, store=store, data=data)
    window.opened = opened
    window.show()
    window.studio.start()
    qtbot.waitUntil(lambda: window.studio.model is not None, timeout=10_000)
    yield window
    hand.put_away(window)


def test_a_lost_device_is_opened_anew(reopened, qtbot):
    """With the next picture, in the same document."""
    hand.drag(reopened.canvas, (10, 10), (40, 30))
    labels = reopened.scene.labels.copy()
    reopened.acts["generate"].trigger()
    qtbot.waitUntil(lambda: "gave up: CUDA error" in said(reopened), timeout=10_000)
    assert len(reopened.opened) == 1 and holds(reopened, labels)
    made(reopened, qtbot)
    assert len(reopened.opened) == 2
    assert reopened.studio.model is reopened.opened[1].info
    made(reopened, qtbot)
    assert len(reopened.opened) == 2


def test_a_device_lost_while_painting_live(reopened, qtbot):
    """Live goes off, once and with a sentence; switched on again it works."""
    reopened.acts["live"].setChecked(True)
    qtbot.waitUntil(lambda: "gave up" in said(reopened), timeout=10_000)
    qtbot.waitUntil(lambda: not reopened.acts["live"].isChecked(), timeout=10_000)
    reopened.acts["live"].setChecked(True)
    hand.drag(reopened.canvas, (10, 10), (40, 30))
    qtbot.waitUntil(lambda: reopened.studio.result is not None, timeout=10_000)
    reopened.acts["live"].setChecked(False)


def test_a_device_lost_at_a_question(reopened, qtbot):
    """As with a picture."""
    answers = []
    reopened.studio.ask(lambda engine: engine.segment(None), answers.append)
    qtbot.waitUntil(lambda: "gave up" in said(reopened), timeout=10_000)
    reopened.studio.ask(lambda engine: engine.info.name, answers.append)
    qtbot.waitUntil(lambda: answers == ["fake"], timeout=10_000)


def test_what_is_made_from_then_on_is_of_the_model_that_was_opened_last(reopened, qtbot):
    """A model that was opened over the first one is the one that is opened anew."""
    later = []

    def open_other():
        later.append(OneLife() if not later else FakeEngine())
        return later[-1]

    reopened.studio.open_model(open_other)
    qtbot.waitUntil(lambda: bool(later) and not reopened.studio.busy, timeout=10_000)
    reopened.acts["generate"].trigger()
    qtbot.waitUntil(lambda: "gave up" in said(reopened), timeout=10_000)
    made(reopened, qtbot)
    assert len(later) == 2 and len(reopened.opened) == 1


def test_a_model_that_cannot_be_opened_keeps_the_other(window, qtbot):
    """Whatever the reason is."""

    def cannot():
        raise MemoryError

    first = window.studio.model
    window.studio.open_model(cannot)
    qtbot.waitUntil(lambda: "not enough memory" in said(window), timeout=10_000)
    assert window.studio.model is first
    made(window, qtbot)


def test_a_key_still_works_after_a_fault(window, engine, qtbot):
    """The bar with the sentence takes neither the keys nor the pointer."""
    engine.fail_at, engine.error = 1, KeyError("x")
    window.acts["generate"].trigger()
    qtbot.waitUntil(lambda: "KeyError" in said(window), timeout=10_000)
    hand.drag(window.canvas, (5, 5), (30, 5))
    qtbot.keyClick(window.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not window.scene.labels.any()
