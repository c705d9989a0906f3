"""Training: what a step does, and that a resumed run is the run."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from core.losses import per_sample_mean
from core.model.autoencoder import Autoencoder
from core.model.unet import SDMUNet
from core.objective import (
    AutoencoderObjective,
    DiffusionObjective,
    balanced_weights,
    diffusion_inputs,
    dropped,
    seeded_noise,
    shifted,
)
from core.onehot import one_hot
from core.schedule import ScheduleSpec
from core.training import TrainingError, TrainRun, TrainSettings, train
from tests.conftest import TINY, TINY_AUTOENCODER

SCHEDULE = ScheduleSpec().build()
CPU = torch.device("cpu")


def objective(**options) -> DiffusionObjective:
    from core.model.spec import ModelSpec

    torch.manual_seed(0)
    return DiffusionObjective(SDMUNet(ModelSpec(**TINY)), SCHEDULE, 3, **options)


def batches(count: int, first: int = 0, size: int = 4):
    """Deterministic batches of pictures that follow their labels."""
    for step in range(first, first + count):
        generator = torch.Generator().manual_seed(step)
        labels = torch.randint(0, 3, (size, 16, 16), generator=generator).to(torch.uint8)
        image = (labels[:, None].float() - 1).expand(-1, 3, -1, -1)
        seeds = torch.arange(size) + size * step
        yield {"image": image, "labels": labels, "seed": seeds}


def run_of(steps: int = 60, lr: float = 3e-3, **options) -> TrainRun:
    settings = TrainSettings(steps=steps, batch=4, lr=lr, warmup=2, ema_decay=0.9)
    return TrainRun(objective(**options), settings, CPU)


def test_training_learns():
    """On pictures that follow their labels the loss falls."""
    losses = [done.losses["simple"] for done in train(run_of(), batches(60))]
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])


def test_a_resumed_run_is_the_run_bit_for_bit(tmp_path):
    """Three steps, saved, loaded and three more equal six steps: weights, average and moments."""
    whole = run_of()
    list(train(whole, batches(6)))
    first = run_of()
    list(train(first, batches(3)))
    first.save(tmp_path / "state.safetensors", {"a": 1})
    second = run_of()
    second.load(tmp_path / "state.safetensors", {"a": 1})
    assert second.step == 3
    list(train(second, batches(3, first=3)))
    for run, name in ((whole, "whole"), (second, "second")):
        run.save(tmp_path / f"{name}.safetensors", {"a": 1})
    ours, theirs = (load_file(tmp_path / f"{n}.safetensors") for n in ("second", "whole"))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_another_run_cannot_be_resumed(tmp_path):
    """What differs is named, and nothing of the new run is touched."""
    run = run_of()
    run.save(tmp_path / "state.safetensors", {"stage": "diffusion"})
    with pytest.raises(TrainingError, match='stage "diffusion", not "autoencoder"'):
        run_of().load(tmp_path / "state.safetensors", {"stage": "autoencoder"})


def test_a_damaged_state_is_refused(tmp_path):
    """Half a file is called incomplete."""
    path = tmp_path / "state.safetensors"
    run_of().save(path, {})
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(TrainingError, match="no complete training state"):
        run_of().load(path, {})


def test_a_loss_that_is_no_number_ends_the_run():
    """The sentence names the step and the way out; the state of the last save is not touched."""
    bad = next(batches(1))
    bad["image"] = bad["image"] * float("nan")
    with pytest.raises(TrainingError, match="step 0.*--resume and a lower --lr"):
        list(train(run_of(), [bad]))


def test_the_average_follows_the_weights():
    """EMA lies between start and end, and starts as the weights themselves."""
    run = run_of()
    assert all(torch.equal(a, b) for a, b in zip(run.ema, run.parameters, strict=True))
    before = [p.detach().clone() for p in run.parameters]
    list(train(run, batches(5)))
    moved = [
        (e - b).detach().norm() / (p - b).detach().norm()
        for e, b, p in zip(run.ema, before, run.parameters, strict=True)
    ]
    assert 0 < float(moved[0]) < 1


def test_a_loss_does_not_depend_on_its_batch():
    """The loss of four samples is the mean of their losses alone."""
    one = objective(label_dropout=0.5).eval()
    batch = next(batches(1))
    alone = [one({k: v[i : i + 1] for k, v in batch.items()})["loss"] for i in range(4)]
    torch.testing.assert_close(one(batch)["loss"], torch.stack(alone).mean())


def test_label_dropout_gives_the_null_layout():
    """The asked share of samples sees zeros, chosen by their seeds."""
    one = objective(label_dropout=0.25)
    batch = next(batches(1, size=400))
    _, y = diffusion_inputs(batch, one.num_labels)
    seen = dropped(y, batch["seed"], 0.25)
    blank = seen.flatten(1).sum(1) == 0
    assert 60 < int(blank.sum()) < 140
    assert torch.equal(dropped(y, batch["seed"], 0.25), seen)
    assert torch.equal(seen[~blank], y[~blank])
    torch.testing.assert_close(
        one(batch)["loss"], one(batch | {"y": seen, "x0": batch["image"]})["loss"]
    )


def test_noise_is_a_sample_s_own():
    """The same seed draws the same noise in any company; a salt draws another."""
    a, b = (
        seeded_noise(torch.tensor([5, 6]), (2, 3), CPU),
        seeded_noise(torch.tensor([6]), (2, 3), CPU),
    )
    assert torch.equal(a[1], b[0]) and not torch.equal(a[0], a[1])
    assert not torch.equal(seeded_noise(torch.tensor([6]), (2, 3), CPU, salt=1), b)


def test_the_loss_is_the_papers():
    """L_simple plus one term of L_vlb, for eps and uniform weights."""
    from core.losses import vlb_term
    from core.objective import T_SALT, seeded_uniform
    from tests.conftest import randomised

    one = objective()
    randomised(one.model)
    batch = next(batches(1))
    t = (seeded_uniform(batch["seed"], CPU, T_SALT) * 1000).long()
    noise = seeded_noise(batch["seed"], (3, 16, 16), CPU)
    x = SCHEDULE.q_sample(batch["image"], t, noise)
    eps, v = one.model(x, t, diffusion_inputs(batch, one.num_labels)[1]).chunk(2, dim=1)
    vlb = vlb_term(SCHEDULE, batch["image"], x, t, SCHEDULE.x0_from_eps(x, t, eps), v)
    expected = (per_sample_mean((eps - noise) ** 2) + vlb).mean()
    torch.testing.assert_close(one(batch)["loss"], expected)


def test_the_autoencoder_learns_to_repeat():
    """Reconstruction improves; its latents stay within their bound."""
    torch.manual_seed(0)
    settings = TrainSettings(steps=40, batch=4, lr=2e-2, warmup=2)
    run = TrainRun(AutoencoderObjective(Autoencoder(TINY_AUTOENCODER)), settings, CPU)
    plain = (
        {"image": b["image"][..., :1, :1].expand(-1, -1, 16, 16), "seed": b["seed"]}
        for b in batches(40)
    )
    losses = [done.losses["l1"] for done in train(run, plain)]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    assert run.objective.model.raw_latents(100 * torch.randn(1, 3, 16, 16)).abs().max() <= 3


def test_a_decoder_that_reads_the_layout_learns_from_it():
    """Colours that the labels alone decide are right where the latents could not hold them."""
    torch.manual_seed(0)
    spec = replace(TINY_AUTOENCODER, layout_labels=3, latent_channels=1, full_width=4)
    colours = torch.tensor([[-0.9, 0.8, -0.7], [0.9, -0.8, 0.6], [0.1, 0.9, 0.9]])

    def painted(seed):
        labels = torch.randint(0, 3, (4, 16, 16), generator=torch.Generator().manual_seed(seed))
        image = colours[labels].permute(0, 3, 1, 2)
        return {"image": image, "labels": labels, "seed": torch.arange(4) + 4 * seed}

    settings = TrainSettings(steps=60, batch=4, lr=2e-2, warmup=2)
    run = TrainRun(AutoencoderObjective(Autoencoder(spec), layout_dropout=0.2), settings, CPU)
    losses = [done.losses["l1"] for done in train(run, map(painted, range(60)))]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    batch = painted(99)
    model, y = run.objective.model, one_hot(batch["labels"], 3)
    z = model.raw_latents(batch["image"])
    seeing, blind = (
        (model.raw_decode(z, given) - batch["image"]).abs().mean() for given in (y, None)
    )
    assert seeing < 0.7 * blind


def test_encode_and_decode_use_the_same_normalisation():
    """decode(encode(x)) is the raw round trip, whatever mean and deviation are stored."""
    model = Autoencoder(TINY_AUTOENCODER).eval()
    model.latent_mean.fill_(0.3)
    model.latent_std.fill_(2.0)
    x = torch.randn(1, 3, 16, 16)
    torch.testing.assert_close(
        model.decode(model.encode(x)), model.raw_decode(model.raw_latents(x))
    )


@pytest.mark.parametrize(
    "schedule, step, expected",
    [
        ("constant", 0, 0.1),
        ("constant", 9, 1.0),
        ("constant", 99, 1.0),
        ("cosine", 50, 0.5),
        ("cosine", 100, 0.0),
    ],
)
def test_learning_rates(schedule, step, expected):
    """A linear rise, then constant or half a cosine."""
    settings = TrainSettings(steps=100, batch=1, lr=1.0, lr_schedule=schedule, warmup=10)
    assert settings.lr_at(step) == pytest.approx(expected, abs=1e-9)


def test_rare_labels_can_weigh_more():
    """Power 0 treats pixels alike, power 1 labels alike; the mean over pixels stays 1."""
    shares = torch.tensor([0.6, 0.3, 0.1])
    torch.testing.assert_close(balanced_weights(shares, 0.0), torch.ones(3))
    torch.testing.assert_close(balanced_weights(shares, 1.0) * shares, torch.full((3,), 1 / 3))
    assert balanced_weights(torch.tensor([0.999, 0.001]), 1.0)[1] == 5
    one = objective(label_weights=torch.tensor([1.0, 2.0, 4.0]))
    batch = next(batches(1))
    expected = torch.tensor([1.0, 2.0, 4.0])[batch["labels"].long()][:, None]
    torch.testing.assert_close(
        one.pixel_weights(diffusion_inputs(batch, one.num_labels)[1]), expected
    )


def test_a_state_from_before_a_field_existed_goes_on_where_the_field_is_off(tmp_path):
    """A newer program resumes an older run, unless the new thing is asked for."""
    path = tmp_path / "state.safetensors"
    run = run_of()
    run.save(path, {"spec": {"width": 8}})
    run_of().load(path, {"spec": {"width": 8, "wings": False}})
    for other in ({"width": 8, "wings": True}, {"width": 9}, {}):
        with pytest.raises(TrainingError, match="was trained with spec"):
            run_of().load(path, {"spec": other})


def test_a_state_with_a_field_that_is_gone_goes_on_where_it_was_off(tmp_path):
    """What a newer program no longer knows must have been unused."""
    path = tmp_path / "state.safetensors"
    for used in (False, True):
        run_of().save(path, {"spec": {"width": 8, "wings": used}})
        if not used:
            run_of().load(path, {"spec": {"width": 8}})
    with pytest.raises(TrainingError, match="was trained with spec"):
        run_of().load(path, {"spec": {"width": 8}})


def test_the_perceptual_loss_looks_from_a_corner_of_each_seed():
    """Cut to three pixels less, at the same corner in both pictures, which differs by seed."""
    ramp = torch.arange(12.0).expand(1, 12, 12) + 100 * torch.arange(12.0)[:, None]
    pictures = ramp.expand(40, 1, 12, 12)
    seeds = torch.arange(40)
    one, two = shifted((pictures, pictures + 1), seeds)
    assert one.shape == (40, 1, 9, 9) and torch.equal(two, one + 1)
    corners = {divmod(int(v), 100) for v in one[:, 0, 0, 0]}
    assert len(corners) > 10 and all(0 <= a <= 3 and 0 <= b <= 3 for a, b in corners)
    assert torch.equal(shifted((pictures[5:6],), seeds[5:6])[0], one[5:6])
