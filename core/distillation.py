"""Few steps instead of many: a student learns to leap along the guided teacher's walks.

The way from noise to a picture is cut at a few timesteps, the student's stops. From the state of a
teacher's walk at one stop, a single guided DDIM step of the student must land on the state of the
same walk at the next: progressive distillation (Salimans & Ho 2022, arXiv 2202.00512) in one go, on
states that the guided teacher really comes by. The student keeps both branches of guidance and
learns through them: any scale goes on meaning what it did, and it begins as good as its teacher is
in as many steps. Nothing is learned from its own output, so learning starts at once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.denoiser import guide
from core.model.unet import SDMUNet
from core.objective import Batch
from core.schedule import Schedule

STOPS = (999, 666, 416, 166)  # timesteps that the student leaps from
TEACHER_STEPS = 12  # of dpmpp_2m, 1 - x/12 of the way: nearer to 24 than a student comes (008)
SCALES = (1.0, 5.0)  # guidance scales that the student learns


class Guided(nn.Module):
    """`(x, t, y, scale)` to the guided output `[N, 2C, h, w]`, each sample at its own scale."""

    def __init__(self, model: SDMUNet) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, t: Tensor, y: Tensor, scale: Tensor) -> Tensor:
        model, size = self.model, (x.shape[-2], x.shape[-1])
        encoded = model.encode(x, t)
        conditional, null = (
            model.decode(encoded, model.embed_layout(layout, size), t).float()
            for layout in (y, None)
        )
        return guide(conditional, null, scale.reshape(-1, 1, 1, 1))


class LeapObjective(nn.Module):
    """Where the student's DDIM step from t to s lands, against where the walk is at s.

    A batch has `x` and `landing` `[N, C, h, w]`, `t` and `s` `[N]` (s is -1 at the clean picture),
    `y` and `scale` `[N]`. An error counts as one of v: a DDIM step is a turn by an angle, and v is
    the velocity (Salimans & Ho 2022, appendix D), so all leaps weigh alike.

    guidance_start: that of the walks: at noisier timesteps the scale is 1.
    """

    def __init__(self, model: SDMUNet, schedule: Schedule, guidance_start: float = 1.0) -> None:
        super().__init__()
        self.model, self.schedule, self.guidance_start = model, schedule, guidance_start
        self.network = Guided(model)  # what is worth compiling

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        x, t = batch["x"].float(), batch["t"]
        scale = self.scale_at(t, batch["scale"])
        output = self.network(x, t, batch["y"], scale).chunk(2, dim=1)[0]
        return {"loss": self.errors(batch, output).mean()}

    def scale_at(self, t: Tensor, scale: Tensor) -> Tensor:
        """What walks of these scales are guided with at t, all `[N]`."""
        return torch.where(t <= self.guidance_start * len(self.schedule), scale, 1.0)

    def errors(self, batch: Batch, output: Tensor) -> Tensor:
        """Mean squared error of each leap `[N]` by the network's output."""
        x, landing, t, s = batch["x"].float(), batch["landing"].float(), batch["t"], batch["s"]
        landed = self.landed(x, t, s, output)
        return ((landed - landing) / self.turn(t, s, x)).square().flatten(1).mean(1)

    def landed(self, x: Tensor, t: Tensor, s: Tensor, output: Tensor) -> Tensor:
        """x_s by one DDIM step from x at t, both `[N]`."""
        x0 = self.schedule.x0_from_output(self.model.spec.prediction, x, t, output)
        eps = self.schedule.eps_from_x0(x, t, x0)
        signal, sigma = self._at(s, x)
        return signal * x0 + sigma * eps

    def turn(self, t: Tensor, s: Tensor, like: Tensor) -> Tensor:
        """Sine of the angle between x_t and x_s, `[N, 1, 1, 1]`."""
        (signal_t, sigma_t), (signal_s, sigma_s) = self._at(t, like), self._at(s, like)
        return sigma_t * signal_s - signal_t * sigma_s

    def _at(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Shares of signal and noise, where -1 is the clean picture."""
        signal, sigma = self.schedule.signal_noise(t.clamp(min=0), like)
        clean = (t < 0).reshape(-1, 1, 1, 1)
        return torch.where(clean, torch.ones_like(signal), signal), sigma * ~clean
