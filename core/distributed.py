"""One process or many: what the commands ask, the same under `torchrun` and without it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist

from core.errors import InputError


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


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """A block that all processes work through together."""
    start(device)
    try:
        yield
    finally:
        stop()


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


def collected(value: Any) -> list[Any]:
    """What every process has to say, in the order of their numbers. All must ask."""
    if not dist.is_initialized():
        return [value]
    found: list[Any] = [None] * world()
    dist.all_gather_object(found, value)
    return found


def check_same(**things: Any) -> None:
    """Raise `InputError`, in all processes, if they differ in one of `things`.

    Hosts have files and command lines of their own: what one of them makes of others fits nowhere.
    """
    everyone = collected(things)
    for name, mine in things.items():
        if any(others[name] != mine for others in everyone):
            raise InputError(
                f"The processes do not have the same {name}. Start the same command on every host, "
                "with copies of the same files or in a folder that they share."
            )


def barrier() -> None:
    """Wait for all processes."""
    if dist.is_initialized():
        dist.barrier()


def shared_range(total: int) -> Iterator[int]:
    """The numbers 0 … total - 1, each for one process only: whoever is quick takes more.

    Ends when all processes are through with theirs. All must go through it, at the same point.
    """
    if not dist.is_initialized():
        yield from range(total)
        return
    host, options = os.environ["MASTER_ADDR"], {"world_size": world(), "wait_for_workers": False}
    store = dist.TCPStore(host, 0, is_master=True, **options) if rank() == 0 else None
    port = [store.port if store else 0]  # a free one: the first process tells the others
    dist.broadcast_object_list(port)
    store = store or dist.TCPStore(host, port[0], is_master=False, **options)
    while (number := store.add("next", 1) - 1) < total:
        yield number
    barrier()  # the first process holds the numbers until all are through
