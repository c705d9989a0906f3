"""The training loop, once, for every stage: a generator that does a step and says what came of it.

The caller owns progress, logs, sheets and when to save. A run's whole state is its step number, the
weights, their moving average and the optimiser's moments; there is no random state to keep, because
each sample of a run carries its own seed (see `core.dataset`).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from core.dataset import sample_seed
from core.device import PRECISIONS
from core.distributed import rank
from core.errors import InputError, brief
from core.files import atomic_path, unwritable
from core.names import put_under, under
from core.sharding import gathered, own, shard, shared_as, whole, with_share


class TrainingError(InputError):
    """A run cannot start, go on or be saved."""


@dataclass(frozen=True)
class TrainSettings:
    """How to train; stored with the run and in the checkpoint's training summary."""

    steps: int
    batch: int  # samples a step, all processes together
    lr: float = 1e-4
    lr_schedule: str = "constant"  # or "cosine", down to 0 at the last step
    warmup: int = 200  # steps of linear rise
    weight_decay: float = 0.0
    ema_decay: float = 0.9999
    clip_norm: float = 1.0  # 0 for no limit
    precision: str = "float32"
    seed: int = 0
    accumulate: int = 1  # parts in which a process computes its share of a batch, one by one

    def lr_at(self, step: int) -> float:
        """Learning rate of 0-based `step`."""
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        if self.lr_schedule == "cosine":
            rise *= 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.steps)))
        return self.lr * rise

    def ema_at(self, step: int) -> float:
        """Decay of the moving average: short at first, so that it forgets the random start."""
        return min(self.ema_decay, (1 + step) / (10 + step))


@dataclass(frozen=True)
class StepDone:
    """One optimiser step. `step` counts finished steps; losses are of this process's samples."""

    step: int
    losses: dict[str, float]
    lr: float
    grad_norm: float
    seconds: float


