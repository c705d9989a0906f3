"""The folder of a training run: what is in it, written so that nothing is ever half there."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path

import torch
from PIL import Image

from core import distributed
from core.boards import Board
from core.files import atomic_path, unwritable
from core.sheets import sheet
from core.stages import Stage
from core.training import StepDone, TrainingError, TrainRun


class RunFolder:
    """Files of a run. Process 0 writes, the others pass by."""

    def __init__(self, path: Path, resume: bool) -> None:
        self.path, self.boards = path, list[Board]()  # boards: where the run is shown, of process 0
        self.state, self.weights = path / "state.safetensors", path / "weights.safetensors"
        if resume and not self.state.is_file():
            raise TrainingError(
                f"There is nothing to resume in {path}: {self.state.name} is missing."
            )
        if not resume and self.state.is_file():
            raise TrainingError(
                f"{path} already holds a run. Go on with --resume, or give another --out."
            )
        try:
            (path / "sheets").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(unwritable(path, error)) from error

    def show_on(self, boards: list[Board]) -> None:
        """Show the run there, too."""
        self.boards = boards

    def close(self) -> None:
        """The end of the run, whatever it was."""
        for board in self.boards:
            board.close()

    def save(self, stage: Stage, run: TrainRun, about: dict, training: dict, licence: str) -> None:
        """The checkpoint for use, then the state for resuming; each replaces its elder whole."""
        averaged = run.ema_state()  # every process asks: it may have a share
        if distributed.rank() == 0:
            checkpoint, modules = stage.export(averaged)
            checkpoint = replace(checkpoint, training=training, licence=licence)
            checkpoint.save(self.weights, modules, torch.float16)
        run.save(self.state, about)
        distributed.barrier()

    def log(self, done: StepDone, rate: float) -> None:
        """One row of log.csv; the head is written with the first."""
        if distributed.rank():
            return
        row = {
            "step": done.step,
            **done.losses,
            "lr": done.lr,
            "grad_norm": done.grad_norm,
            "pictures_per_s": rate,
        }
        with self._writing(self.path / "log.csv") as path:
            with path.open("a", newline="") as file:
                writer = csv.DictWriter(file, row)
                if not file.tell():
                    writer.writeheader()
                writer.writerow({k: f"{v:.6g}" for k, v in row.items()})
        step = row.pop("step")
        for board in self.boards:
            board.numbers(step, row)

    def forget_after(self, step: int) -> None:
        """Drop rows of log.csv that a resumed run will write again, and tell the boards."""
        for board in self.boards:
            board.begin(step)
        path = self.path / "log.csv"
        if distributed.rank() or not path.is_file():
            return
        lines = path.read_text("utf-8", errors="replace").splitlines() or [""]
        whole = [row for row in lines if row.count(",") == lines[0].count(",")]  # a disk may fill
        kept = [row for row in whole[1:] if _step_of(row) <= step]
        with self._writing(path), atomic_path(path) as part:
            part.write_text("".join(f"{row}\n" for row in [lines[0], *kept] if row), "utf-8")

    def write_sheet(self, stage: Stage, run: TrainRun) -> None:
        """A sheet of samples with the averaged weights."""
        averaged = run.ema_state()  # every process asks: it may have a share
        if distributed.rank() == 0:
            image = sheet(stage.sheet(averaged))
            path = self.path / "sheets" / f"{run.step:07d}.png"
            with self._writing(path), atomic_path(path) as part:
                Image.fromarray(image).save(part, "PNG")
            for board in self.boards:
                board.sheet(run.step, image)
        distributed.barrier()

    @contextmanager
    def _writing(self, path: Path) -> Iterator[Path]:
        try:
            yield path
        except OSError as error:
            raise TrainingError(
                f"{unwritable(path, error)} The last complete checkpoint is intact."
            ) from error


def _step_of(line: str) -> float:
    """The step of a line of log.csv; infinite for what is none, which a killed run may leave."""
    try:
        return float(line.partition(",")[0])
    except ValueError:
        return inf
