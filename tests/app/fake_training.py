"""Stands for core.train: tells, logs and draws as it does, learns nothing, and needs no torch.

It goes on for as many steps as asked, slowly if the set's folder holds a file `slow`. A file `fail`
there makes it refuse the set, `die` ends it without a word.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from PIL import Image

from core import run_status
from core.errors import InputError
from core.run_status import Beacon

run_status.EVERY = 0.02


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--resume", action="store_true")
    args, _ = parser.parse_known_args()
    try:
        with Beacon(args.out, sys.argv[1:]) as beacon:
            return train(args, beacon)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def train(args: argparse.Namespace, beacon: Beacon) -> int:
    if (args.data / "fail").exists():
        raise InputError("The photos are upside down. Turn them.")
    if (args.data / "die").exists():
        os._exit(9)
    state = args.out / "state.safetensors"
    first = int(state.read_text()) if args.resume else 0
    log = args.out / "log.csv"
    if not log.exists():
        log.write_text("step,loss,lr\n")
    step, stopped = first, False
    beacon.tell(state="training", step=step, steps=args.steps)
    try:
        while step < args.steps:
            time.sleep(0.02 if (args.data / "slow").exists() else 0)
            step += 1
            with log.open("a") as file:
                file.write(f"{step},{1 / step:.6g},0.001\n")
            beacon.tell(step=step, rate=8.0, seconds_left=3.0)
    except KeyboardInterrupt:
        stopped = True
    (args.out / "sheets").mkdir(exist_ok=True)
    Image.new("RGB", (60, 30), "red").save(args.out / "sheets" / f"{step:07d}.png")
    (args.out / "weights.safetensors").write_text("weights")
    state.write_text(str(step))
    beacon.tell(state="stopped" if stopped else "done")
    return 130 if stopped else 0


if __name__ == "__main__":
    sys.exit(main())
