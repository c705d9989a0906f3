"""`python -m core.bench`: times and memory, each beside the plain procedure in the same run.

    python -m core.bench                              the bundled model, its start, training
    python -m core.bench step128 step256 memory       the papers' network
    python -m core.bench --save before.json
    python -m core.bench --compare before.json after.json
    python -m core.bench --curves --save curves.json  how cost grows
    python -m core.bench --write docs                 docs/performance.md of docs/performance/*.json

Run it on a quiet machine. On a busy one, --threads 1 --clock processor counts only what the
process itself computed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from core.bench.figures import BenchError, Figure, Run, comparison, figure_table, read
from core.bench.timing import CLOCKS
from core.command import DONE, exit_status, say
from core.sample import DEFAULT_WEIGHTS

CASE_ROUNDS = {"step128": 3, "step256": 1, "bundled": 20, "startup": 5, "training": 3}
QUICK = {"step128": 1, "step256": 1, "bundled": 3, "startup": 1, "training": 1}
USUAL = ("bundled", "startup", "training", "memory")
ALL = (*CASE_ROUNDS, "memory", "memory256")
PRECISIONS = ("float32", "bfloat16")


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    return exit_status(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    if args.compare:
        print(comparison([path.stem for path in args.compare], [read(p) for p in args.compare]))
        return DONE
    if args.write:
        _write(args.write)
        return DONE
    from core.bench.machine import in_words, machine
    from core.device import use_threads

    use_threads(args.threads)
    run = Run(machine() | {"clock": args.clock}, [], {})
    say(in_words(run.machine))
    if args.curves:
        return _curves(args, run)
    for case in _checked(args.cases) or USUAL:
        for figure in _case(case, args)():
            run.figures.append(figure)
            say(figure_line(figure))
        if args.save:
            Run(run.machine, list(run.figures), {}).save(args.save)
    print(figure_table(run.figures))
    return DONE


def _curves(args: argparse.Namespace, run: Run) -> int:
    from core.bench.curves import CURVES, ROUNDS, Timer, measured

    timer = Timer(args.rounds or (1 if args.quick else ROUNDS), args.clock)
    for name in _checked(args.cases, CURVES) or CURVES:
        curve = measured(name, args.weights, timer)
        if curve is None:
            continue
        run.curves[name] = curve
        for unit, lines in curve["panels"].items():
            for line, values in lines.items():
                say(f"{name}, {unit}, {line}: {[float(f'{value:.4g}') for value in values]}")
        if args.save:
            Run(run.machine, [], dict(run.curves)).save(args.save)
    return DONE


def _write(folder: Path) -> None:
    """The saved runs in `folder`/performance, in the order of their names, as one page."""
    from core.bench.performance import write_performance

    paths = sorted((folder / "performance").glob("*.json"))
    if not paths:
        raise BenchError(f"There are no saved runs in {folder / 'performance'}; --save them there.")
    titles = [path.stem.replace("-", " ").capitalize() for path in paths]
    write_performance(folder, [(title, read(path)) for title, path in zip(titles, paths)])


def _checked(cases: list[str], known: Collection[str] = ALL) -> list[str]:
    for name in cases:
        if name not in known:
            raise BenchError(f"There is no benchmark {name!r}; there are {', '.join(known)}.")
    return cases


def figure_line(figure: Figure) -> str:
    """What a terminal shows as soon as it is known."""
    return figure_table([figure]).splitlines()[-1]


def _case(name: str, args: argparse.Namespace) -> Callable[[], list[Figure]]:
    """What finds the figures of one case. torch is imported here: --help need not wait for it."""
    from core.bench.bundled import bundled_figures
    from core.bench.memory import memory_figures
    from core.bench.released import step_figures
    from core.bench.startup import startup_figures
    from core.bench.training import training_figures
    from core.bench.yardstick import Yardstick
    from core.model.spec import ModelSpec

    rounds = args.rounds or (QUICK if args.quick else CASE_ROUNDS).get(name, 1)
    yardstick = Yardstick(args.reference)
    width = 256 if name.endswith("256") else 128
    match name:
        case "step128" | "step256":
            spec = ModelSpec(model_channels=width)
            return partial(step_figures, spec, rounds, yardstick, args.clock, args.precision)
        case "bundled":
            return partial(bundled_figures, args.weights, rounds, yardstick, args.clock)
        case "startup":
            return partial(startup_figures, rounds)
        case "training":
            spec = ModelSpec(image_size=64 if args.quick else 128, model_channels=64)
            return partial(training_figures, spec, rounds, yardstick, args.clock)
        case _:
            return partial(memory_figures, args.weights, width, args.reference)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m core.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "cases", nargs="*", help=f"of {', '.join(ALL)}; without any: {', '.join(USUAL)}"
    )
    parser.add_argument("--quick", action="store_true", help="few rounds: is it about right?")
    parser.add_argument("--rounds", type=int, help="of each case")
    parser.add_argument("--threads", type=int, help="that torch computes with")
    parser.add_argument("--clock", choices=CLOCKS, default=CLOCKS[0], help="what is compared")
    parser.add_argument(
        "--precision", nargs="+", choices=PRECISIONS, default=PRECISIONS, help="of the steps"
    )
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, help="the bundled model")
    parser.add_argument(
        "--reference", type=Path, metavar="DIR", help="the yardstick; tests/reference of the source"
    )
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the figures, as JSON")
    parser.add_argument("--curves", action="store_true", help="how time and memory grow")
    parser.add_argument("--write", type=Path, metavar="DIR", help="write performance.md there")
    parser.add_argument(
        "--compare", type=Path, nargs="+", metavar="FILE", help="saved runs beside each other"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
