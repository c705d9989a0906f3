"""`python -m core.sample LAYOUT.png … -o OUT`: pictures from label maps, without a window.

Under `torchrun` the processes share the layouts; the files are those of one process.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from tqdm import tqdm

from core.command import (
    DONE,
    SOME_FAILED,
    Progress,
    complain,
    exit_status,
    progress_bar,
    say,
)
from core.edit_files import read_edit
from core.errors import InputError, OutputError
from core.files import file_digest, writing
from core.film import (
    VIDEO_SUFFIXES,
    FilmError,
    Track,
    check_sizes,
    check_video,
    frames_per_second,
    natural_key,
    track,
    write_film,
)
from core.labelmap import read_labels
from core.palette import Palette
from core.picture import write_picture
from core.request import (
    SAMPLER_NAMES,
    Engine,
    Failed,
    Inpaint,
    Layout,
    Preview,
    Result,
    SampleRequest,
    Stepped,
)
from core.style import Painted, StyleChoice
from core.term_options import add_term_options, clip_files, terms_of

DEFAULT_WEIGHTS = Path(__file__).resolve().parent.parent / "weights" / "landscape.safetensors"


def open_engine(path: Path, **files: Path) -> Engine:
    """The engine of a checkpoint. torch is imported here, so that `--help` need not wait for it.

    files: `clip` and `noisy_clip`, as for `open_model`.
    """
    from core.opening import open_model

    return open_model(path, **files)


def main(argv: list[str] | None = None, open_engine: Callable[[Path], Engine] = open_engine) -> int:
    """Run the command and return its exit status: 0, 1 (some layouts failed), 2 or 130."""
    args = _parser().parse_args(argv)
    return exit_status(lambda: _run(args, open_engine))


def _run(args: argparse.Namespace, open_engine: Callable[[Path], Engine]) -> int:
    paths = find_layouts(args.layouts)
    if args.video is not None:
        _check_film(args, paths)
    edit = _edit(args)
    from core import distributed  # with torch, which neither --help nor what is above waits for
    from core.device import pick_device, use_threads

    use_threads(args.threads)
    with distributed.joined(pick_device()):
        engine = open_engine(args.weights, **clip_files(args))
        palette = reading_palette(args.palette, engine.info.palette)
        # With all key frames in it: a bad one is refused now, not when its frame comes.
        template = template_request(args, args.guidance.values, engine.info.palette)
        terms = terms_of(args, engine.info)
        template = replace(template, terms=terms, term_rule=args.rule)
        if edit is not None:
            template = replace(template, inpaint=edit, size=edit.size)
        _check_targets(args.out, paths, template.seeds)
        if distributed.world() > 1:
            distributed.check_same(
                layouts=[path.name for path in paths],
                weights=file_digest(args.weights),
                settings=template.recipe(engine.info.name),
            )
        made = _sample_files(args, paths, engine, palette, template)
        everything = {frame: done for one in distributed.collected(made) for frame, done in one}
        if args.video is not None and distributed.rank() == 0:
            _make_film(args, everything)
    return DONE if len(everything) == len(paths) else SOME_FAILED


def _sample_files(
    args: argparse.Namespace,
    paths: list[Path],
    engine: Engine,
    palette: Palette,
    template: SampleRequest,
) -> list[tuple[int, list[Path]]]:
    """Sample this process's share of the layouts; their numbers and pictures, without failures."""
    from core import distributed

    made = []
    with progress_bar(len(paths), "Sampling", silent=distributed.rank() > 0) as bar:
        for frame in distributed.shared_range(len(paths)):
            bar.update(frame - bar.n)  # other processes have those between
            path, request = paths[frame], replace(template, guidance_scale=args.guidance.at(frame))
            try:
                made.append((frame, _sample_file(path, engine, palette, request, args.out, bar)))
            except OutputError:
                raise  # the next layout would fail alike
            except InputError as error:
                if len(paths) == 1:
                    raise InputError(_naming(path, error)) from error
                complain(_naming(path, error))
    return made


def _make_film(args: argparse.Namespace, made: Mapping[int, list[Path]]) -> None:
    """Join what was sampled, in the order of the frames."""
    pictures = [picture for frame in sorted(made) for picture in made[frame]]
    elsewhere = next((picture for picture in pictures if not picture.is_file()), None)
    if elsewhere is not None:
        raise FilmError(
            f"{elsewhere} was made on another host. For a film, give -o in a folder that all share."
        )
    if pictures:
        write_film(args.video, pictures, args.fps)
        tqdm.write(f"{args.video}\n", end="")


def _check_film(args: argparse.Namespace, paths: list[Path]) -> None:
    """Refuse, before any work, what would not become a film."""
    check_video(args.video)
    if args.count > 1:
        raise FilmError(f"A film has one picture a frame, but --count {args.count} was given.")
    if args.size is None:
        check_sizes(paths)


def _edit(args: argparse.Namespace) -> Inpaint | None:
    """The local edit that was asked for. Raises `InputError` if half of it is missing."""
    if args.inpaint is None and args.mask is None:
        return None
    if args.inpaint is None or args.mask is None:
        raise InputError("An edit needs both --inpaint PICTURE and --mask MASK.")
    return read_edit(args.inpaint, args.mask, args.strength, args.resample, args.invert)


