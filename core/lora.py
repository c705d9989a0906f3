"""Low-rank fine-tuning (LoRA, arXiv 2106.09685): a few MB that ride on the weights of a model.

A weight W, seen as a matrix `[out, in]`, becomes W + scale · B A with A `[rank, in]` ("down") and B
`[out, rank]` ("up"). B starts at zero, so that training starts from the model as it is. Layers
whose shape depends on the labels are kept whole where the palette is another one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from core.errors import InputError
from core.model.spec import ModelSpec
from core.model.unet import SDMUNet

DOWN, UP = ".down", ".up"  # behind the name of the weight


class LowRank(nn.Module):
    """A U-Net of which low-rank updates are trained, and the tensors named in `whole`.

    `base` is used, never changed, and no part of the state: it has a file of its own. The names of
    the parameters are those of a low-rank file, with `/` for `.`.
    """

    def __init__(self, base: SDMUNet, rank: int, whole: Collection[str] = ()) -> None:
        super().__init__()
        if rank < 1:
            raise InputError(f"--lora {rank} is no rank. Give 1 or more; 8 is a good start.")
        self._frozen = (base.requires_grad_(False),)  # in a tuple: no submodule, no state
        self._shapes: dict[str, torch.Size] = {}
        self._whole = tuple(name for name, _ in base.named_parameters() if name in whole)
        for name, weight in base.named_parameters():
            if name in self._whole:
                self.register_parameter(_key(name), nn.Parameter(weight.detach().clone()))
            elif weight.ndim > 1:
                self._add(name, weight, rank)

    def _add(self, name: str, weight: Tensor, rank: int) -> None:
        height, width = weight.shape[0], weight[0].numel()
        rank = min(rank, height, width)
        down = nn.Parameter(torch.empty(rank, width))
        nn.init.kaiming_uniform_(down, a=math.sqrt(5))
        self.register_parameter(_key(name + DOWN), down)
        self.register_parameter(_key(name + UP), nn.Parameter(torch.zeros(height, rank)))
        self._shapes[name] = weight.shape

    @property
    def base(self) -> SDMUNet:
        """The network below."""
        return self._frozen[0]

    @property
    def spec(self) -> ModelSpec:
        """That of the network below."""
        return self.base.spec

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """As `SDMUNet`, with the updates."""
        with torch.autocast(x.device.type, enabled=False):  # the updates are small differences
            weights = merged(dict(self.base.named_parameters()), stored(self._parameters))
        return functional_call(self.base, weights, (x, t, y))

    def merged_state(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """State dict of the network below with the updates of `state`, one of this module's."""
        return merged(self.base.state_dict(), stored(state))

    def _apply(self, fn, recurse: bool = True) -> LowRank:
        self.base._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def train(self, mode: bool = True) -> LowRank:
        self.base.train(mode)
        return super().train(mode)


def merged(
    base: Mapping[str, Tensor], updates: Mapping[str, Tensor], scale: float = 1.0
) -> dict[str, Tensor]:
    """The state dict `base` with `updates`: low-rank ones are added, whole tensors replace."""
    state = dict(base) | {k: v for k, v in updates.items() if not k.endswith((DOWN, UP))}
    for name in (k.removesuffix(UP) for k in updates if k.endswith(UP)):
        product = updates[name + UP] @ updates[name + DOWN]
        state[name] = base[name] + scale * product.reshape(base[name].shape)
    return state


def stored(parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parameters of a `LowRank` under the names of a low-rank file."""
    return {name.replace("/", "."): value for name, value in parameters.items()}


def _key(name: str) -> str:
    return name.replace(".", "/")  # a parameter's name may have no dot
