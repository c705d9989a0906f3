"""What a network is made of, as frozen data that a checkpoint stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar

from core.errors import InputError, brief

T = TypeVar("T")
LARGEST = 65_536  # of any number in a stored spec: no network comes near
MOST_BLOCKS = 32  # of a level: before a network is compared with its file, it is built, weightless
MOST_LEVELS = 16
MOST_STOPS = 1000
# 0 means none, or the last step
FROM_ZERO = frozenset(
    "full_width layout_labels words sentence phrases tints bank rank stops finish".split()
)
FROM_MINUS_ONE = ("num_head_channels",)  # -1: num_heads counts instead
UPSAMPLINGS = {"normal": 0, "more": 1, "most": 2}  # SPADE: doublings beyond five


class SpecError(InputError):
    """A stored model description does not describe a model of this program."""


@dataclass(frozen=True)
class AutoencoderSpec:
    """The small image autoencoder of a latent checkpoint, 8x down in each direction."""

    latent_channels: int = 4
    quarter_width: int = 96  # channels at 1/4 of the picture's resolution
    eighth_width: int = 160  # channels at 1/8
    half_width: int = 32  # channels of the decoder at 1/2
    full_width: int = 0  # channels at full resolution, 0 for none: they smooth the shuffle's grid
    blocks: int = 3  # residual blocks at 1/8 and at 1/4, encoder and decoder each
    layout_labels: int = 0  # channels of the layout that the decoder reads, 0 if it reads none

    def __post_init__(self) -> None:
        if self.full_width and self.full_width < 3:
            raise SpecError(f"full_width is {self.full_width}; a picture alone takes 3 channels.")

    factor = 8  # picture pixels per latent pixel, in each direction (no field: the same for all)


@dataclass(frozen=True)
class SegmenterSpec:
    """The small segmenter: what it tells apart, and how wide it is at 1/4, 1/8, … of a picture."""

    labels: int  # of the palette
    widths: tuple[int, ...] = (32, 80, 112, 112)  # channels of each level
    blocks: tuple[int, ...] = (1, 2, 3, 2)  # residual blocks of each level
    head: int = 64  # channels on the way back up

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.blocks) or not self.widths:
            raise SpecError(f"widths {self.widths} and blocks {self.blocks} differ in number.")

    factor = 4  # picture pixels per pixel of the answer, in each direction

    @property
    def multiple(self) -> int:
        """Sides of a picture must be multiples of this many pixels."""
        return self.factor * 2 ** (len(self.widths) - 1)


@dataclass(frozen=True)
class SpadeSpec:
    """The SPADE generator of the paper. The first group carries the official options' names."""

    label_channels: int  # channels of y: labels, plus one for instance edges
    ngf: int = 64  # channels of the last block; the first ones have 16 times as many
    crop_size: int = 256  # width of a picture
    aspect_ratio: float = 1.0  # width / height
    num_upsampling_layers: Literal["normal", "more", "most"] = "normal"
    use_vae: bool = False  # pictures begin with a style vector instead of the layout
    z_dim: int = 256  # numbers of a style

    encoder: bool = False  # the style encoder is there too: a style can come from a picture

    def __post_init__(self) -> None:
        if self.num_upsampling_layers not in UPSAMPLINGS:
            raise SpecError(
                f"num_upsampling_layers {self.num_upsampling_layers!r} is not normal, more or most."
            )
        if self.encoder and not self.use_vae:
            raise SpecError("A style encoder is of use only with use_vae.")
        if min(self.first_size) < 1:
            raise SpecError(f"crop_size {self.crop_size} is too small for so many halvings.")

    @property
    def multiple(self) -> int:
        """Sides of a picture must be multiples of this many pixels."""
        return 2 ** (5 + UPSAMPLINGS[self.num_upsampling_layers])

    @property
    def first_size(self) -> tuple[int, int]:
        """(height, width) of the first feature map, as the official code rounds it."""
        width = self.crop_size // self.multiple
        return round(width / self.aspect_ratio), width

    @property
    def picture_size(self) -> tuple[int, int]:
        """(height, width) of the pictures it was trained on."""
        height, width = self.first_size
        return height * self.multiple, width * self.multiple