class TrainRun:
    """An objective with its optimiser and moving average, at a step.

    An objective may have `lr_scales`: what the learning rate is multiplied by for parameters whose
    names begin so. Each such group is clipped by its own norm. It may also have `betas` of its own
    for Adam: those of adversaries forget faster.

    With `sharded` each process keeps a share of the network, see `core.sharding`; `ema_state`,
    `save` and `load` must then be called in all of them.

    Raises `TrainingError` from `load` if a state file is damaged or belongs to another network.
    """

    def __init__(
        self,
        objective: nn.Module,
        settings: TrainSettings,
        device: torch.device,
        sharded: bool = False,
    ) -> None:
        if sharded:
            shard(objective.model, device)
            self.objective = objective.to(device)
        else:
            self.objective = objective.to(device, memory_format=torch.channels_last)
        self.settings, self.device, self.sharded = settings, device, sharded
        self.step = 0
        trained = {k: p for k, p in objective.model.named_parameters() if p.requires_grad}
        self.names, self.parameters = list(trained), list(trained.values())
        self.ema = [own(p.detach()).clone() for p in self.parameters]
        self.optimizer = torch.optim.AdamW(
            grouped(trained, getattr(objective, "lr_scales", {})),
            settings.lr,
            getattr(objective, "betas", (0.9, 0.999)),
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "float16")

    def ema_state(self) -> dict[str, Tensor]:
        """State dict of the trained network with the averaged parameters in place.

        Of a sharded network it is on the CPU, and empty in all processes but the first.
        """
        state = self.objective.model.state_dict() | self._averaged()
        return gathered(state, rank() == 0) if self.sharded else state

    def _averaged(self) -> dict[str, Tensor]:
        shares = zip(self.names, self.ema, self.parameters, strict=True)
        return {name: with_share(share, like.detach()) for name, share, like in shares}

    def update_ema(self) -> None:
        shares = [own(p.detach()) for p in self.parameters]
        torch._foreach_lerp_(self.ema, shares, 1 - self.settings.ema_at(self.step))

    # -- the state on disk ------------------------------------------------------------------------

    def save(self, path: Path, about: dict[str, Any]) -> None:
        """Write the whole state, atomically; the first process does.

        `about` describes the run and is checked by `load`.
        """
        tensors = self._tensors()
        if rank():
            return
        header = {
            "step": self.step,
            "settings": asdict(self.settings),
            "about": about,
            "scaler": self.scaler.state_dict(),
        }
        try:
            with atomic_path(path) as part:
                save_file(tensors, part, {"run": json.dumps(header)})
        except (OSError, SafetensorError) as error:
            raise TrainingError(
                f"{unwritable(path, error)} The last complete checkpoint is intact; go on from it "
                "with --resume."
            ) from error

    def load(self, path: Path, about: dict[str, Any]) -> None:
        """Continue from a saved state, bit for bit."""
        header, tensors = read_state(path)
        expected = json.loads(json.dumps(about))
        for key in expected:
            if not _agrees(header["about"].get(key), expected[key]):
                raise TrainingError(
                    f"{path} was trained with {key} {_short(header['about'].get(key))}, not "
                    f"{_short(expected[key])}. Resume with the run's own settings, or start in "
                    "another folder."
                )
        self._restore(path, tensors)
        self.step = header["step"]
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(header["scaler"])

    def _tensors(self) -> dict[str, Tensor]:
        tensors = put_under(self.objective.model.state_dict(), "model.")
        tensors |= put_under(self._averaged(), "ema.")
        for name, parameter in zip(self.names, self.parameters, strict=True):
            for part, value in self.optimizer.state[parameter].items():
                tensors[f"{part}.{name}"] = value
        return gathered(tensors, rank() == 0)

    def _restore(self, path: Path, tensors: dict[str, Tensor]) -> None:
        model = under(tensors, "model.")
        present = self.objective.model.state_dict()
        try:
            self.objective.model.load_state_dict(
                {k: shared_as(v, present[k]) if k in present else v for k, v in model.items()}
            )
        except RuntimeError as error:
            reason = brief(str(error).splitlines()[-1].strip()).removesuffix(".")
            raise TrainingError(f"{path} holds another network: {reason}.") from error
        try:
            self._restore_averages(tensors)
        except (KeyError, RuntimeError) as error:
            raise TrainingError(
                f"{path} is no complete training state: {brief(error)} is missing or does not fit."
            ) from error

    def _restore_averages(self, tensors: dict[str, Tensor]) -> None:
        """The moving average, and what the optimiser remembers."""
        for name, parameter, averaged in zip(self.names, self.parameters, self.ema, strict=True):
            averaged.copy_(own(shared_as(tensors[f"ema.{name}"], parameter)))
            if f"exp_avg.{name}" in tensors:  # there are no moments before the first step
                self.optimizer.state[parameter] = {
                    "step": tensors[f"step.{name}"].to(self.device),
                    "exp_avg": _like(parameter, tensors[f"exp_avg.{name}"]),
                    "exp_avg_sq": _like(parameter, tensors[f"exp_avg_sq.{name}"]),
                }


def grouped(
    parameters: dict[str, nn.Parameter], lr_scales: dict[str, float]
) -> list[dict[str, Any]]:
    """Optimiser groups: one for each prefix in `lr_scales`, after one for all the others."""
    groups = [{"params": [], "lr_scale": scale} for scale in (1.0, *lr_scales.values())]
    for name, parameter in parameters.items():
        prefixes = (i for i, start in enumerate(lr_scales, 1) if name.startswith(start))
        groups[next(prefixes, 0)]["params"].append(parameter)
    return [group for group in groups if group["params"]]


def _like(parameter: Tensor, values: Tensor) -> Tensor:
    """`values` in the parameter's own memory layout: the fused optimiser walks both abreast."""
    return torch.empty_like(parameter, requires_grad=False).copy_(shared_as(values, parameter))


