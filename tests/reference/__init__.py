"""The golden numbers of the official implementation, and the rules that made them.

Beside them the yardstick, a plain writing of the official procedure: `network` (the U-Net),
`sampling` (the guided step and ancestral sampling) and `training` (loss and step). It may be slow;
`python -m core.bench` measures by it, and loads this folder by its path.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.labelmap import layout_edges
from core.model.spec import ModelSpec
from core.onehot import one_hot
from core.schedule import Prediction, Schedule

GOLDEN = Path(__file__).parent.parent / "golden"
UNETS = ("unet_ade20k_small", "unet_celeba_small", "unet_cityscapes_small")
DIFFUSIONS = ("diffusion_ddim25_eta0_s2", "diffusion_ddpm20_s1", "diffusion_ddpm50_s1.5")


class Golden:
    """One file of golden numbers: arrays by attribute as tensors, `config` as a dict."""

    def __init__(self, name: str) -> None:
        self._data = np.load(GOLDEN / f"{name}.npz")
        self.config = json.loads(str(self._data["config"]))

    def __getattr__(self, name: str) -> Tensor:
        return torch.from_numpy(self._data[name])

    def keys(self) -> dict[str, list[int]]:
        return dict(json.loads(str(self._data["keys"])))

    def y(self) -> Tensor:
        """The one-hot layout; a label map is its own instance map where edges are used."""
        classes = self.config.get("label_classes") or self.config["classes"]
        if not self.config.get("instance_edges"):
            return one_hot(self.label_map, classes)
        edges = [torch.from_numpy(layout_edges(one.numpy(), None)) for one in self.label_map]
        return one_hot(self.label_map, classes, torch.stack(edges))


def seeded_tensor(key: str, shape: list[int], seed: int) -> Tensor:
    """The weight that the golden numbers were computed with."""
    rng = np.random.RandomState((zlib.crc32(key.encode()) ^ seed) & 0xFFFFFFFF)
    normal = torch.from_numpy(rng.standard_normal(shape).astype(np.float32))
    if len(shape) > 1:
        return normal / float(np.sqrt(np.prod(shape[1:])))
    return 1 + 0.1 * normal if key.endswith("weight") else 0.1 * normal


def spec_of(config: dict) -> ModelSpec:
    """A ModelSpec from the official constructor's arguments."""
    known = {f.name for f in fields(ModelSpec)}
    return ModelSpec.from_dict({k: v for k, v in config.items() if k in known})


def closed_form(x: Tensor, t: Tensor | int, y: Tensor) -> Tensor:
    """The network of the diffusion files: `[N, 6, H, W]`, t in original timesteps."""
    weights = torch.cos(torch.arange(y.shape[1]).float()).view(1, -1, 1, 1)
    c = (y * weights).mean(1, keepdim=True)
    time = torch.as_tensor(t).float().reshape(-1, 1, 1, 1) / 1000
    return torch.cat([torch.sin(1.3 * x) + 0.2 * c + 0.1 * time, 0.5 * torch.cos(x + time)], dim=1)


def official_guidance(conditional: Tensor, null: Tensor, scale: float) -> Tensor:
    """Guidance as the official code has it: the first three channels, only for scales above 1."""
    if scale <= 1:
        return conditional
    guided = null[:, :3] + scale * (conditional[:, :3] - null[:, :3])
    return torch.cat([guided, conditional[:, 3:]], dim=1)


def closed_form_denoise(golden: Golden, schedule: Schedule):
    """denoise(x, t) with the closed-form network and the file's guidance scale."""
    y = golden.y()

    def denoise(x: Tensor, t: int) -> Prediction:
        null = closed_form(x, t, torch.zeros_like(y))
        out = official_guidance(closed_form(x, t, y), null, golden.config["guidance_scale"])
        x0 = schedule.x0_from_eps(x, t, out[:, :3]).clamp(-1, 1)
        return Prediction(schedule.eps_from_x0(x, t, x0), x0, out[:, 3:])

    return denoise
