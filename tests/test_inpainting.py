"""Local edits: what must stay does, to the bit; what is made anew is what a whole sample makes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.crop import CONTEXT, Crop
from core.engine import Engine
from core.harmony import Harmonised
from core.inpainting import (
    Keep,
    Known,
    Original,
    again,
    edited_path,
    invert,
    known_from,
    last_steps,
    steps_down,
)
from core.labelmap import Box
from core.regions import feather
from core.repaint import Inpaint, Start
from core.request import Layout, Preview, RequestError, Result, SampleRequest, Started, Stepped
from core.sampling import SAMPLERS, descend, sample
from core.schedule import Prediction, ScheduleSpec


@pytest.fixture(params=[False, True], ids=["pixels", "latents"])
def engine(request, make_checkpoint):
    """A tiny engine of either kind, in float32."""
    return Engine.open(make_checkpoint(latent=request.param), device="cpu", precision="float32")


@pytest.fixture
def latent_engine(make_checkpoint):
    """A tiny engine on latents."""
    return Engine.open(make_checkpoint(latent=True), device="cpu", precision="float32")


@pytest.fixture
def layout(palette):
    """Sky over ground, 64x96."""
    return stripes(palette, 64, 96)


@pytest.fixture
def wide(engine, palette):
    """A layout of which a region is a small part; pixels cost more than latents."""
    return stripes(palette, 64 if engine.autoencoder else 16, 192)


def stripes(palette, height, width):
    labels = np.zeros((height, width), np.uint8)
    labels[: height // 2] = 1
    return Layout(labels, palette)


def results(engine, request):
    return [e for e in engine.sample(request) if isinstance(e, Result)]


def box_mask(size, top, left, height, width):
    mask = np.zeros(size, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def an_edit(picture, region, radius=4, **options):
    return Inpaint(picture, region, feather(region, radius), **options)


# -- what stays -----------------------------------------------------------------------------------


def test_two_hundred_edits_change_nothing_outside(engine, wide):
    """Any region, sampler, strength and resampling: 100 % of the pixels without a share stay."""
    rng = np.random.default_rng(5)
    size = height, width = wide.size
    samplers, changed = ("dpmpp_2m", "ddim", "ddpm"), 0
    for number in range(100):  # by either kind of engine
        picture = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
        place = rng.integers(0, height - 1), rng.integers(0, width - 1), *rng.integers(1, 30, 2)
        region = box_mask(size, *place)
        options = dict(
            strength=rng.uniform(0.1, 1), resample=1 + number % 2, invert=number % 9 == 0
        )
        edit = an_edit(picture, region, rng.integers(0, 12), **options)
        request = SampleRequest(
            wide, steps=2, sampler=samplers[number % 3], seed=number, inpaint=edit, preview_every=0
        )
        [made] = results(engine, request)
        outside = edit.blend == 0
        assert outside.any() and np.array_equal(made.image[outside], picture[outside])
        changed += not np.array_equal(made.image[region], picture[region])
    assert changed >= 95  # at the last timestep alone, a few pixels may stay what they are


def test_an_edit_of_everything_is_a_plain_sample(latent_engine, layout):
    """Strength 1, the whole canvas: the same picture as without an edit, bit for bit."""
    [plain] = results(latent_engine, SampleRequest(layout, steps=3, seed=4))
    everything = np.ones((64, 96), bool)
    edit = an_edit(np.zeros((64, 96, 3), np.uint8), everything)
    [edited] = results(latent_engine, SampleRequest(layout, steps=3, seed=4, inpaint=edit))
    assert np.array_equal(edited.image, plain.image)


def test_nothing_changed_gives_the_same_picture(latent_engine, layout):
    """The picture's own states, seed and layout: what is made anew is what was there."""
    request = SampleRequest(layout, steps=6, sampler="ddim", seed=4, keep_trajectory=True)
    [old] = results(latent_engine, request)
    region = box_mask((64, 96), 16, 16, 32, 64)  # its crop is the whole canvas
    for strength in (1.0, 0.5):
        edit = an_edit(old.image, region, strength=strength, trajectory=old.trajectory)
        [new] = results(
            latent_engine, SampleRequest(layout, steps=6, sampler="ddim", seed=4, inpaint=edit)
        )
        difference = np.abs(new.image.astype(int) - old.image)
        assert difference.max() <= 2  # half precision


