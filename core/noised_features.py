"""What a trained denoiser's encoder sees of latents with a little noise.

A network that has learned to take noise away knows what its pictures are made of: its features tell
a made picture from a photo better than a discriminator that has to learn to see first, as in LADD
(Sauer et al., arXiv 2403.12015) and Projected GAN (Sauer et al., arXiv 2111.01007). The noise is
what the encoder was trained on, and it hides from a discriminator what no eye would see.
"""

from __future__ import annotations

from torch import Tensor, nn

from core.model.unet import SDMUNet
from core.objective import seeded_noise, seeded_uniform
from core.schedule import Schedule

TIMESTEPS = (5, 300)  # least and most noise: 0.03 to 0.78 of the noised latents
T_SALT, NOISE_SALT = 21, 22  # tell the draws of one sample apart


class NoisedFeatures(nn.Module):
    """Normalised latents `[N, C, h, w]` to features of each level of an encoder, finest first.

    Level k is `[N, widths[k], h / 2^k, w / 2^k]`. The encoder of `unet` never sees a layout.
    Frozen: gradients flow to the latents. `seeds` `[N]` choose timestep and noise, little noise
    more often than much.
    """

    def __init__(self, unet: SDMUNet, schedule: Schedule) -> None:
        super().__init__()
        self.unet, self.schedule = unet, schedule
        # Each level is a convolution or a way down, and blocks; its last block is looked at.
        per_level = unet.spec.num_res_blocks + 1
        levels = range(1, len(unet.spec.channel_mult) + 1)
        self.taps = [per_level * level - 1 for level in levels]
        self.widths = [unet.spec.model_channels * mult for mult in unet.spec.channel_mult]
        self.requires_grad_(False).eval()

    @property
    def multiple(self) -> int:
        """Sides of the latents must be multiples of this."""
        return 2 ** (len(self.widths) - 1)

    def forward(self, x: Tensor, seeds: Tensor) -> list[Tensor]:
        least, most = TIMESTEPS
        share = seeded_uniform(seeds, x.device, T_SALT).square()
        t = (least + (most - least) * share).long()
        noise = seeded_noise(seeds, x.shape[1:], x.device, NOISE_SALT)
        signal, sigma = self.schedule.signal_noise(t, x)
        h, emb = signal * x + sigma * noise, self.unet.embed_time(t)
        found = []
        for number, stage in enumerate(self.unet.input_blocks):
            h = stage.run(h, emb)
            if number in self.taps:
                found.append(h)
        return found
