"""How time and memory grow: with size, steps, labels, batch, brush, and the history."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import log
from pathlib import Path

import numpy as np
import torch

from core.bench.children import peak_of
from core.bench.figures import BenchError
from core.bench.plot import Panel
from core.bench.released import GUIDANCE, network, random_state, regions
from core.bench.startup import in_child
from core.bench.timing import Times
from core.bench.yardstick import CHECKOUT
from core.checkpoint import Checkpoint
from core.engine import Engine
from core.labelmap import stroke
from core.model.spec import ModelSpec
from core.onehot import one_hot
from core.request import Layout, SampleRequest

SIZES = (128, 192, 256, 384, 512, 768, 1024)  # pixels of a side
STEPS = (1, 2, 4, 8, 16, 32, 50)
LABELS = (19, 35, 62, 100, 151, 183)
BATCHES = (1, 2, 4, 8, 16)
BRUSHES = (1, 4, 16, 64, 256, 1024)  # pixels across
MAP, MOVE = 4096, 16  # pixels of a side of the map, and of a move of the brush
SIZE_STEPS, BATCH_STEPS = 4, 4
ROUNDS, MOVES = 3, 30
STRAIGHT = 1.15  # a slope up to which a line counts as straight: measuring is not exact
MB, MS = 1e6, 1e3


@dataclass(frozen=True)
class Curve:
    """Points `[x, ...]` of one or more lines a panel.

    work: how many times as much there is to do at each x: where cost grows faster than that, it
    bends the wrong way. why: what the shape comes from.
    """

    title: str
    x_title: str
    x: Sequence[float]
    work: Sequence[float]
    panels: dict[str, dict[str, Sequence[float]]]  # "seconds": {"picture": [...]}
    why: str

    @classmethod
    def from_dict(cls, data: dict) -> Curve:
        """The inverse of `asdict`. Raises `BenchError`."""
        try:
            return cls(**data)
        except TypeError as error:
            raise BenchError("A curve of the saved run is not whole.") from error

    def drawn(self) -> list[Panel]:
        """To be plotted."""
        return [
            Panel(unit.partition(":")[0], self.x_title, self.x, lines, unit.partition(": ")[2])
            for unit, lines in self.panels.items()
        ]

    def slopes(self) -> dict[str, float]:
        """By line: the steepest growth between two points, in powers of the work."""
        found = {}
        for unit, lines in self.panels.items():
            for name, line in lines.items():
                found[f"{unit.partition(':')[0]}, {name}"] = max(
                    log(b / a) / log(v / w)
                    for a, b, w, v in zip(line, line[1:], self.work, self.work[1:])
                )
        return found

    def bends(self) -> list[str]:
        """The lines that somewhere grow faster than the work."""
        return [name for name, slope in self.slopes().items() if slope > STRAIGHT]


@dataclass(frozen=True)
class Timer:
    """Median seconds of `rounds` runs by `clock`, after one that does not count."""

    rounds: int = ROUNDS
    clock: str = "wall"

    def __call__(self, way: Callable[[], object]) -> float:
        way()
        times = Times()
        for _ in range(self.rounds):
            with times.timed():
                way()
        return times.median(self.clock)


# -- the model ------------------------------------------------------------------------------------


def request_of(engine: Engine, side: int, steps: int, count: int = 1) -> SampleRequest:
    """A picture of that size without previews."""
    layout = Layout(regions(len(engine.info.palette), (side, side)), engine.info.palette)
    return SampleRequest(layout, steps=steps, guidance_scale=GUIDANCE, count=count, preview_every=0)


def sampled(weights: Path, side: int, steps: int, count: int) -> None:
    """One request in a process of its own."""
    engine = Engine.open(weights, "cpu")
    _drain(engine, request_of(engine, side, steps, count))


def _drain(engine: Engine, request: SampleRequest) -> None:
    for _ in engine.sample(request):
        pass


def peaks(weights: Path, requests: Sequence[tuple[int, int, int]]) -> dict[str, Sequence[float]]:
    """Peak memory in MB of each request (side, steps, count)."""
    found = [peak_of(sampled, weights, *request) for request in requests]
    return {} if None in found else {"process": [peak / MB for peak in found]}


def size_curve(weights: Path, timer: Timer) -> Curve:
    engine = Engine.open(weights, "cpu")
    times = [timer(partial(_drain, engine, request_of(engine, side, SIZE_STEPS))) for side in SIZES]
    panels = {f"Picture of {SIZE_STEPS} steps: s": {"picture": times}}
    memory = peaks(weights, [(side, SIZE_STEPS, 1) for side in SIZES])
    return Curve(
        "Size",
        "side of the picture, pixels",
        SIZES,
        [side**2 for side in SIZES],
        panels | ({"Peak memory: MB": memory} if memory else {}),
        "Attention compares every place of the latents at a quarter of their resolution with every "
        "other one: its share grows with the square of the pixels, and does not show up to 1024. "
        "Memory begins with what the libraries and the weights take.",
    )


def steps_curve(weights: Path, timer: Timer) -> Curve:
    engine = Engine.open(weights, "cpu")
    times = [timer(partial(_drain, engine, request_of(engine, 256, n))) for n in STEPS]
    return Curve(
        "Steps",
        "steps of a picture of 256x256",
        STEPS,
        STEPS,
        {"Picture: s": {"picture": times}},
        "A straight line above what is done once: embedding the layout and decoding. The first "
        "step of a seed that was sampled before is partly known.",
    )


def labels_curve(weights: Path, timer: Timer) -> Curve:
    spec = Checkpoint.open(weights).spec
    found = [_of_labels(replace(spec, num_classes=count), timer) for count in LABELS]
    embed, step = ([MS * seconds for seconds in line] for line in zip(*found, strict=True))
    return Curve(
        "Labels",
        "labels of the palette",
        LABELS,
        LABELS,
        {"Once a layout, and every step: ms": {"embedding the layout": embed, "a step": step}},
        "Only the first of SPADE's convolutions and the resizing of the layout know labels, and "
        "both run once a layout. A step does not depend on them.",
    )


@torch.inference_mode()
def _of_labels(spec: ModelSpec, timer: Timer) -> tuple[float, float]:
    """Seconds to embed a layout, and of a step."""
    unet = network(spec, random_state(spec), torch.bfloat16)
    labels = torch.from_numpy(regions(spec.num_classes, spec.picture_size))
    y = one_hot(labels[None], spec.num_classes)
    side = spec.picture_size[0] // spec.factor
    x, t, embedding = torch.randn(1, spec.in_channels, side, side), torch.tensor([500]), []

    def embed() -> None:
        embedding[:] = unet.embed_layout(y)

    return timer(embed), timer(lambda: unet.decode(unet.encode(x, t), embedding, t))


def batch_curve(weights: Path, timer: Timer) -> Curve:
    engine = Engine.open(weights, "cpu")
    times = [
        timer(partial(_drain, engine, request_of(engine, 256, BATCH_STEPS, n))) for n in BATCHES
    ]
    panels = {f"Pictures of {BATCH_STEPS} steps: s": {"all of them": times}}
    memory = peaks(weights, [(256, BATCH_STEPS, n) for n in BATCHES])
    return Curve(
        "Batch",
        "pictures of one layout at once",
        BATCHES,
        BATCHES,
        panels | ({"Peak memory: MB": memory} if memory else {}),
        "On a CPU pictures go through the network one by one, so that each is the same to the bit "
        "in any batch; they share the layout's embedding. A single picture of a seed that was "
        "sampled before, as here, knows most of its first step already (core/first_step.py); of "
        "several that is not kept, so two cost more than twice as much as one.",
    )


# -- the canvas -----------------------------------------------------------------------------------


def brush_curve(weights: Path, timer: Timer) -> Curve:
    labels = np.zeros((MAP, MAP), np.uint8)
    times = []
    for number, across in enumerate(BRUSHES):
        move = partial(_move, labels, _places(across), across, number + 1)
        times.append(MS * replace(timer, rounds=MOVES)(move))
    return Curve(
        "Brush",
        f"diameter of the brush, pixels; moves of {MOVE} on a map of {MAP}x{MAP}",
        BRUSHES,
        [across * MOVE + across**2 for across in BRUSHES],
        {"A move: ms": {"move": times}},
        "A move costs what its rectangle holds, in strips that stay in the cache; below 64 pixels "
        "the calls alone.",
    )


def _places(across: int) -> Iterator[tuple[float, float]]:
    """Points along a line across the map, again and again."""
    x = across
    while True:
        yield x, MAP / 2
        x = x + MOVE if x + MOVE < MAP - across else across


def _move(labels: np.ndarray, places: Iterator, across: int, label: int) -> None:
    x, y = next(places)
    stroke(labels, (x, y), (x + MOVE, y), across, label)


def history_curve(weights: Path, timer: Timer) -> Curve:
    """By a program of the window's side, which is where the history is."""
    found = json.loads(in_child("-m", "docs.measure_history"))
    return Curve(
        "History",
        "pictures in the history",
        found["lengths"],
        found["lengths"],
        {"Keeping one more: ms": found["ms"]},
        "One more picture writes its own files and nothing else; what goes through all records is "
        "in memory.",
    )


CURVES: dict[str, Callable[[Path, Timer], Curve]] = {
    "size": size_curve,
    "steps": steps_curve,
    "labels": labels_curve,
    "batch": batch_curve,
    "brush": brush_curve,
    "history": history_curve,
}


def measured(name: str, weights: Path, timer: Timer) -> dict | None:
    """A curve as plain data; None where the source that it needs is not there."""
    if name == "history" and not (CHECKOUT / "docs" / "measure_history.py").is_file():
        return None
    return asdict(CURVES[name](weights, timer))