def read_state(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and tensors of a state file."""
    try:
        with safe_open(path, "pt") as file:
            header = json.loads(file.metadata()["run"])
            if not isinstance(header["about"], dict) or type(header["step"]) is not int:
                raise ValueError("its header is of no run")
            return header, {k: file.get_tensor(k) for k in file.keys()}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise TrainingError(f"{path} is no complete training state: {brief(error)}.") from error


def _agrees(stored: Any, expected: Any) -> bool:
    """Whether a run is the one expected; what only one of them knows of must be off."""
    if not (isinstance(stored, dict) and isinstance(expected, dict)):
        return stored == expected
    known = all(_agrees(stored[k], v) if k in stored else not v for k, v in expected.items())
    return known and not any(v for k, v in stored.items() if k not in expected)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 80 else text[:77] + "..."


def train(run: TrainRun, batches: Iterable[dict[str, Tensor]]) -> Iterator[StepDone]:
    """Do one optimiser step per batch. Closing the iterator stops between two steps.

    Raises `TrainingError` if the loss is no longer a number.
    """
    module = distributed(run)
    amp = PRECISIONS[run.settings.precision]
    autocast = torch.autocast(run.device.type, amp) if amp != torch.float32 else nullcontext()
    for batch in batches:
        started = time.perf_counter()
        lr = run.settings.lr_at(run.step)
        for group in run.optimizer.param_groups:
            group["lr"] = lr * group["lr_scale"]
        torch.manual_seed(sample_seed(run.settings.seed, run.step))  # for dropout layers alone
        values: dict[str, float] = {}
        parts = split(batch, run.settings.accumulate)
        for number, (part, share) in enumerate(parts, start=1):
            with synced(run, module, number == len(parts)):
                with autocast:
                    losses = module(
                        {k: v.to(run.device, non_blocking=True) for k, v in part.items()}
                    )
                run.scaler.scale(losses["loss"] * share).backward()
            for name, value in losses.items():
                values[name] = values.get(name, 0.0) + share * float(value.detach())
        grad_norm = _update(run)
        if not math.isfinite(values["loss"]):
            raise TrainingError(
                f"The loss is {values['loss']} at step {run.step}. Go on from the last checkpoint "
                "with --resume and a lower --lr."
            )
        run.update_ema()
        run.step += 1
        yield StepDone(run.step, values, lr, grad_norm, time.perf_counter() - started)


def split(batch: dict[str, Tensor], count: int) -> list[tuple[dict[str, Tensor], float]]:
    """A batch in up to `count` parts, each with its share of the samples."""
    if count == 1:
        return [(batch, 1.0)]
    size = len(next(iter(batch.values())))
    columns = {k: v.tensor_split(min(count, size)) for k, v in batch.items()}
    parts = [dict(zip(columns, rows, strict=True)) for rows in zip(*columns.values(), strict=True)]
    return [(part, len(next(iter(part.values()))) / size) for part in parts]


def synced(run: TrainRun, module: nn.Module, last: bool) -> AbstractContextManager:
    """Processes average their gradients once a step: with the last part of the batch."""
    if run.sharded:
        run.objective.model.set_requires_gradient_sync(last)
    waits = isinstance(module, DistributedDataParallel) and not last
    return module.no_sync() if waits else nullcontext()


def _update(run: TrainRun) -> float:
    """Clip, step, and clear the gradients; gives the first group's norm before clipping."""
    run.scaler.unscale_(run.optimizer)
    limit = run.settings.clip_norm or math.inf
    norm, *_ = [
        nn.utils.clip_grad_norm_(group["params"], limit) for group in run.optimizer.param_groups
    ]
    run.scaler.step(run.optimizer)
    run.scaler.update()
    run.optimizer.zero_grad(set_to_none=True)
    return float(whole(norm))


def distributed(run: TrainRun) -> nn.Module:
    """The objective, wrapped for gradient averaging when there are several processes."""
    if run.sharded or not dist.is_initialized():
        return run.objective
    ids = [run.device.index] if run.device.type == "cuda" else None
    return DistributedDataParallel(run.objective, device_ids=ids)
