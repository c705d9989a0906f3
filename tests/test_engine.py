"""From request to pictures, in pixel space and in latents, through the same code."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.checkpoint import Checkpoint, CheckpointError
from core.denoiser import Denoiser
from core.engine import Engine
from core.errors import OutOfMemory
from core.model.autoencoder import Autoencoder
from core.request import (
    Layout,
    Preview,
    RequestError,
    Result,
    SampleRequest,
    Started,
    Stepped,
)
from core.transfer import grown


@pytest.fixture
def layout(palette):
    """Sky over ground, 64x64."""
    labels = np.zeros((64, 64), np.uint8)
    labels[:30] = 1
    return Layout(labels, palette)


def results(engine, request, **options):
    return [e for e in engine.sample(request, **options) if isinstance(e, Result)]


def test_a_sample_tells_its_story_in_order(engine, layout):
    """Started, one event a step, one result; previews where due, none for the last step."""
    events = list(engine.sample(SampleRequest(layout, steps=5, preview_every=2)))
    assert [type(e) for e in events] == [
        Started,
        Preview,
        Preview,
        Stepped,
        Preview,
        Stepped,
        Result,
    ]
    assert [e.step for e in events[1:-1]] == [1, 2, 3, 4, 5] and events[0].steps == 5
    assert events[-1].image.shape == (64, 64, 3) and events[-1].image.dtype == np.uint8
    assert events[2].images[0].shape == (64, 64, 3)


def test_a_decoder_that_reads_the_layout_is_shown_it(make_checkpoint, layout):
    """Where its label modulates the decoder the picture differs, in previews and steps too."""
    path = make_checkpoint(latent=True)
    plain = Engine.open(path, "cpu", "float32")
    checkpoint = Checkpoint.open(path)
    spec = replace(checkpoint.spec.autoencoder, layout_labels=3)
    reading = Autoencoder(spec)
    grown(reading, checkpoint.load_autoencoder().state_dict())
    hint = next(iter(reading.hints.values()))
    torch.nn.init.normal_(hint.modulation.weight)
    changed = replace(checkpoint, spec=replace(checkpoint.spec, autoencoder=spec))
    modules = {"unet": checkpoint.load_unet().state_dict(), "autoencoder": reading.state_dict()}
    changed.save(path.with_name("reading.safetensors"), modules, torch.float32)
    engine = Engine.open(path.with_name("reading.safetensors"), "cpu", "float32")
    request = SampleRequest(layout, steps=2, keep_trajectory=True)
    (before,), events = results(plain, request), list(engine.sample(request))
    after = events[-1]
    assert not np.array_equal(after.image, before.image)
    x0 = after.trajectory.x0[0]
    picture = engine.picture_of(x0, layout)
    assert np.abs(picture.astype(int) - events[1].images[0]).mean() < 0.5  # fp16 lies between
    other = Layout(np.full((64, 64), 2, np.uint8), layout.palette)
    assert not np.array_equal(engine.picture_of(x0, other), picture)


def test_seeds_of_a_request_share_the_embedding(engine, layout, monkeypatch):
    """Eight seeds with guidance: the layout is embedded once, and the null layout once."""
    calls, embed = [], engine.unet.embed_scaled
    monkeypatch.setattr(engine.unet, "embed_scaled", lambda *a: calls.append(1) or embed(*a))
    assert len(results(engine, SampleRequest(layout, steps=2, count=8))) == 8
    assert len(calls) == 2


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpmpp_2m"])
def test_a_picture_depends_on_its_seed_and_not_on_its_batch(engine, layout, sampler):
    """The picture of seed 5 is the same alone and as the third of a batch, bit for bit."""
    request = SampleRequest(layout, steps=3, sampler=sampler, seed=3, count=3)
    batch = results(engine, request)
    assert [r.request.seed for r in batch] == [3, 4, 5]
    [alone] = results(engine, batch[2].request)
    assert np.array_equal(alone.image, batch[2].image)
    assert not np.array_equal(batch[0].image, batch[1].image)


def test_a_moving_slider_can_be_played_again(engine, layout):
    """The result's request holds the scale of every step and makes the same picture."""
    scales = iter([1.0, 2.0, 5.0])
    [moved] = results(engine, SampleRequest(layout, steps=3), guidance_scale=lambda: next(scales))
    assert moved.request.guidance_scale == (1.0, 2.0, 5.0)
    [again] = results(engine, moved.request)
    [fixed] = results(engine, SampleRequest(layout, steps=3, guidance_scale=1.0))
    assert np.array_equal(again.image, moved.image)
    assert not np.array_equal(fixed.image, moved.image)


