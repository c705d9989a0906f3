"""`python -m core.merge`: a low-rank file and the model below it become one whole file.

    python -m core.merge mine.safetensors -o whole.safetensors

The result opens without its base, can be fine-tuned again and given away.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from core.checkpoint import Checkpoint, CheckpointError
from core.command import DONE, exit_status, say
from core.convert import STORES


def merge(source: Path, out: Path, store: str = "float16") -> None:
    """Write the networks of the low-rank file `source` with its updates added.

    store: a key of `STORES`. Raises `CheckpointError` if `source` is a whole file already, and
    `BaseError` if the model below it is not found.
    """
    ours = Checkpoint.open(source)
    if ours.base is None:
        raise CheckpointError(f"{source} is a whole file already: it rides on no other.")
    modules = {"unet": ours.load_unet().state_dict()}
    if autoencoder := ours.load_autoencoder():
        modules["autoencoder"] = autoencoder.state_dict()
    training = dict(ours.training) | {"merged_from": [source.name, ours.base.name]}
    replace(ours, base=None, training=training).save(out, modules, STORES[store])
    say(f"{out}: {source.name} with {ours.base.name}, {out.stat().st_size / 2**20:.0f} MB")


def main(argv: list[str] | None = None) -> int:
    """Run the command; gives its exit status: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m core.merge",
        description="Make one whole file of a low-rank file and the model below it.",
    )
    parser.add_argument("file", type=Path, help="what core.train --lora wrote")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the file to write")
    parser.add_argument(
        "--store", choices=list(STORES), default="float16", help="precision of the file"
    )
    args = parser.parse_args(argv)

    def run() -> int:
        merge(args.file, args.out, args.store)
        return DONE

    return exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
