"""Measure what words and references do to pictures, beside none, with the same seeds and layouts.

    python -m docs.measure_guidance text DATA --places FILE --segmenter FILE --segmenter-classes CSV
                                                              ten prompts: scores, agreement
    python -m docs.measure_guidance references DATA           style, content, retrieval
    python -m docs.measure_guidance time DATA                 a step with terms beside one without

DATA has images/, labels/ and captions.csv of photos that no network was trained on. FILE is the
Places365 network with its scene attributes; what it has no attribute for is read off its features
by a linear probe of the captions' tags. The segmenter is the one of the card's agreement (see
core.evaluate); the model's own, which is asked too, hardly knows things in orange or blue light.
Everything is made as the window begins: guidance 2.5 in the cleaner half of the timesteps. `text`
also draws a sheet: rows prompts, columns layouts.
With `--keep` it can be stopped and goes on later, also to more layouts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from tqdm import tqdm

from app.settings import GenerateSettings
from core.agreement import MERGES, confusion, mean_interval, mean_iou, merge_table
from core.captions import CAPTIONS, read_table
from core.dataset import Pair, find_pairs, read_pair
from core.engine import Engine
from core.feature_cache import photo_features
from core.features import FeatureNetwork, open_places
from core.fingerprint import fingerprint
from core.guidance import likeness, style
from core.guide import guide_path
from core.outside_segmenter import OutsideSegmenter
from core.request import Layout, Result, SampleRequest
from core.sample import DEFAULT_WEIGHTS
from core.seen import Seen
from core.sheets import sheet
from core.terms import GuidanceTerm

WINDOW = GenerateSettings()  # what it begins with

# prompt: a scene attribute of the network, or a tag of the captions
PROMPTS = {
    "sunset": ("tag", "sunset"),
    "snow": ("attribute", "snow"),
    "foggy": ("tag", "foggy"),
    "night": ("tag", "night"),
    "stormy sea": ("attribute", "surf"),
    "dry": ("attribute", "dry"),
    "lush": ("attribute", "vegetation"),
    "golden": ("tag", "golden"),
    "cold": ("attribute", "cold"),
    "sunny": ("attribute", "sunny"),
}
RIDGE = 100.0  # of the probe, on standardised features
APART = 25  # photos between one layout and the next; the first few are spread over the folder
DRAWS = 1000  # of layouts, for an interval
CANDIDATES = 100  # references that the retrieval chooses among
SHEET_COLUMNS, SHEET_SIDE = 6, 144
SHEET = Path(__file__).parent / "sheets" / "words.webp"

Score = Callable[[np.ndarray], np.ndarray]  # features [N, 512] -> [N]


class Maker:
    """Pictures of the layouts of a folder; each has its own seed."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.weights, self.engine = options.weights, Engine.open(options.weights)
        self.palette, self.steps = self.engine.info.palette, options.steps
        self.weight, self.scale = options.weight, options.guidance
        self.start, self.outside = options.guidance_start, None
        self.merges = merge_table(self.palette, MERGES.get(self.palette.name, {}))
        if options.segmenter:
            files = options.segmenter, options.segmenter_classes
            self.outside = OutsideSegmenter.open(*files, self.palette)
        self.all, _ = find_pairs(options.data)
        spread = sorted(range(len(self.all)), key=lambda i: (i % APART * 13 % APART, i))
        self.pairs: Sequence[Pair] = [self.all[i] for i in spread[: options.count]]

    def settings(self) -> list[object]:
        """What pictures and their figures depend on."""
        files = (self.weights, guide_path(self.weights))
        names = [fingerprint(path) for path in files if path.is_file()]
        judge = self.outside.identity if self.outside else ""
        return [self.steps, self.weight, self.scale, self.start, names, judge]

    @property
    def judges(self) -> int:
        return 2 if self.outside else 1

    def said(self) -> str:
        return (
            f"{len(self.pairs)} layouts, {self.steps} steps, guidance {self.scale:g} below "
            f"{self.start:.0%}, weight {self.weight:g}"
        )

    def labels(self, number: int) -> np.ndarray:
        return read_pair(self.pairs[number], self.palette).labels

    def picture(self, number: int, *terms: GuidanceTerm, steps: int | None = None) -> np.ndarray:
        request = SampleRequest(
            Layout(self.labels(number), self.palette),
            steps=steps or self.steps,
            guidance_scale=self.scale,
            guidance_start=self.start,
            seed=number,
            preview_every=0,
            finish=True,
            terms=terms,
        )
        (result,) = (e for e in self.engine.sample(request) if isinstance(e, Result))
        return result.image

    def agreement(self, number: int, picture: np.ndarray) -> np.ndarray:
        """Confusions `[judges, labels, labels]` of the layout with what segmenters find: the
        model's own, and the outside one with labels merged as in the card."""
        truth, own = self.labels(number), self.engine.segmenter
        found = [confusion(truth, own(picture, truth.shape), len(self.palette))]
        if self.outside:
            seen = self.merges[self.outside(picture, truth.shape)]
            found.append(confusion(self.merges[truth], seen, len(self.palette)))
        return np.stack(found)

    @torch.no_grad()
    def seen(self, picture: np.ndarray) -> Seen:
        """What the encoder of guidance sees of a finished picture."""
        return self.engine.guide.look(self.engine.encode(picture[None]), -1)


