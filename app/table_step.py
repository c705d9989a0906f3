"""A table of the scene that changes as one step: label controls, or what guides the picture."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from PySide6.QtGui import QUndoCommand

Table = TypeVar("Table")


class Holder(Protocol[Table]):
    """Who holds such a table."""

    table: Table

    def adopt(self, table: Table) -> None:
        """Hold another one, and tell those who show it."""


class ChangeTable(QUndoCommand, Generic[Table]):
    """Another table in place of the present one, as a step that can be taken back."""

    def __init__(self, holder: Holder[Table], table: Table, text: str) -> None:
        super().__init__(text)
        self._holder, self._before, self._after = holder, holder.table, table

    def redo(self) -> None:
        self._holder.adopt(self._after)

    def undo(self) -> None:
        self._holder.adopt(self._before)