def test_another_seed_makes_another_edit(latent_engine, layout):
    """Also where something of the old picture is kept: alternatives to walk through."""
    [old] = results(latent_engine, SampleRequest(layout, steps=4, keep_trajectory=True))
    region = box_mask((64, 96), 16, 24, 24, 24)
    edit = an_edit(old.image, region, strength=0.5, trajectory=old.trajectory)
    first, second = results(latent_engine, SampleRequest(layout, steps=4, inpaint=edit, count=2))
    assert not np.array_equal(first.image, second.image)
    [alone] = results(latent_engine, second.request)
    assert np.array_equal(alone.image, second.image)  # and it depends on its seed alone


def test_known_pixels_are_the_original_at_every_step():
    """Between them the walk sees exactly the noised original, and x0 itself at the end."""
    schedule = ScheduleSpec().build()
    x0, noise = torch.randn(1, 4, 6, 6), torch.randn(2, 4, 6, 6)
    region = torch.zeros(6, 6, dtype=torch.bool)
    region[2:4, 2:4] = True
    keep = Keep(Original(schedule, Known(x0), noise), region)
    seen = []

    def denoise(x, t):
        assert torch.equal(x[..., ~region], schedule.q_sample(x0, t, noise)[..., ~region])
        seen.append(t)
        return Prediction(x, torch.zeros_like(x), x)

    path = again(descend(schedule, 6), 2, stretch=2)
    step = SAMPLERS["dpmpp_2m"](schedule)
    x = keep.begin(path[0], 1.0, [False, False])
    *_, last = sample(denoise, step, path, x, lambda: torch.randn_like(x), schedule, keep)
    assert len(seen) == 12 and last.t == -1
    assert torch.equal(last.x[..., ~region], x0.expand(2, -1, -1, -1)[..., ~region])
    assert not last.x[..., region].any()


def test_a_trajectory_is_met_exactly_where_it_was_kept(latent_engine, layout):
    """The stored states at their timesteps, and between them something that lies between."""
    [old] = results(latent_engine, SampleRequest(layout, steps=5, keep_trajectory=True))
    known = known_from(old.trajectory)
    original = Original(latent_engine.schedule, known, known.x0)
    for t, state in zip(old.trajectory.timesteps, old.trajectory.states, strict=True):
        assert np.array_equal(original.at(t)[0].numpy(), state.astype(np.float32))
    t = old.trajectory.timesteps[2]
    assert torch.allclose(original.at(t - 1), original.at(t), atol=0.1)
    assert torch.equal(original.at(-1), known.x0)


def test_drafts_and_other_scales_of_an_edit_keep_what_stays(make_checkpoint, layout):
    """A student's draft and an instant answer of the slider are edits too, of the same region."""
    path = make_checkpoint(latent=True)
    student = {"stops": (999, 499)}
    make_checkpoint(latent=True, name="tiny-student.safetensors", **student)
    engine = Engine.open(path, device="cpu", precision="float32")
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    edit = an_edit(picture, box_mask((64, 96), 16, 24, 24, 24))
    request = SampleRequest(layout, steps=3, guidance_scale=2.0, inpaint=edit, draft_steps=2)
    events = list(engine.sample(request))
    draft, made = events[1], events[-1]
    assert isinstance(draft, Preview) and draft.step == 0
    again = engine.recombine(made.request, 4.0)
    outside = edit.blend == 0
    for image in (draft.images[0], made.image, again):
        assert np.array_equal(image[outside], picture[outside])
    assert not np.array_equal(draft.images[0], made.image)
    assert not np.array_equal(again, made.image)


