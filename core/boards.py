"""Where people watch a training run: TensorBoard where it is installed, Weights & Biases if asked.

Both get what log.csv gets, and the sample sheets.
"""

from __future__ import annotations

import importlib
import importlib.util
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from core.errors import InputError
from core.files import atomic_path, writing

SAMPLES = "samples"  # the name of the sheets
PROJECT = "sdm-studio"  # of Weights & Biases, if none is named
RUN_FILE = "wandb-run"  # in the run's folder: its id there, so that a resumed run goes on


class Board(Protocol):
    """Shows a run while it goes on."""

    def begin(self, step: int) -> None:
        """The run goes on after `step`; what was shown of later ones will come again."""

    def numbers(self, step: int, values: Mapping[str, float]) -> None: ...

    def sheet(self, step: int, image: np.ndarray) -> None:
        """image: uint8 `[H, W, 3]`."""

    def close(self) -> None:
        """Nothing may be lost after this."""


def open_boards(folder: Path, project: str | None, settings: Mapping[str, Any]) -> list[Board]:
    """The boards of a run. project: of Weights & Biases, None for no such board.

    Raises `InputError` if that is not installed or does not start.
    """
    boards: list[Board] = []
    if importlib.util.find_spec("tensorboard"):
        boards.append(TensorBoard(folder / "tensorboard"))
    if project is not None:
        boards.append(WandbBoard(folder, project, settings))
    return boards


class TensorBoard:
    """Event files for `tensorboard --logdir`. The first number opens the file: not before."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._first, self._writer = folder, None, None

    def begin(self, step: int) -> None:
        self._first = step + 1

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._open().add_scalar(name, value, step)

    def sheet(self, step: int, image: np.ndarray) -> None:
        self._open().add_image(SAMPLES, image, step, dataformats="HWC")

    def close(self) -> None:
        if self._writer:
            self._writer.close()

    def _open(self) -> Any:
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter  # seconds

            self._writer = SummaryWriter(str(self._folder), purge_step=self._first)
        return self._writer


class WandbBoard:
    """A run at Weights & Biases, or in the folder with WANDB_MODE=offline."""

    def __init__(self, folder: Path, project: str, settings: Mapping[str, Any]) -> None:
        try:
            self._wandb = importlib.import_module("wandb")
        except ImportError:
            raise InputError("--wandb needs a package: `pip install wandb`.") from None
        try:
            self._run = self._wandb.init(
                project=project,
                name=folder.resolve().name,
                dir=str(folder),
                id=_run_id(folder),
                resume="allow",
                config=dict(settings),
            )
        except Exception as error:  # its errors have many bases
            raise InputError(
                f"Weights & Biases does not start: {error} Run `wandb login` first, or set "
                "WANDB_MODE=offline."
            ) from error

    def begin(self, step: int) -> None:
        """It leaves out by itself what comes again."""

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def sheet(self, step: int, image: np.ndarray) -> None:
        self._run.log({SAMPLES: self._wandb.Image(image)}, step=step)

    def close(self) -> None:
        self._run.finish()


def _run_id(folder: Path) -> str:
    """The id under which the folder's run is known, now or from before."""
    path = folder / RUN_FILE
    if path.is_file():
        return path.read_text(encoding="ascii").strip()
    new = secrets.token_hex(4)
    with writing(path), atomic_path(path) as part:
        part.write_text(new, encoding="ascii")
    return new
