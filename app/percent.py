"""Shares as people read them."""

from __future__ import annotations


def percent(share: float) -> str:
    """A share 0..1 in whole percents, cut: nearly all is not all. It stays on one line."""
    return f"{int(100 * share)}\N{NO-BREAK SPACE}%"
