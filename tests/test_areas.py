"""Guidance and seed differ from place to place; without a map nothing changes at all."""

import numpy as np
import pytest
import torch

from core.areas import AreaNoise, middles, noise_of, scale_map
from core.denoiser import Denoiser
from core.engine import Engine
from core.request import Layout, RequestError, Result, SampleRequest
from core.sampling import SeedNoise
from core.schedule import ScheduleSpec

SCHEDULE = ScheduleSpec().build()


@pytest.fixture(params=[False, True], ids=["pixels", "latents"])
def engine(request, make_checkpoint):
    """A tiny engine of either kind, in float32."""
    return Engine.open(make_checkpoint(latent=request.param), device="cpu", precision="float32")


@pytest.fixture
def layout(palette):
    """Sky over ground, 64x64."""
    labels = np.zeros((64, 64), np.uint8)
    labels[:32] = 1
    return Layout(labels, palette)


def picture(engine, layout, **fields):
    request = SampleRequest(layout, **{"steps": 3, "guidance_scale": 2.0, "seed": 4, **fields})
    [result] = (e for e in engine.sample(request) if isinstance(e, Result))
    return result.image


def upper(value, rest, kind):
    made = np.full((64, 64), rest, kind)
    made[:32] = value
    return made


def test_a_map_of_the_same_everywhere_is_no_map(engine, layout):
    """Ones, and -1 as every seed: the picture is the same to the bit."""
    plain = picture(engine, layout)
    ones = picture(engine, layout, guidance_map=upper(1, 1, np.float32))
    own = picture(engine, layout, seed_map=upper(-1, -1, np.int32))
    assert np.array_equal(plain, ones) and np.array_equal(plain, own)


def test_a_doubled_map_is_a_doubled_scale(engine, layout):
    """The map multiplies the scale."""
    doubled = picture(engine, layout, guidance_map=upper(2, 2, np.float32))
    assert np.array_equal(doubled, picture(engine, layout, guidance_scale=4.0))


def test_the_seed_of_a_map_is_the_seed_of_a_picture(engine, layout):
    """Seed 9 at every pixel of a picture of seed 4 makes the picture of seed 9."""
    mapped = picture(engine, layout, seed_map=upper(9, 9, np.int32))
    assert np.array_equal(mapped, picture(engine, layout, seed=9))


def test_guidance_acts_where_its_map_says(make_unet):
    """One step: above the scale is 4, below it is 1, each as if it were so everywhere."""
    torch.manual_seed(0)
    x, y = torch.randn(1, 3, 16, 16), torch.rand(1, 3, 16, 16)
    network, areas = make_unet(), torch.ones(1, 1, 16, 16)
    areas[..., :8, :] = 4.0
    mapped = Denoiser(network, SCHEDULE, y, (16, 16), 1.0, scale_map=areas).output(x, 400, 1.0)
    strong, plain = (
        Denoiser(network, SCHEDULE, y, (16, 16)).output(x, 400, scale) for scale in (4.0, 1.0)
    )
    torch.testing.assert_close(mapped[..., :8, :], strong[..., :8, :])
    torch.testing.assert_close(mapped[..., 8:, :], plain[..., 8:, :])
    assert not torch.allclose(mapped, plain)


def test_a_student_takes_the_mean(make_unet):
    """It knows one scale a picture: that of the whole."""
    torch.manual_seed(0)
    x, y = torch.randn(1, 3, 16, 16), torch.rand(1, 3, 16, 16)
    student, areas = make_unet(guidance_embedding=True), torch.ones(1, 1, 16, 16)
    areas[..., :8, :] = 3.0
    mapped = Denoiser(student, SCHEDULE, y, (16, 16), scale_map=areas).output(x, 400, 1.5)
    assert torch.equal(mapped, Denoiser(student, SCHEDULE, y, (16, 16)).output(x, 400, 3.0))