def test_an_edit_takes_up_what_is_missed_around_it():
    """By so much as the known part is predicted too dark, the region becomes brighter near it."""
    schedule = ScheduleSpec().build()
    region = box_mask((40, 40), 5, 5, 30, 30)
    x0 = torch.full((1, 2, 40, 40), 0.5)
    original = Original(schedule, Known(x0), x0)
    x = torch.zeros(1, 2, 40, 40)

    def denoise(x, t):
        return Prediction(x, torch.zeros_like(x), x)

    found = Harmonised(denoise, original, torch.from_numpy(region), reach=3)(x, 500).x0[0, 0]
    assert not found[torch.from_numpy(~region)].any()
    assert 0.4 < found[20, 5] <= 0.5 and found[20, 5] > found[20, 8] > found[20, 11]
    assert abs(found[20, 20]) < 0.01
    right = Known(x0, {500: x0}, {500: torch.zeros_like(x0)})  # as it was predicted before
    harmonised = Harmonised(
        denoise, Original(schedule, right, x0), torch.from_numpy(region), reach=3
    )
    assert not harmonised(x, 500).x0.any()


# -- the way --------------------------------------------------------------------------------------

DOWN = [90, 70, 50, 30, 10, -1]


@pytest.mark.parametrize(
    "strength, path",
    [(1.0, DOWN), (0.6, [50, 30, 10, -1]), (0.5, [50, 30, 10, -1]), (0.01, [10, -1])],
)
def test_strength_is_a_share_of_the_steps(strength, path):
    """The last ones, and always one."""
    assert last_steps(DOWN, strength) == path if strength != 0.5 else True
    assert len(last_steps(DOWN, strength)) >= 2


def test_resampling_walks_each_stretch_again():
    """Down two, up, down the same two; only steps down cost something."""
    path = again(DOWN, 2, stretch=2)
    assert path == [90, 70, 50, 90, 70, 50, 30, 10, 50, 30, 10, -1, 10, -1]
    assert steps_down(path) == 10 and again(DOWN, 1) == DOWN


def test_a_fork_walks_on_from_its_timestep():
    """Also from one that the path would not visit."""
    state = np.zeros((4, 2, 2))
    assert edited_path(DOWN, None, Start(state, 50)) == [50, 30, 10, -1]
    assert edited_path(DOWN, None, Start(state, 60)) == [60, 50, 30, 10, -1]
    assert edited_path(DOWN, None, None) == DOWN


def test_the_steps_that_are_announced_are_taken(latent_engine, layout):
    """Resampling and inversion are counted, and each is an event: each can be cancelled."""
    region = box_mask((64, 96), 16, 24, 24, 24)
    picture = np.zeros((64, 96, 3), np.uint8)
    edit = an_edit(picture, region, strength=0.5, resample=2, invert=True)
    events = list(latent_engine.sample(SampleRequest(layout, steps=6, inpaint=edit)))
    assert isinstance(events[0], Started) and events[0].steps == 6 + 2 * 3
    assert [e.step for e in events[1:-1]] == list(range(1, 13))
    assert all(isinstance(e, Stepped) for e in events[1:7])
    previews = [e for e in events if isinstance(e, Preview)]
    assert previews and all(np.array_equal(e.images[0][:8], picture[:8]) for e in previews)


# -- trajectories ---------------------------------------------------------------------------------


def test_a_picture_can_be_taken_up_at_any_state(latent_engine, layout):
    """Every state leads to the same picture by the same deterministic sampler."""
    request = SampleRequest(layout, steps=5, sampler="ddim", seed=2, keep_trajectory=True)
    [whole] = results(latent_engine, request)
    trajectory = whole.trajectory
    assert len(trajectory) == 5 and trajectory.seed == 2
    for t, state in zip(trajectory.timesteps, trajectory.states, strict=True):
        start = Start(state, t)
        [fork] = results(latent_engine, SampleRequest(layout, steps=5, sampler="ddim", start=start))
        assert np.abs(fork.image.astype(int) - whole.image).max() <= 2  # half precision
    other = Layout(np.full((64, 96), 2, np.uint8), layout.palette)
    [fork] = results(latent_engine, SampleRequest(other, steps=5, sampler="ddim", start=start))
    assert fork.request.recipe()["start"]["t"] == trajectory.timesteps[-1]


