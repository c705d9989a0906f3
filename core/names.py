"""Tensors that share a dict tell whose they are by how their names begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def under(named: Mapping[str, T], start: str) -> dict[str, T]:
    """What has a name that begins with `start`, by the rest of its name."""
    return {k.removeprefix(start): v for k, v in named.items() if k.startswith(start)}


def put_under(named: Mapping[str, T], start: str) -> dict[str, T]:
    """The same with `start` before each name: `under` takes it off again."""
    return {start + k: v for k, v in named.items()}
