"""A hand with a mouse or a pen: raw events, because qtbot's moves carry no button."""

import shiboken6
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import (
    QInputDevice,
    QMouseEvent,
    QPointingDevice,
    QPointingDeviceUniqueId,
    QTabletEvent,
    QWheelEvent,
)
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


def double_click(canvas, point):
    """What Qt sends for it: press, release, double click, release."""
    drag(canvas, point)
    _send(canvas, Type.MouseButtonDblClick, at(canvas, point), LEFT, LEFT, PLAIN)
    release(canvas, point)


def hover(canvas, point, keys=PLAIN):
    _send(canvas, Type.MouseMove, at(canvas, point), NONE, NONE, keys)


def write(canvas, *points, eraser=False, button=LEFT):
    """Drag a tablet pen through points (x, y, pressure)."""
    pen = _tablet(eraser)
    (*first, force), *rest = points
    _send_pen(canvas, Type.TabletPress, first, force, button, button, pen)
    for *point, force in rest:
        _send_pen(canvas, Type.TabletMove, point, force, NONE, button, pen)
    _send_pen(canvas, Type.TabletRelease, point if rest else first, 0.0, button, NONE, pen)


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
    window.keeping.history.finish()
    window.keeping.history.mark_saved()
    window.close()
    shiboken6.delete(window)


def _send(canvas, kind, place, button, buttons, keys):
    event = QMouseEvent(kind, place, canvas.mapToGlobal(place), button, buttons, keys)
    QApplication.sendEvent(canvas, event)


def _send_pen(canvas, kind, point, pressure, button, buttons, pen):
    place = at(canvas, point)
    where = (place, canvas.mapToGlobal(place))
    event = QTabletEvent(kind, pen, *where, pressure, 0, 0, 0, 0, 0, PLAIN, button, buttons)
    QApplication.sendEvent(canvas, event)


def _tablet(eraser):
    kinds = QPointingDevice.PointerType
    return QPointingDevice(
        "pen",
        1,
        QInputDevice.DeviceType.Stylus,
        kinds.Eraser if eraser else kinds.Pen,
        QInputDevice.Capability.Position | QInputDevice.Capability.Pressure,
        1,
        2,
        "",
        QPointingDeviceUniqueId(),
    )
