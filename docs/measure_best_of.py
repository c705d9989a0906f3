"""Does the best of N seeds, as our own segmenter chooses it, please another one too?

    python -m docs.measure_best_of --data FOLDER --segmenter NETWORK --segmenter-classes CSV

FOLDER has images/ and labels/. The other segmenter is told how often the chosen picture of a layout
agrees with it: against the mean of all seeds, which is chance, and the best of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from app.settings import GenerateSettings
from core.agreement import MERGES, mean_interval, merge_table
from core.dataset import find_pairs, read_pair
from core.engine import Engine
from core.matching import compare
from core.outside_segmenter import OutsideSegmenter
from core.request import Layout, Result, SampleRequest
from core.sample import DEFAULT_WEIGHTS

WINDOW = GenerateSettings()  # what it begins with


def agreements(engine: Engine, judge: OutsideSegmenter, layout: Layout, args) -> np.ndarray:
    """`[2, seeds]`: what our segmenter and the judge say of each seed's picture of a layout."""
    merged = merge_table(layout.palette, MERGES[layout.palette.name])
    request = SampleRequest(
        layout,
        steps=args.steps,
        guidance_scale=args.guidance,
        guidance_start=WINDOW.guidance_start,
        finish=True,
        count=args.seeds,
        preview_every=0,
    )
    said = []
    for result in engine.sample(request):
        if isinstance(result, Result):
            ours = compare(layout, engine.segment(result.image), engine.info.ceiling)
            found = judge(result.image, layout.size)
            said.append((ours.agreement, (merged[found] == merged[layout.labels]).mean()))
    return np.array(said).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--segmenter", type=Path, required=True)
    parser.add_argument("--segmenter-classes", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS)
    parser.add_argument("--layouts", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=WINDOW.guidance_scale)
    args = parser.parse_args()
    engine = Engine.open(args.weights)
    palette = engine.info.palette
    judge = OutsideSegmenter.open(args.segmenter, args.segmenter_classes, palette)
    pairs, _ = find_pairs(args.data)
    gains, rooms, chance = [], [], []
    for pair in pairs[:: max(1, len(pairs) // args.layouts)][: args.layouts]:
        layout = Layout(read_pair(pair, palette).labels, palette)
        ours, judged = agreements(engine, judge, layout, args)
        chance.append(judged.mean())
        gains.append(judged[ours.argmax()] - judged.mean())
        rooms.append(judged.max() - judged.mean())
        print(f"{len(gains)}: chance {chance[-1]:.3f}, gain {gains[-1]:+.3f}", flush=True)
    low, high = mean_interval(gains)
    print(
        f"{len(gains)} layouts, {args.seeds} seeds: accuracy {np.mean(chance):.3f} by chance, "
        f"{np.mean(gains):+.4f} ({low:+.4f} to {high:+.4f}) by choice, "
        f"{np.mean(rooms):+.4f} at most"
    )


if __name__ == "__main__":
    main()
