"""`python -m core.convert`: an official checkpoint becomes one that this program opens.

    python -m core.convert ade20k.pt --palette ade20k -o weights/ade20k.safetensors
    python -m core.convert latest_net_G.pth --palette ade20k -o weights/ade20k-spade.safetensors

The first is an SDM, the second a SPADE generator: the file itself shows which it is. Every name
and shape is checked before a byte is written. Tensors go over one by one: neither file
is ever in memory whole.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import accumulate
from math import prod
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from core.checkpoint import Checkpoint
from core.command import DONE, exit_status, say
from core.convert_spade import convert_spade, is_spade
from core.errors import InputError
from core.files import writing
from core.model.spec import ModelSpec
from core.model.unet import SDMUNet
from core.official import check, read_state, sound
from core.palette import Palette
from core.schedule import ScheduleSpec
from core.tensor_file import Entry, write_tensors

STORES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# What the releases have different from the constructor's defaults, by palette.
RELEASES = {"cityscapes": {"image_size": 512, "aspect_ratio": 2.0}}  # 256x512


def convert(
    source: Path,
    out: Path,
    palette: Palette,
    fields: dict | None = None,
    store: str = "float32",
    schedule: str = "linear",
    licence: str = "",
    progress: Callable[[list[Entry]], Iterable[Entry]] = iter,
    state: Mapping[str, Tensor] | None = None,
) -> Checkpoint:
    """Write the state dict of `source`, an official SDM, as a checkpoint.

    fields: what its `ModelSpec` has different from the released networks for this palette. store: a
    key of `STORES`. state: what is in `source`, where it has been read already. Raises
    `OfficialError` if `source` cannot be used, `SpecError` for a wrong field, `OutputError` if
    `out` cannot be written.
    """
    given = {"num_classes": palette.num_channels} | RELEASES.get(palette.name, {}) | (fields or {})
    spec = ModelSpec.from_dict(given)
    with torch.device("meta"):
        expected = {name: tuple(v.shape) for name, v in SDMUNet(spec).state_dict().items()}
    state = read_state(source) if state is None else state
    check(source, state, expected, f"an SDM for palette {palette.name!r}")
    training = {"converted_from": source.name}
    header = Checkpoint(palette, spec, ScheduleSpec(schedule), training=training, licence=licence)
    entries = [
        Entry(f"unet.{name}", shape, lambda name=name: sound(source, name, state[name]))
        for name, shape in expected.items()
    ]
    with writing(out):
        write_tensors(out, entries, STORES[store], header.metadata(), progress)
    return Checkpoint.open(out)


def main(argv: list[str] | None = None) -> int:
    """Run the command; gives its exit status: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m core.convert",
        description="Make an official SDM or SPADE checkpoint one that this program opens.",
    )
    add = parser.add_argument
    add("source", type=Path, help="the authors' .pt or .pth file")
    add("--palette", required=True, help="name of a bundled palette, or a .toml file")
    add("-o", "--out", type=Path, required=True, help="the .safetensors file to write")
    add("--encoder", type=Path, help="of a SPADE: its style encoder, latest_net_E.pth")
    add("--store", choices=list(STORES), default="float32", help="precision of the file")
    add(
        "--spec", type=json.loads, default={}, help="other fields of ModelSpec (SpadeSpec), as JSON"
    )
    add("--noise-schedule", choices=("linear", "cosine"), default="linear")
    add("--licence", default="", help="licence of the weights, for the header")
    add(
        "--lines", action="store_true", help="progress for programs: percent on stdout, a line each"
    )
    args = parser.parse_args(argv)

    def run() -> int:
        bar = partial(tqdm, desc="converting", disable=None)
        made = _convert(args, _told if args.lines else bar)
        size = args.out.stat().st_size / 2**20
        channels = made.spec.num_classes if made.spec else made.spade.label_channels
        say(f"{args.out}: {size:.0f} MB, {channels} label channels, {args.store}")
        return DONE

    return exit_status(run)


def _told(entries: list[Entry]) -> Iterator[Entry]:
    """The same entries; after each, how many percent of the numbers are written, if that is new."""
    sizes = [prod(entry.shape) for entry in entries]
    told = -1
    for entry, done in zip(entries, accumulate(sizes), strict=True):
        yield entry
        if (percent := 100 * done // sum(sizes)) > told:
            told = percent
            print(percent, flush=True)


def _convert(args: argparse.Namespace, progress: Callable) -> Checkpoint:
    palette = Palette.load(args.palette)
    state = read_state(args.source)
    if is_spade(state):
        return convert_spade(
            args.source,
            args.out,
            palette,
            args.encoder,
            args.spec,
            STORES[args.store],
            args.licence,
            progress,
            state,
        )
    if args.encoder:
        raise InputError(f"{args.source} is no SPADE generator: leave --encoder out.")
    return convert(
        args.source,
        args.out,
        palette,
        args.spec,
        args.store,
        args.noise_schedule,
        args.licence,
        progress,
        state,
    )


if __name__ == "__main__":
    sys.exit(main())
