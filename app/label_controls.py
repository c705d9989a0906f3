"""How each label is sampled, where that differs from the rest: the scene's own table, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.table_step import ChangeTable
from core.request import MAX_SEED

MIN_STRENGTH = 0.05
MAX_FACTOR = 4.0


@dataclass(frozen=True)
class LabelControl:
    """How one label is sampled; a fresh one changes nothing.

    locked: its pixels stay as they are in the last picture. strength: `MIN_STRENGTH`..1, how much
    of the last picture its area forgets; 1 begins with pure noise. guidance: 0..`MAX_FACTOR`, the
    guidance scale is multiplied by it. seed: of the noise in its area; None for the picture's.
    """

    locked: bool = False
    strength: float = 1.0
    guidance: float = 1.0
    seed: int | None = None

    @property
    def plain(self) -> dict[str, Any]:
        """What differs from a fresh one, for JSON: the inverse of `from_plain`."""
        fresh = asdict(LabelControl())
        return {name: value for name, value in asdict(self).items() if value != fresh[name]}

    @classmethod
    def from_plain(cls, data: Any) -> LabelControl:
        """Read what `plain` gave; it may come from anywhere, and what is no use is left out."""
        given = data if isinstance(data, Mapping) else {}
        checks = {
            "locked": lambda v: isinstance(v, bool),
            "strength": lambda v: _number(v) and MIN_STRENGTH <= v <= 1,
            "guidance": lambda v: _number(v) and 0 <= v <= MAX_FACTOR,
            "seed": lambda v: type(v) is int and 0 <= v <= MAX_SEED,
        }
        usable = {name for name, check in checks.items() if name in given and check(given[name])}
        return cls(**{name: given[name] for name in usable})

    @property
    def signs(self) -> str:
        """In as few signs as possible, for a row; the lock is drawn, not written."""
        parts = [f"×{self.guidance:.2g}"] if self.guidance != 1 else []
        parts += [f"{self.strength:.0%}"] if self.strength < 1 else []
        return " ".join(parts + ["#"] * (self.seed is not None))

    @property
    def words(self) -> str:
        """In words, for a tooltip; "" if it changes nothing."""
        parts = ["locked"] if self.locked else []
        parts += [f"guidance × {self.guidance:.2f}"] if self.guidance != 1 else []
        parts += [f"strength {self.strength:.0%}"] if self.strength < 1 else []
        parts += [f"seed {self.seed}"] if self.seed is not None else []
        return ", ".join(parts)


FRESH = LabelControl()
Table = Mapping[str, LabelControl]


class LabelControls(QObject):
    """The table of a scene. Labels are known by name: a name that another palette lacks waits there
    without effect until the scene is of its palette again. changed: some label has another control.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.table: Table = MappingProxyType({})

    def of(self, name: str) -> LabelControl:
        """The control of a label."""
        return self.table.get(name, FRESH)

    def adopt(self, table: Table) -> None:
        """Take another table; labels whose control changes nothing are left out."""
        kept = {name: control for name, control in table.items() if control != FRESH}
        if kept != self.table:
            self.table = MappingProxyType(kept)
            self.changed.emit()

    @property
    def plain(self) -> dict[str, dict[str, Any]]:
        """For JSON: the inverse of `from_plain`."""
        return {name: control.plain for name, control in self.table.items()}


def from_plain(data: Any) -> Table:
    """A table from plain data, as far as it can be used."""
    given = data if isinstance(data, Mapping) else {}
    return {str(name): LabelControl.from_plain(control) for name, control in given.items()}


def change_of(controls: LabelControls, name: str, control: LabelControl) -> ChangeTable | None:
    """The step that gives a label another control; None if it has that one."""
    before = controls.of(name)
    names = [f.name for f in fields(control) if getattr(control, f.name) != getattr(before, f.name)]
    table = {**controls.table, name: control}
    return ChangeTable(controls, table, f"{names[0]} of {name}") if names else None


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