def test_closing_the_stream_cancels_within_one_step(engine, layout):
    """After close no step is computed."""
    calls = []
    encode = engine.unet.encode
    engine.unet.encode = lambda *a: calls.append(1) or encode(*a)
    events = engine.sample(SampleRequest(layout, steps=50))
    next(events), next(events)
    events.close()
    assert len(calls) == 1


def test_the_layout_decides_the_picture(engine, layout, palette):
    """The same seed under another layout is another picture."""
    other = Layout(np.full((64, 64), 2, np.uint8), palette)
    [a], [b] = (results(engine, SampleRequest(part, steps=2)) for part in (layout, other))
    assert not np.array_equal(a.image, b.image)


@pytest.mark.parametrize("size, expected", [(None, (64, 64)), ((40, 90), None), ((16, 33), None)])
def test_any_size_is_rounded_to_what_the_network_can(engine, layout, size, expected):
    """Sides become the nearest multiple; a layout of the right size is left alone."""
    [made] = results(engine, SampleRequest(layout, steps=1, size=size))
    multiple = engine.info.multiple
    wanted = expected or tuple(max(1, round(v / multiple)) * multiple for v in size)
    assert made.image.shape[:2] == wanted


def test_a_layout_of_another_palette_is_refused(engine, layout):
    """The sentence names both palettes, before any event."""
    from core.palette import Palette

    foreign = Layout(layout.labels, Palette.load("landscape"))
    with pytest.raises(RequestError, match="'landscape'.*'tiny'"):
        engine.sample(SampleRequest(foreign))


def test_a_picture_too_large_is_refused(engine, layout):
    """Nothing is allocated for it."""
    with pytest.raises(RequestError, match="too large"):
        engine.sample(SampleRequest(layout, size=(10_000, 10_000)))


def test_the_model_tells_about_itself(engine):
    """Name, palette, size, device and precision are there for the window."""
    info = engine.info
    assert (info.name, info.palette.name, info.device, info.precision) == (
        "tiny",
        "tiny",
        "cpu",
        "float32",
    )
    assert info.size in ((16, 16), (64, 64)) and info.size[0] % info.multiple == 0


def test_bfloat16_is_close_to_float32(make_checkpoint, layout):
    """The fast precision shows the same picture."""
    path = make_checkpoint(latent=True)
    request = SampleRequest(layout, steps=2, guidance_scale=1.0)
    exact, fast = (
        results(Engine.open(path, "cpu", precision), request)[0].image.astype(int)
        for precision in ("float32", "bfloat16")
    )
    assert np.abs(exact - fast).mean() < 4


