"""`python -m tests.fuzz`: every reader on damaged, huge and hostile files, and a table of it.

    python -m tests.fuzz --cases 20000 --seed 0
    python -m tests.fuzz --only project --cases 300 --keep found/

Each reader runs in a process of its own, so that a crash is counted like any other violation.
Ends with status 1 if there was one.
"""

from __future__ import annotations

import argparse
import faulthandler
import multiprocessing
import os
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from core.command import say
from tests.fuzz.guard import VIOLATION, Outcome
from tests.fuzz.readers import READERS, Reader
from tests.fuzz.report import table, write_into
from tests.fuzz.run import Tally, digest, run, shares

MEMORY = 6 << 30  # bytes that a process may have: a bomb ends in an error, not in a dead machine


def main(argv: list[str] | None = None) -> int:
    """Run the command; gives its exit status: 0 for no violation, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--cases", type=int, default=20_000, help="over all readers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="readers with one of these in their name")
    parser.add_argument("--keep", type=Path, help="folder for the bytes of violations")
    parser.add_argument("--write", type=Path, help="a Markdown file whose table is made anew")
    args = parser.parse_args(argv)
    readers = [r for r in READERS if any(one in r.name for one in args.only or [""])]
    counts, tallies = shares(READERS, args.cases), []  # a reader's cases, whoever else runs
    for reader in readers:
        tally = Tally(reader.name)
        for number, outcome in _outcomes(reader, counts[reader.name], args.seed, args.keep):
            tally.count(number, outcome)
        tallies.append(tally)
        say(f"{tally.reader}: {tally.cases} cases, {len(tally.violations)} violations")
        for number, reason in tally.violations[:20]:
            say(f"    case {number}: {reason[:300]}")
    print(table(tallies))
    if args.write:
        write_into(args.write, table(tallies))
    return int(any(tally.violations for tally in tallies))


def _outcomes(
    reader: Reader, count: int, seed: int, keep: Path | None
) -> Iterator[tuple[int, Outcome]]:
    """The outcomes of all cases; a process that dies is followed by another, for the rest."""
    done = 0
    context = multiprocessing.get_context("fork")
    while done < count:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(theirs, reader, done, count, seed, keep))
        process.start()
        theirs.close()
        try:
            while done < count:
                yield ours.recv()
                done += 1
        except EOFError:
            process.join()
            yield done, Outcome(VIOLATION, f"the process ended with {process.exitcode}")
            done += 1
        process.join()


def _child(
    pipe: Connection, reader: Reader, first: int, count: int, seed: int, keep: Path | None
) -> None:
    faulthandler.enable(sys.__stderr__)
    _limit_memory()

    def kept(number: int, data: bytes, reason: str) -> None:
        keep.mkdir(parents=True, exist_ok=True)
        name = f"{reader.name.replace(' ', '-').replace(',', '')}-{number}-{digest(data)}"
        (keep / f"{name}{Path(reader.file).suffix}").write_bytes(data)

    for one in run(reader, range(first, count), seed, kept if keep else lambda *_: None):
        pipe.send(one)


def _limit_memory() -> None:
    if os.name == "posix":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


if __name__ == "__main__":
    sys.exit(main())
