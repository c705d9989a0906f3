"""Few steps instead of many: a student learns where the guided teacher's path ends.

Consistency distillation (Song et al. 2023, arXiv 2303.01469, algorithm 2) on latents with the
guidance scale as an input (Luo et al. 2023, arXiv 2310.04378): one pass of the student stands for a
whole guided path, at any scale of the range it was taught.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.denoiser import guide
from core.model.unet import SDMUNet
from core.objective import Batch, diffusion_inputs, seeded_noise, seeded_uniform
from core.sampling import trailing
from core.schedule import Schedule

INDEX_SALT, SCALE_SALT = 11, 12
SCALES = (1.0, 5.0)  # guidance scales that the student learns
GRID = 50  # DDIM steps of the teacher's path
HUBER = 0.03  # errors below this count by their square, above by their size


class ConsistencyObjective(nn.Module):
    """The student's x0 at t must be its own x0 one teacher step further down the same path.

    A batch is that of `DiffusionObjective`. `teacher` is frozen; `model`, the student, takes the
    scale as an input. The last step of the path ends at the teacher's own x0, which anchors it all.
    """

    def __init__(
        self,
        model: SDMUNet,
        teacher: SDMUNet,
        schedule: Schedule,
        num_labels: int,
        scales: tuple[float, float] = SCALES,
        grid: int = GRID,
    ) -> None:
        super().__init__()
        self.model, self.schedule, self.num_labels = model, schedule, num_labels
        self.teacher = teacher.eval().requires_grad_(False)
        self.scales = scales
        path = trailing(schedule, grid)  # falling, ends with -1
        self.path = torch.tensor(path[::-1])

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        x0, y = diffusion_inputs(batch, self.num_labels)
        seeds, device = batch["seed"], x0.device
        place = 1 + (seeded_uniform(seeds, device, INDEX_SALT) * (len(self.path) - 1)).long()
        t, t_prev = self.path.to(device)[place], self.path.to(device)[place - 1]
        low, high = self.scales
        scale = low + (high - low) * seeded_uniform(seeds, device, SCALE_SALT)
        x = self.schedule.q_sample(x0, t, seeded_noise(seeds, x0.shape[1:], device))

        size = (x.shape[-2], x.shape[-1])
        layout = self.model.embed_layout(y, size)
        student = self._x0(self.model, x, t, layout, scale)
        with torch.no_grad():
            guided, x_prev = self.teacher_step(x, t, t_prev, y, scale)
            further = self._x0(self.model, x_prev, t_prev.clamp(min=0), layout, scale)
            target = torch.where((t_prev < 0).reshape(-1, 1, 1, 1), guided, further)
        squared = (student - target).square().flatten(1).mean(1)
        loss = ((squared + HUBER**2).sqrt() - HUBER).mean()
        return {"loss": loss, "mse": squared.mean()}

    def teacher_step(
        self, x: Tensor, t: Tensor, t_prev: Tensor, y: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The teacher's guided x0, and x one DDIM step further down; t, t_prev, scale `[N]`."""
        size = (x.shape[-2], x.shape[-1])
        encoded = self.teacher.encode(x, t)
        embed = self.teacher.embed_layout
        conditional, null = (
            self.teacher.decode(encoded, layout, t).float()
            for layout in (embed(y, size), embed(torch.zeros_like(y[:1]), size))
        )
        guided, _ = guide(conditional, null, scale.reshape(-1, 1, 1, 1)).chunk(2, dim=1)
        kind = self.teacher.spec.prediction
        x0 = self.schedule.x0_from_output(kind, x, t, guided)
        eps = self.schedule.eps_from_x0(x, t, x0)
        lower = self.schedule.q_sample(x0, t_prev.clamp(min=0), eps)
        return x0, torch.where((t_prev < 0).reshape(-1, 1, 1, 1), x0, lower)

    def _x0(self, model: SDMUNet, x: Tensor, t: Tensor, layout: list, scale: Tensor) -> Tensor:
        output = model.decode(model.encode(x, t, scale), layout, t, scale).float()
        kind = model.spec.prediction
        return self.schedule.x0_from_output(kind, x, t, output.chunk(2, dim=1)[0])
