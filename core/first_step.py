"""What the first step of a walk computes without the layout, kept for the next walk.

Live painting begins every picture with the same noise, and neither the encoder nor the null branch
ever sees the layout. So their first step is computed once for all pictures of a seed: exact, and a
guided walk of two steps saves a third of its passes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

MAX_PIXELS = 128 * 128  # of x: what is kept of a larger one would take hundreds of megabytes


class FirstStep:
    """Values that were computed from one x; another x takes their place."""

    def __init__(self) -> None:
        self._x: Tensor | None = None
        self._when: Hashable = None
        self._values: dict[str, object] = {}

    def recall(self, name: str, x: Tensor, when: Hashable, compute: Callable[[], T]) -> T:
        """The value of `name` for x at `when` (whatever else it depends on), computed if new."""
        if x.shape[-2] * x.shape[-1] > MAX_PIXELS:
            return compute()
        if self._x is None or when != self._when or not torch.equal(x, self._x):
            self._x, self._when, self._values = x, when, {}
        if name not in self._values:
            self._values[name] = compute()
        return self._values[name]
