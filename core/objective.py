"""What training minimises: a batch goes in, named losses come out.

An objective is a module that owns the network it trains as `.model`. Its randomness comes from the
seeds of the samples alone, so a sample's loss does not depend on its batch, its process or a
resumed run.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from core.losses import per_sample_mean, simple_weight, vlb_term
from core.model.autoencoder import Autoencoder
from core.model.unet import SDMUNet
from core.onehot import one_hot
from core.perceptual import LPIPS
from core.schedule import Schedule, at

Batch = dict[str, Tensor]


def seeded_noise(
    seeds: Tensor, shape: Sequence[int], device: torch.device, salt: int = 0
) -> Tensor:
    """Standard normal `[N, *shape]`, one generator a sample. `salt` tells several draws apart.

    Drawn on the CPU: the same numbers on every device.
    """
    noise = [torch.randn(*shape, generator=_generator(s, salt)) for s in seeds.tolist()]
    return torch.stack(noise).to(device)


def seeded_uniform(seeds: Tensor, device: torch.device, salt: int) -> Tensor:
    """Uniform [0, 1) of `[N]`, one generator a sample."""
    draws = [torch.rand((), generator=_generator(s, salt)) for s in seeds.tolist()]
    return torch.stack(draws).to(device)


def _generator(seed: int, salt: int) -> torch.Generator:
    return torch.Generator().manual_seed((seed ^ (salt * 0x9E3779B97F4A7C15)) & (2**63 - 1))


class AutoencoderObjective(nn.Module):
    """L1 + LPIPS + a little weight on large latents; noise on the latents makes them smooth.

    A batch has `image` `[N, 3, H, W]` in [-1, 1] and `seed` `[N]`, and `labels` `[N, H, W]` (and
    `edges`) for a decoder that reads the layout. `perceptual` None trains on L1 alone.
    """

    def __init__(
        self,
        model: Autoencoder,
        perceptual: LPIPS | None = None,
        perceptual_weight: float = 0.5,
        latent_noise: float = 0.05,
        latent_weight: float = 1e-4,
        layout_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.model, self.perceptual = model, perceptual
        self.layout_dropout = layout_dropout
        self.perceptual_weight = perceptual_weight
        self.latent_noise, self.latent_weight = latent_noise, latent_weight

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return self.compare(batch)[0]

    def compare(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """The losses, and the decoded pictures that they are of."""
        image = batch["image"]
        latents = self.model.raw_latents(image).float()
        noise = seeded_noise(batch["seed"], latents.shape[1:], latents.device)
        noisy = latents + self.latent_noise * noise
        picture = self.model.raw_decode(noisy, self.layout(batch)).float()
        losses = {"l1": (picture - image).abs().mean(), "latent": latents.square().mean()}
        total = losses["l1"] + self.latent_weight * losses["latent"]
        if self.perceptual is not None:
            picture_part, image_part = shifted((picture, image), batch["seed"])
            losses["lpips"] = self.perceptual(picture_part, image_part).mean()
            total = total + self.perceptual_weight * losses["lpips"]
        return {"loss": total, **losses}, picture

    def layout(self, batch: Batch) -> Tensor | None:
        """y for a decoder that reads it, now and then the null layout; None for any other."""
        channels = self.model.spec.layout_labels
        if not channels:
            return None
        edges = batch.get("edges")
        y = one_hot(batch["labels"], channels - (edges is not None), edges)
        return dropped(y, batch["seed"], self.layout_dropout)


def levelled(x: Tensor, norm: float) -> Tensor:
    """x, to which a gradient comes back with the norm `norm` / N of each sample."""
    through = x.view_as(x)

    def level(gradient: Tensor) -> Tensor:
        sizes = gradient.flatten(1).norm(dim=1).clamp(min=1e-12).reshape(-1, 1, 1, 1)
        return gradient * (norm / len(gradient) / sizes)

    if through.requires_grad:
        through.register_hook(level)
    return through


def shifted(pictures: Sequence[Tensor], seeds: Tensor) -> list[Tensor]:
    """Each of `pictures` `[N, C, H, W]` cut to H-3, W-3 at a corner 0..3 that its seed chooses.

    AlexNet looks at every fourth pixel: always from the same corner, a pattern of four pixels would
    cost nothing, and the decoder learns to draw one.
    """
    rows, columns = (
        (seeded_uniform(seeds, torch.device("cpu"), salt) * 4).int().tolist()
        for salt in SHIFT_SALTS
    )
    height, width = (side - 3 for side in pictures[0].shape[-2:])
    corners = list(zip(rows, columns, strict=True))
    return [
        torch.stack([p[:, y : y + height, x : x + width] for p, (y, x) in zip(part, corners)])
        for part in pictures
    ]


# Tell the draws of one sample apart; 0 is its noise.
T_SALT, DROP_SALT, SHIFT_SALTS = 1, 2, (3, 4)


def dropped(y: Tensor, seeds: Tensor, share: float) -> Tensor:
    """y with the null layout for a share of the samples, chosen by their seeds."""
    keep = seeded_uniform(seeds, y.device, DROP_SALT) >= share
    return y * keep.reshape(-1, 1, 1, 1)


def balanced_weights(shares: Tensor, power: float, limit: float = 5.0) -> Tensor:
    """Weights `[n]` of labels that cover `shares` `[n]` of the pixels: share ** -power.

    Scaled so that the mean over all pixels is about 1, and at most `limit`; power 0 treats pixels
    alike, power 1 labels alike.
    """
    raw = shares.clamp(min=1e-6) ** -power
    return (raw / (raw * shares).sum()).clamp(max=limit)


def diffusion_inputs(batch: Batch, num_labels: int) -> tuple[Tensor, Tensor]:
    """x0 and y of a batch: latents with label coverage, or pictures with their labels."""
    if "y" in batch:
        return batch["x0"].float(), batch["y"].float()
    return batch["image"], one_hot(batch["labels"], num_labels, batch.get("edges"))


class DiffusionObjective(nn.Module):
    """L_simple + lambda L_vlb of the SDM paper, at one random timestep a sample.

    A batch has `seed` `[N]` and either latents `x0` with label coverage `y`, or `image` with
    `labels` (and `edges`). `label_dropout` is the share of samples that see the null layout, so
    that guidance has an unconditional branch (0.2 in the paper's fine-tuning). `vlb_weight` is
    lambda on the sum of T terms. `label_weights` `[num_labels]`, if given, is what an error counts
    where a label is.
    """

    def __init__(
        self,
        model: SDMUNet,
        schedule: Schedule,
        num_labels: int,
        label_dropout: float = 0.0,
        weighting: str = "uniform",
        vlb_weight: float = 0.001,
        label_weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.model, self.schedule, self.num_labels = model, schedule, num_labels
        self.label_dropout, self.vlb_weight = label_dropout, vlb_weight
        self.register_buffer("label_weights", label_weights)
        self.weight = simple_weight(schedule, model.spec.prediction, weighting)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        x0, y = diffusion_inputs(batch, self.num_labels)
        seeds, kind = batch["seed"], self.model.spec.prediction
        t = (seeded_uniform(seeds, x0.device, T_SALT) * len(self.schedule)).long()
        noise = seeded_noise(seeds, x0.shape[1:], x0.device)
        x = self.schedule.q_sample(x0, t, noise)
        output, v = self.model(x, t, dropped(y, seeds, self.label_dropout)).float().chunk(2, dim=1)
        squared = (output - self.schedule.target(kind, x0, t, noise)) ** 2
        error = per_sample_mean(squared * self.pixel_weights(y))
        simple = (at(self.weight, t, error).flatten() * error).mean()
        predicted = self.schedule.x0_from_output(kind, x, t, output)
        discrete = self.model.spec.autoencoder is None
        vlb = vlb_term(self.schedule, x0, x, t, predicted, v, discrete).mean()
        total = simple + self.vlb_weight * len(self.schedule) * vlb
        return {"loss": total, "simple": simple, "vlb": vlb, "mse": error.mean()}

    def pixel_weights(self, y: Tensor) -> Tensor | float:
        """`[N, 1, H, W]`: what an error counts at each pixel, by the labels that are there."""
        if self.label_weights is None:
            return 1.0
        weights = self.label_weights.reshape(1, -1, 1, 1)
        return (y[:, : self.num_labels] * weights).sum(1, keepdim=True)