class PictureSpec:
    """What specs share whose picture has an `image_size`, its width, and an `aspect_ratio`."""

    @property
    def picture_size(self) -> tuple[int, int]:
        """(height, width) of the pictures it was trained on."""
        return round(self.image_size / self.aspect_ratio), self.image_size

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class InstantSpec(PictureSpec):
    """The compact generator: layout and style to latents in one pass, and the decoder of those.

    widths, blocks: of the levels at 1/32, 1/16 and 1/8 of the picture.
    """

    label_channels: int  # channels of y: labels, plus one for instance edges
    autoencoder: AutoencoderSpec
    widths: tuple[int, ...] = (192, 192, 64)
    blocks: tuple[int, ...] = (1, 2, 1)
    hidden: int = 32  # channels that layout, noise and style become before they modulate
    style: int = 32  # numbers of a style
    noise: int = 8  # channels of noise beside the layout, at every level
    bank: int = 0  # styles of photos in the file, of which a random style is one; 0 for none
    image_size: int = 256  # width of a training picture, in pixels
    aspect_ratio: float = 1.0  # width / height of a training picture

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.blocks) or not self.widths:
            raise SpecError(f"widths {self.widths} and blocks {self.blocks} differ in number.")

    @property
    def multiple(self) -> int:
        """Sides of a picture must be multiples of this many pixels."""
        return self.autoencoder.factor * 2 ** (len(self.widths) - 1)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> InstantSpec:
        """The inverse of `to_dict`. Raises `SpecError` for unknown fields."""
        inner = spec_from_dict(AutoencoderSpec, data["autoencoder"])
        return spec_from_dict(cls, {**data, "autoencoder": inner})


@dataclass(frozen=True)
class SceneEncoderSpec:
    """The noise-aware encoder of guidance: what it reads, its size, and how many words it knows."""

    in_channels: int  # of x
    patch: int = 2  # pixels of x that become one of the first level, in each direction
    widths: tuple[int, ...] = (96, 128)  # channels of each level, each half as large
    blocks: tuple[int, ...] = (2, 3)  # residual blocks of each level
    embedding: int = 128  # numbers that say what a picture is like
    words: int = 0  # concepts with a vector in the same space; 0 for none
    sentence: int = 0  # numbers of the embedding of a sentence, and
    phrases: int = 0  # phrases whose meaning is known, by which sentences are read; 0 for none
    tints: int = 0  # labels whose colours words are known to change; 0 for none
    clip: str = ""  # fingerprint of the CLIP file whose space the embeddings are in

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.blocks) or not self.widths:
            raise SpecError(f"widths {self.widths} and blocks {self.blocks} differ in number.")


