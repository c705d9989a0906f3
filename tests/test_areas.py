"""Guidance and seed differ from place to place; without a map nothing changes at all."""

import numpy as np
import pytest
import torch

from core import regions
from core.areas import AreaNoise, middles, noise_of, scale_map
from core.denoiser import Denoiser
from core.inpainting import Known, Later, Original
from core.request import Inpaint, Layout, RequestError, Result, SampleRequest
from core.sampling import SeedNoise
from core.schedule import ScheduleSpec

SCHEDULE = ScheduleSpec().build()


@pytest.fixture
def layout(palette):
    """Sky over ground, 32x32."""
    labels = np.zeros((32, 32), np.uint8)
    labels[:16] = 1
    return Layout(labels, palette)


def picture(engine, layout, **fields):
    request = SampleRequest(layout, **{"steps": 3, "guidance_scale": 2.0, "seed": 4, **fields})
    [result] = (e for e in engine.sample(request) if isinstance(e, Result))
    return result.image


def upper(value, rest, kind):
    made = np.full((32, 32), rest, kind)
    made[:16] = value
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


def test_a_map_may_differ_from_picture_to_picture(make_unet):
    """One scale for each of a batch."""
    x, y, network = torch.randn(2, 3, 16, 16), torch.rand(2, 3, 16, 16), make_unet()
    each = torch.tensor([1.5, 4.0]).reshape(-1, 1, 1, 1)
    both = Denoiser(network, SCHEDULE, y, (16, 16), scale_map=each).output(x, 400, 1.0)
    for i, scale in enumerate((1.5, 4.0)):
        one = Denoiser(network, SCHEDULE, y[i : i + 1], (16, 16), scale)
        torch.testing.assert_close(both[i : i + 1], one.output(x[i : i + 1], 400, scale))


def test_a_map_is_averaged_into_the_cells_of_latents(layout):
    """8 x 8 pixels become one value; a feathered border stays soft."""
    ramp = np.tile(np.arange(32, dtype=np.float32), (32, 1))
    found = scale_map(SampleRequest(layout, guidance_map=ramp), (4, 4))
    assert found.shape == (1, 1, 4, 4)
    assert found[0, 0, 3].tolist() == [i * 8 + 3.5 for i in range(4)]
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
        (dict(guidance_map=np.ones((2, 2), np.float32)), r"\[32, 32\].*\[2, 2\]"),
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


# -- locks and strengths --------------------------------------------------------------------------


def edited(engine, layout, old, **fields):
    """Seed 9 over the picture of seed 4."""
    inpaint = Inpaint(old.image, **{"blend": np.ones((32, 32), np.float32), **fields})
    return picture(engine, layout, steps=6, sampler="ddim", seed=9, inpaint=inpaint)


@pytest.fixture
def old(engine, layout):
    """The picture of seed 4, with its states."""
    request = SampleRequest(
        layout, steps=6, sampler="ddim", guidance_scale=2.0, seed=4, keep_trajectory=True
    )
    return next(e for e in engine.sample(request) if isinstance(e, Result))


def test_a_locked_half_stays_to_the_bit(engine, layout, old):
    """Where the blend is 0, not a pixel changes; the other half does."""
    free = upper(False, True, bool)
    new = edited(engine, layout, old, region=free, blend=free.astype(np.float32))
    assert np.array_equal(new[:16], old.image[:16])
    assert np.abs(new[16:].astype(int) - old.image[16:]).mean() > 5


@pytest.mark.parametrize("known", [True, False], ids=["states", "picture alone"])
def test_a_map_of_one_strength_is_that_strength(engine, layout, old, known):
    """Half of the old picture everywhere: the same as the plain strength, to rounding."""
    fields = dict(region=np.ones((32, 32), bool), trajectory=old.trajectory if known else None)
    plain = edited(engine, layout, old, **fields, strength=0.5)
    mapped = edited(engine, layout, old, **fields, strength_map=upper(0.5, 0.5, np.float32))
    assert np.abs(plain.astype(int) - mapped).mean() < 0.5


def test_less_strength_keeps_more(engine, layout, old):
    """The upper half at 0.2 stays closer to the old picture than at 0.7, and the lower at 1."""

    def distances(strength):
        strengths = upper(strength, 1, np.float32)
        new = edited(
            engine,
            layout,
            old,
            region=np.ones((32, 32), bool),
            trajectory=old.trajectory,
            strength_map=strengths,
        )
        apart = np.abs(new.astype(int) - old.image)
        return apart[:12].mean(), apart[20:].mean()

    (little, rest), (more, _) = distances(0.2), distances(0.7)
    assert little < more and little < 0.7 * rest


def test_places_join_the_walk_at_their_timestep():
    """Above it they are the original, noised; from there on they are left alone."""
    schedule = ScheduleSpec().build()
    x0, noise = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    original = Original(schedule, Known(x0), noise)
    begins = torch.tensor([[1000, 500], [300, 300]])
    later = Later(original, begins, torch.tensor(False))
    x = torch.full((1, 1, 2, 2), 7.0)
    assert (later(x, 900) == 7).flatten().tolist() == [True, False, False, False]
    assert (later(x, 400) == 7).flatten().tolist() == [True, True, False, False]
    assert float(later(x, 400)[0, 0, 1, 1]) == pytest.approx((1 - schedule.abar(400)) ** 0.5)
    assert later(x, 299) is x


@pytest.mark.parametrize("value", [0.0, 1.5, np.nan])
def test_a_strength_that_makes_no_sense_is_refused(value):
    """The map has strengths above 0 and up to 1."""
    masks = dict(region=np.ones((32, 32), bool), blend=np.ones((32, 32), np.float32))
    with pytest.raises(RequestError, match="strength map"):
        Inpaint(np.zeros((32, 32, 3), np.uint8), **masks, strength_map=upper(value, 1, np.float32))


def test_a_new_seed_for_a_label_changes_its_area_alone(engine, layout, old):
    """The window's request for it: far from the area not a pixel changes; within, the noise of
    the new seed makes something else."""
    area = np.zeros((32, 32), bool)
    area[:8, :8] = True
    radius = regions.grow_radius(area)
    region = regions.grow(area, radius)
    blend = np.where(region, regions.feather(area, radius), 0).astype(np.float32)
    seeds = np.where(area, 77, -1).astype(np.int32)
    inpaint = Inpaint(old.image, region, blend, trajectory=old.trajectory)
    new = picture(engine, layout, inpaint=inpaint, seed_map=seeds)
    assert np.array_equal(new[~region], old.image[~region])
    assert np.abs(new[area].astype(int) - old.image[area]).mean() > 5
