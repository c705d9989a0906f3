"""What the programs that the window starts beside itself have in common."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import core

ERROR = "error: "  # how a command's last sentence begins, where it failed


def import_path(present: str | None) -> str:
    """PYTHONPATH for a child: our own code first, wherever it was started from, then `present`."""
    home = str(Path(core.__file__).resolve().parent.parent)
    return os.pathsep.join([home, *filter(None, [present])])


def last_error(lines: Iterable[str]) -> str:
    """The last error that a command told, without the word; nothing if it told none."""
    errors = [line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)]
    return errors[-1] if errors else ""
