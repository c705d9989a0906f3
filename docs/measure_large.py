"""Measure the papers' largest network as a laptop would run it: memory and seconds a step.

    python -m docs.measure_large                       ADE20K, 256x256, bfloat16, guided
    python -m docs.measure_large --threads 2 --steps 20

Its weights are random, from a seed: memory and time do not depend on what they say. They are
written to a temporary file of 1.3 GB and opened by a process of their own, whose peak is told.
docs/decisions/020 has the figures.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from core.bench.children import peak
from core.bench.released import write_random
from core.convert import RELEASES, STORES
from core.device import use_threads
from core.engine import Engine
from core.model.spec import ModelSpec
from core.palette import Palette
from core.request import Layout, SampleRequest

GUIDANCE = 1.5
BLOCK = 32  # pixels of a side of the squares that the layout is made of


def make_weights(path: Path, palette: Palette, store: str) -> None:
    """A file of the network released for `palette`, with random weights."""
    spec = ModelSpec.from_dict(
        {"num_classes": palette.num_channels} | RELEASES.get(palette.name, {})
    )
    write_random(path, palette, spec, STORES[store])


def measure(path: Path, args: argparse.Namespace) -> None:
    """Open the file, sample one picture, and tell what each part took."""
    use_threads(args.threads)
    clock = Clock()
    engine = Engine.open(path, "cpu", args.precision)
    clock.tell("opened")
    rng = np.random.default_rng(0)
    height, width = engine.info.size
    palette = engine.info.palette
    blocks = rng.choice([c.id for c in palette.classes], (height // BLOCK, width // BLOCK))
    labels = np.kron(blocks, np.ones((BLOCK, BLOCK))).astype(np.uint8)
    request = SampleRequest(
        Layout(labels, palette),
        steps=args.steps,
        guidance_scale=GUIDANCE,
        preview_every=0,
    )
    for event in engine.sample(request):
        clock.tell(type(event).__name__.lower())


class Clock:
    """Tells the time since it last told it, and the most memory that was used until now."""

    def __init__(self) -> None:
        self._last = time.perf_counter(), time.process_time()

    def tell(self, what: str) -> None:
        now = time.perf_counter(), time.process_time()
        wall, busy = (new - old for new, old in zip(now, self._last, strict=True))
        gigabytes = peak() / 1e9
        line = f"{what:10} {wall:7.1f} s, of the processor {busy:7.1f} s, peak {gigabytes:.2f} GB"
        print(line, flush=True)
        self._last = now


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--palette", default="ade20k", help="of which release")
    parser.add_argument("--precision", choices=list(STORES), default="bfloat16")
    parser.add_argument("--steps", type=int, default=2, help="the first embeds the layout too")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)  # the process that measures
    args = parser.parse_args()
    if args.file:
        return measure(args.file, args)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "large.safetensors"
        make_weights(path, Palette.load(args.palette), args.precision)
        command = [sys.executable, "-m", "docs.measure_large", *sys.argv[1:], "--file", str(path)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
