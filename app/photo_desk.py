"""Where the photo to trace is shown, and the switches for it."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDockWidget

from app.canvas import Canvas
from app.reference import Reference

TRACING = 0.5  # the layout's opacity when a photo comes under an opaque one


class PhotoDesk(QObject):
    """Shows the photo in its dock or under the map. dock: its widget has `show_picture`."""

    def __init__(
        self, reference: Reference, canvas: Canvas, dock: QDockWidget, acts: dict[str, QAction]
    ) -> None:
        super().__init__(dock)
        self._reference, self._canvas, self._dock, self._acts = reference, canvas, dock, acts
        dock.widget().setAccessibleName("Photo to trace")
        reference.underlay_changed.connect(canvas.show_picture)
        reference.changed.connect(self._show)
        self._show()

    def toggle(self) -> None:
        """From under the map to beside it, and back."""
        self._reference.put_under(not self._reference.under)

    def _show(self) -> None:
        reference = self._reference
        there = reference.photo is not None
        if reference.under and self._canvas.opacity in (0.0, 1.0):
            self._canvas.set_opacity(TRACING)  # else one would hide the other
        self._dock.widget().show_picture(reference.photo)
        self._dock.setWindowTitle(f"Photo: {reference.name}" if there else "Photo")
        self._dock.setVisible(there and not reference.under)
        self._acts["photo_under"].setChecked(reference.under)
        for name in ("photo_under", "photo_away"):
            self._acts[name].setEnabled(there)
