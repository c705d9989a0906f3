"""Runs the cases of a reader, each the same for the same seed, and counts what became of them."""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

from tests.fuzz import guard, mutations
from tests.fuzz.readers import Reader


@dataclass
class Tally:
    """What became of a reader's cases. violations: (number of the case, what happened)."""

    reader: str
    cases: int = 0
    accepted: int = 0
    refused: int = 0
    memory: int = 0  # bytes, the most of any case
    seconds: float = 0.0  # the slowest case
    violations: list[tuple[int, str]] = field(default_factory=list)

    def count(self, number: int, outcome: guard.Outcome) -> None:
        self.cases += 1
        self.accepted += outcome.kind == guard.ACCEPTED
        self.refused += outcome.kind == guard.REFUSED
        self.memory = max(self.memory, outcome.memory)
        self.seconds = max(self.seconds, outcome.seconds)
        if outcome.kind == guard.VIOLATION:
            self.violations.append((number, outcome.reason))


@cache
def first_cases(reader: Reader) -> tuple[bytes, ...]:
    """Those that every run does: hostile files and good ones."""
    return (*reader.hostile(), *reader.seeds())


def case_of(reader: Reader, seed: int, number: int) -> bytes:
    """The bytes of a case: the first ones are the same always, the others by chance."""
    fixed = first_cases(reader)
    if number < len(fixed):
        return fixed[number]
    rng = Random(f"{seed} {reader.name} {number}")
    good = reader.seeds()
    return mutations.mutate(rng.choice(good), good, rng)


def run(
    reader: Reader,
    numbers: Iterable[int],
    seed: int,
    keep: Callable[[int, bytes, str], object] = lambda *_: None,
) -> Iterator[tuple[int, guard.Outcome]]:
    """Do cases of a reader in a folder of its own. keep: is given each violation's bytes."""
    guard.install()
    with _place() as folder:
        if reader.prepare:
            reader.prepare(folder)
        path = folder / reader.file
        path.parent.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            data = case_of(reader, seed, number)
            path.write_bytes(data)
            named = str(path) if reader.named and not reader.never_refuses else ""
            outcome = guard.judge(lambda: reader.read(path), folder, named, reader.never_refuses)
            _check_canary(folder, outcome)
            if outcome.kind == guard.VIOLATION:
                keep(number, data, outcome.reason)
            yield number, outcome


def _check_canary(folder: Path, outcome: guard.Outcome) -> None:
    canary = folder / mutations.CANARY
    others = [name for name in os.listdir(folder.parent) if name != folder.name]
    if canary.exists() or others:
        outcome.kind = guard.VIOLATION
        outcome.reason = "code was run" if canary.exists() else f"it left {others[0]} outside"


@contextmanager
def _place() -> Iterator[Path]:
    """A folder alone in its parent, where the program starts and keeps its cache."""
    before, cache = os.getcwd(), os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory(prefix="sdm-fuzz-") as outside:
        folder = Path(os.path.realpath(outside)) / "case"
        folder.mkdir()
        os.chdir(folder)
        os.environ["XDG_CACHE_HOME"] = str(folder / ".cache")
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / ".cache")
        try:
            yield folder
        finally:
            os.chdir(before)
            if cache is None:
                del os.environ["XDG_CACHE_HOME"]
            else:
                os.environ["XDG_CACHE_HOME"] = cache


def shares(readers: Iterable[Reader], cases: int) -> dict[str, int]:
    """How many of `cases` each reader gets."""
    readers = list(readers)
    total = sum(reader.share for reader in readers)
    return {reader.name: -(-cases * reader.share // total) for reader in readers}


def digest(data: bytes) -> str:
    """A short name for some bytes."""
    return f"{zlib.crc32(data):08x}"
