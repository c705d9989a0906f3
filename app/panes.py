"""From part to part of the window by one key: the canvas, each panel, and round again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QApplication, QDockWidget, QWidget


class Panes(QObject):
    """parts: in the order of the round; those that are hidden are left out."""

    def __init__(self, window: QWidget, parts: Sequence[QWidget]) -> None:
        super().__init__(window)
        self._parts = list(parts)

    def go(self, by: int) -> None:
        """Give the keys to the part `by` places on; it goes on where it was left."""
        shown = [part for part in self._parts if part.isVisible() and any(_stops(part))]
        here = next((i for i, part in enumerate(shown) if _has_keys(part)), -(by > 0))
        part = shown[(here + by) % len(shown)]
        if isinstance(part, QDockWidget):
            part.raise_()  # from behind another one's tab
        last = part.focusWidget()
        target = last if last in _stops(part) else next(_stops(part), None)
        if target is not None:
            target.setFocus(Qt.FocusReason.TabFocusReason)


def _has_keys(part: QWidget) -> bool:
    focus = QApplication.focusWidget() or part.window().focusWidget()
    return focus is not None and (part is focus or part.isAncestorOf(focus))


def _stops(part: QWidget) -> Iterator[QWidget]:
    """Where Tab stops in a part, in its order."""
    widget = part.nextInFocusChain()
    while widget is not part:
        inside = part.isAncestorOf(widget) and widget.isVisible() and widget.isEnabled()
        if inside and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            yield widget
        widget = widget.nextInFocusChain()
