"""A hand with a mouse: raw events, because qtbot's moves carry no button."""

import shiboken6
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication

LEFT, MIDDLE, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.NoButton
PLAIN = Qt.KeyboardModifier.NoModifier
Type = QEvent.Type


def at(canvas, point):
    """The widget position of a point of the map."""
    return QPointF(*canvas.view.to_widget(*point))


def press(canvas, point, button=LEFT, keys=PLAIN):
    _send(canvas, Type.MouseButtonPress, at(canvas, point), button, button, keys)


def move(canvas, point, buttons=LEFT, keys=PLAIN):
    _send(canvas, Type.MouseMove, at(canvas, point), NONE, buttons, keys)


def release(canvas, point, button=LEFT, keys=PLAIN):
    _send(canvas, Type.MouseButtonRelease, at(canvas, point), button, NONE, keys)


def drag(canvas, *points, button=LEFT, keys=PLAIN):
    """Press at the first point of the map, move through the others, release at the last."""
    places = [at(canvas, point) for point in points]  # a pan moves the map under the hand
    _send(canvas, Type.MouseButtonPress, places[0], button, button, keys)
    for place in places[1:]:
        _send(canvas, Type.MouseMove, place, NONE, button, keys)
    _send(canvas, Type.MouseButtonRelease, places[-1], button, NONE, keys)


def wheel(canvas, point, notches, keys=PLAIN):
    place = at(canvas, point)
    turn = QPoint(0, 120 * notches)
    event = QWheelEvent(
        place,
        canvas.mapToGlobal(place),
        QPoint(),
        turn,
        NONE,
        keys,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(canvas, event)


def put_away(window):
    """Close a window and free it: the style sheet is slow on a pile of old windows."""
    window.undo_stack.setClean()
    window.close()
    shiboken6.delete(window)


def _send(canvas, kind, place, button, buttons, keys):
    event = QMouseEvent(kind, place, canvas.mapToGlobal(place), button, buttons, keys)
    QApplication.sendEvent(canvas, event)
