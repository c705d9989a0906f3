"""`python -m core.sample LAYOUT.png … -o OUT`: pictures from label maps, without a window."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tqdm import tqdm

from core.command import DONE, SOME_FAILED, complain, exit_status, progress_bar, say
from core.errors import InputError
from core.files import atomic_path
from core.labelmap import read_labels
from core.palette import Palette
from core.request import (
    RECIPE_KEY,
    SAMPLER_NAMES,
    Engine,
    Failed,
    Layout,
    Preview,
    Result,
    SampleRequest,
    Stepped,
)

DEFAULT_WEIGHTS = Path(__file__).resolve().parent.parent / "weights" / "landscape.safetensors"


class OutputError(InputError):
    """The place that was given for the pictures cannot be written."""


def open_engine(path: Path) -> Engine:
    """The engine of a checkpoint. torch is imported here, so that `--help` need not wait for it."""
    from core.engine import Engine as TorchEngine

    return TorchEngine.open(path)


def main(argv: list[str] | None = None, open_engine: Callable[[Path], Engine] = open_engine) -> int:
    """Run the command and return its exit status: 0, 1 (some layouts failed), 2 or 130."""
    args = _parser().parse_args(argv)
    return exit_status(lambda: _run(args, open_engine))


def _run(args: argparse.Namespace, open_engine: Callable[[Path], Engine]) -> int:
    paths = find_layouts(args.layouts)
    engine = open_engine(args.weights)
    palette = reading_palette(args.palette, engine.info.palette)
    template = template_request(args, engine.info.palette)
    _check_targets(args.out, paths, template.seeds)
    failures = 0
    with progress_bar(len(paths), "Sampling") as bar:
        for path in paths:
            try:
                _sample_file(path, engine, palette, template, args.out, bar)
            except OutputError:
                raise  # the next layout would fail alike
            except InputError as error:
                if len(paths) == 1:
                    raise InputError(_naming(path, error)) from error
                complain(_naming(path, error))
                failures += 1
    return SOME_FAILED if failures else DONE


def _sample_file(
    path: Path, engine: Engine, palette: Palette, template: SampleRequest, out: Path, bar: tqdm
) -> None:
    read = read_labels(path, palette)
    if read.unplaced:
        say(f"note: in {path}, {read.unplaced:.1%} of the pixels are of no label of the palette.")
    request = replace(template, layout=Layout(read.labels, template.layout.palette))
    for result in results(engine, request, bar):
        target = target_path(out, path, result.request.seed)
        recipe = result.request.recipe(result.weights) | {"layout": path.name}
        write_picture(target, result.image, recipe)
        tqdm.write(str(target))


def results(engine: Engine, request: SampleRequest, bar: tqdm | None = None) -> Iterator[Result]:
    """The finished pictures of `request`; `bar` advances by 1 in all, step by step.

    Raises `InputError` with the engine's own sentence if the sample fails.
    """
    before = bar.n if bar is not None else 0
    with closing(engine.sample(request)) as events:  # leaving early, as on Ctrl-C, cancels
        for event in events:
            match event:
                case Preview() | Stepped() if bar is not None:
                    bar.update(before + event.step / event.steps - bar.n)
                case Result():
                    yield event
                case Failed():
                    raise InputError(event.message)


def write_picture(path: Path, image: np.ndarray, recipe: dict) -> None:
    """Write uint8 `[H, W, 3]` as a PNG that carries its recipe, whole or not at all.

    Raises `OutputError` if the place cannot be written.
    """
    chunk = PngInfo()
    chunk.add_text(RECIPE_KEY, json.dumps(recipe))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            Image.fromarray(image).save(part, format="PNG", pnginfo=chunk)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error


# -- what the arguments mean ----------------------------------------------------------------------


def find_layouts(given: list[Path]) -> list[Path]:
    """The files to sample: files as given, a folder as its PNG files by name.

    Raises `InputError` for a folder without any. A file that is missing is found out on reading.
    """
    found: list[Path] = []
    for path in given:
        inside = sorted(path.glob("*.png")) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path} has no .png label map in it.")
        found += inside
    return found


def reading_palette(name_or_path: str | None, wanted: Palette) -> Palette:
    """The palette to read label maps with: the checkpoint's, or the one that was named.

    A palette that was named may know a label by other colours and raw ids, not by another id.
    Raises `InputError` if it does not have the same names in the same order.
    """
    if name_or_path is None:
        return wanted
    given = Palette.load(name_or_path)
    if len(given) != len(wanted):
        raise InputError(
            f"Palette {given.name!r} has {len(given)} labels, but the model was trained with "
            f"the {len(wanted)} of {wanted.name!r}."
        )
    for ours, theirs in zip(wanted.classes, given.classes, strict=True):
        if ours.name != theirs.name:
            raise InputError(
                f"Label {ours.id} is {theirs.name!r} in palette {given.name!r}, but {ours.name!r} "
                f"in {wanted.name!r}, which the model was trained with."
            )
    return given


def template_request(args: argparse.Namespace, palette: Palette) -> SampleRequest:
    """The request of the options, on a blank layout. Raises `RequestError` for a bad option."""
    return SampleRequest(
        Layout(np.zeros((1, 1), np.uint8), palette),
        steps=args.steps,
        sampler=args.sampler,
        guidance_scale=args.guidance,
        seed=args.seed,
        count=args.count,
        size=args.size,
        preview_every=0,
    )


def target_path(out: Path, layout: Path, seed: int) -> Path:
    """Where the picture of `layout` and `seed` goes: `out` itself if it is named .png."""
    return out if _is_png(out) else out / f"{layout.stem}_{seed}.png"


def _check_targets(out: Path, paths: list[Path], seeds: tuple[int, ...]) -> None:
    """Refuse, before any work, names by which a picture would overwrite another or a layout."""
    pictures = list(product(paths, seeds))
    if _is_png(out) and len(pictures) > 1:
        raise InputError(
            f"{out} names one picture, but there are {len(pictures)} to write. "
            "Give a folder with -o."
        )
    owners: dict[Path, Path] = {}
    layouts = {path.resolve() for path in paths}
    for path, seed in pictures:
        target = target_path(out, path, seed).resolve()
        if target in owners:
            raise InputError(f"{owners[target]} and {path} would both be written to {target}.")
        if target in layouts:
            raise InputError(f"The label map {target} would be overwritten. Choose another -o.")
        owners[target] = path


def _is_png(path: Path) -> bool:
    return path.suffix.lower() == ".png"


def _naming(path: Path, error: InputError) -> str:
    return str(error) if str(path) in str(error) else f"{path}: {error}"


def add_sampling_options(parser: argparse.ArgumentParser) -> None:
    """The options that any command which samples has."""
    add = parser.add_argument_group("sampling").add_argument
    add("--steps", type=_steps, default=25, help="a number, or a respacing such as ddim25 (25)")
    add("--sampler", default=SAMPLER_NAMES[0], help=f"one of {', '.join(SAMPLER_NAMES)}")
    add("--guidance", type=float, default=1.5, help="guidance scale, 1 = off (1.5)")
    add("--seed", type=int, default=0, help="seed of the first picture (0)")
    add("--size", type=_size, help="HxW of the picture (the layout's own)")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m core.sample",
        description="Make pictures from label maps. The output is NAME_SEED.png for each.",
    )
    add = parser.add_argument
    add("layouts", nargs="+", type=Path, help="label maps (.png), or folders of them")
    add("-o", "--out", type=Path, required=True, help="folder, or one .png file")
    add("--weights", type=Path, default=DEFAULT_WEIGHTS, help="checkpoint to use")
    add("--palette", help="palette to read with, a name or a .toml file (the checkpoint's)")
    add("--count", type=int, default=1, help="pictures per layout, seed by seed (1)")
    add_sampling_options(parser)
    return parser


def _steps(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text


def _size(text: str) -> tuple[int, int]:
    try:
        height, width = (int(side) for side in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write HxW, as 256x384") from None
    if min(height, width) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; both sides must be 1 or more")
    return height, width


if __name__ == "__main__":
    sys.exit(main())
