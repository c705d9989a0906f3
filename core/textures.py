"""What the places of each label look like, as a trained denoiser's encoder sees them.

The style loss of Gatys et al. (2016), label by label, on latents: products of features, averaged
over the places that show a label. Two pictures agree when their water has the same texture and
colours, wherever that water lies; so it asks for texture without asking for one picture, whose mean
would have none.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.model.unet import SDMUNet

TIMESTEP = 50  # that the encoder is told: latents with a trace of noise
LEVELS = 2  # of the encoder that are compared: 1/8 and 1/16 of the picture
MOST_LABELS = 4  # of a picture that are compared: the largest that both have
LEAST_PLACES = 4.0  # of a label in both pictures, in cells of 1/8, or it is not compared


class LabelTextures(nn.Module):
    """Distance `[N]` of the textures of normalised latents; 0 for equal ones, about 1 at most.

    Only the first levels of `unet`'s encoder are kept, which never sees a layout. Frozen: gradients
    flow to the latents.
    """

    def __init__(self, unet: SDMUNet) -> None:
        super().__init__()
        # Each level is a convolution or a way down, and blocks; its last block is looked at.
        per_level = unet.spec.num_res_blocks + 1
        self.stages = unet.input_blocks[: LEVELS * per_level]
        self.taps = range(per_level - 1, LEVELS * per_level, per_level)
        with torch.no_grad():
            emb = unet.embed_time(torch.full((1,), TIMESTEP, device=unet.device))
        self.register_buffer("emb", emb.float(), persistent=False)
        self.requires_grad_(False).eval()

    def maps(self, x: Tensor) -> list[Tensor]:
        """The features of x `[N, C, h, w]` that are compared, finest first."""
        found, emb = [], self.emb.expand(len(x), -1)
        for number, stage in enumerate(self.stages):
            x = stage.run(x, emb)
            if number in self.taps:
                found.append(x)
        return found

    def textures(self, maps: list[Tensor], shares: Tensor) -> list[Tensor]:
        """Mean products `[N, labels, K, K]` of each map's features and of 1, for each label."""
        return [label_products(part.float(), shares) for part in maps]

    def forward(self, x: Tensor, shares: Tensor, wanted: Tensor, their_shares: Tensor) -> Tensor:
        """How far x's textures are from those of the latents `wanted`.

        shares, their_shares: of the labels in each latent pixel, `[N, labels, h, w]`.
        """
        common = torch.minimum(shares.sum((2, 3)), their_shares.sum((2, 3)))
        common, labels = common.topk(min(MOST_LABELS, common.shape[1]), dim=1)
        shares, their_shares = (_chosen(part, labels) for part in (shares, their_shares))
        with torch.no_grad():
            aims = self.textures(self.maps(wanted), their_shares)
        mine = self.textures(self.maps(x), shares)
        weight = torch.where(common >= LEAST_PLACES, common.sqrt(), 0)
        weight = weight / weight.sum(1, keepdim=True).clamp(min=1e-6)
        parts = [products_distance(a, b) for a, b in zip(mine, aims, strict=True)]
        return sum((weight * part).sum(1) for part in parts) / len(parts)


def _chosen(shares: Tensor, labels: Tensor) -> Tensor:
    """The shares of each sample's `labels` `[N, k]` alone: `[N, k, h, w]`."""
    return torch.take_along_dim(shares, labels[:, :, None, None], dim=1)


def label_products(features: Tensor, shares: Tensor) -> Tensor:
    """Sum over a label's places of f f^T / places, f `[N, C, h, w]` with 1 beside it."""
    shares = F.adaptive_avg_pool2d(shares, features.shape[-2:]).flatten(2)
    features = torch.cat([features, torch.ones_like(features[:, :1])], dim=1).flatten(2)
    places = shares.sum(2).clamp(min=1e-3)
    weighted = features[:, None] * (shares / places[:, :, None])[:, :, None]
    return weighted @ features.transpose(1, 2)[:, None]


def products_distance(mine: Tensor, aims: Tensor) -> Tensor:
    """Mean difference `[N, labels]` of products, in units of the aim's own features."""
    energy = torch.diagonal(aims, dim1=-2, dim2=-1).clamp(min=1e-4).sqrt()
    scaled = (mine - aims) / energy[..., :, None] / energy[..., None, :]
    return scaled.abs().mean((-2, -1))