@dataclass(frozen=True)
class ModelSpec(PictureSpec):
    """The SDM U-Net. The first group carries the names of the official constructor."""

    image_size: int = 256  # width of a training picture, in pixels of the picture
    in_channels: int = 3  # of x: 3 in pixel space, the latent channels otherwise
    model_channels: int = 256
    out_channels: int = 6  # twice in_channels: prediction and variance interpolation
    num_res_blocks: int = 2
    attention_resolutions: tuple[int, ...] = (8, 16, 32)  # downsampling rates, not pixels
    dropout: float = 0.0
    channel_mult: tuple[int, ...] = (1, 1, 2, 2, 4, 4)
    conv_resample: bool = True  # only read where resblock_updown is off
    num_classes: int = 151  # channels of y: labels, plus one for instance edges
    num_heads: int = 1  # only read where num_head_channels is -1
    num_head_channels: int = 64
    use_scale_shift_norm: bool = True
    resblock_updown: bool = True
    use_new_attention_order: bool = False

    aspect_ratio: float = 1.0  # width / height of a training picture
    spade_hidden: int = 128  # channels between layout and gamma, beta
    layout_resize: Literal["nearest", "area"] = "nearest"  # the papers' | label coverage
    prediction: Literal["eps", "v", "x0"] = (
        "eps"  # what the first half of the output channels means
    )
    stops: tuple[int, ...] = ()  # timesteps from which a student leaps, falling; () for others
    # At or below this timestep a student ends its model's walks too, in one leap; 0: it did not
    # learn to.
    finish: int = 0
    autoencoder: AutoencoderSpec | None = None  # None: x is the picture itself

    def __post_init__(self) -> None:
        if self.out_channels != 2 * self.in_channels:
            raise SpecError(
                f"out_channels is {self.out_channels}; SDM learns the variance, so it must be "
                f"twice in_channels ({self.in_channels})."
            )
        if self.prediction not in ("eps", "v", "x0"):
            raise SpecError(f"The prediction type {self.prediction!r} is not eps, v or x0.")
        if self.layout_resize not in ("nearest", "area"):
            raise SpecError(f"layout_resize {self.layout_resize!r} is not nearest or area.")
        if self.autoencoder and self.autoencoder.latent_channels != self.in_channels:
            raise SpecError(
                f"in_channels is {self.in_channels}, but the autoencoder has "
                f"{self.autoencoder.latent_channels} latent channels."
            )

    @property
    def factor(self) -> int:
        """Picture pixels per pixel of x, in each direction."""
        return self.autoencoder.factor if self.autoencoder else 1

    @property
    def multiple(self) -> int:
        """Sides of a picture must be multiples of this many pixels."""
        return self.factor * 2 ** (len(self.channel_mult) - 1)

    def is_student_of(self, model: ModelSpec) -> bool:
        """Whether two U-Nets differ in nothing but where they stop; their decoders may."""
        return replace(self, stops=(), finish=0, autoencoder=None) == replace(
            model, autoencoder=None
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelSpec:
        """The inverse of `to_dict`. Raises `SpecError` for unknown fields."""
        data = dict(data)
        data.pop("guidance_embedding", None)  # of older files: no model was ever made with it
        if data.get("autoencoder") is not None:
            data["autoencoder"] = spec_from_dict(AutoencoderSpec, data["autoencoder"])
        return spec_from_dict(cls, data)


def spec_from_dict(cls: type[T], data: Mapping[str, Any]) -> T:
    """Build a frozen spec from JSON data: lists become tuples.

    Raises `SpecError` for unknown fields and for values that no network can have.
    """
    unknown = set(data) - {f.name for f in fields(cls)}
    if unknown:
        name = brief(repr(sorted(unknown)[0]))
        raise SpecError(f"{cls.__name__} has no field {name}: the file is from a newer version.")
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    kinds = {f.name: str(f.type) for f in fields(cls)}
    for name, value in given.items():
        if not _fits(kinds[name], name, value):
            shown = brief(repr(value), 80)
            raise SpecError(f"{cls.__name__} has {name} = {shown}, which no network can have.")
    return cls(**given)


def _fits(kind: str, name: str, value: Any) -> bool:
    """Whether a stored value has the type of its field, as annotated, and a size to believe in."""
    lowest = -1 if name in FROM_MINUS_ONE else 0 if name in FROM_ZERO else 1
    if kind == "int":
        most = MOST_BLOCKS if name.endswith("blocks") else LARGEST
        return type(value) is int and lowest <= value <= most
    if kind == "float":
        return type(value) in (int, float) and 0 <= value <= LARGEST
    if kind == "bool":
        return isinstance(value, bool)
    if kind.startswith("tuple"):
        if not isinstance(value, tuple) or len(value) > _longest(name):
            return False
        return all(_fits("int", name, one) for one in value)
    if kind == "str" or kind.startswith("Literal"):
        return isinstance(value, str)
    return value is None or is_dataclass(value)


def _longest(name: str) -> int:
    return MOST_STOPS if name == "stops" else MOST_LEVELS
