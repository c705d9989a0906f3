"""What a program left behind that ended badly, offered one by one at the next start."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.session import LeftBehind, left_behind


class Recovery(QObject):
    """Holds the sessions that were left behind, newest first.

    offered(sentence): the next one, or "" when there is none left. wanted(LeftBehind): the user
    would have it back.
    """

    offered = Signal(str)
    wanted = Signal(object)

    def __init__(self, sessions: Path) -> None:
        super().__init__()
        self._sessions = sessions
        self._left: list[LeftBehind] = []

    def look(self) -> None:
        """Look for sessions that nobody holds, and offer the first."""
        self._left = left_behind(self._sessions)
        self._offer()

    def restore(self) -> None:
        """The user wants the one on offer."""
        if self._left:
            self.wanted.emit(self._left[0])

    def restored(self) -> None:
        """The one on offer is in the window now; on with the next."""
        self._left.pop(0)
        self._offer()

    def discard(self) -> None:
        """The user does not want the one on offer: delete it."""
        self._left.pop(0).remove()
        self._offer()

    def close(self) -> None:
        """Leave those that were not answered for the next start."""
        self._left.clear()

    def _offer(self) -> None:
        self.offered.emit(_sentence(self._left) if self._left else "")


def _sentence(left: list[LeftBehind]) -> str:
    when = left[0].when.strftime("%d %B, %H:%M")
    more = f" There are {len(left) - 1} more." if len(left) > 1 else ""
    return f"SDM Studio did not close properly. A copy of the scene from {when} was kept.{more}"
