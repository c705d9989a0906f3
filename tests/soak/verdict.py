"""Whether a run held what is asked for: flat memory, no leak, no stall."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import combinations

from tests.soak.meter import STALL, Sample

WARM_UP = 1 / 4  # of a run: caches fill, the first of everything is slow
LONGEST_WARM_UP = 600.0  # seconds
GROWTH = 0.03  # of memory, from the warm-up to the end
SPARE = 2  # threads or files more than after the warm-up: one may just be at work
MOST = 400  # rows that the fit looks at


def warm(samples: Sequence[Sample]) -> list[Sample]:
    """The rows after the warm-up."""
    end = min(WARM_UP * samples[-1].seconds, LONGEST_WARM_UP)
    return [sample for sample in samples if sample.seconds >= end]


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """The median of the slopes between all pairs of points (Theil and Sen): single peaks, such as
    a large picture just being made, do not move it."""
    step = -(-len(times) // MOST)
    points = list(zip(times, values, strict=True))[::step]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] > a[0]]
    return statistics.median(slopes) if slopes else 0.0


def growth(samples: Sequence[Sample]) -> float:
    """By what share memory grew over these rows, as the fitted line says."""
    times, memory = [s.seconds for s in samples], [s.memory for s in samples]
    grown = slope(times, memory) * (times[-1] - times[0])
    return grown / (statistics.median(memory) - grown / 2)


def leaked(values: Sequence[int]) -> int:
    """How many more there are in the last third than in the first, at rest."""
    third = max(1, len(values) // 3)
    return min(values[-third:]) - min(values[:third])


def judge(samples: Sequence[Sample], limit: float = GROWTH) -> dict[str, float | str]:
    """The figures of a run, and under `failed` what was asked for and not held."""
    rows = warm(samples)
    figures = {
        "minutes": round(samples[-1].seconds / 60, 1),
        "acts": samples[-1].acts,
        "memory_mib": round(statistics.median(s.memory for s in rows), 1),
        "growth_percent": round(100 * growth(rows), 2),
        "threads_leaked": leaked([s.threads for s in rows]),
        "files_leaked": leaked([s.files for s in rows]),
        "widgets_leaked": leaked([s.widgets for s in rows]),
        "longest_stall_processor_ms": max(s.processor for s in rows),
        "longest_stall_clock_ms": max(s.stall for s in rows),
    }
    wrong = []
    if figures["growth_percent"] > 100 * limit:
        wrong.append(f"memory grew by {figures['growth_percent']} %")
    for name in ("threads", "files"):
        if figures[f"{name}_leaked"] > SPARE:
            wrong.append(f"{figures[f'{name}_leaked']} {name} were left over")
    if figures["longest_stall_processor_ms"] > STALL:
        wrong.append(f"the window stalled for {figures['longest_stall_processor_ms']} ms")
    return figures | {"failed": "; ".join(wrong)}
