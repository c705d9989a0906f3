"""The meaning of a text for an encoder of whole sentences."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from core.sentences import clauses


def meaning(text: str, read: Callable[[str], Tensor]) -> Tensor:
    """`[1, D]`, of length 1: towards what a text asks for and away from what it says should not be
    there. read: of a clause, `[1, D]`."""
    wanted, unwanted = clauses(text)
    if not unwanted:
        return read(wanted)
    if not wanted:
        return -read(unwanted)
    return F.normalize(read(wanted) - read(unwanted), dim=-1)
