"""The released SPADE generators become checkpoints of ours: spectral norm folded, names checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from core.checkpoint import Checkpoint
from core.files import writing
from core.model.spade import SpadeEncoder, SpadeGenerator, folded_name, folded_tensor
from core.model.spec import SpadeSpec, spec_from_dict
from core.official import check, read_state, sound
from core.palette import Palette
from core.tensor_file import Entry, write_tensors

# What the releases have different from the spec's defaults, by palette.
RELEASES = {"cityscapes": {"crop_size": 512, "aspect_ratio": 2.0}}  # 256x512
# Palettes whose SPADE read instance edges beside the labels, though their SDM did not.
WITH_EDGES = ("coco_stuff",)


def is_spade(state: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is that of a SPADE generator."""
    return any(name.startswith(("head_0.", "G_middle_0.")) for name in state)


def convert_spade(
    source: Path,
    out: Path,
    palette: Palette,
    encoder: Path | None = None,
    fields: dict | None = None,
    dtype: torch.dtype = torch.float32,
    licence: str = "",
    progress: Callable[[list[Entry]], Iterable[Entry]] = iter,
    state: Mapping[str, Tensor] | None = None,
) -> Checkpoint:
    """Write the state dict of `source`, an official `latest_net_G.pth`, as a checkpoint.

    encoder: the `latest_net_E.pth` beside it, for styles from pictures. state: what is in `source`,
    where it has been read already. fields: what its `SpadeSpec` has different from the released
    networks for this palette. Raises `OfficialError` if a file cannot be used, `SpecError` for a
    wrong field, `OutputError` if `out` cannot be written. Tensors go over one by one.
    """
    state = read_state(source) if state is None else state
    palette = palette_with_edges(palette)
    spec = _spec_of(state, palette, encoder is not None, fields or {})
    entries = list(_entries(source, state, SpadeGenerator, spec, "generator"))
    if encoder is not None:
        entries += _entries(encoder, read_state(encoder), SpadeEncoder, spec, "encoder")
    training = {"converted_from": source.name}
    header = Checkpoint(palette, spade=spec, training=training, licence=licence)
    with writing(out):
        write_tensors(out, entries, dtype, header.metadata(), progress)
    return Checkpoint.open(out)


def palette_with_edges(palette: Palette) -> Palette:
    """The palette as the SPADE of its data set read it."""
    return replace(palette, instance_edges=palette.instance_edges or palette.name in WITH_EDGES)


def _spec_of(
    state: Mapping[str, Tensor], palette: Palette, encoder: bool, fields: dict
) -> SpadeSpec:
    """What the file shows of its network; the rest is as in the release, or as it is given."""
    first = state.get("fc.weight")
    shown = {
        "label_channels": palette.num_channels,
        "use_vae": first is not None and first.ndim == 2,
        "num_upsampling_layers": "most" if "up_4.conv_0.bias" in state else "normal",
        "encoder": encoder,
    }
    return spec_from_dict(SpadeSpec, shown | RELEASES.get(palette.name, {}) | fields)


def _entries(
    path: Path, state: Mapping[str, Tensor], kind: type[nn.Module], spec: SpadeSpec, part: str
) -> Iterator[Entry]:
    """The tensors of one network, folded one by one when their turn comes."""
    with torch.device("meta"):
        expected = {name: tuple(v.shape) for name, v in kind(spec).state_dict().items()}
    check(path, state, expected, f"a SPADE {part} of {spec.label_channels} label channels")
    for name, shape in expected.items():
        new = folded_name(name)
        if new is not None:
            yield Entry(f"spade.{part}.{new}", shape, partial(_folded, path, state, name))


def _folded(path: Path, state: Mapping[str, Tensor], name: str) -> Tensor:
    return sound(path, name, folded_tensor(state, name))
