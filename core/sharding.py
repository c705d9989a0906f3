"""A network in pieces: each process keeps a share of the weights and of all that training adds.

For models that do not fit: a process holds a whole layer only while it computes it. Gradients are
averaged as between copies, so the numbers are those of any other run. Files hold whole tensors: a
run may go on with another number of processes, or without `--shard`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from core.model.unet import SDMUNet


def shard(model: SDMUNet, device: torch.device) -> None:
    """Leave each process its share of the weights, stage by stage."""
    # A stage may return a view (of attention); nothing here changes one in place.
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view tensor")
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for stage in model.stages():
        fully_shard(stage, mesh=mesh)
        register_fsdp_forward_method(stage, "run")
    fully_shard(model, mesh=mesh)


def own(tensor: Tensor) -> Tensor:
    """This process's share of a tensor, or all of one that is not shared."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor. If it is shared, every process must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def with_share(share: Tensor, like: Tensor) -> Tensor:
    """A tensor that is shared as `like` is, of which this process has `share`."""
    if not isinstance(like, DTensor):
        return share
    places = like.device_mesh, like.placements
    return DTensor.from_local(share, *places, shape=like.shape, stride=like.stride())


def shared_as(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, shared as `like` is. If it is, every process must ask."""
    if not isinstance(like, DTensor):
        return tensor
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)


def gathered(tensors: Mapping[str, Tensor], keep: bool) -> dict[str, Tensor]:
    """Whole tensors on the CPU, one after the other; in a process that does not `keep` them none.

    If they are shared, every process must ask.
    """
    kept = {}
    for name, tensor in tensors.items():
        everything = whole(tensor.detach())
        if keep:
            kept[name] = everything.cpu().contiguous()
    return kept
