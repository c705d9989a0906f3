"""A small patch discriminator: is this patch a photo or a decoder's work? (Isola et al. 2017)"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class PatchDiscriminator(nn.Module):
    """Pictures `[N, 3, H, W]` in [-1, 1] to scores `[N, 1, H/8, W/8]`: above 0 means photo.

    Each score sees a patch of 38 pixels. Spectral norm keeps it from running ahead of the decoder
    (Miyato et al. 2018); it has no other norm, which would mix the pictures of a batch.
    """

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        widths = (3, width, 2 * width, 4 * width)
        layers: list[nn.Module] = []
        for inner, outer in zip(widths, widths[1:]):
            conv = nn.Conv2d(inner, outer, 4, stride=2, padding=1)
            layers += [spectral_norm(conv), nn.LeakyReLU(0.2)]
        layers.append(spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1)))
        self.layers = nn.Sequential(*layers)

    def forward(self, picture: Tensor) -> Tensor:
        return self.layers(picture)
