"""The window reaches no other machine."""

from PySide6.QtCore import Qt

from tests.app.test_generating import finished, until


def test_painting_and_generating_use_no_network(no_network, window, qtbot):
    """From the start to a picture in the history."""
    window.scene.labels[:8] = 1
    qtbot.keyClick(window.canvas, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    until(qtbot, finished(window))
    assert window.studio.result is not None