def _sample_file(
    path: Path, engine: Engine, palette: Palette, template: SampleRequest, out: Path, bar: Progress
) -> list[Path]:
    """Sample one layout and write its pictures; their paths."""
    read = read_labels(path, palette)
    if read.unplaced:
        say(f"note: in {path}, {read.unplaced:.1%} of the pixels are of no label of the palette.")
    request = replace(template, layout=Layout(read.labels, template.layout.palette))
    targets = []
    for result in results(engine, request, bar):
        target = target_path(out, path, result.request.seed)
        recipe = result.request.recipe(result.weights) | {"layout": path.name}
        with writing(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        write_picture(target, result.image, recipe, request.layout)
        tqdm.write(f"{target}\n", end="")  # one write: processes share the output
        targets.append(target)
    return targets


def results(
    engine: Engine, request: SampleRequest, bar: Progress | None = None
) -> Iterator[Result]:
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


# -- what the arguments mean ----------------------------------------------------------------------


def find_layouts(given: list[Path]) -> list[Path]:
    """The files to sample: files as given, a folder as its PNG files by name and number.

    Raises `InputError` for a folder without any. A file that is missing is found out on reading.
    """
    found: list[Path] = []
    for path in given:
        inside = sorted(path.glob("*.png"), key=natural_key) if path.is_dir() else [path]
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


def template_request(
    args: argparse.Namespace, guidance: float | tuple[float, ...], palette: Palette
) -> SampleRequest:
    """The request of the options, on a blank layout. Raises `RequestError` for a bad option."""
    return SampleRequest(
        Layout(np.zeros((1, 1), np.uint8), palette),
        steps=args.steps,
        sampler=args.sampler,
        guidance_scale=guidance,
        guidance_start=args.guidance_start,
        seed=args.seed,
        count=args.count,
        eta=args.eta,
        student=args.student,
        finish=args.finish,
        size=args.size,
        preview_every=0,
        painted=None if args.painted == 1 else Painted(StyleChoice(), args.painted),
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


def add_sampling_options(
    parser: argparse.ArgumentParser, guidance: Callable[[str], float | tuple | Track] = float
) -> None:
    """The options that any command which samples has. guidance: reads the guidance scale."""
    add = parser.add_argument_group("sampling").add_argument
    add("--steps", type=_steps, default=25, help="a number, or a respacing such as ddim25 (25)")
    add("--sampler", default=SAMPLER_NAMES[0], help=f"one of {', '.join(SAMPLER_NAMES)}")
    add("--guidance", type=guidance, default="1.5", help="guidance scale, 1 = off (1.5)")
    add(
        "--guidance-start",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="of the timesteps, from the clean end, at which guidance acts (1: all)",
    )
    add(
        "--student",
        action="store_true",
        help="the few-step student beside --weights, in 1 to 4 --steps",
    )
    add(
        "--finish",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="let the student take the last leap, if it learned to (yes)",
    )
    add(
        "--painted",
        type=float,
        default=1.0,
        metavar="STRENGTH",
        help="begin with the picture of the painter beside --weights, in a style by the seed, and "
        "forget so much of it: 0 keeps it, 1 begins with noise (1)",
    )
    add("--eta", type=float, default=0.0, help="fresh noise a step: 0 none, 1 all (ddim, dpmpp_2m)")
    add("--seed", type=int, default=0, help="seed of the first picture (0)")
    add("--size", type=size_of, help="HxW of the picture (the layout's own)")


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
    add("--threads", type=_threads, help="CPU threads of each process (as torch chooses)")
    add_sampling_options(parser, track)
    add_term_options(parser)
    edit = parser.add_argument_group(
        "local edit",
        "Repaint the white part of a mask in a picture, as the layout says; the rest stays.",
    )
    add = edit.add_argument
    add("--inpaint", type=Path, metavar="PICTURE", help="the picture to edit, as large as --mask")
    add("--mask", type=Path, help="black and white image: white is repainted")
    add("--strength", type=float, default=1.0, help="how much is forgotten, above 0 to 1 (1)")
    add("--resample", type=int, default=1, help="how often each stretch is walked (1)")
    add("--invert", action="store_true", help="walk the picture up by DDIM instead of noising it")
    film = parser.add_argument_group(
        "film",
        "The layouts are the frames, in the order of their numbers; all begin with the seed's "
        "noise. --guidance may have key frames: 0:1.2,24:2.5 goes from 1.2 to 2.5 in 25 frames.",
    )
    add = film.add_argument
    add("--video", type=Path, help=f"also write one film ({', '.join(VIDEO_SUFFIXES)})")
    add("--fps", type=frames_per_second, default=25.0, help="frames a second of the film (25)")
    return parser


def _steps(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text


def _threads(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of threads; give 1 or more")
    return count


def size_of(text: str) -> tuple[int, int]:
    """(height, width) of "HxW"; for argparse."""
    try:
        height, width = (int(side) for side in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write HxW, as 256x384") from None
    if min(height, width) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; both sides must be 1 or more")
    return height, width


if __name__ == "__main__":
    sys.exit(main())