# -- words ----------------------------------------------------------------------------------------


def text(options: argparse.Namespace) -> None:
    """Print a row for each prompt, and draw the sheet: of the layouts that are done so far."""
    maker = Maker(options)
    network = open_places(options.places)
    prompts = options.prompts or list(PROMPTS)
    keep = Keep(options.keep, maker.settings())
    table = [
        {word: keep.get(number, word, partial(_made, maker, network)) for word in ("", *prompts)}
        for number in tqdm(range(len(maker.pairs)), "layouts")
    ]
    photos = keep.photos(network, [pair.image for pair in maker.all])
    scores = _scores(options, photos, maker.all)
    rises = {prompt: _rises(table, prompt, scores[prompt]) for prompt in prompts}
    print(f"{maker.said()}\n")
    judges = range(maker.judges)
    print(
        "| prompt | rises for | by (σ of pictures) | 95 % |" + " mIoU kept | 95 % |" * len(judges)
    )
    print("|---|---|---|---|" + "---|---|" * len(judges))
    for prompt in prompts:
        _print_row(prompt, [rises[prompt]], [_kept(table, j, [prompt]) for j in judges])
    _print_row("**mean**", list(rises.values()), [_kept(table, j, prompts) for j in judges])
    plain = sum(row[""].confusions for row in table)
    print("\nmIoU without words: " + ", ".join(f"{mean_iou(own):.3f}" for own in plain))
    rows = [[row[word].small for row in table[:SHEET_COLUMNS]] for word in ("", *prompts)]
    captions = [[prompt] for prompt in ("no words", *prompts)]
    Image.fromarray(sheet(rows, captions)).save(options.sheet)


def _rises(table: Sequence[Row], prompt: str, score: Score) -> np.ndarray:
    """How much a prompt's score rises for each layout, in deviations of pictures without words."""
    old, new = (score(np.stack([row[word].features for row in table])) for word in ("", prompt))
    return (new - old) / old.std()


def _print_row(name: str, rises: Sequence[np.ndarray], kept: Sequence[Interval]) -> None:
    """One row of the table; several prompts are averaged layout by layout."""
    each = np.mean(rises, axis=0)
    low, high = mean_interval(each)
    up = np.mean([(own > 0).mean() for own in rises])
    row = f"| {name} | {up:.0%} | {each.mean():.2f} | {low:.2f} to {high:.2f} |"
    for middle, least, most in kept:
        row += f" {middle:.0%} | {least:.0%} to {most:.0%} |"
    print(row)


class Made(NamedTuple):
    """What is needed of one picture: features `[D]`, agreement with its layout by each judge, a
    small copy."""

    features: np.ndarray
    confusions: np.ndarray
    small: np.ndarray


Row = Mapping[str, Made]  # of one layout: by prompt, "" for no words
Interval = tuple[float, float, float]  # middle, and its 2.5 % and 97.5 %


