"""The yardstick computes what the official code computed: speed is compared with nothing else."""

from functools import partial

import numpy as np
import pytest
import torch

from tests.reference import DIFFUSIONS, UNETS, Golden, closed_form, seeded_tensor, spec_of
from tests.reference.network import network
from tests.reference.sampling import ancestral, guided

ABAR = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))


@pytest.mark.parametrize("name", UNETS)
def test_the_network_is_the_official_one(name):
    """With a layout and with zeros in its place, to 1e-5 in float32."""
    golden = Golden(name)
    seed = golden.config["seed"]
    weights = {key: seeded_tensor(key, shape, seed) for key, shape in golden.keys().items()}
    model = partial(network, weights, spec_of(golden.config))
    for y, expected in ((golden.y(), golden.out), (0 * golden.y(), golden.out_null)):
        out = model(golden.x, golden.t, y)
        assert (out - expected).norm() < 1e-5 * expected.norm()


def test_a_guided_step_makes_two_passes_and_keeps_the_variance():
    """null + s (y - null) on the prediction; the variance is that of the layout's pass."""
    layouts = []

    def model(x, t, y):
        layouts.append(float(y.sum()))
        return torch.cat([x + y, y], dim=1)

    x, y = torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)
    out = guided(model, x, torch.tensor([3]), y, 1.5)
    assert layouts == [12.0, 0.0]
    assert (out[:, :3] == 1.5).all() and (out[:, 3:] == 1).all()
    guided(model, x, torch.tensor([3]), y, 1.0)
    assert len(layouts) == 3


@pytest.mark.parametrize("name", [n for n in DIFFUSIONS if "ddpm" in n])
def test_the_walk_is_the_official_one(name):
    """x and the predicted x0 at three steps of the way, to 1e-5."""
    golden = Golden(name)
    config, stops = golden.config, golden.timestep_map.tolist()
    scale = config["guidance_scale"]
    moments = list(
        ancestral(closed_form, ABAR, stops, golden.x_T, golden.noise, golden.y(), scale)
    )[::-1]
    for place, x, x0 in zip(golden.traj_index, golden.traj_x, golden.traj_x0, strict=True):
        torch.testing.assert_close(moments[place][0], x, atol=1e-5, rtol=0)
        torch.testing.assert_close(moments[place][1], x0, atol=1e-5, rtol=0)
