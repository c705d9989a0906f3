"""Measure local edits with the bundled model: what they cost, and whether their seams show.

    python -m docs.measure_edits cost                  the share of the canvas against the time
    python -m docs.measure_edits seams --data FOLDER   FOLDER has images/ and labels/ of real photos

The times are seconds of the processor, so that waiting for other work does not count. The tables in
docs/decisions/014-local-edits.md were made so.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from app.settings import GenerateSettings
from core.crop import Crop
from core.dataset import find_pairs
from core.engine import Engine
from core.labelmap import read_labels
from core.picture import read_picture
from core.regions import ANEW, OTHER, feather, feather_radius
from core.request import Inpaint, Layout, Result, SampleRequest, Trajectory
from core.sample import DEFAULT_WEIGHTS

SHARES = (0.05, 0.10, 0.25, 0.50, 1.00)
SIDE = 512  # of the canvas whose cost is measured
WINDOW = GenerateSettings()  # what it begins with
PLAIN = dict(
    guidance_scale=WINDOW.guidance_scale,
    guidance_start=WINDOW.guidance_start,
    finish=True,
    preview_every=0,
)


def sampled(engine: Engine, request: SampleRequest) -> Result:
    """The picture of a request."""
    (result,) = (event for event in engine.sample(request) if isinstance(event, Result))
    return result


def timed(engine: Engine, request: SampleRequest) -> list[float]:
    """Seconds of processor time that each event of a sample took."""
    times = [time.process_time()]
    for _ in engine.sample(request):
        times.append(time.process_time())
    return [after - before for before, after in zip(times, times[1:])]


# -- cost -----------------------------------------------------------------------------------------


def square(share: float) -> np.ndarray:
    """A region of that share of the canvas: a square in its middle."""
    side = round(SIDE * share**0.5)
    region = np.zeros((SIDE, SIDE), bool)
    start = (SIDE - side) // 2
    region[start : start + side, start : start + side] = True
    return region


def cost(engine: Engine, rounds: int, steps: int) -> None:
    """Print the time of edits of growing regions, beside that of a plain sample of the canvas.

    Each round measures all of them, and of each step its fastest round counts: other work on the
    machine slows the processor's time too, by the caches that it empties.
    """
    regions = [square(share) for share in SHARES]
    rows = [_round(engine, regions, number, steps) for number in range(rounds)]
    times = [np.min(same, axis=0).sum() for same in zip(*rows, strict=True)]
    print(f"{SIDE}x{SIDE}, {steps} steps, each event's fastest of {rounds} rounds\n")
    print(f"| region | crop | strength {ANEW} | strength {OTHER} |\n|---|---|---|---|")
    print(f"| plain sample | {SIDE}x{SIDE} | {times[0]:.2f} s = 1 | |")
    for index, (share, region) in enumerate(zip(SHARES, regions, strict=True)):
        box = _crop(engine, region).box
        ratios = [
            f"{seconds:.2f} s = {seconds / times[0]:.2f}"
            for seconds in times[1 + 2 * index : 3 + 2 * index]
        ]
        print(f"| {share:.0%} | {box.width}x{box.height} | {' | '.join(ratios)} |")


def _round(engine: Engine, regions: list, number: int, steps: int) -> list[list[float]]:
    """Times of a plain sample and of two edits a region. Each round has a seed and a layout of its
    own, so that nothing is known beforehand."""
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels[: SIDE // 2 + number] = 1
    layout = Layout(labels, engine.info.palette)
    plain = SampleRequest(layout, steps=steps, seed=number, **PLAIN)
    times = [timed(engine, plain)]
    old = sampled(engine, replace(plain, steps=1, keep_trajectory=True))
    for region in regions:
        for strength in (ANEW, OTHER):
            edit = _edit(old.image, region, strength, old.trajectory)
            times.append(timed(engine, replace(plain, inpaint=edit)))
    return times


def _edit(
    picture: np.ndarray, region: np.ndarray, strength: float, trajectory: Trajectory | None
) -> Inpaint:
    return Inpaint(
        picture, region, feather(region, feather_radius(region)), strength, trajectory=trajectory
    )


def _crop(engine: Engine, region: np.ndarray) -> Crop:
    edit = _edit(np.zeros((SIDE, SIDE, 3), np.uint8), region, ANEW, None)
    return Crop.of(edit, (SIDE, SIDE), engine.unet.spec.factor, engine.info.multiple)


# -- seams ----------------------------------------------------------------------------------------


def seams(engine: Engine, data: Path, count: int, steps: int, resample: int) -> None:
    """Print how strong gradients in the blend are: relative to what was there, and to photos.

    Each photo is edited itself, and so is the picture that the model makes of its layout; with the
    photo's own labels, so that nothing but the seam is new there. The model's pictures have
    gradients of their own strength everywhere: of these the first ratio tells.
    """
    pairs, _ = find_pairs(data)
    rng = np.random.default_rng(0)
    found: dict[str, list[list[float]]] = {"photo": [], "picture": []}
    for pair in pairs[:: max(1, len(pairs) // count)][:count]:
        photo = read_picture(pair.image).image
        layout = Layout(read_labels(pair.labels, engine.info.palette).labels, engine.info.palette)
        plain = SampleRequest(layout, steps=steps, keep_trajectory=True, **PLAIN)
        made = sampled(engine, plain)
        region = ellipse(photo.shape[:2], rng)
        blend = feather(region, feather_radius(region))
        seam = (blend > 0) & (blend < 1)
        for name, old, trajectory in (
            ("photo", photo, None),
            ("picture", made.image, made.trajectory),
        ):
            edit = Inpaint(old, region, blend, resample=resample, trajectory=trajectory)
            again = SampleRequest(layout, steps=steps, seed=1, inpaint=edit, **PLAIN)
            new = sampled(engine, again)
            looked_at = (new.image, old, photo)
            found[name].append([gradient(image)[seam].mean() for image in looked_at])
    for name, means in found.items():
        new, before, real = np.mean(means, axis=0)
        print(
            f"edits of a {name}: gradient {new:.1f} in the blend, {before:.1f} there before, "
            f"{real:.1f} in photos: {new / before:.2f} of before, {new / real:.2f} of photos"
        )


def ellipse(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A region somewhere: an ellipse of 15 to 30 % of the sides in radius."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    middle = rng.uniform(0.3, 0.7, 2) * size
    radii = rng.uniform(0.15, 0.3, 2) * size
    return ((y - middle[0]) / radii[0]) ** 2 + ((x - middle[1]) / radii[1]) ** 2 <= 1


def gradient(picture: np.ndarray) -> np.ndarray:
    """The length of the brightness gradient at each pixel of uint8 `[H, W, 3]`."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.hypot(np.gradient(gray, axis=0), np.gradient(gray, axis=1))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", choices=("cost", "seams"))
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS)
    parser.add_argument("--data", type=Path, help="real photos with labels, for the seams")
    parser.add_argument("--count", type=int, default=20, help="photos (20)")
    parser.add_argument("--rounds", type=int, default=3, help="times each is measured (3)")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--resample", type=int, default=1)
    options = parser.parse_args()
    engine = Engine.open(options.weights)
    if options.what == "cost":
        cost(engine, options.rounds, options.steps)
    elif options.data is None:
        parser.error("the seams are compared with real photos: give --data")
    else:
        seams(engine, options.data, options.count, options.steps, options.resample)


if __name__ == "__main__":
    main()