def _made(maker: Maker, network: FeatureNetwork, number: int, prompt: str) -> Made:
    terms = [GuidanceTerm("text", maker.weight, prompt)] if prompt else []
    picture = maker.picture(number, *terms)
    return Made(network([picture])[0], maker.agreement(number, picture), _small(picture))


class Keep:
    """What was measured of each picture, in a folder: a run that was stopped goes on there.

    folder: None keeps nothing. settings: of the run; those of another are refused.
    """

    def __init__(self, folder: Path | None, settings: Sequence[object]) -> None:
        self.folder = folder
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        written, text = folder / "settings.json", json.dumps(settings)
        if written.is_file() and written.read_text() != text:
            raise SystemExit(f"{folder} is of a run with other settings. Give another folder.")
        written.write_text(text)

    def get(self, number: int, prompt: str, make: Callable[[int, str], Made]) -> Made:
        """Of a layout and a prompt; made if it is not there."""
        path = self.folder and self.folder / f"{number:03d} {prompt or 'none'}.npz"
        if path and path.is_file():
            with np.load(path) as found:
                return Made(*(found[name] for name in Made._fields))
        made = make(number, prompt)
        if path:
            np.savez_compressed(path, **made._asdict())
        return made

    def photos(self, network: FeatureNetwork, photos: Sequence[Path]) -> np.ndarray:
        """Features of the photos that the probes are fitted to, float32 `[N, D]`."""
        return photo_features(network, photos, self.folder and self.folder / "photos")


def _kept(table: Sequence[Row], judge: int, prompts: Sequence[str]) -> Interval:
    """What prompts leave of the mean IoU, on average; the interval is of layouts drawn anew."""
    words = ["", *prompts]
    counts = np.stack([[row[word].confusions[judge] for word in words] for row in table])
    rng = np.random.default_rng(0)
    draws = rng.multinomial(len(table), np.full(len(table), 1 / len(table)), DRAWS)
    low, high = np.quantile([_share_kept(draw, counts) for draw in draws], (0.025, 0.975))
    return _share_kept(np.ones(len(table)), counts), float(low), float(high)


def _share_kept(times: np.ndarray, counts: np.ndarray) -> float:
    """times: `[layouts]`, how often each counts. counts: `[layouts, words, labels, labels]`, of
    pictures without words first."""
    before, *after = (mean_iou(own) for own in np.tensordot(times, counts, 1))
    return float(np.mean(after) / before)


def _scores(
    options: argparse.Namespace, features: np.ndarray, pairs: Sequence[Pair]
) -> dict[str, Score]:
    """How strongly features show each prompt."""
    attributes = load_file(options.places)["scene_attributes.weight"].float().numpy()
    names = (options.places.parent / "scene_attributes.txt").read_text().split("\n")
    captions = read_table(options.data / CAPTIONS)
    found: dict[str, Score] = {}
    for prompt, (kind, name) in PROMPTS.items():
        if kind == "attribute":
            direction = attributes[names.index(name)]
        else:
            shown = [name in captions[pair.name]["tags"].split(";") for pair in pairs]
            direction = probe(features, np.array(shown, np.float64))
        found[prompt] = lambda f, d=direction: f @ d
    return found


def probe(features: np.ndarray, target: np.ndarray) -> np.ndarray:
    """A direction `[D]` of features `[N, D]` that tells `target` `[N]`: ridge regression."""
    spread = features.std(0) + 1e-6
    x, y = (features - features.mean(0)) / spread, target - target.mean()
    return np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y) / spread


def _small(picture: np.ndarray) -> np.ndarray:
    return np.array(Image.fromarray(picture).resize((SHEET_SIDE, SHEET_SIDE)))


# -- references -----------------------------------------------------------------------------------


