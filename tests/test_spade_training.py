"""How SPADE learns: who learns from which loss, the whole command, and several processes as one."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from core import train
from core.model.spade import (
    MultiscaleDiscriminator,
    SpadeEncoder,
    SpadeGenerator,
    SyncedNorm,
    start_as_official,
)
from core.model.spec import SpadeSpec
from core.opening import open_model
from core.request import Layout
from core.spade_objective import SpadeDuel, SpadeObjective, hinge, matched
from tests.learners import learners

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def objective():
    torch.manual_seed(0)
    spec = SpadeSpec(3, ngf=2, crop_size=32, use_vae=True, z_dim=4)
    judge = MultiscaleDiscriminator(3, ndf=4)
    return SpadeObjective(SpadeDuel(SpadeGenerator(spec), judge, SpadeEncoder(spec)), 3)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    return {
        "image": torch.rand(2, 3, 32, 32, generator=generator) * 2 - 1,
        "labels": torch.randint(0, 3, (2, 32, 32), generator=generator, dtype=torch.uint8),
        "seed": torch.arange(2),
    }


def test_neither_side_learns_from_the_others_loss(objective, batch):
    """The style encoder is on the generator's side; the divergence teaches it alone."""
    makers = {"generator", "encoder"}
    for name, wanted in (("passing", makers), ("matching", makers), ("prior", {"encoder"})):
        assert learners(objective, objective(batch)[name]) == wanted, name
    assert learners(objective, objective(batch)["judging"]) == {"judge"}


def test_the_losses_are_those_of_the_paper():
    """Hinge: scores on the wrong side of the margin cost. Features: all layers but the scores."""
    scores = [[torch.zeros(1), torch.tensor([2.0, 0.5])], [torch.zeros(1), torch.tensor([-3.0])]]
    assert hinge(scores, 1) == (0.25 + 4) / 2 and hinge(scores, -1) == (2.25 + 0) / 2
    other = [[torch.ones(1), torch.tensor([9.0, 9.0])], [torch.full((1,), 3.0), torch.zeros(1)]]
    assert matched(scores, other) == (1 + 3) / 2


def test_it_starts_as_the_official_network(objective):
    start_as_official(objective.model)
    weight = objective.model.generator.head_0.conv_0.weight_orig.detach()
    fan = weight[0].numel() + weight[:, 0].numel()
    assert float(weight.std()) == pytest.approx(0.02 * (2 / fan) ** 0.5, rel=0.05)


def test_the_command_trains_and_what_it_exports_paints(photos, palette_file, tmp_path):
    """With styles; goes on where it stopped."""
    common = ["--data", str(photos), "--palette", str(palette_file), "--stage", "spade"]
    common += ["--size", "32", "--batch", "2", "--out", str(tmp_path / "run"), "--threads", "1"]
    common += ["--spec", '{"ngf": 2, "use_vae": true, "z_dim": 4}']
    assert train.main([*common, "--steps", "1"]) == 0
    assert train.main([*common, "--steps", "2", "--resume"]) == 0
    with (tmp_path / "run" / "log.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["prior"]) > 0 and float(last["matching"]) > 0
    painter = open_model(tmp_path / "run" / "weights.safetensors", "cpu", "float32")
    layout = Layout(np.zeros((32, 64), np.uint8), painter.info.palette)
    style = painter.style_of(np.zeros((20, 20, 3), np.uint8))
    assert painter.paint(layout, style).shape == (32, 64, 3) and style.vector.shape == (4,)


RANK = """
import sys, torch, torch.distributed as dist
from core.model.spade import SyncedNorm
rank, folder = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
norm, given = SyncedNorm(3, folded=False), torch.load(f"{folder}/x.pt")
x = given["x"].chunk(2)[rank].requires_grad_()
out = norm(x)
(out * given["weight"].chunk(2)[rank]).sum().backward()
told = {"out": out.detach(), "grad": x.grad, "mean": norm.running_mean, "var": norm.running_var}
torch.save(told, f"{folder}/{rank}.pt")
dist.destroy_process_group()
"""


def test_two_processes_share_their_statistics(tmp_path):
    """Values, gradients and running statistics are those of one process with all the samples."""
    x, weight = torch.randn(4, 3, 5, 5) * 2 + 1, torch.randn(4, 3, 5, 5)
    torch.save({"x": x, "weight": weight}, tmp_path / "x.pt")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-W", "ignore", "-c", RANK]
    running = [
        subprocess.Popen([*words, str(rank), str(tmp_path)], env=environment) for rank in (0, 1)
    ]
    assert [process.wait() for process in running] == [0, 0]
    norm = SyncedNorm(3, folded=False)
    x.requires_grad_()
    out = norm(x)
    (out * weight).sum().backward()
    parts = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    torch.testing.assert_close(torch.cat([p["out"] for p in parts]), out.detach())
    torch.testing.assert_close(torch.cat([p["grad"] for p in parts]), x.grad)
    torch.testing.assert_close(parts[1]["mean"], norm.running_mean)
    torch.testing.assert_close(parts[0]["var"], norm.running_var)