def test_a_clean_start_gets_the_noise_of_the_seed(latent_engine, layout):
    """Another seed walks on from the same composition under other noise."""
    [whole] = results(latent_engine, SampleRequest(layout, steps=5, keep_trajectory=True))
    start = Start(whole.trajectory.x0[2], whole.trajectory.timesteps[2], clean=True)
    one, two = results(latent_engine, SampleRequest(layout, steps=5, start=start, count=2))
    assert not np.array_equal(one.image, two.image)


def test_a_fork_may_keep_something(latent_engine, layout):
    """Outside the region nothing changes; inside another guidance walks on from the state."""
    request = SampleRequest(layout, steps=5, sampler="ddim", keep_trajectory=True)
    [whole] = results(latent_engine, request)
    trajectory = whole.trajectory
    start = Start(trajectory.states[1], trajectory.timesteps[1])
    region = box_mask((64, 96), 0, 0, 64, 76)  # its crop is all
    edit = an_edit(whole.image, region, trajectory=trajectory)
    fork = replace(request, start=start, inpaint=edit)
    [same] = results(latent_engine, fork)
    assert np.abs(same.image.astype(int) - whole.image).max() <= 2  # half precision
    [other] = results(latent_engine, replace(fork, guidance_scale=6.0))
    assert np.array_equal(other.image[edit.blend == 0], whole.image[edit.blend == 0])
    assert np.abs(other.image[region].astype(int) - whole.image[region]).max() > 2


def test_without_being_asked_nothing_is_kept(latent_engine, layout):
    """Megabytes a picture are kept on request only."""
    [plain] = results(latent_engine, SampleRequest(layout, steps=2))
    assert plain.trajectory is None


def test_an_edit_carries_the_trajectory_on(latent_engine, palette):
    """Outside the crop it is the old one, inside that of the edit: the next edit starts there."""
    layout = stripes(palette, 64, 192)
    [old] = results(latent_engine, SampleRequest(layout, steps=10, keep_trajectory=True))
    region = box_mask((64, 192), 0, 0, 32, 32)
    edit = an_edit(old.image, region, strength=0.5, trajectory=old.trajectory)
    request = SampleRequest(layout, steps=12, seed=9, inpaint=edit, keep_trajectory=True)
    [new] = results(latent_engine, request)
    kept, was = new.trajectory, old.trajectory
    assert kept.seed == 9 and kept.timesteps[-1] == was.timesteps[-1]
    assert kept.timesteps == tuple(sorted(kept.timesteps, reverse=True))
    column = 160 // 8  # beyond the crop
    assert np.array_equal(kept.x0[-1, :, :, column:], was.x0[-1, :, :, column:])
    assert np.array_equal(kept.states[0], was.states[0])  # before the edit began
    assert not np.array_equal(kept.x0[-1], was.x0[-1])
    marks = latent_engine.marks(layout, Crop.whole((64, 192), 8))
    shown = latent_engine.decode(torch.tensor(kept.x0[-1:]).float(), marks)[0]
    inside = box_mask((64, 192), 0, 0, 24, 24)
    assert np.abs(shown[inside].astype(int) - new.image[inside]).max() <= 2


def test_a_photo_can_be_walked_up_and_down_again(latent_engine, layout):
    """DDIM inversion and DDIM: its latents come back within 2 % of their spread."""
    photo = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3)).astype(np.uint8)
    x0 = latent_engine.encode(photo)
    crop = Crop.whole((64, 96), 8)
    denoise = latent_engine._denoiser(
        SampleRequest(layout, guidance_scale=1.0),
        latent_engine.marks(layout, crop),
        crop,
        None,
    )
    path = descend(latent_engine.schedule, 20)
    *_, (t, x) = invert(denoise, latent_engine.schedule, path, x0)
    assert t == path[0]
    step = SAMPLERS["ddim"](latent_engine.schedule)
    *_, last = sample(denoise, step, path, x, lambda: x, latent_engine.schedule)
    assert float((last.x - x0).pow(2).mean().sqrt() / x0.std()) < 0.02


# -- crops ----------------------------------------------------------------------------------------