def references(options: argparse.Namespace) -> None:
    """Print how far pictures go towards references: photos of other layouts of the folder."""
    maker = Maker(options)
    chosen = maker.all[:: max(1, len(maker.all) // CANDIDATES)][:CANDIDATES]
    photos = [read_pair(pair, maker.palette).image for pair in chosen]
    seen = [maker.seen(photo) for photo in photos]
    rows: dict[str, list[list[float]]] = {"style": [], "content": []}
    for number in range(len(maker.pairs)):
        own = (len(chosen) // 2 + 7 * number) % len(chosen)
        plain = maker.picture(number)
        for kind in rows:
            term = GuidanceTerm(kind, maker.weight, reference=photos[own])
            made = maker.picture(number, term)
            rows[kind].append(_compared(maker, plain, made, seen, own))
    print(f"{maker.said()}\n")
    for kind, found in rows.items():
        gram, cosine, before, after = np.array(found).T
        print(
            f"{kind}: Gram distance {np.median(gram) - 1:+.0%} (median; falls for "
            f"{(gram < 1).mean():.0%}), cosine {cosine.mean():+.2f} {_interval(cosine)}; the "
            f"reference is among the first five of {len(chosen)} for {after.mean():.0%} "
            f"(without the term {before.mean():.0%})"
        )


def _compared(
    maker: Maker, plain: np.ndarray, made: np.ndarray, seen: Sequence[Seen], own: int
) -> list[float]:
    """Ratio of Gram distances, rise of the cosine, and whether the reference is among the first
    five, before and after."""
    old, new = maker.seen(plain), maker.seen(made)
    distances = [-float(style(one, seen[own])) for one in (old, new)]
    cosines = [float(likeness(one, seen[own])) for one in (old, new)]
    ranks = [sum(float(likeness(one, s)) > c for s in seen) for one, c in zip((old, new), cosines)]
    return [distances[1] / distances[0], cosines[1] - cosines[0], *(rank < 5 for rank in ranks)]


def _interval(values: np.ndarray) -> str:
    low, high = mean_interval(values)
    return f"({low:.2f} to {high:.2f})"


# -- time -----------------------------------------------------------------------------------------


def timing(options: argparse.Namespace) -> None:
    """Print the processor's time of a step with terms, beside one without; both have two branches:
    guidance acts at all of them."""
    maker = Maker(options)
    maker.start = 1.0
    photo = read_pair(maker.all[-1], maker.palette).image
    style_term = GuidanceTerm("style", reference=photo)
    cases = {
        "none": (),
        "text": (GuidanceTerm("text", text="sunset"),),
        "style": (style_term,),
        "text, content and style": (
            GuidanceTerm("text", text="sunset"),
            GuidanceTerm("content", reference=photo),
            style_term,
        ),
    }
    plain = None
    for name, terms in cases.items():
        step = _step_time(maker, terms, options.count)
        plain = plain or step
        print(f"{name}: {step * 1000:.0f} ms a step, {step / plain:.2f} of an unguided one")


def _step_time(maker: Maker, terms: tuple[GuidanceTerm, ...], count: int) -> float:
    """Seconds a step: what nine steps take more than three, each the least of `count`."""
    times: dict[int, list[float]] = {3: [], 9: []}
    for _ in range(count):
        for steps, own in times.items():
            start = time.process_time()
            maker.picture(0, *terms, steps=steps)
            own.append(time.process_time() - start)
    return (min(times[9]) - min(times[3])) / 6


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", choices=("text", "references", "time"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS)
    parser.add_argument("--places", type=Path, help="the Places365 network, for `text`")
    parser.add_argument("--segmenter", type=Path, help="of the card's agreement, for `text`")
    parser.add_argument("--segmenter-classes", type=Path, help="what its classes mean")
    parser.add_argument("--count", type=int, default=200, help="layouts (200)")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=WINDOW.guidance_scale, help="its scale")
    parser.add_argument("--guidance-start", type=float, default=WINDOW.guidance_start)
    parser.add_argument("--weight", type=float, default=1.0, help="of the term (1)")
    parser.add_argument("--prompts", nargs="+", choices=list(PROMPTS), help="only these")
    parser.add_argument("--keep", type=Path, help="folder of a run of `text` to go on with")
    parser.add_argument("--sheet", type=Path, default=SHEET)
    options = parser.parse_args()
    if options.what == "text" and options.places is None:
        parser.error("the scores of words come from a network: give --places")
    if bool(options.segmenter) != bool(options.segmenter_classes):
        parser.error("--segmenter and --segmenter-classes belong together: give both")
    {"text": text, "references": references, "time": timing}[options.what](options)


if __name__ == "__main__":
    main()
