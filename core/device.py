"""Where to compute and in which precision, chosen from what the machine has."""

from __future__ import annotations

import os

import torch

SHORTAGE = ("out of memory", "allocate memory", "not enough memory")  # as backends word it
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def pick_device(name: str | None = None) -> torch.device:
    """The named device, or the best one present: CUDA, then MPS, then CPU."""
    if name:
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


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


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that there is not enough memory, of the machine or of its device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in SHORTAGE)