def test_a_crop_holds_the_region_and_its_context():
    """Sides the network can halve, a corner on a latent pixel, nothing beyond the canvas."""
    rng = np.random.default_rng(0)
    size = (256, 512)
    for _ in range(200):
        top, left, height, width = (
            rng.integers(0, 250),
            rng.integers(0, 500),
            *rng.integers(1, 200, 2),
        )
        edit = an_edit(np.zeros((*size, 3), np.uint8), box_mask(size, top, left, height, width))
        box = Crop.of(edit, size, factor=8, multiple=32).box
        assert box.x % 8 == box.y % 8 == 0 and box.width % 32 == box.height % 32 == 0
        assert box.clip(size) == box
        rows = min(top + height, 256), min(left + width, 512)
        assert box.y <= max(0, top - CONTEXT) and box.x <= max(0, left - CONTEXT)
        assert box.y + box.height >= min(256, rows[0] + CONTEXT)
        assert box.x + box.width >= min(512, rows[1] + CONTEXT)


def test_a_small_region_costs_little():
    """10 % of a 512x512 canvas is sampled in a quarter of it."""
    edit = an_edit(np.zeros((512, 512, 3), np.uint8), box_mask((512, 512), 200, 200, 162, 162), 10)
    box = Crop.of(edit, (512, 512), 8, 32).box
    assert (box.width, box.height) == (256, 256)


def test_a_crop_sees_its_part_of_everything():
    """Cells and pixels of one place, and every latent pixel that a region touches."""
    crop = Crop((64, 96), Box(32, 16, 32, 32), 8)
    numbers = np.arange(64 * 96).reshape(64, 96)
    assert crop.pixels(numbers)[0, 0] == 16 * 96 + 32
    cells = torch.arange(8 * 12).reshape(1, 8, 12)
    assert crop.cells(cells)[0, 0, 0] == 2 * 12 + 4 and crop.cells(cells).shape == (1, 4, 4)
    mask = box_mask((64, 96), 23, 39, 2, 2)
    assert np.argwhere(crop.cells_touched(mask)).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_a_crop_is_seeded_like_the_canvas(engine, wide, monkeypatch):
    """The walk begins with the noise that this place has in a whole sample."""
    begun = []
    predict = engine.unet.encode
    monkeypatch.setattr(engine.unet, "encode", lambda x, *a: begun.append(x) or predict(x, *a))
    results(engine, SampleRequest(wide, steps=1, seed=3))
    region = box_mask(wide.size, 0, 96, 16, 16)
    edit = an_edit(np.zeros((*wide.size, 3), np.uint8), region)
    results(engine, SampleRequest(wide, steps=1, seed=3, inpaint=edit))
    whole, part = begun
    crop = Crop.of(edit, wide.size, engine.unet.spec.factor, engine.info.multiple)
    assert part.shape[-1] < whole.shape[-1]
    inside = torch.from_numpy(crop.cells_touched(region))
    assert torch.equal(crop.cells(whole)[..., inside], part[..., inside])


# -- what cannot be -------------------------------------------------------------------------------


def test_a_picture_of_another_size_is_refused(latent_engine, layout):
    """The sentence names both sizes, before any event."""
    edit = an_edit(np.zeros((64, 64, 3), np.uint8), np.ones((64, 64), bool))
    with pytest.raises(RequestError, match="64x64.*96x64"):
        latent_engine.sample(SampleRequest(layout, inpaint=edit))


def test_states_of_another_canvas_are_refused(latent_engine, layout, palette):
    """As they are after the canvas was resized."""
    [other] = results(
        latent_engine, SampleRequest(stripes(palette, 64, 64), steps=1, keep_trajectory=True)
    )
    picture, region = np.zeros((64, 96, 3), np.uint8), np.ones((64, 96), bool)
    edit = an_edit(picture, region, trajectory=other.trajectory)
    for fields in (dict(inpaint=edit), dict(start=Start(other.trajectory.states[0], 5))):
        with pytest.raises(RequestError, match="another model or size"):
            latent_engine.sample(SampleRequest(layout, **fields))
