"""`python -m core.evaluate`: how good are the pictures of a model?

Agreement (as in SDM, arXiv 2207.00050, section 4): an off-the-shelf segmenter labels each picture,
and its labels are compared with the painted ones. Diversity: the LPIPS distance between pictures of
one layout. Realism: Fréchet and kernel distance from photos. Memorising: the nearest photos. Or the
autoencoder alone. docs/evaluate.md says how each figure is defined; here is the command.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from core import distributed
from core.agreement import MERGES, merge_table
from core.command import DONE, exit_status, say
from core.compare import compare
from core.data_trees import SPLITS, VAL, Pair, recognise
from core.dataset import find_pairs
from core.device import PRECISIONS, pick_device, use_threads
from core.engine import student_path
from core.errors import InputError
from core.evaluation import Evaluation
from core.features import FeatureNetwork, open_inception, open_places
from core.files import file_digest
from core.findings import Findings
from core.label_sheet import label_ids
from core.markdown_report import paper_lines, write_report
from core.measure import Measures, Segment
from core.named_networks import open_named
from core.outside_segmenter import OutsideSegmenter
from core.palette import Palette
from core.perceptual import PairDistances
from core.realism import Reference
from core.reconstruction import Fidelity, Reconstruction
from core.report import sweep_report, write_json
from core.request import Engine
from core.sample import add_sampling_options, open_engine, size_of, template_request
from core.segmenter import Segmenter, segmenter_path
from core.segmenter_networks import PIXELS

PACKAGED = "package"  # value of --inception without a file
OWN = Path("own")  # value of --segmenter for the one that lies beside --weights


def main(
    argv: list[str] | None = None,
    open_engine: Callable[[Path], Engine] = open_engine,
    open_segmenter: Callable[..., Segment] = OutsideSegmenter.open,
) -> int:
    """Run the command and return its exit status: 0, 2 (bad input) or 130 (stopped)."""
    args = _parser().parse_args(argv)
    try:
        return exit_status(lambda: _run(args, open_engine, open_segmenter))
    finally:
        distributed.stop()


def _run(args: argparse.Namespace, open_engine: Callable, open_segmenter: Callable) -> int:
    _check(args)
    args.threads = use_threads(args.threads)
    distributed.start(pick_device())
    alone = args.autoencoder_only or args.compare
    if distributed.world() > 1 and (alone or not args.out):
        raise InputError(
            "Several processes share a folder: give --out. --autoencoder-only and --compare run in "
            "one alone."
        )
    if args.autoencoder_only:
        return _run_autoencoder(args, open_segmenter)
    engine = open_engine(args.weights) if args.weights else None
    palette = engine.info.palette if engine else Palette.load(args.palette)
    evaluation = _evaluation(args, palette, open_segmenter)
    layouts = [pair.name for pair in evaluation.pairs]
    distributed.check_same(layouts=layouts, weights=evaluation.made_with)
    if engine is None:
        _write(args.out, evaluation.of_photos())
        return DONE
    template, scales = template_request(args, args.guidance, palette), args.guidance
    if args.compare:
        _write(args.out, compare(evaluation, engine, replace(template, guidance_scale=scales[0])))
        return DONE
    runs: list[dict] = []
    for scale in scales:
        name = f"_{scale:g}" if len(scales) > 1 else ""
        if runs and distributed.rank() == 0:
            print()
        runs.append(evaluation.of_model(engine, replace(template, guidance_scale=scale), name))
        _write(args.out, runs if len(scales) > 1 else runs[0])  # each time: a run may be stopped
    if distributed.rank() == 0:
        _close(runs)
    return DONE


def _close(runs: list[dict]) -> None:
    """What stands below the tables of all scales."""
    if len(runs) > 1:
        print("\n" + sweep_report(runs))
    beside = paper_lines(runs[0])
    if beside:
        print("\n" + beside)


def _run_autoencoder(args: argparse.Namespace, open_segmenter: Callable) -> int:
    autoencoder = Reconstruction(args.weights, args.precision)
    evaluation = _evaluation(args, autoencoder.palette, open_segmenter)
    fidelity = Fidelity(PairDistances.open(args.lpips) if args.lpips else None)
    _write(args.out, evaluation.of_autoencoder(autoencoder, fidelity))
    return DONE


def _write(out: Path | None, figures: dict | list) -> None:
    if out and distributed.rank() == 0:
        write_json(out / "metrics.json", figures)
        write_report(out / "report.md", figures)


# -- what the arguments mean ----------------------------------------------------------------------


def _evaluation(args: argparse.Namespace, palette: Palette, open_segmenter: Callable) -> Evaluation:
    """Open all that is measured with. What takes long comes last. Raises `InputError`."""
    pairs = _pairs(args.data, args.split, args.limit)
    labels = args.labels_sheet
    networks = _networks(args)
    measures = Measures(
        merged=merge_table(palette, _merges(args.merge, palette)),
        segment=args.segmenter and _segmenter(args, palette, open_segmenter),
        distance=PairDistances.open(args.lpips) if args.lpips and args.count > 1 else None,
        networks=networks,
        photos=args.real,
        sheet_rows=args.sheet,
        segmented=args.agreement_seeds,
        findings=Findings(args.out and args.out / "measured"),
    )
    return Evaluation(
        data=args.data.name,
        pairs=pairs,
        palette=palette,
        measures=measures,
        labels=() if labels is None else label_ids(labels, palette),
        reference=args.reference
        and Reference.open(args.reference, networks, args.cache or args.out),
        real=args.real,
        nearest=args.nearest,
        out=args.out,
        made_with=_made_with(args),
    )


def _made_with(args: argparse.Namespace) -> dict[str, str]:
    """The files that pictures come of, by their bytes."""
    if args.weights is None:
        return {}
    made = {"weights_sha256": file_digest(args.weights)}
    student = student_path(args.weights)
    asked = args.student or args.finish or args.compare
    if asked and student.is_file():  # without one the engine says so
        made["student_sha256"] = file_digest(student)
    return made


def _segmenter(args: argparse.Namespace, palette: Palette, open_outside: Callable) -> Segment:
    """Our own segmenter, or one of another vocabulary with the table of its classes."""
    if args.segmenter == OWN:
        return Segmenter.open(segmenter_path(args.weights), palette)
    if args.segmenter.suffix == ".safetensors":
        return Segmenter.open(args.segmenter, palette)
    files = args.segmenter, args.segmenter_classes
    how = args.segmenter_size, args.segmenter_pixels
    return open_outside(*files, palette, args.threads, *how)


def _networks(args: argparse.Namespace) -> list[FeatureNetwork]:
    networks = []
    if args.inception:
        networks.append(
            open_inception(None if args.inception == PACKAGED else Path(args.inception))
        )
    if args.places:
        networks.append(open_places(args.places))
    networks += [open_named(name) for name in dict.fromkeys(args.features or ())]
    return networks


def _check(args: argparse.Namespace) -> None:
    """Refuse arguments that contradict each other. Raises `InputError`."""
    ours = args.segmenter and (args.segmenter == OWN or args.segmenter.suffix == ".safetensors")
    alone, networks = args.autoencoder_only, bool(args.inception or args.places or args.features)
    sheets = args.sheet or args.labels_sheet is not None
    problems = (
        (not (args.weights or args.real), "Give --weights for a model, --real for the photos."),
        (alone and not args.weights, "--autoencoder-only needs --weights."),
        (
            not (args.segmenter or args.lpips or networks or alone),
            "There is nothing to measure with: give --segmenter, --lpips, --inception, --places or "
            "--features.",
        ),
        (
            bool(args.segmenter and not ours) != bool(args.segmenter_classes),
            "An outside --segmenter and --segmenter-classes belong together: give both. Our own "
            "needs no classes.",
        ),
        (
            (ours or not args.segmenter) and (args.segmenter_size or args.segmenter_pixels),
            "--segmenter-size and --segmenter-pixels are for an outside --segmenter.",
        ),
        (
            args.segmenter == OWN and not args.weights,
            "--segmenter own lies beside the model: give --weights too, or the segmenter's file.",
        ),
        (args.lpips and not args.weights, "--lpips compares samples: give --weights too."),
        (
            args.lpips and args.count < 2 and not alone,
            "--lpips compares samples: it needs --seeds 2 or more.",
        ),
        (
            networks and not args.reference,
            "--inception, --places and --features compare with photos: give --reference too.",
        ),
        (
            args.reference and not networks,
            "--reference is compared by a network: give --inception, --places or --features.",
        ),
        (
            args.agreement_seeds is not None and args.agreement_seeds < 1,
            "--agreement-seeds must be 1 or more.",
        ),
        (
            args.compare and (alone or args.student or not args.weights or len(args.guidance) > 1),
            "--compare needs --weights of a model and one --guidance scale; a student that lies "
            "beside the model is measured without --student.",
        ),
        (args.nearest < 0, "--nearest must be 0 or more."),
        (
            args.nearest and (alone or not (args.weights and args.places)),
            "--nearest looks for photos like the samples: give --weights and --places.",
        ),
        (
            args.labels_sheet is not None and (alone or not args.weights),
            "--labels-sheet shows samples: give --weights.",
        ),
        (sheets and not args.out, "A sheet needs a folder to write to: give --out too."),
        (args.limit is not None and args.limit < 1, "--limit must be 1 or more."),
        (args.threads is not None and args.threads < 1, "--threads must be 1 or more."),
    )
    for wrong, sentence in problems:
        if wrong:
            raise InputError(sentence)


def _pairs(data: Path, split: str | None, limit: int | None) -> list[Pair]:
    """The pairs of the folder, by name; what has no partner is told on stderr.

    Without a split those for validation, or all where the folder has no splits.
    """
    if split is None:
        there = recognise(data, VAL).splits_in(data)
        split = VAL if VAL in there else there[0]
    pairs, problems = find_pairs(data, split)
    for problem in problems if distributed.rank() == 0 else ():
        say(f"note: {problem}")
    return pairs[:limit]


def _merges(given: Sequence[str] | None, palette: Palette) -> dict[str, str]:
    """The table of `--merge A=B …`, or the one for the palette. Raises `InputError`."""
    if given is None:
        return MERGES.get(palette.name, {})
    for text in given:
        if text.count("=") != 1:
            raise InputError(f"--merge {text!r} is not of the form LABEL=LABEL.")
    return dict(text.split("=") for text in given)


def _scales(text: str) -> tuple[float, ...]:
    """One guidance scale, or several for a sweep."""
    try:
        return tuple(dict.fromkeys(float(part) for part in text.split(",")))
    except ValueError:
        message = f"{text!r} is no list of scales; write 1.5, or 1,1.5,2"
        raise argparse.ArgumentTypeError(message) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m core.evaluate",
        description="Measure the pictures of a model: agreement with layouts, diversity, realism. "
        "Several scales, as in --guidance 1,1.5,2, are measured one after the other.",
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="images/ and labels/, or a dataset's own folders")
    add("--split", choices=SPLITS, help="part of a dataset that has splits (val)")
    add("--weights", type=Path, help="checkpoint to measure")
    add("--seeds", type=int, default=1, dest="count", help="pictures per layout (1)")
    add("--limit", type=int, help="the first so many layouts only")
    add(
        "--compare",
        action="store_true",
        help="measure what lies beside the model too: the instant painter, the few-step student",
    )
    add("--real", action="store_true", help="measure the photos themselves: the ceiling")
    add("--palette", default="landscape", help="palette of the labels if no --weights (landscape)")
    add("--threads", type=int, help="threads of all networks (as torch chooses)")
    add = parser.add_argument_group("agreement and diversity").add_argument
    add(
        "--segmenter",
        type=Path,
        help="own, a .safetensors of ours, or a network: "
        ".tflite, .onnx, TorchScript (.pt) or torch.export (.pt2)",
    )
    add("--segmenter-classes", type=Path, help=".csv: class of the network → our label")
    add(
        "--segmenter-size", type=size_of, metavar="HxW", help="at which it looks (its own, 512x512)"
    )
    add("--segmenter-pixels", choices=PIXELS, help="what it takes (.tflite signed, else imagenet)")
    add("--agreement-seeds", type=int, help="segment the first so many of each layout only (all)")
    add("--merge", nargs="*", metavar="A=B", help="labels to count as one (as docs/evaluate.md)")
    add("--lpips", type=Path, help="LPIPS network (.safetensors) for the diversity of --seeds")
    add = parser.add_argument_group("realism").add_argument
    add("--reference", type=Path, help="folder of photos to compare with: those of the training")
    add(
        "--inception",
        nargs="?",
        const=PACKAGED,
        metavar="FILE",
        help="FID and KID with this TorchScript file, or the installed package's",
    )
    add("--places", type=Path, help="Places365 network (.safetensors) for FD-Places, KD-Places")
    add(
        "--features",
        nargs="+",
        metavar="NETWORK",
        help="the same on torchvision:NAME or timm:NAME, =FILE behind it for weights of your own",
    )
    add("--cache", type=Path, help="folder for the features of the reference photos (--out)")
    add("--nearest", type=int, default=0, help="samples to show beside their nearest photo (0)")
    add = parser.add_argument_group("autoencoder").add_argument
    add("--autoencoder-only", action="store_true", help="measure reconstructions, sample nothing")
    add("--precision", choices=PRECISIONS, help="of the decoder (the fastest safe one)")
    add = parser.add_argument_group("what to write").add_argument
    add("--out", type=Path, help="folder for metrics.json and the sheets")
    add("--sheet", type=int, default=0, help="layouts to show beside their pictures (0)")
    add(
        "--labels-sheet",
        nargs="*",
        metavar="LABEL",
        help="show big regions of these labels, or of the palette's rare ones",
    )
    add_sampling_options(parser, _scales)
    return parser


if __name__ == "__main__":
    sys.exit(main())
