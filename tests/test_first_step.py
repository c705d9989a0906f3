"""The first step of a walk begins with what the last walk's knew without the layout."""

import pytest
import torch

from core.denoiser import Denoiser
from core.first_step import FirstStep
from core.schedule import ScheduleSpec
from tests.test_denoiser import Counted

SCHEDULE = ScheduleSpec().build()


def walk(network, first, x, y, scale, times=(900, 500)):
    denoise = Denoiser(network, SCHEDULE, y, (16, 16), scale, first=first)
    return [denoise(x + i, t).eps for i, t in enumerate(times)]


@pytest.mark.parametrize("scale", [0.0, 1.0, 2.0])
def test_another_layout_on_the_same_noise(make_unet, scale):
    """Encoder and null branch of the first step are not computed again, and nothing changes."""
    x, first = torch.randn(1, 3, 16, 16), FirstStep()
    network, one, other = Counted(make_unet()), torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)
    walk(network, first, x, one, scale)
    network.calls.update(encode=0, decode=0)
    again = walk(network, first, x, other, scale)
    plain = {0.0: 1, 1.0: 2, 2.0: 2}[scale]  # decoder passes of both steps, less the null one
    assert (network.calls["encode"], network.calls["decode"]) == (1, plain)
    for ours, theirs in zip(again, walk(network.network, None, x, other, scale), strict=True):
        assert torch.equal(ours, theirs)


def test_other_noise_or_another_timestep_is_computed(make_unet):
    """What was kept serves no other x and no other t."""
    y, first, network = torch.rand(1, 3, 16, 16), FirstStep(), make_unet()
    x = torch.randn(1, 3, 16, 16)
    walk(network, first, x, y, 2.0)
    for other, times in ((x + 1e-3, (900,)), (x, (700,))):
        ours, theirs = (walk(network, kept, other, y, 2.0, times)[0] for kept in (first, None))
        assert torch.equal(ours, theirs)


def test_large_pictures_are_not_kept(monkeypatch):
    """Their features would take hundreds of megabytes."""
    monkeypatch.setattr("core.first_step.MAX_PIXELS", 15)
    first, calls = FirstStep(), []
    for _ in range(2):
        first.recall("encoded", torch.zeros(1, 3, 4, 4), 900, lambda: calls.append(1))
    assert calls == [1, 1]
