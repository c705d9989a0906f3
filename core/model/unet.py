"""The SDM denoising U-Net (arXiv 2207.00050, section 3.2).

    forward(x, t, y) = decode(encode(x, t), embed_layout(y), t)

The encoder sees the noisy image only, so both branches of classifier-free guidance share one pass
of it. SPADE's gamma and beta depend on the layout only, so one `embed_layout` serves every step,
seed and guidance scale. Both facts are exact. Parameter names are those of the official code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from core.model.blocks import ResBlock
from core.model.layers import (
    AttentionBlock,
    Downsample,
    GroupNorm,
    Modulation,
    ReadsLayout,
    SPADEGroupNorm,
    Upsample,
    timestep_embedding,
)
from core.model.spec import ModelSpec
from core.model.surroundings import Surroundings

# Of each SPADE norm of middle and decoder, in order: two a block. Where there is no memory to hold
# gamma and beta, y at that norm's resolution, of which the norm makes them each time.
LayoutEmbedding = list[Modulation | Tensor]
# The same before any of it is embedded.
ScaledLayouts = list[Tensor | Surroundings]


@dataclass(frozen=True)
class Encoded:
    """What the encoder hands on: the innermost features and the skips."""

    features: Tensor
    skips: tuple[Tensor, ...]


class Stage(nn.Sequential):
    """Layers of one position: a residual block, maybe attention, maybe another resolution.

    With `checkpointing`, training keeps the input of each layer alone and computes what is inside
    once more on the way back: the same gradients in less memory.
    """

    checkpointing = False

    def run(self, x: Tensor, emb: Tensor, layouts: Iterator | None = None) -> Tensor:
        """`layouts`: for each SPADE block in turn, what its two norms read."""
        again = self.checkpointing and torch.is_grad_enabled()
        for layer in self:
            given = (x,)
            if isinstance(layer, ResBlock):
                pair = (next(layouts), next(layouts)) if layer.is_spade else None
                given = (x, emb, pair)
            x = checkpoint(layer, *given, use_reentrant=False) if again else layer(*given)
        return x

    def spade_blocks(self) -> list[ResBlock]:
        """The blocks that read the layout."""
        return [layer for layer in self if isinstance(layer, ResBlock) and layer.is_spade]


class SDMUNet(ReadsLayout, nn.Module):
    """Noisy x `[N, C, H, W]`, timesteps t `[N]` of 0..999 and layout y to `[N, 2C, H, W]`.

    The first C output channels are the prediction (eps, v or x0, as the spec says), the others the
    interpolation of the log-variance, -1..1. H and W must be multiples of 2 ** (levels - 1).
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.embedding_budget = math.inf  # bytes of gamma and beta that an embedding may hold
        width = spec.model_channels
        self.time_embed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, 4 * width)
        )
        plain = GroupNorm
        spade = partial(SPADEGroupNorm, num_classes=spec.num_classes, hidden=spec.spade_hidden)
        skips = self._make_encoder(plain)
        inner = width * spec.channel_mult[-1]
        self.middle_block = Stage(
            self._block(inner, inner, spade),
            self._attention(inner),
            self._block(inner, inner, spade),
        )
        self._make_decoder(spade, skips, inner)
        self.out = nn.Sequential(
            GroupNorm(width), nn.SiLU(), nn.Conv2d(width, spec.out_channels, 3, padding=1)
        )
        nn.init.zeros_(self.out[2].weight)
        nn.init.zeros_(self.out[2].bias)

    # -- construction -----------------------------------------------------------------------------

    def _make_encoder(self, norm) -> list[int]:
        """`input_blocks`; gives the channels of the skips."""
        spec = self.spec
        width, rate, last = spec.model_channels, 1, len(spec.channel_mult) - 1
        stages = [Stage(nn.Conv2d(spec.in_channels, width, 3, padding=1))]
        skips = [width]
        for level, mult in enumerate(spec.channel_mult):
            for _ in range(spec.num_res_blocks):
                layers = [self._block(skips[-1], mult * spec.model_channels, norm)]
                width = mult * spec.model_channels
                stages.append(Stage(*layers, *self._attention_at(rate, width)))
                skips.append(width)
            if level != last:
                stages.append(Stage(self._resample(width, norm, Downsample)))
                skips.append(width)
                rate *= 2
        self.input_blocks = nn.ModuleList(stages)
        return skips

    def _make_decoder(self, norm, skips: list[int], width: int) -> None:
        """`output_blocks`, each taking one skip."""
        spec, skips = self.spec, list(skips)
        stages = []
        for level in reversed(range(len(spec.channel_mult))):
            rate = 2**level
            for i in range(spec.num_res_blocks + 1):
                out = spec.channel_mult[level] * spec.model_channels
                layers = [
                    self._block(width + skips.pop(), out, norm),
                    *self._attention_at(rate, out),
                ]
                width = out
                if level and i == spec.num_res_blocks:
                    layers.append(self._resample(width, norm, Upsample))
                stages.append(Stage(*layers))
        self.output_blocks = nn.ModuleList(stages)

    def _block(self, channels: int, out_channels: int, norm, resample=None) -> ResBlock:
        spec = self.spec
        return ResBlock(
            channels,
            out_channels,
            4 * spec.model_channels,
            norm,
            dropout=spec.dropout,
            scale_shift=spec.use_scale_shift_norm,
            resample=resample,
        )

    def _resample(self, channels: int, norm, kind) -> nn.Module:
        if self.spec.resblock_updown:
            return self._block(channels, channels, norm, resample=kind)
        return kind(channels, conv=self.spec.conv_resample)

    def _attention(self, channels: int) -> AttentionBlock:
        spec = self.spec
        per_head = spec.num_head_channels
        heads = spec.num_heads if per_head == -1 else max(1, channels // per_head)
        return AttentionBlock(channels, heads, spec.use_new_attention_order)

    def _attention_at(self, rate: int, channels: int) -> list[AttentionBlock]:
        return [self._attention(channels)] if rate in self.spec.attention_resolutions else []

    # -- the three parts --------------------------------------------------------------------------

    def encode(self, x: Tensor, t: Tensor) -> Encoded:
        """Everything that does not depend on the layout. x `[N, C, H, W]`, t `[N]`."""
        emb = self.embed_time(t)
        skips = []
        h = x.to(self.dtype)
        for stage in self.input_blocks:
            h = stage.run(h, emb)
            skips.append(h)
        return Encoded(h, tuple(skips))

    def embed_time(self, t: Tensor) -> Tensor:
        """`[N, 4 * model_channels]` of timesteps `[N]`."""
        embedding = timestep_embedding(t, self.spec.model_channels)
        return self.time_embed(embedding.to(self.dtype))

    def embed_layout(
        self, y: Tensor | None, size: tuple[int, int] | None = None
    ) -> LayoutEmbedding:
        """1 + gamma and beta of every SPADE norm for y `[N, num_classes, H', W']`, None for null.

        `size` is the (height, width) of x; by default that of y divided by the spec's factor. N may
        be 1 for a layout that a whole batch shares.
        """
        if y is None:
            y = self.blank_layout(size)
        size = size or (y.shape[-2] // self.spec.factor, y.shape[-1] // self.spec.factor)
        return self.embed_scaled(self.scaled_layouts(y, size), size)

    def embed_scaled(
        self, scaled: dict[tuple[int, int], Tensor], size: tuple[int, int]
    ) -> LayoutEmbedding:
        """1 + gamma and beta of every SPADE norm, from `scaled_layouts`.

        From where they would go beyond the budget on, y itself: `decode` makes the same numbers of
        it, one norm at a time. The coarse levels come first, so it is the finest that are not held.
        """
        embedding, left = [], self.embedding_budget
        for norm, target in self.layout_sites(size):
            layout = scaled[target]
            if left > 0:
                modulation = norm.modulate(layout)
                left -= sum(part.nbytes for part in modulation)
                layout = modulation if left >= 0 else layout
            embedding.append(layout)
        return embedding

    def layout_sites(
        self, size: tuple[int, int]
    ) -> Iterator[tuple[SPADEGroupNorm, tuple[int, int]]]:
        """Each SPADE norm, in order, with the (height, width) at which it works for x of `size`."""
        for block, *rates in self._spade_sites():
            for norm, rate in zip(block.norms, rates, strict=True):
                yield norm, (size[0] // rate, size[1] // rate)

    def blank_layout(self, size: tuple[int, int]) -> Tensor:
        """The null layout: zeros `[1, num_classes, *size]`."""
        return torch.zeros(1, self.spec.num_classes, *size, device=self.device, dtype=self.dtype)

    def decode(
        self, encoded: Encoded, embedding: LayoutEmbedding | ScaledLayouts, t: Tensor
    ) -> Tensor:
        """Middle and decoder: `[N, 2C, H, W]`. A block may embed the layout itself, see forward."""
        emb, layouts = self.embed_time(t), iter(embedding)
        h = self.middle_block.run(encoded.features, emb, layouts)
        skips = list(encoded.skips)
        for stage in self.output_blocks:
            h = stage.run(torch.cat([h, skips.pop()], dim=1), emb, layouts)
        return self.out(h)

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """As training runs it: each block embeds the layout when its turn comes.

        So what is inside a block can be forgotten and made again, and its weights may be elsewhere
        until then.
        """
        size = (x.shape[-2], x.shape[-1])
        scaled = self.scaled_layouts(y, size)
        if self._may_skip_repeats():
            scaled = {target: Surroundings.of(part) or part for target, part in scaled.items()}
        layouts = [scaled[target] for _, target in self.layout_sites(size)]
        return self.decode(self.encode(x, t), layouts, t)

    def _may_skip_repeats(self) -> bool:
        """In training in float32 on a CPU: convolutions are dear there. Not if shapes are fixed."""
        plain = self.device.type == "cpu" and self.dtype == torch.float32
        mixed = torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling()
        return self.training and plain and not mixed

    def stages(self) -> list[Stage]:
        """All its stages, in the order in which they run."""
        return [*self.input_blocks, self.middle_block, *self.output_blocks]

    @property
    def layout_resize(self) -> str:
        """How layouts come to a coarser resolution: "nearest" or "area"."""
        return self.spec.layout_resize

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the weights."""
        return self.out[2].weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.out[2].weight.device

    def _spade_sites(self) -> Iterator[tuple[ResBlock, int, int]]:
        """Each SPADE block with the downsampling rates at which its two norms work."""
        levels = len(self.spec.channel_mult)
        for block in self.middle_block.spade_blocks():
            yield block, 2 ** (levels - 1), 2 ** (levels - 1)
        per_level = self.spec.num_res_blocks + 1
        for i, stage in enumerate(self.output_blocks):
            rate = 2 ** (levels - 1 - i // per_level)
            for block in stage.spade_blocks():
                yield block, rate, rate // 2 if block.resample is not None else rate
