"""One process or many: what training asks, the same under `torchrun` and without it."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist


def start(device: torch.device) -> torch.device:
    """Join the process group if `torchrun` started this process; gives this process's device."""
    if "WORLD_SIZE" not in os.environ or dist.is_initialized():
        return device
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return device


def stop() -> None:
    """Leave the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """This process's number; 0 speaks and writes for all."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def any_process(flag: bool) -> bool:
    """Whether the flag is set in any process: all agree, so none waits for one that has left."""
    if not dist.is_initialized():
        return flag
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    votes = torch.tensor(int(flag), device=device)
    dist.all_reduce(votes, op=dist.ReduceOp.MAX)
    return bool(votes)


def barrier() -> None:
    """Wait for all processes."""
    if dist.is_initialized():
        dist.barrier()
