"""The checkpoints of the papers, as their authors saved them; no code in them is ever run."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, is_zipfile

import torch
from torch import Tensor

from core.errors import InputError, brief
from core.tensor_file import is_finite

SHOWN = 8  # differences that a sentence names before it only counts


class OfficialError(InputError):
    """A file that is no state dict, or not of the network that was expected."""


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a `.pt` or `.pth` file: tensors by name, mapped from disk where possible.

    Nothing in the file is ever executed: anything but tensors and plain containers is refused. A
    dict under "state_dict" or "model" is opened, and what DataParallel puts in front of names
    ("module.") is taken off. Raises `OfficialError`.
    """
    path = Path(path)
    if not path.is_file():
        raise OfficialError(f"There is no file {path}.")
    state = _load(path)
    for key in ("state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not any(isinstance(v, Tensor) for v in state.values()):
        raise OfficialError(f"{path} holds no state dict, but {type(state).__name__}.")
    tensors = {str(k): v for k, v in state.items() if isinstance(v, Tensor)}
    return {name.removeprefix("module."): value for name, value in tensors.items()}


def _load(path: Path) -> object:
    try:
        _refuse_packed(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols: what matters is raised
            try:
                return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            except RuntimeError:  # saved before 2020, or not by torch.save: cannot be mapped
                return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise OfficialError(
            f"{path} holds more than tensors, and what it holds could run code when it is opened, "
            "so it was not opened. Ask its author for a plain state dict."
        ) from error
    except Exception as error:  # the reader of pickles raises nearly anything on a damaged file
        reason = brief(str(error).partition("\n")[0] or "it is empty").removesuffix(".")
        raise OfficialError(
            f"{path} cannot be read as a file of torch.save: {reason}. Perhaps it is cut off: copy "
            "it again."
        ) from error


def _refuse_packed(path: Path) -> None:
    """torch packs nothing, so that it can be mapped; what is packed may be as large as it likes."""
    if not is_zipfile(path):
        return
    with ZipFile(path) as archive:
        if any(one.compress_type != ZIP_STORED for one in archive.infolist()):
            raise ValueError("parts of it are packed, which torch.save never does")


def sound(path: Path, name: str, tensor: Tensor) -> Tensor:
    """The tensor `name` of a file. Raises `OfficialError` if a value in it is no number."""
    if not is_finite(tensor):
        raise OfficialError(
            f"{path} has weights that are no numbers (NaN or infinity), in {brief(name)}. Take "
            "another file of its author."
        )
    return tensor


def compare(state: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> list[str]:
    """What differs between a state dict and the names and shapes of a network, a line each."""
    lines = [
        f"{name} is {list(state[name].shape)}, expected {list(shape)}"
        for name, shape in expected.items()
        if name in state and tuple(state[name].shape) != tuple(shape)
    ]
    lines += [f"{name} is missing" for name in expected if name not in state]
    return lines + [f"{name} is not expected" for name in state if name not in expected]


def check(path: Path, state: Mapping[str, Tensor], expected: Mapping, what: str) -> None:
    """Raise `OfficialError` that names what differs, if anything does."""
    lines = [brief(line) for line in compare(state, expected)]
    if lines:
        more = f" … and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
        raise OfficialError(f"{path} is not {what}: {'; '.join(lines[:SHOWN])}{more}.")
