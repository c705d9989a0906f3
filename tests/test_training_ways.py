"""Ways to train with less time or memory give what the plain way gives."""

import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.model.layers import SPADEGroupNorm
from core.model.spec import ModelSpec
from core.model.surroundings import Surroundings
from core.model.unet import SDMUNet
from core.objective import T_SALT, DiffusionObjective, seeded_noise, seeded_uniform
from core.onehot import one_hot
from core.schedule import ScheduleSpec
from core.training import TrainRun, TrainSettings, split, train
from tests.conftest import TINY, randomised
from tests.reference.training import OfficialStep

CPU = torch.device("cpu")
SCHEDULE = ScheduleSpec().build()


def blobs(labels: int, size: int, regions: int = 6, count: int = 4, seed: int = 0) -> torch.Tensor:
    """Label maps `[count, size, size]` of a few smooth regions, as painted or photographed."""
    generator = torch.Generator().manual_seed(seed)
    fields = torch.randn(count, regions, 3, 3, generator=generator)
    ids = torch.randperm(labels, generator=generator)[:regions]
    return ids[F.interpolate(fields, (size, size), mode="bicubic").argmax(1)]


def a_batch(labels: int, size: int, step: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    image = torch.rand(4, 3, size, size, generator=generator) * 2 - 1
    maps = blobs(labels, size, min(labels, 6), seed=step).to(torch.uint8)
    return {"image": image, "labels": maps, "seed": torch.arange(4) + 4 * step}


def trainable(spec: ModelSpec) -> SDMUNet:
    """A network without layers of zeros, which would hide mistakes."""
    return randomised(SDMUNet(spec)).train().requires_grad_(True)


def run_of(accumulate: int = 1, clip: float = 1.0) -> TrainRun:
    settings = TrainSettings(
        steps=9, batch=4, lr=1e-3, warmup=0, clip_norm=clip, accumulate=accumulate
    )
    model = trainable(ModelSpec(**TINY))
    return TrainRun(DiffusionObjective(model, SCHEDULE, 3), settings, CPU)


# -- a batch in parts -----------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [2, 3, 9])
def test_a_batch_in_parts_is_the_batch(parts):
    """Loss, gradient norm and moments agree, also where the parts are of unequal size."""
    whole, divided = run_of(), run_of(parts)
    batches = [a_batch(3, 16, step) for step in range(2)]
    for one, other in zip(train(whole, batches), train(divided, batches), strict=True):
        assert other.losses["loss"] == pytest.approx(one.losses["loss"], rel=1e-5)
        assert other.grad_norm == pytest.approx(one.grad_norm, rel=1e-5)
    for a, b in zip(whole.parameters, divided.parameters, strict=True):
        ours, theirs = (r.optimizer.state[p] for r, p in ((divided, b), (whole, a)))
        torch.testing.assert_close(ours["exp_avg"], theirs["exp_avg"], atol=1e-5, rtol=1e-5)


def test_parts_hold_every_sample_once():
    """In their order; shares add up to 1."""
    parts = split({"seed": torch.arange(7)}, 3)
    assert torch.cat([part["seed"] for part, _ in parts]).tolist() == list(range(7))
    assert [share * 7 for _, share in parts] == pytest.approx([3, 2, 2])


def test_gradients_are_left_alone_where_there_is_no_limit():
    """`--clip 0`: a large gradient moves Adam's moments by all of it."""
    limited, free = run_of(clip=1e-3), run_of(clip=0)
    norms = [next(train(run, [a_batch(3, 16)])).grad_norm for run in (limited, free)]
    assert norms[0] == pytest.approx(norms[1])
    moments = [r.optimizer.state[r.parameters[0]]["exp_avg"].norm() for r in (limited, free)]
    assert moments[1] == pytest.approx(float(moments[0]) * norms[0] / 1e-3, rel=1e-3)


def test_half_precision_scales_its_loss(tmp_path):
    """float16 trains with a scaled loss, and a resumed run has the same scale."""
    settings = TrainSettings(steps=9, batch=4, lr=1e-3, warmup=0, precision="float16")
    objective = DiffusionObjective(trainable(ModelSpec(**TINY)), SCHEDULE, 3)
    run = TrainRun(objective, settings, CPU)
    losses = [done.losses["loss"] for done in train(run, [a_batch(3, 16, s) for s in range(3)])]
    plain = [done.losses["loss"] for done in train(run_of(), [a_batch(3, 16)])]
    assert losses[0] == pytest.approx(plain[0], rel=0.02) and np.isfinite(losses).all()
    assert run.scaler.get_scale() > 1
    run.scaler.update(512.0)
    run.save(tmp_path / "state.safetensors", {})
    again = TrainRun(DiffusionObjective(trainable(ModelSpec(**TINY)), SCHEDULE, 3), settings, CPU)
    again.load(tmp_path / "state.safetensors", {})
    assert again.scaler.get_scale() == 512


# -- less kept for the way back -------------------------------------------------------------------


def gradients(model: SDMUNet) -> list[torch.Tensor]:
    model.zero_grad()
    DiffusionObjective(model, SCHEDULE, 3, label_dropout=0.3)(a_batch(3, 16))["loss"].backward()
    return [p.grad.clone() for p in model.parameters()]


def test_checkpointing_changes_no_gradient():
    """With dropout too: what is computed again is the same."""
    model = trainable(ModelSpec(**TINY, dropout=0.2))
    torch.manual_seed(0)
    plain = gradients(model)
    for stage in model.stages():
        stage.checkpointing = True
    torch.manual_seed(0)
    for again, before in zip(gradients(model), plain, strict=True):
        torch.testing.assert_close(again, before, atol=1e-7, rtol=1e-5)


def test_checkpointing_keeps_less():
    """What autograd holds on to between the two passes shrinks to a fraction."""

    def held(model: SDMUNet) -> int:
        kept: dict[int, int] = {}

        def keep(x: torch.Tensor) -> torch.Tensor:
            kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            return x

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            y = one_hot(blobs(3, 32, 3), 3)
            out = model(torch.randn(4, 3, 32, 32), torch.zeros(4).long(), y)
        del out
        return sum(kept.values())

    model = trainable(ModelSpec(**TINY))
    plain = held(model)
    for stage in model.stages():
        stage.checkpointing = True
    assert held(model) < 0.5 * plain


# -- places that are alike ------------------------------------------------------------------------


def layouts() -> dict[str, torch.Tensor]:
    hard = one_hot(blobs(7, 40, 4, count=2), 7)
    dropped = hard.clone()
    dropped[1] = 0
    edges = torch.zeros(2, 40, 40)
    edges[:, :, 20] = 1
    return {
        "hard": hard,
        "one without labels": dropped,
        "instance edges": one_hot(hard.argmax(1), 7, edges),
        "coverage": F.avg_pool2d(one_hot(blobs(7, 160, 4, count=2), 7), 4),
        "one label": torch.ones(2, 1, 40, 40),
    }


@pytest.mark.parametrize("kind", list(layouts()))
def test_places_that_are_alike_are_computed_once(kind):
    """gamma, beta and all gradients are those of the two convolutions, at the borders too."""
    y = layouts()[kind]
    norm = randomised(SPADEGroupNorm(32, y.shape[1], 16)).requires_grad_(True)
    alike = Surroundings.of(y)
    assert len(alike.windows) < 0.5 * alike.kinds.numel()
    x, weight = (
        torch.randn(2, 32, 40, 40, generator=torch.Generator().manual_seed(s)) for s in (1, 2)
    )
    results = []
    for layout in (y, alike):
        norm.zero_grad()
        out = norm(x, layout)
        (out * weight).sum().backward()
        results.append([out.detach(), *(p.grad.clone() for p in norm.parameters())])
    for ours, plain in zip(*reversed(results), strict=True):
        torch.testing.assert_close(ours, plain, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(results[1][0], results[0][0], atol=1e-5, rtol=1e-5)


def test_noise_has_no_places_that_are_alike():
    """Then the convolutions are as good."""
    labels = torch.randint(0, 9, (2, 32, 32), generator=torch.Generator().manual_seed(0))
    assert Surroundings.of(one_hot(labels, 9)) is None


def test_training_runs_what_sampling_runs():
    """forward, with places that are alike, is decode of encode and embed_layout."""
    model = randomised(SDMUNet(ModelSpec(**{**TINY, "image_size": 64}))).train()
    x, t, y = torch.randn(2, 3, 64, 64), torch.tensor([3, 800]), one_hot(blobs(3, 64, 3, 2), 3)
    parts = model.decode(model.encode(x, t), model.embed_layout(y), t)
    torch.testing.assert_close(model(x, t, y), parts, atol=1e-5, rtol=1e-4)


# -- against the official step --------------------------------------------------------------------


def compared(spec: ModelSpec, size: int, steps: int) -> list[tuple[float, float, float, float]]:
    """(loss, official loss, seconds, official seconds) of each step; seconds of computing."""
    model = trainable(spec)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(0.5)
    official = OfficialStep(dict(model.named_parameters()), spec, lr=1e-4, ema_decay=0.9999)
    settings = TrainSettings(steps=steps, batch=4, lr=1e-4, warmup=0, clip_norm=0)
    run = TrainRun(DiffusionObjective(model, SCHEDULE, spec.num_classes), settings, CPU)
    batches = [a_batch(spec.num_classes, size, step) for step in range(steps)]
    ours, found = train(run, batches), []
    for batch in batches:
        t = (seeded_uniform(batch["seed"], CPU, T_SALT) * 1000).long()
        noise = seeded_noise(batch["seed"], batch["image"].shape[1:], CPU)
        started = time.process_time()
        theirs = official(batch["image"], batch["labels"].long()[:, None], t, noise)
        between = time.process_time()
        loss = next(ours).losses["loss"]
        found.append((loss, theirs, time.process_time() - between, between - started))
    return found


def test_a_step_is_the_official_step():
    """Loss after loss, with the weights that both have learned so far."""
    for loss, theirs, *_ in compared(ModelSpec(**TINY), 16, steps=4):
        assert loss == pytest.approx(theirs, rel=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_step_is_half_as_fast_again_as_the_official_one():
    """The papers' network at a quarter of its width, ADE20K's labels, 128x128, batch 4, one thread.

    Layouts of a few regions, as data has them: with noise for labels both are equally fast.
    """
    spec = ModelSpec(image_size=128, model_channels=64)
    found = compared(spec, 128, steps=4)
    ours, official = (float(np.median([row[i] for row in found[1:]])) for i in (2, 3))
    print(
        f"ours {ours:.2f} s, official {official:.2f} s a step: {official / ours:.2f} times as fast"
    )
    assert all(row[0] == pytest.approx(row[1], rel=1e-5) for row in found)
    assert official >= 1.5 * ours
