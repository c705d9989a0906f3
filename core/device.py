"""Where to compute and in which precision, chosen from what the machine has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from core.errors import DeviceLost, InputError, is_shortage

LOST = ("cuda error", "cudnn error", "cublas_status", "hip error", "acceleratorerror")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def pick_device(name: str | None = None) -> torch.device:
    """The named device, or the best one that answers: CUDA, then MPS, then CPU."""
    if name:
        return torch.device(name)
    if torch.cuda.is_available() and answers("cuda"):
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() and answers("mps") else "cpu")


def answers(name: str) -> bool:
    """Whether a device computes. One that failed once may not do so before the next start."""
    try:
        return torch.ones(1, device=name).add(1).item() == 2
    except RuntimeError:
        return False


def pick_precision(device: torch.device, name: str | None = None) -> torch.dtype:
    """The named precision, or the fastest that is safe there.

    bfloat16 on a CPU only if it multiplies bfloat16 in hardware (AVX512-BF16 or AMX): emulated, it
    is slower than float32.
    """
    if name:
        return PRECISIONS[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "cpu" and cpu_has_bfloat16():
        return torch.bfloat16
    return torch.float32


def cpu_has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware."""
    tests = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, test, bool)() for test in tests)


def physical_memory() -> int:
    """Bytes of memory that the machine has; 0 where it does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 0


def use_threads(count: int | None) -> int:
    """Let torch compute with `count` threads (None: as it is), and return how many it has."""
    if count:
        torch.set_num_threads(count)
    return torch.get_num_threads()


def precision_name(dtype: torch.dtype) -> str:
    """ "float32", "bfloat16" or "float16"."""
    return next(name for name, value in PRECISIONS.items() if value == dtype)


@contextmanager
def watching() -> Iterator[None]:
    """A block that computes: where the device does not answer any more it raises `DeviceLost`."""
    try:
        yield
    except RuntimeError as error:
        if not is_lost(error):
            raise
        raise DeviceLost(str(error).strip().split("\n")[0].rstrip(".")) from error


def is_lost(error: BaseException) -> bool:
    """Whether an error says that the device is gone, or will compute nothing before a restart."""
    if isinstance(error, InputError) or is_shortage(error):
        return False
    text = f"{type(error).__name__}: {error}".lower()
    return isinstance(error, RuntimeError) and any(word in text for word in LOST)
