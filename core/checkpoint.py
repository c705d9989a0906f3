"""One safetensors file that knows what it is: weights, and a header that says how to use them.

The header is JSON under the metadata key `sdm-studio`: spec, schedule, the whole palette, a summary
of the training, and the licence. Opening a model needs its path and nothing else. Tensor names are
those of the modules, behind `unet.`, `autoencoder.`, `segmenter.`, `spade.` and `guidance.`. No
pickle is ever read.

A low-rank file names its base and holds updates only (see `core.lora`); its networks come out with
the updates added, like those of any other file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from core.base import Base
from core.errors import InputError, brief
from core.files import atomic_path, unwritable
from core.header import HEADER_KEY
from core.lora import merged
from core.model.autoencoder import Autoencoder
from core.model.instant import InstantNet
from core.model.scene_encoder import SceneEncoder
from core.model.segmenter import LabelNet
from core.model.spade import SpadeNet
from core.model.spec import (
    AutoencoderSpec,
    InstantSpec,
    ModelSpec,
    SceneEncoderSpec,
    SegmenterSpec,
    SpadeSpec,
    SpecError,
    spec_from_dict,
)
from core.model.unet import SDMUNet
from core.palette import Palette
from core.schedule import ScheduleSpec
from core.tensor_file import is_finite
from core.words import Vocabulary

FORMAT = 1
MAPPED = 16  # tensors that are taken from a file before it is mapped anew
Place = Callable[[Tensor], Tensor]


class CheckpointError(InputError):
    """A checkpoint is missing, damaged, foreign or does not fit its own header."""


@dataclass(frozen=True)
class Checkpoint:
    """The header of a checkpoint. `spec` is None for a file without a diffusion model: it holds an
    autoencoder, a segmenter, a SPADE generator or an encoder of guidance alone; `vocabulary` is of
    the last. `base` is what a low-rank file rides on.
    """

    palette: Palette
    spec: ModelSpec | None = None
    schedule: ScheduleSpec = field(default_factory=ScheduleSpec)
    autoencoder: AutoencoderSpec | None = None
    segmenter: SegmenterSpec | None = None
    base: Base | None = None
    spade: SpadeSpec | InstantSpec | None = None
    guidance: SceneEncoderSpec | None = None
    vocabulary: Vocabulary | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""
    path: Path | None = None

    @property
    def picture_size(self) -> tuple[int, int]:
        """(height, width) that the model was trained at; 256 squared for an autoencoder alone."""
        spec = self.spec or self.spade
        return spec.picture_size if spec else (256, 256)

    # -- files ------------------------------------------------------------------------------------

    @classmethod
    def open(cls, path: str | Path) -> Checkpoint:
        """Read the header. Raises `CheckpointError`, one sentence, for anything else."""
        path = Path(path)
        if not path.is_file():
            raise CheckpointError(
                f"There are no weights at {path}. Give the path of a .safetensors file."
            )
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
        except (OSError, SafetensorError) as error:
            raise CheckpointError(
                f"{path} is no complete safetensors file ({brief(error)}). Perhaps it is cut off: "
                "copy it again."
            ) from error
        if HEADER_KEY not in metadata:
            raise CheckpointError(
                f"{path} is a safetensors file, but none of SDM Studio: its header has no "
                f"{HEADER_KEY!r} entry."
            )
        return cls._from_header(metadata[HEADER_KEY], path)

    @classmethod
    def _from_header(cls, text: str, path: Path) -> Checkpoint:
        try:
            data = json.loads(text)
            if data["format"] != FORMAT:
                raise CheckpointError(
                    f"{path} has format {brief(data['format'])}, this program reads {FORMAT}. "
                    "Update SDM Studio."
                )
            if not isinstance(data["training"], dict) or not isinstance(data["licence"], str):
                raise CheckpointError(f"The header of {path} is damaged: training or licence.")
            return cls(
                palette=Palette.from_dict(data["palette"], where=str(path)),
                spec=_there(ModelSpec.from_dict, data["spec"]),
                schedule=spec_from_dict(ScheduleSpec, data["schedule"]),
                autoencoder=_there(partial(spec_from_dict, AutoencoderSpec), data["autoencoder"]),
                segmenter=_there(partial(spec_from_dict, SegmenterSpec), data.get("segmenter")),
                base=_there(partial(spec_from_dict, Base), data.get("base")),
                spade=_there(spade_spec, data.get("spade")),
                guidance=_there(partial(spec_from_dict, SceneEncoderSpec), data.get("guidance")),
                vocabulary=_there(Vocabulary.from_dict, data.get("vocabulary")),
                training=data["training"],
                licence=data["licence"],
                path=path,
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            if isinstance(error, CheckpointError):
                raise
            known = isinstance(error, InputError)
            detail = str(error) if known else f"{type(error).__name__}: {error}"
            detail = brief(detail, 500).removesuffix(".")
            raise CheckpointError(f"The header of {path} cannot be used: {detail}.") from error

    def save(
        self, path: str | Path, modules: Mapping[str, Mapping[str, Tensor]], dtype: torch.dtype
    ) -> None:
        """Write state dicts (`{"unet": …, "autoencoder": …}`) in `dtype`, atomically.

        Raises `CheckpointError` if the file cannot be written; an older file stays as it was.
        """
        tensors = {
            f"{part}.{name}": value.detach().to("cpu", dtype).contiguous()
            for part, state in modules.items()
            for name, value in state.items()
        }
        try:
            with atomic_path(Path(path)) as part:
                save_file(tensors, part, self.metadata())
        except (OSError, SafetensorError) as error:
            raise CheckpointError(unwritable(path, error)) from error

    def metadata(self) -> dict[str, str]:
        """The header as a safetensors file carries it."""
        return {HEADER_KEY: json.dumps(self._header())}

    def _header(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "spec": self.spec and self.spec.to_dict(),
            "schedule": asdict(self.schedule),
            "autoencoder": self.autoencoder and asdict(self.autoencoder),
            "segmenter": self.segmenter and asdict(self.segmenter),
            "base": self.base and asdict(self.base),
            "spade": self.spade and spade_header(self.spade),
            "guidance": self.guidance and asdict(self.guidance),
            "vocabulary": self.vocabulary and self.vocabulary.to_dict(),
            "palette": self.palette.to_dict(),
            "training": dict(self.training),
            "licence": self.licence,
        }

    # -- networks ---------------------------------------------------------------------------------

    def open_base(self) -> Checkpoint:
        """The file that this one rides on. Raises `BaseError` if it is not found."""
        return Checkpoint.open(self.base.find(self.path))

    def load_unet(self, place: Place = Tensor.float) -> SDMUNet:
        """The U-Net, in float32 by default.

        place: what becomes of each tensor as it comes from the file, one by one. In the file's own
        precision or another, no second copy of the network is ever in memory. Raises
        `CheckpointError` if the U-Net is not there or does not fit.
        """
        if self.spec is None:
            raise CheckpointError(f"{self.path} holds {self._held} alone, no diffusion model.")
        return self._filled(SDMUNet, self.spec, "unet", place)

    @property
    def _held(self) -> str:
        """What a file without a diffusion model holds."""
        if self.guidance:
            return "an encoder of guidance"
        if self.spade:
            return "a SPADE generator"
        return "a segmenter" if self.segmenter else "an autoencoder"

    def load_autoencoder(self, place: Place = Tensor.float) -> Autoencoder | None:
        """The autoencoder in eval mode; None for a model that works on pixels.

        place: as for `load_unet`.
        """
        spec = self.spec.autoencoder if self.spec else self.autoencoder
        return self._filled(Autoencoder, spec, "autoencoder", place) if spec else None

    def load_segmenter(self) -> LabelNet:
        """The segmenter in float32. Raises `CheckpointError` if it is not there or does not fit."""
        if self.segmenter is None:
            raise CheckpointError(
                f"{self.path} holds no segmenter. Train one with --stage segmenter."
            )
        if self.segmenter.labels != len(self.palette):
            raise CheckpointError(
                f"{self.path} does not fit its own header: {self.segmenter.labels} labels, but a "
                f"palette of {len(self.palette)}. The file is damaged or hand-made."
            )
        return self._filled(LabelNet, self.segmenter, "segmenter")

    def load_spade(self) -> SpadeNet | InstantNet:
        """The generator and what it needs, in float32, in eval mode.

        Raises `CheckpointError` if it is not there or does not fit.
        """
        if self.spade is None:
            raise CheckpointError(f"{self.path} holds no SPADE generator.")
        kind = InstantNet if isinstance(self.spade, InstantSpec) else SpadeNet
        return self._filled(kind, self.spade, "spade")

    def load_guidance(self) -> SceneEncoder:
        """The encoder of guidance in float32. Raises `CheckpointError` if it is not there."""
        if self.guidance is None:
            raise CheckpointError(
                f"{self.path} holds no encoder of guidance. Train one with --stage guidance."
            )
        if self.guidance.words != len(self.vocabulary.concepts if self.vocabulary else ()):
            raise CheckpointError(
                f"{self.path} does not fit its own header: {self.guidance.words} words, but "
                "another vocabulary. The file is damaged or hand-made."
            )
        return self._filled(SceneEncoder, self.guidance, "guidance")

    def _filled(
        self, make: type[nn.Module], spec: Any, part: str, place: Place = Tensor.float
    ) -> Any:
        module = self._built(make, spec)
        state = self._state(part, place)
        wanted = {k: v.shape for k, v in module.state_dict().items()}
        bad = [k for k in wanted if k not in state or state[k].shape != wanted[k]] + sorted(
            state.keys() - wanted
        )
        if bad:
            found = brief(list(state[bad[0]].shape) if bad[0] in state else "missing")
            raise CheckpointError(
                f"{self.path} does not fit its own header: {part}.{brief(bad[0])} is {found}, "
                f"expected {list(wanted.get(bad[0], ())) or 'nothing'}. The file is damaged or "
                "hand-made."
            )
        module.load_state_dict(state, assign=True)
        return module.eval().requires_grad_(False)

    def _built(self, make: type[nn.Module], spec: Any) -> nn.Module:
        try:
            with torch.device("meta"):  # no time lost on random weights
                return make(spec)
        except (ArithmeticError, AssertionError, RuntimeError, TypeError, ValueError) as error:
            reason = brief(str(error) or type(error).__name__).removesuffix(".")
            raise CheckpointError(
                f"The header of {self.path} describes a network that cannot be built: {reason}. "
                "The file is damaged or hand-made."
            ) from error

    def _state(self, part: str, place: Place = Tensor.float) -> dict[str, Tensor]:
        """The tensors of a part, placed, with those of the base below them."""
        if self.base is None:
            return self._tensors(part, place)
        updates = self._tensors(part, Tensor.float)
        try:
            state = merged(self.open_base()._state(part), updates, self.base.scale)
            return {name: place(state.pop(name)) for name in list(state)}
        except (KeyError, RuntimeError) as error:  # also of two files that ride on each other
            raise CheckpointError(
                f"{self.path} does not fit its own base {brief(self.base.name)}: {brief(error)}. "
                "The file is damaged or hand-made."
            ) from error

    def _tensors(self, part: str, place: Place) -> dict[str, Tensor]:
        """The tensors of a part in this file, placed one by one.

        The file is mapped, not read; and mapped anew every few tensors, so that what was copied
        out of it no longer counts as memory of this program.
        """
        state = {}
        try:
            with safe_open(self.path, "pt") as file:
                names = [k for k in file.keys() if k.startswith(f"{part}.")]
            for first in range(0, len(names), MAPPED):
                with safe_open(self.path, "pt") as file:
                    for name in names[first : first + MAPPED]:
                        tensor = file.get_tensor(name)
                        self._check_numbers(name, tensor)
                        state[name.removeprefix(f"{part}.")] = place(tensor)
            return state
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{self.path} cannot be read: {brief(error)}.") from error

    def _check_numbers(self, name: str, tensor: Tensor) -> None:
        """One weight that is no number makes a picture of nothing; here its name is known."""
        if not is_finite(tensor):
            raise CheckpointError(
                f"{self.path} has weights that are no numbers (NaN or infinity), in {name}. The "
                "file is damaged, or its training failed: take an earlier one."
            )


def _there(read: Callable[[Any], Any], data: Any) -> Any:
    """What `read` makes of a part of the header; None where the file has no such part."""
    return None if data is None else read(data)


SPADES = {"compact": InstantSpec, "official": SpadeSpec}


def spade_header(spec: SpadeSpec | InstantSpec) -> dict[str, Any]:
    """A spec as the header has it: with the kind of network that it is of."""
    (kind,) = (name for name, cls in SPADES.items() if isinstance(spec, cls))
    return {"kind": kind, **asdict(spec)}


def spade_spec(data: Mapping[str, Any]) -> SpadeSpec | InstantSpec:
    """The inverse of `spade_header`. Raises `SpecError`."""
    rest = {k: v for k, v in data.items() if k != "kind"}
    if data["kind"] == "compact":
        return InstantSpec.from_dict(rest)
    if data["kind"] == "official":
        return spec_from_dict(SpadeSpec, rest)
    raise SpecError(f"A SPADE of the kind {data['kind']!r} is from a newer version.")
