"""Photos beside pictures that a model made: what a decoder learns from together.

In use a decoder meets latents that the model made of a layout, not those of photos. They have no
photo that their picture could be compared with: judges alone say what it lacks
(`core.adversarial`).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from core.dataset import PairDataset, layout_tensors
from core.names import put_under
from core.walks import WALK, Shard, Walker

WALK_SALT = 15  # tells the draws of one sample apart


class WalkedPairs(Dataset):
    """An item of `pairs`, and a crop of the end of a walk; the seed chooses which, and where.

    Beside what `pairs` gives: `walk_x0` float16 `[C, h, w]`, normalised latents, for the same
    pixels `walk_labels` (and `walk_edges`) of the layout, and `walk_seed`. The walks of `shards`
    are those of `walker` from number 0 on, at least as large as a crop, whose sides are multiples
    of the latents' factor.
    """

    def __init__(self, pairs: PairDataset, shards: list[Shard], walker: Walker) -> None:
        self.pairs, self.plan, self.factor = pairs, walker.plan, walker.teacher.spec.factor
        self.latents = torch.cat([shard["x"][:, -1] for shard in shards])
        samples = (walker.sample(number) for number in range(len(self.latents)))
        self.layouts = [layout_tensors(sample, pairs.palette) for sample in samples]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, item: tuple[int, int]) -> dict[str, Tensor | int]:
        walk = self._walk(np.random.default_rng([item[1], WALK_SALT]))
        return self.pairs[item] | put_under(walk, WALK)

    def about(self) -> dict[str, Any]:
        """What must be the same when a run is resumed."""
        return asdict(self.plan) | {"count": len(self.latents)}

    def _walk(self, rng: np.random.Generator) -> dict[str, Tensor | int]:
        number = int(rng.integers(len(self.latents)))
        latents, layout = self.latents[number], self.layouts[number]
        height, width = (side // self.factor for side in self.pairs.size)
        top = int(rng.integers(latents.shape[1] - height + 1))
        left = int(rng.integers(latents.shape[2] - width + 1))
        x0 = latents[:, top : top + height, left : left + width]
        top, left = top * self.factor, left * self.factor
        pixels = np.s_[top : top + self.pairs.size[0], left : left + self.pairs.size[1]]
        parts = {name: part[pixels] for name, part in layout.items()}
        return {"x0": x0, **parts, "seed": int(rng.integers(2**63 - 1))}
