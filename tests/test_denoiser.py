"""Guidance is exact, cheap, and adjustable while it runs."""

import pytest
import torch

from core import denoiser
from core.denoiser import Denoiser
from core.schedule import ScheduleSpec
from tests.reference import official_guidance

SCHEDULE = ScheduleSpec().build()


class Counted:
    """A network that counts how often its parts are called."""

    def __init__(self, network):
        self.network, self.spec = network, network.spec
        self.calls = {"encode": 0, "embed_layout": 0, "decode": 0}

    def __getattr__(self, name):
        def call(*args):
            self.calls[name] += 1
            return getattr(self.network, name)(*args)

        return call


@pytest.fixture
def scene():
    """x and a layout of three labels."""
    torch.manual_seed(0)
    return torch.randn(2, 3, 16, 16), torch.rand(1, 3, 16, 16)


@pytest.mark.parametrize("scale", [0.0, 1.0, 1.5, 4.0])
def test_sharing_and_caching_change_nothing(make_unet, scene, scale):
    """Shared encoder and cached modulations give what two full passes of the network give."""
    network, (x, y) = make_unet(), scene
    t = torch.full((2,), 400)
    full, null = (network(x, t, part.expand(2, -1, -1, -1)) for part in (y, 0 * y))
    expected = null[:, :3] if scale == 0 else official_guidance(full, null, scale)[:, :3]
    denoise = Denoiser(network, SCHEDULE, y, (16, 16), scale)
    for _ in range(2):  # the second time from the cache
        torch.testing.assert_close(denoise.output(x, 400, scale)[:, :3], expected)


def test_both_branches_of_one_picture_share_a_pass(make_unet, scene, monkeypatch):
    """After the first step: as one batch of two they give what they give alone."""
    network, (x, y) = Counted(make_unet()), scene

    def second_step(x):
        denoise = Denoiser(network, SCHEDULE, y, (16, 16), 3.0)
        denoise(x, 900)
        network.calls["decode"] = 0
        return denoise(x, 400).x0, network.calls["decode"]

    together, passes = second_step(x[:1])
    alone, passes_alone = second_step(x)
    assert (passes, passes_alone) == (1, 2)
    torch.testing.assert_close(together, alone[:1])
    monkeypatch.setattr(denoiser, "MAX_PAIRED", 255)  # a large picture goes one by one
    assert second_step(x[:1])[1] == 2


def test_the_variance_stays_the_conditional_one(make_unet, scene):
    """Guidance acts on the prediction, not on the learned variance."""
    network, (x, y) = make_unet(), scene
    outputs = [Denoiser(network, SCHEDULE, y, (16, 16)).output(x, 9, scale) for scale in (1.0, 3.0)]
    assert torch.equal(outputs[0][:, 3:], outputs[1][:, 3:])
    assert not torch.allclose(outputs[0][:, :3], outputs[1][:, :3])


@pytest.mark.parametrize("scale, decodes", [(1.0, 1), (2.0, 2)])
def test_scale_one_is_one_pass(make_unet, scene, scale, decodes):
    """Per step one encoder pass and one decoder pass a branch; one embedding a branch in all."""
    network, (x, y) = Counted(make_unet()), scene
    denoise = Denoiser(network, SCHEDULE, y, (16, 16), scale)
    for t in (900, 500, 100):
        denoise(x, t)
    assert network.calls == {"encode": 3, "embed_layout": decodes, "decode": 3 * decodes}


def test_the_scale_may_change_between_steps(make_unet, scene):
    """A callable is asked before every step; what it said is remembered."""
    scales = iter([1.0, 3.0, 2.0])
    denoise = Denoiser(make_unet(), SCHEDULE, scene[1], (16, 16), lambda: next(scales))
    moving = [denoise(scene[0], t).eps for t in (900, 500, 100)]
    fixed = Denoiser(denoise.model, SCHEDULE, scene[1], (16, 16), 3.0)
    assert torch.equal(moving[1], fixed(scene[0], 500).eps)
    assert denoise.scales == [1.0, 3.0, 2.0]


def test_guidance_acts_in_a_part_of_the_walk(make_unet, scene):
    """Above its start the step is that of no guidance, in one pass; from there on as ever."""
    network, (x, y) = Counted(make_unet()), scene
    late = Denoiser(network, SCHEDULE, y, (16, 16), 3.0, guidance_start=0.5)
    plain, full = (Denoiser(network, SCHEDULE, y, (16, 16), s) for s in (1.0, 3.0))
    assert torch.equal(late(x, 501).eps, plain(x, 501).eps)
    assert torch.equal(late(x, 500).eps, full(x, 500).eps)
    assert late.scales == [3.0, 3.0]  # what was asked for
    network.calls["decode"] = 0
    late(x, 999)
    assert network.calls["decode"] == 1


@pytest.mark.parametrize("kind", ["eps", "v", "x0"])
@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_everything_else_sees_eps_and_x0(make_unet, scene, kind, scale):
    """Whatever the network predicts, eps and x0 are two views of the same x."""
    latent = dict(in_channels=3, prediction=kind)
    denoise = Denoiser(make_unet(**latent), SCHEDULE, scene[1], (16, 16), scale)
    x, t = scene[0], 300
    prediction = denoise(x, t)
    torch.testing.assert_close(SCHEDULE.q_sample(prediction.x0, t, prediction.eps), x)


def test_pixels_are_clipped(make_unet, scene):
    """The predicted picture of a pixel model stays within [-1, 1]."""
    prediction = Denoiser(make_unet(prediction="x0"), SCHEDULE, scene[1], (16, 16), 8.0)(
        scene[0] * 9, 10
    )
    assert prediction.x0.abs().max() == 1.0