def test_a_map_is_averaged_into_the_cells_of_latents(layout):
    """8 x 8 pixels become one value; a feathered border stays soft."""
    ramp = np.tile(np.arange(64, dtype=np.float32), (64, 1))
    found = scale_map(SampleRequest(layout, guidance_map=ramp), (8, 8))
    assert found.shape == (1, 1, 8, 8)
    assert found[0, 0, 3].tolist() == [i * 8 + 3.5 for i in range(8)]
    assert scale_map(SampleRequest(layout), (8, 8)) is None


def test_each_area_has_the_noise_of_its_seed(layout):
    """At every draw; the rest has the noise of the picture, as in a picture without a map."""
    request = SampleRequest(layout, seed=4, count=2, seed_map=upper(9, -1, np.int32))
    noise, other = noise_of(request, (4, 8, 8)), SeedNoise([9], (4, 8, 8))
    plain = SeedNoise([4, 5], (4, 8, 8))
    for _ in range(3):
        drawn, nine, own = noise(), other()[0], plain()
        assert torch.equal(drawn[:, :, 4:], own[:, :, 4:])
        assert torch.equal(drawn[0, :, :4], nine[:, :4])
        assert torch.equal(drawn[1, :, :4], nine[:, :4])


def test_mixed_noise_is_as_strong_as_plain_noise():
    """Mean 0 and variance 1 with no border between the seeds: neighbours stay uncorrelated."""
    seeds = np.indices((96, 96)).sum(0) % 3 - 1  # three seeds in every neighbourhood
    noise = AreaNoise(SeedNoise([7], (8, 96, 96)), seeds)
    drawn = torch.stack([noise() for _ in range(20)])
    assert float(drawn.mean()) == pytest.approx(0, abs=0.005)
    assert float(drawn.var()) == pytest.approx(1, abs=0.005)
    assert float((drawn[..., 1:] * drawn[..., :-1]).mean()) == pytest.approx(0, abs=0.005)


def test_the_middle_of_a_cell_speaks_for_it():
    """A label that ends within a cell has it if it reaches the middle."""
    values = np.zeros((16, 16), np.int32)
    values[:5] = 1
    assert middles(values, (2, 2)).tolist() == [[1, 1], [0, 0]]
    values[4:5] = 0
    assert middles(values, (2, 2)).tolist() == [[0, 0], [0, 0]]


def test_maps_are_frozen_copies(layout):
    """Nobody can write to them afterwards; another request of the same shares them."""
    given = upper(2, 1, np.float32)
    request = SampleRequest(layout, guidance_map=given)
    given[:] = 7
    assert request.guidance_map.max() == 2 and not request.guidance_map.flags.writeable
    assert request.single(5).guidance_map is request.guidance_map


@pytest.mark.parametrize(
    "fields, says",
    [
        (dict(guidance_map=np.ones((2, 2), np.float32)), r"\[64, 64\].*\[2, 2\]"),
        (dict(guidance_map=upper(1, 1, np.float64)), "float32"),
        (dict(guidance_map=upper(-1, 1, np.float32)), "from -1"),
        (dict(guidance_map=upper(np.nan, 1, np.float32)), "nan"),
        (dict(seed_map=upper(-2, 0, np.int32)), "from -2"),
        (dict(seed_map=upper(0, 0, np.uint8)), "int32"),
    ],
)
def test_a_map_that_makes_no_sense_is_refused(layout, fields, says):
    """What it is and what it must be are named."""
    with pytest.raises(RequestError, match=says):
        SampleRequest(layout, **fields)


def test_the_recipe_tells_what_the_maps_were_made_from(layout):
    """By labels' names, without the arrays; a recipe without controls is as it always was."""
    controls = {"sky": {"guidance": 2.0, "seed": 9}}
    told = SampleRequest(layout, label_controls=controls).recipe()
    assert told["label_controls"] == controls
    assert "label_controls" not in SampleRequest(layout).recipe()
