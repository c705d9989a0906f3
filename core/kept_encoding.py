"""Reference pictures are encoded once, not at every request."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

import numpy as np
from torch import Tensor

KEPT = 8  # pictures


class KeptEncoding:
    """`encode(pictures)`, which remembers the x0 of the last few; whose they are, pixels tell."""

    def __init__(self, encode: Callable[[np.ndarray], Tensor]) -> None:
        self.encode = encode
        self._kept: OrderedDict[tuple[tuple[int, ...], bytes], Tensor] = OrderedDict()

    def __call__(self, pictures: np.ndarray) -> Tensor:
        key = pictures.shape, blake2b(np.ascontiguousarray(pictures), digest_size=16).digest()
        if key not in self._kept:
            self._kept[key] = self.encode(pictures)
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]
