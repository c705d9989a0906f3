"""Fix a label: where something else came out in its place, the picture is made anew."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app.commands import Edit, UndoStack
from app.edits import Edits
from app.matches import Matches
from app.studio import Studio
from core.matching import wrong_region
from core.request import Failed

NOT_KNOWN = "There is no picture yet whose match with the layout is known. Generate one first."
OTHER_CANVAS = "The picture was made for a canvas of another size. Generate it anew first."
NOTHING = "Nothing but {name} is to be seen where {name} is painted: there is nothing to fix."


class Fixing(QObject):
    """Marks where a label differs, in one undo step, and lets the local edits propose pictures.

    failed(Failed).
    """

    failed = Signal(object)

    def __init__(
        self, studio: Studio, matches: Matches, edits: Edits, undo_stack: UndoStack
    ) -> None:
        super().__init__()
        self._studio, self._matches = studio, matches
        self._edits, self._undo_stack = edits, undo_stack

    def fix(self, label: int | None) -> None:
        """Repaint where `label` was painted and something else is to be seen.

        label: an id of the picture's layout; None for the worst of all.
        """
        match, result = self._matches.present, self._studio.result
        if match is None:
            self.failed.emit(Failed(NOT_KNOWN))
            return
        layout, marks = result.request.layout, self._edits.marks
        if layout.size != marks.labels.shape:
            self.failed.emit(Failed(OTHER_CANVAS))
            return
        label = match.labels[0].label if label is None else label
        region = wrong_region(match, layout, label, layout.size)
        if not region.any():
            self.failed.emit(Failed(NOTHING.format(name=match.palette[label].name)))
            return
        marks.begin()
        marks.mark_only(region)
        before = marks.end()
        if before is not None:
            text = f"mark where {match.palette[label].name} differs"
            self._undo_stack.push(Edit(marks, before, text))
        self._edits.repaint()
