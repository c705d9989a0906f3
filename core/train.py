"""`python -m core.train`: train a model or a part of it on a folder of labelled photos.

    python -m core.train --data DIR --palette NAME|FILE --out DIR --stage autoencoder
    python -m core.train --data DIR --palette NAME|FILE --out DIR --autoencoder FILE
    python -m core.train --data DIR --palette NAME|FILE --out DIR --stage distillation --init FILE
    python -m core.train --data DIR --out DIR --stage finishing --init FILE --student FILE
    python -m core.train --data DIR --palette NAME|FILE --out DIR --stage segmenter
    python -m core.train --data DIR --palette NAME|FILE --out DIR --init FILE --lora 8
    python -m core.train --data DIR --palette NAME|FILE --out DIR --stage spade --perceptual FILE
    python -m core.train --data DIR --palette NAME|FILE --out DIR --stage instant --autoencoder FILE
    python -m core.train --data DIR --out DIR --stage guidance --autoencoder FILE
    python -m core.train --data DIR --out DIR --recipe docs/recipes/landscape/diffusion.toml …
    python -m core.train --data ADEChallengeData2016 --out DIR --recipe ade20k-1

In OUT: `weights.safetensors` (averaged weights, opens in the window), `state.safetensors`
(everything that `--resume` needs), `log.csv`, `sheets/`, `status.json` (how far it is; a file
called `stop` ends the run as Ctrl-C does). The same command runs under `torchrun`.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from core import distributed
from core.boards import PROJECT, open_boards
from core.checkpoint import Checkpoint
from core.command import DONE, STOPPED, exit_status
from core.command import say as say_line
from core.data_index import Checked
from core.data_trees import BY_NAME, SPLITS, TRAIN, DatasetError, Pair, recognise
from core.dataset import PairDataset, StepSampler, check_pairs, find_pairs
from core.device import PRECISIONS, pick_device, pick_precision, precision_name
from core.errors import InputError, is_shortage
from core.make_stage import make_stage
from core.model.unet import SDMUNet
from core.palette import Palette
from core.photo_folder import PhotoFolder
from core.recipe import bundled_recipes, read_recipe
from core.run_folder import RunFolder
from core.run_status import DONE as ALL_DONE
from core.run_status import STOPPED as LEFT_OFF
from core.run_status import TRAINING, Beacon
from core.stages import Stage
from core.training import TrainingError, TrainRun, TrainSettings, train

# What an argument is where it is not given. "latent" is the diffusion stage with --autoencoder.
DEFAULTS = {
    "autoencoder": {
        "steps": 20_000,
        "lr": 1.2e-3,
        "lr_schedule": "cosine",
        "ema": 0.999,
        "size": (128, 128),
        "weighting": "uniform",
        "walks": 0,
    },
    "latent": {
        "steps": 20_000,
        "lr": 5e-4,
        "lr_schedule": "cosine",
        "ema": 0.998,
        "size": (256, 256),
        "weighting": "min-snr",
    },
    "distillation": {
        "steps": 1_000,
        "lr": 2e-4,
        "lr_schedule": "cosine",
        "ema": 0.99,
        "weighting": "uniform",
        "walks": 600,
    },
    "finishing": {
        "steps": 1_000,
        "lr": 1.5e-4,
        "lr_schedule": "cosine",
        "ema": 0.995,
        "weighting": "uniform",
        "walks": 600,
    },
    "tuning": {  # of the model of --init
        "steps": 2_000,
        "lr": 2e-4,
        "lr_schedule": "cosine",
        "ema": 0.99,
    },
    "lora": {  # the same by --lora
        "steps": 500,
        "lr": 2e-3,
        "lr_schedule": "cosine",
        "ema": 0.98,
    },
    "segmenter": {
        "steps": 4_000,
        "lr": 2e-3,
        "lr_schedule": "cosine",
        "ema": 0.995,
        "size": (128, 128),
        "weighting": "uniform",
    },
    "instant": {
        "steps": 8_000,
        "lr": 5e-4,
        "lr_schedule": "cosine",
        "ema": 0.998,
        "size": (256, 256),
        "weighting": "uniform",
    },
    "spade": {  # the paper's; the discriminator's rate is four times as high
        "steps": 300_000,
        "lr": 1e-4,
        "lr_schedule": "constant",
        "ema": 0.0,
        "size": (256, 256),
        "weighting": "uniform",
    },
    "guidance": {
        "steps": 4_000,
        "lr": 2e-3,
        "lr_schedule": "cosine",
        "ema": 0.995,
        "size": (256, 256),
        "weighting": "uniform",
    },
    "diffusion": {  # the paper's
        "steps": 300_000,
        "lr": 1e-4,
        "lr_schedule": "constant",
        "ema": 0.9999,
        "size": (256, 256),
        "weighting": "uniform",
    },
}

STAGES = (
    "autoencoder",
    "diffusion",
    "distillation",
    "finishing",
    "segmenter",
    "spade",
    "instant",
    "guidance",
)


def main(argv: list[str] | None = None) -> int:
    """Run the command; gives its exit status: 0 done, 2 bad input, 130 stopped by Ctrl-C."""
    try:
        return exit_status(lambda: run_stage(parse(argv)))
    finally:
        distributed.stop()


def run_stage(args: argparse.Namespace) -> int:
    """Prepare data, stage and run, then train."""
    device = distributed.start(pick_device(args.device))
    if args.threads:
        torch.set_num_threads(args.threads)
    folder = RunFolder(Path(args.out), resume=args.resume)
    with Beacon(folder.path, args.words, silent=quiet()) as beacon, closing(folder):
        if not quiet():
            folder.show_on(open_boards(folder.path, args.wandb, vars(args)))
        with within_memory(args):
            return prepared(args, folder, device, beacon)


@contextmanager
def within_memory(args: argparse.Namespace) -> Iterator[None]:
    """A block that trains: what does not fit is a `TrainingError` that says how it would."""
    try:
        yield
    except Exception as error:
        if not is_shortage(error):
            raise
        raise TrainingError(
            f"There is not enough memory to train with --batch {args.batch}. Lower it, or raise "
            "--accumulate, which computes a step in parts; the last complete checkpoint is intact."
        ) from error


def prepared(
    args: argparse.Namespace, folder: RunFolder, device: torch.device, beacon: Beacon
) -> int:
    """Read the photos, then train."""
    beacon.tell(text="looking at the photos", steps=args.steps)
    if args.clip_file:
        if args.stage != "guidance":
            raise InputError("--clip-file is for --stage guidance: leave it out.")
        photos = PhotoFolder(Path(args.data), Palette.load(args.palette or "landscape"), args.size)
        return with_data(args, folder, device, beacon, photos)
    tree = BY_NAME[args.tree] if args.tree else recognise(Path(args.data), args.split)
    palette = Palette.load(args.palette or tree.palette or "landscape")
    if args.size is None and args.init:  # a model's own size goes on, and it sees whole photos
        args.size = Checkpoint.open(args.init).picture_size
        args.scale = args.scale or (min(args.size), min(args.size))
    pairs = usable_pairs(args, palette, tree.name)
    data = PairDataset(
        pairs, palette, args.size, args.scale, cache_bytes=int(args.cache_gb * 2**30)
    )
    return with_data(args, folder, device, beacon, data)


def with_data(
    args: argparse.Namespace,
    folder: RunFolder,
    device: torch.device,
    beacon: Beacon,
    data: PairDataset | PhotoFolder,
) -> int:
    """Make stage and run, and train."""
    beacon.tell(text="getting the model ready")
    torch.manual_seed(args.seed)  # the random weights that training starts from
    stage = make_stage(args, data, device)
    if args.shard:
        check_sharding(args, stage)
    run = TrainRun(stage.objective, settings_of(args, device), device, args.shard)
    about = stage.about()
    if args.resume:
        run.load(folder.state, about)
        folder.forget_after(run.step)
        say(f"Going on from step {run.step} of {args.steps}.")
    return drive(args, folder, stage, run, about, beacon)


def check_sharding(args: argparse.Namespace, stage: Stage) -> None:
    """Refuse to divide what cannot be divided. Raises `TrainingError`."""
    whole = isinstance(stage.objective.model, SDMUNet) and args.stage == "diffusion"
    if not whole or args.compile:
        raise TrainingError(
            "--shard is for a whole U-Net that learns to denoise. Leave it out for others, --lora "
            "and --compile."
        )
    if not torch.distributed.is_initialized():
        raise TrainingError("--shard divides a network among processes: start them by torchrun.")


def use_checkpointing(model: torch.nn.Module) -> None:
    """Let a U-Net keep less for the way back. Raises `TrainingError` for any other network."""
    if not isinstance(model, SDMUNet):
        raise TrainingError(
            "--checkpointing is for a whole U-Net. Leave it out for other networks and for --lora."
        )
    for part in model.stages():
        part.checkpointing = True


def settings_of(args: argparse.Namespace, device: torch.device) -> TrainSettings:
    """The part of the arguments that the loop reads."""
    if args.accumulate < 1:
        raise TrainingError(
            f"--accumulate {args.accumulate} is no number of parts. Give 1 or more."
        )
    if args.batch % distributed.world():
        raise TrainingError(
            f"--batch {args.batch} does not divide among {distributed.world()} processes."
        )
    return TrainSettings(
        steps=args.steps,
        batch=args.batch,
        lr=args.lr,
        lr_schedule=args.lr_schedule,
        warmup=args.warmup,
        weight_decay=args.weight_decay,
        ema_decay=args.ema,
        clip_norm=args.clip,
        accumulate=args.accumulate,
        precision=precision_name(pick_precision(device, args.precision)),
        seed=args.seed,
    )


def usable_pairs(args: argparse.Namespace, palette: Palette, tree: str) -> list[Pair]:
    """The pairs to learn from; bad ones are named, then refused or skipped as asked."""
    pairs, problems = find_pairs(args.data, args.split, tree)
    say(f"{len(pairs)} pairs in {args.data} ({tree}), palette {palette.name}.")
    known = Checked(Path(args.data), palette)
    good, unreadable = check_pairs(pairs, palette, lambda items: checking(items, len(pairs)), known)
    problems += unreadable
    for problem in problems[:20]:
        say(f"bad pair: {problem}")
    if problems and args.bad_pairs == "refuse":
        raise DatasetError(
            f"{len(problems)} of the pairs in {args.data} cannot be used, the first: {problems[0]} "
            "Mend them, or leave them out with --bad-pairs skip."
        )
    if not good:
        raise DatasetError(f"No pair in {args.data} can be used.")
    if problems:
        say(f"{len(problems)} bad pairs skipped, {len(good)} left.")
    return good


def checking(items, total: int) -> tqdm:
    """A progress bar for the check, silent in a pipe."""
    hide = True if quiet() else None
    return tqdm(items, "checking pairs", total, disable=hide, leave=False)


# -- the run --------------------------------------------------------------------------------------


def drive(
    args: argparse.Namespace,
    folder: RunFolder,
    stage: Stage,
    run: TrainRun,
    about: dict,
    beacon: Beacon,
) -> int:
    """Train to the last step, logging, drawing and saving on the way; 0, or 130 if stopped."""
    if args.checkpointing:
        use_checkpointing(stage.objective.model)
    if args.compile:
        getattr(stage.objective, "network", stage.objective.model).compile()
    loader = make_loader(args, stage, run)
    speed = Throughput(args.batch)
    beacon.tell(state=TRAINING, text="", step=run.step)
    with (
        stopping() as stop,
        tqdm(
            total=args.steps, initial=run.step, disable=quiet(), unit="step", dynamic_ncols=True
        ) as bar,
    ):
        for done in train(run, loader):
            speed.count()
            bar.update()
            left = (args.steps - done.step) * speed.seconds
            beacon.tell(step=done.step, rate=round(speed.rate, 2), seconds_left=round(left, 1))
            ending = distributed.any_process(stop.wanted) or done.step == args.steps
            if due(done.step, args.log_every, ending):
                bar.set_postfix_str(f"loss {done.losses['loss']:.4f}, {speed.rate:.1f} pictures/s")
                folder.log(done, speed.rate)
            if due(done.step, args.sheet_every, ending):
                folder.write_sheet(stage, run)
            if due(done.step, args.save_every, ending):
                folder.save(stage, run, about, summary(args, run, speed), args.licence)
            if ending and done.step != args.steps:
                say(f"Stopped. Step {done.step} is saved in {folder.path}; go on with --resume.")
                beacon.tell(state=LEFT_OFF)
                return STOPPED
    say(f"Done: {folder.weights}")
    beacon.tell(state=ALL_DONE)
    return DONE


def make_loader(args: argparse.Namespace, stage: Stage, run: TrainRun) -> DataLoader:
    """Batches from the run's present step to the last."""
    sampler = StepSampler(
        len(stage.dataset),
        args.batch,
        args.seed,
        run.step,
        args.steps,
        distributed.rank(),
        distributed.world(),
    )
    return DataLoader(
        stage.dataset,
        batch_sampler=sampler,
        num_workers=args.workers,
        persistent_workers=args.workers > 0,
        pin_memory=run.device.type == "cuda",
    )