@pytest.mark.parametrize(
    "fields, says",
    [
        (dict(sampler="euler"), "'euler'"),
        (dict(steps=0), "steps 0"),
        (dict(seed=-1), "seed -1"),
        (dict(guidance_scale=-2.0), "-2.0"),
        (dict(count=0), "count 0"),
        (dict(eta=2.0), "eta 2.0"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(layout, fields, says):
    """The value and what it may be are named."""
    with pytest.raises(RequestError, match=says):
        SampleRequest(layout, **fields)


def test_a_layout_is_frozen(palette):
    """It keeps its own copy, and nobody can write to it."""
    labels = np.zeros((4, 4), np.uint8)
    layout = Layout(labels, palette)
    labels[:] = 2
    assert layout.labels.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        layout.labels[0] = 1


def test_an_id_beyond_the_palette_is_named(palette):
    """The id, the palette and its end are in the sentence."""
    with pytest.raises(RequestError, match="id 9.*'tiny' ends at 2"):
        Layout(np.full((4, 4), 9, np.uint8), palette)


# -- the few-step student -------------------------------------------------------------------------


STUDENT = {"stops": (999, 666, 332)}


@pytest.fixture
def pair(make_checkpoint):
    """An engine with a student beside its model."""
    path = make_checkpoint(latent=True)
    make_checkpoint(latent=True, name="tiny-student.safetensors", **STUDENT)
    return Engine.open(path, device="cpu", precision="float32")


def test_a_student_beside_the_model_is_found(pair, layout, make_checkpoint):
    """Its picture is its own, at any guidance; alone it opens like any model."""
    assert pair.info.student
    [mine] = results(pair, SampleRequest(layout, steps=2, student=True))
    [full] = results(pair, SampleRequest(layout, steps=2))
    assert not np.array_equal(mine.image, full.image) and mine.request.recipe()["student"]
    alone = make_checkpoint(latent=True, name="alone.safetensors", **STUDENT)
    engine = Engine.open(alone, "cpu", "float32")
    assert engine.info.student
    [same] = results(engine, SampleRequest(layout, steps=2))
    assert np.array_equal(same.image, mine.image)


@pytest.mark.parametrize("steps, walked", [(2, [999, 332]), (3, [999, 666, 332]), (25, None)])
def test_a_student_walks_over_its_stops(pair, layout, steps, walked):
    """By its own steps, never more of them than it has stops, whatever sampler is asked for."""
    pictures = []
    for sampler, eta in (("dpmpp_2m", 0.0), ("ddpm", 1.0)):
        request = SampleRequest(
            layout, steps=steps, sampler=sampler, eta=eta, student=True, keep_trajectory=True
        )
        started, *_, last = pair.sample(request)
        pictures.append(last.image)
    assert list(last.trajectory.timesteps) == (walked or [999, 666, 332])
    assert started.steps == len(walked or STUDENT["stops"])
    assert np.array_equal(*pictures)


@pytest.fixture
def finishing(make_checkpoint):
    """An engine whose student ends the model's walks at timestep 400."""
    path = make_checkpoint(latent=True)
    student = make_checkpoint(latent=True, name="tiny-student.safetensors", finish=400, **STUDENT)
    checkpoint = Checkpoint.open(student)
    other = {name: 0.9 * value for name, value in checkpoint.load_unet().state_dict().items()}
    decoder = checkpoint.load_autoencoder().state_dict()
    checkpoint.save(student, {"unet": other, "autoencoder": decoder}, torch.float32)
    return Engine.open(path, device="cpu", precision="float32")


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "ddim", "ddpm"])
def test_a_student_that_learned_to_takes_the_last_leap(finishing, layout, sampler):
    """Up to its timestep the walk is the model's own to the bit; from there one leap ends it."""
    asked = SampleRequest(layout, steps=10, sampler=sampler, seed=3, keep_trajectory=True)
    [plain] = results(finishing, asked)
    started, *_, ended = finishing.sample(replace(asked, finish=True))
    path, times = list(plain.trajectory.timesteps), list(ended.trajectory.timesteps)
    leap = next(i for i, t in enumerate(path) if t <= 400)
    assert times == path[: leap + 1] and started.steps == leap + 1 < 10
    for mine, its in zip(ended.trajectory.states, plain.trajectory.states):
        assert np.array_equal(mine, its)
    assert not np.array_equal(ended.image, plain.image)
    assert ended.request.recipe()["finish"] and "finish" not in plain.request.recipe()


def test_the_last_leap_is_the_students_own(finishing, layout, tmp_path):
    """It is what the student alone says of the model's last state, guided as all steps are."""
    asked = SampleRequest(layout, steps=10, guidance_scale=3.0, seed=3, keep_trajectory=True)
    [ended] = results(finishing, replace(asked, finish=True))
    t, x = ended.trajectory.timesteps[-1], ended.trajectory.states[-1:]
    student = Engine.open(tmp_path / "tiny-student.safetensors", "cpu", "float32")
    y = torch.nn.functional.one_hot(torch.from_numpy(layout.labels.astype(int)), 3)
    y = y.permute(2, 0, 1)[None].float()
    denoise = Denoiser(student.unet, student.schedule, y, x.shape[-2:], 3.0)
    said = denoise(torch.tensor(x).float(), t).x0
    assert t <= 400 and np.abs(said.numpy() - ended.trajectory.x0[-1]).max() < 0.02


def test_nothing_is_finished_by_a_student_that_did_not_learn_it(pair, layout):
    """The model walks to the end itself, in all its steps."""
    asked = SampleRequest(layout, steps=4)
    [plain], [same] = results(pair, asked), results(pair, replace(asked, finish=True))
    assert np.array_equal(plain.image, same.image)


@pytest.mark.parametrize("student", [False, True])
def test_a_recipe_says_what_was_asked(pair, finishing, layout, student):
    """Whoever has it can do more or less: an evaluation that goes on compares it with its own."""
    asked = SampleRequest(layout, steps=3, student=student, finish=True)
    for engine in (pair, finishing):
        [made] = results(engine, asked)
        assert made.request.recipe() == asked.recipe()


def test_the_guidance_of_a_finished_picture_can_be_replayed(finishing, layout):
    """At its own scale what comes out is the picture itself, at another one it is not."""
    asked = SampleRequest(layout, steps=10, guidance_scale=2.0, finish=True)
    [made] = results(finishing, asked)
    again = finishing.recombine(made.request, 2.0)
    assert np.abs(again.astype(int) - made.image).max() <= 1
    assert not np.array_equal(finishing.recombine(made.request, 4.0), made.image)


def test_a_draft_comes_first_and_changes_nothing(pair, layout):
    """Step 0 is the student's picture of the same seeds; the result is as without it."""
    plain = SampleRequest(layout, steps=3, seed=4, count=2, guidance_scale=(1.0, 2.0, 3.0))
    drafted = SampleRequest(
        layout, steps=3, seed=4, count=2, guidance_scale=(1.0, 2.0, 3.0), draft_steps=2
    )
    events = list(pair.sample(drafted))
    assert isinstance(events[1], Preview) and events[1].step == 0 and len(events[1].images) == 2
    assert [type(e) for e in events[2:-2]] == [Stepped, Preview, Stepped]  # early ones show less
    ends = [e.image for e in events if isinstance(e, Result)]
    assert all(np.array_equal(a, b.image) for a, b in zip(ends, results(pair, plain), strict=True))
    student = SampleRequest(layout, steps=2, seed=4, student=True)
    [alone] = results(pair, SampleRequest(**{**vars(student), "guidance_scale": 1.0}))
    assert np.array_equal(events[1].images[0], alone.image)


def test_without_a_student_there_is_no_draft_and_no_student_sample(engine, layout):
    """A draft is left out in silence; a sample by the student is refused."""
    events = list(engine.sample(SampleRequest(layout, steps=2, draft_steps=2)))
    assert [e.step for e in events[1:-1]] == [1, 2]
    with pytest.raises(RequestError, match="no few-step student"):
        engine.sample(SampleRequest(layout, student=True))


def test_a_student_of_another_network_is_refused(make_checkpoint):
    """A file of that name that does not fit is named."""
    path = make_checkpoint(latent=True)
    make_checkpoint(latent=True, name="tiny-student.safetensors", num_res_blocks=2)
    with pytest.raises(CheckpointError, match="tiny-student"):
        Engine.open(path, device="cpu", precision="float32")


@pytest.mark.parametrize("text", ["CUDA out of memory. Tried to allocate 9 GiB", "real"])
def test_a_picture_that_does_not_fit(engine, layout, monkeypatch, text):
    """The sentence names its size, nothing of it is kept, and a smaller one can follow."""

    def full(x, marks):
        if text == "real":
            torch.empty(2**60, dtype=torch.uint8)
        raise RuntimeError(text)

    assert len(results(engine, SampleRequest(layout, steps=2))) == 1
    kept = engine._kept
    with monkeypatch.context() as patch:
        patch.setattr(engine, "decode", full)
        with pytest.raises(OutOfMemory, match="96 × 64") as caught:
            results(engine, SampleRequest(layout, steps=2, size=(64, 96)))
    assert caught.value.size == (64, 96) and engine._kept is not kept
    assert len(results(engine, SampleRequest(layout, steps=2))) == 1


def test_another_error_stays_what_it_is(engine, layout, monkeypatch):
    """Only a shortage of memory is told as one."""
    monkeypatch.setattr(engine, "decode", lambda x, marks: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        results(engine, SampleRequest(layout, steps=2))


# -- live painting: what is kept from picture to picture ------------------------------------------


@pytest.mark.parametrize("student", [False, True], ids=["model", "student"])
def test_a_quick_picture_does_not_depend_on_those_before_it(make_checkpoint, layout, student):
    """After many strokes, kept embedding and kept first step give what a fresh engine gives."""
    make_checkpoint(latent=True, name="tiny-student.safetensors", **STUDENT)
    path = make_checkpoint(latent=True)
    engine = Engine.open(path, "cpu", "bfloat16")
    request = SampleRequest(layout, steps=2, guidance_scale=2.0, student=student)
    labels, rng = layout.labels.copy(), np.random.default_rng(0)
    for _ in range(8):
        y, x = rng.integers(0, 50, 2)
        labels[y : y + 9, x : x + 14] = rng.integers(3)
        request = replace(request, layout=Layout(labels, layout.palette))
        [kept] = results(engine, request)
    [fresh] = results(Engine.open(path, "cpu", "bfloat16"), request)
    assert np.array_equal(kept.image, fresh.image)
