"""A picture that somebody may ask for again, without a place in memory for as long as that."""

from __future__ import annotations

from collections.abc import Callable
from weakref import ref

from app.record import Record
from core.request import Result


class Kept:
    """Holds a picture until it is on disk; from then on only its record.

    read: how a record becomes its picture again. What its files do not hold, such as the states of
    its sampling, is gone then.
    """

    def __init__(self, result: Result, read: Callable[[Record], Result]) -> None:
        self.record: Record | None = None
        self._result: Result | None = result
        self._alive = ref(result)
        self._read = read

    def is_of(self, result: Result) -> bool:
        """Whether it is this very picture that is waited for."""
        return self._result is result

    def settle(self, record: Record) -> None:
        """The picture is on disk."""
        self.record, self._result = record, None

    def result(self) -> Result:
        """The picture. Raises `InputError` or `OSError` if its file cannot be read."""
        found = self._result or self._alive()
        if found is None:
            found = self._read(self.record)
            self._alive = ref(found)
        return found
