"""`python -m core.join`: a diffusion model with another decoder for the same latents.

    python -m core.join MODEL.safetensors AUTOENCODER.safetensors -o OUT.safetensors

After `core.train --freeze-encoder` the new decoder reads the old latents; here the two meet.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

from core.checkpoint import Checkpoint, CheckpointError
from core.command import DONE, exit_status, say


def join(model: Path, decoder: Path, out: Path) -> None:
    """Write the U-Net of `model` with the autoencoder of `decoder`.

    Raises `CheckpointError` if one of them has no such part, or if their latents differ.
    """
    ours, theirs = Checkpoint.open(model), Checkpoint.open(decoder)
    unet, old, new = ours.load_unet(), ours.load_autoencoder(), theirs.load_autoencoder()
    for path, autoencoder in ((model, old), (decoder, new)):
        if autoencoder is None:
            raise CheckpointError(f"{path} has no autoencoder.")
    state, wanted = new.state_dict(), old.state_dict()
    shared = [name for name in wanted if not name.startswith(("decoder.", "hints."))]
    if not all(name in state and torch.equal(state[name], wanted[name]) for name in shared):
        raise CheckpointError(
            f"The encoder of {decoder} is not that of {model}: its decoder reads other latents. "
            "Train the decoder with --freeze-encoder and --init of this model."
        )
    training = dict(ours.training) | {"decoder": dict(theirs.training)}
    spec = replace(ours.spec, autoencoder=new.spec)
    joined = replace(ours, spec=spec, base=None, training=training)
    joined.save(out, {"unet": unet.state_dict(), "autoencoder": state}, torch.float16)
    say(f"{out}: the U-Net of {model} with the decoder of {decoder}")


def main(argv: list[str] | None = None) -> int:
    """Run the command; gives its exit status: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m core.join",
        description="Give a diffusion model another decoder for the same latents.",
    )
    parser.add_argument("model", type=Path, help="checkpoint with the U-Net")
    parser.add_argument("autoencoder", type=Path, help="checkpoint with the new decoder")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the file to write")
    args = parser.parse_args(argv)

    def run() -> int:
        join(args.model, args.autoencoder, args.out)
        return DONE

    return exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
