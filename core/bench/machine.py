"""What a figure depends on beside the program: facts of the machine, without its name."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path

import torch

WIDE = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16")


def machine() -> dict[str, object]:
    """Plain data for JSON."""
    facts: dict[str, object] = {
        "processor": platform.machine(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "instructions": _instructions(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_words(facts: dict) -> str:
    """The facts in one sentence."""
    wide = ", ".join(facts["instructions"]) or "no wide instructions that were recognised"
    gpu = f" and {facts['gpu']}" if "gpu" in facts else ""
    clock = "; times of the processor" if facts.get("clock") == "processor" else ""
    return (
        f"{facts['cores']} cores ({facts['processor']}; {wide}){gpu}, {facts['threads']} threads, "
        f"torch {facts['torch']}, Python {facts['python']}, {facts['system']}{clock}"
    )


def _instructions() -> list[str]:
    """The wide instructions that Linux lists of the processor; elsewhere none."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return [name for name in WIDE if name in line.split()]
    return []
