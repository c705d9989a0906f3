"""What the tests look at, and the picture that they ask for."""

import numpy as np


def said(window) -> str:
    """The sentence in the bar, or "" where there is none."""
    return window.error_bar.sentence.text() if window.error_bar.isVisible() else ""


def made(window, qtbot):
    """Generate, and wait for the picture."""
    before = window.studio.result
    window.acts["generate"].trigger()
    qtbot.waitUntil(
        lambda: window.studio.result is not before and not window.studio.busy, timeout=10_000
    )
    window.keeping.history.finish()
    return window.studio.result


def holds(window, labels) -> bool:
    """Whether the scene is as it was, to the pixel."""
    return np.array_equal(window.scene.labels, labels)