def due(step: int, every: int, ending: bool) -> bool:
    """Whether something that happens every so many steps happens now; 0 means only at the end."""
    return ending or (every > 0 and step % every == 0)


def summary(args: argparse.Namespace, run: TrainRun, speed: Throughput) -> dict:
    """What a checkpoint tells about its training."""
    return {
        "stage": args.stage,
        "command": args.command,
        "step": run.step,
        "settings": asdict(run.settings),
        "pictures_per_second": round(speed.rate, 1),
        "device": str(run.device),
        "torch": torch.__version__,
    }


class Throughput:
    """Pictures a second, over about the last hundred steps."""

    def __init__(self, batch: int) -> None:
        self.batch, self.seconds, self._then = batch, 0.0, time.perf_counter()

    def count(self) -> None:
        now = time.perf_counter()
        elapsed, self._then = now - self._then, now
        self.seconds = elapsed if not self.seconds else 0.98 * self.seconds + 0.02 * elapsed

    @property
    def rate(self) -> float:
        return self.batch / self.seconds if self.seconds else 0.0


class stopping:  # noqa: N801 - a context manager, used as a word
    """While active, Ctrl-C or SIGTERM sets `wanted` instead of ending the process; twice ends."""

    def __init__(self) -> None:
        self.wanted = False

    def __enter__(self) -> stopping:
        self._old = {s: signal.signal(s, self._note) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _note(self, *_) -> None:
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True


def quiet() -> bool:
    """Whether this process keeps silent: all but the first do."""
    return distributed.rank() > 0


def say(text: str) -> None:
    """One line for people, from the first process."""
    if not quiet():
        say_line(text)


# -- arguments ------------------------------------------------------------------------------------


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments, with the defaults of the stage filled in; `RecipeError` as `read_recipe`."""
    parser = argparse.ArgumentParser(
        prog="python -m core.train", description=__doc__.split("\n\n")[0]
    )
    add = parser.add_argument
    add(
        "--recipe",
        help="these options from a TOML file, or a paper's by name "
        f"({', '.join(bundled_recipes())}); the command line overrides it",
    )
    add("--data", required=True, help="folder with images/ and labels/, or a dataset's own folders")
    add("--tree", choices=list(BY_NAME), help="whose folders these are; default: seen from them")
    add("--split", choices=SPLITS, default=TRAIN, help="part of a dataset that has splits")
    add(
        "--palette", help="a bundled palette, or a .toml file; default: the dataset's, or landscape"
    )
    add("--out", required=True, help="folder of this run")
    add("--stage", choices=STAGES, default="diffusion")
    add("--resume", action="store_true", help="go on from the last complete checkpoint in OUT")
    add(
        "--bad-pairs",
        choices=("refuse", "skip"),
        default="refuse",
        help="what to do with unusable pairs",
    )
    add("--size", type=size, help="HxW of a training picture")
    add(
        "--scale",
        type=scales,
        help="shorter side of a photo before it is cropped, or two to draw from (256-320); "
        "default: as it is",
    )
    add("--crops", type=int, default=1, help="of each photo, where it is larger than --size")
    add("--cache-gb", type=float, default=1.0, help="memory for decoded photos")
    add("--workers", type=int, default=0, help="processes that read photos")
    _add_optimiser(parser)
    _add_model(parser)
    argv = sys.argv[1:] if argv is None else argv
    args = parser.parse_args(_with_recipe(parser, argv))
    kind = args.stage
    if args.stage == "diffusion" and (args.autoencoder or args.init):
        kind = "latent" if args.autoencoder else "tuning" if args.lora is None else "lora"
    for name, value in DEFAULTS[kind].items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    args.words = argv
    args.command = "python -m core.train " + " ".join(argv)
    return args


def _with_recipe(parser: argparse.ArgumentParser, argv: list[str]) -> list[str]:
    """argv behind the options of its `--recipe`, so that its own words come last and win."""
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--recipe")
    path = finder.parse_known_args(argv)[0].recipe
    if path is None:
        return argv
    options = {o.removeprefix("--") for action in parser._actions for o in action.option_strings}
    return read_recipe(path, options - {"recipe", "help", "resume"}) + argv


def _add_optimiser(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("training").add_argument
    add("--steps", type=int, help="the run ends at this step")
    add("--batch", type=int, default=16, help="pictures a step, all processes together")
    add("--lr", type=float)
    add("--lr-schedule", choices=("constant", "cosine"))
    add("--warmup", type=int, default=200, help="steps of linear rise")
    add("--weight-decay", type=float, default=0.0)
    add("--ema", type=float, help="decay of the moving average of the weights")
    add("--clip", type=float, default=1.0, help="largest gradient norm; 0 for any")
    add("--accumulate", type=int, default=1, help="parts of a batch, one by one: less memory")
    add(
        "--checkpointing",
        action="store_true",
        help="keep less for the way back: slower, far less memory",
    )
    add("--shard", action="store_true", help="under torchrun: each process keeps a share (FSDP)")
    add("--seed", type=int, default=0)
    add("--device", help="cuda, mps or cpu; default: the best there is")
    add(
        "--precision",
        choices=list(PRECISIONS),
        help="of the forward pass; default: the fastest safe one",
    )
    add("--threads", type=int, help="CPU threads of each process")
    add("--compile", action="store_true", help="torch.compile: minutes at the start, faster after")
    add("--log-every", type=int, default=50)
    add("--sheet-every", type=int, default=1000)
    add("--save-every", type=int, default=500)
    add("--wandb", nargs="?", const=PROJECT, metavar="PROJECT", help="show the run there, too")
    add("--licence", default="", help="licence of the weights, for the checkpoint's header")


def _add_model(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("model").add_argument
    add("--perceptual", help="LPIPS network (.safetensors) for the autoencoder's or SPADE's loss")
    add("--perceptual-weight", type=float, default=0.5, help="of LPIPS beside the L1 of 1")
    add(
        "--adversarial",
        type=float,
        default=0.0,
        help="push to pass for a photo, 0 for none, 1 as LPIPS",
    )
    add(
        "--label-adversarial",
        type=float,
        default=0.0,
        help="beside it: push to pass for its labels, before a judge with the eyes of --perceptual",
    )
    add("--autoencoder", help="checkpoint with an autoencoder: train on its latents")
    add("--init", help="checkpoint to start from; its labels are matched by name and synonym")
    add("--student", help="finishing: the few-step student of --init that learns to end its walks")
    add(
        "--lora",
        type=int,
        metavar="RANK",
        help="with --init: train a file of a few MB that rides on it",
    )
    add("--grow", action="store_true", help="with --init of another shape: take over what fits")
    add("--freeze-encoder", action="store_true", help="with --init: train the decoder alone")
    add(
        "--spec",
        type=json.loads,
        default={},
        help="fields of ModelSpec (or of the spec of --stage), as JSON",
    )
    add(
        "--noise-schedule",
        choices=("linear", "cosine"),
        help="default: that of --init, else linear",
    )
    add(
        "--label-dropout",
        type=float,
        default=0.1,
        help="share of samples with the null layout, for guidance; 0 for the paper's first phase",
    )
    add(
        "--weighting",
        choices=("uniform", "min-snr"),
        help="of the simple loss over t",
    )
    add(
        "--walks",
        type=int,
        help="of the model of --init, in OUT/walks, missing ones are made first: what a student "
        "learns from, or what a decoder's judges see beside photos",
    )
    add(
        "--balance",
        type=float,
        default=0.0,
        help="how much more an error counts where a rare label is: share ** -BALANCE, at most 5",
    )
    add("--scores", help="guidance: a CSV of scores for each photo, by `id`, beside captions.csv")
    add(
        "--clip-file",
        help="guidance: see as this CLIP file does, from any folder of photos; [clip]",
    )
    on = "store_true"
    add("--sentences", action=on, help="guidance: read free sentences too; needs the extra [text]")
    add("--vocabulary", help="guidance: a .toml file of words instead of the bundled ones")
    add("--vlb-weight", type=float, default=0.001, help="lambda of L_vlb, on the sum of T terms")


def size(text: str) -> tuple[int, int]:
    """ "256" or "256x512" as (height, width)."""
    parts = [int(v) for v in text.lower().split("x")]
    height, width = parts if len(parts) == 2 else parts * 2
    return height, width


def scales(text: str) -> tuple[int, int]:
    """ "256" or "256-320" as (smallest, largest)."""
    parts = [int(v) for v in text.split("-")]
    smallest, largest = parts if len(parts) == 2 else parts * 2
    if not 0 < smallest <= largest:
        raise ValueError(text)
    return smallest, largest


if __name__ == "__main__":
    sys.exit(main())
