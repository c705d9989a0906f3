"""The residual block, once, for encoder and decoder: the norm is passed in."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from core.model.layers import Downsample, Modulation, SPADEGroupNorm, Upsample


class ResBlock(nn.Module):
    """Norm, SiLU, convolution, twice; scaled and shifted by the timestep; with a skip connection.

    `norm(channels)` makes either the encoder's `GroupNorm` or the decoder's `SPADEGroupNorm`.
    Official parameter names differ between the two, so a SPADE norm stands beside the layers and a
    plain one is the first of them. `resample` is None, `Upsample` or `Downsample`. SDM paper,
    section 3.2.
    """

    def __init__(
        self,
        channels: int,
        out_channels: int,
        emb_channels: int,
        norm: Callable[[int], nn.Module],
        dropout: float = 0.0,
        scale_shift: bool = True,
        resample: type[Upsample] | type[Downsample] | None = None,
    ) -> None:
        super().__init__()
        self.scale_shift = scale_shift
        self.resample = resample(channels) if resample else None
        last = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        in_norm, out_norm = norm(channels), norm(out_channels)
        in_rest = [nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1)]
        out_rest = [nn.SiLU(), nn.Dropout(dropout), last]
        self.is_spade = isinstance(in_norm, SPADEGroupNorm)
        if self.is_spade:
            self.in_norm, self.out_norm = in_norm, out_norm
        else:
            in_rest.insert(0, in_norm)
            out_rest.insert(0, out_norm)
        self.in_layers = nn.Sequential(*in_rest)
        self.emb_layers = nn.Sequential(
            nn.SiLU(), nn.Linear(emb_channels, out_channels * (1 + scale_shift))
        )
        self.out_layers = nn.Sequential(*out_rest)
        same = channels == out_channels
        self.skip_connection = nn.Identity() if same else nn.Conv2d(channels, out_channels, 1)

    @property
    def norms(self) -> tuple[nn.Module, nn.Module]:
        """The two norms, in the order in which they act."""
        return (
            (self.in_norm, self.out_norm)
            if self.is_spade
            else (self.in_layers[0], self.out_layers[0])
        )

    def forward(
        self, x: Tensor, emb: Tensor, layout: tuple[Modulation | Tensor, ...] | None = None
    ) -> Tensor:
        """x `[N, C, H, W]`, emb `[N, E]`; `layout` is what the two SPADE norms read."""
        plain = 0 if self.is_spade else 1  # layers that the norm takes up
        first, second = layout or (None, None)
        *in_rest, in_conv = self.in_layers[plain:]
        h = self._normed(0, x, first)
        for layer in in_rest:
            h = layer(h)
        if self.resample is not None:
            h, x = self.resample(h), self.resample(x)
        h = in_conv(h)
        step = self.emb_layers(emb)[:, :, None, None]
        if self.scale_shift:
            scale, shift = step.chunk(2, dim=1)
            h = torch.addcmul(shift, self._normed(1, h, second), 1 + scale)
        else:
            h = self._normed(1, h + step, second)
        return self.skip_connection(x) + self.out_layers[plain:](h)

    def _normed(self, which: int, x: Tensor, layout: Modulation | Tensor | None) -> Tensor:
        norm = self.norms[which]
        return norm(x, layout) if self.is_spade else norm(x)
