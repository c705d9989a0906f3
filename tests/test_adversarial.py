"""The discriminator beside the autoencoder."""

import pytest
import torch
import torch.nn.functional as F

from core.adversarial import DISCRIMINATOR_LR, GRADIENT, AdversarialObjective, sureness
from core.model.autoencoder import Autoencoder
from core.model.discriminator import PatchDiscriminator
from core.objective import AutoencoderObjective, levelled
from core.training import TrainRun, TrainSettings, train
from tests.conftest import TINY_AUTOENCODER


@pytest.fixture
def objective():
    torch.manual_seed(0)
    plain = AutoencoderObjective(Autoencoder(TINY_AUTOENCODER))
    return AdversarialObjective(plain, PatchDiscriminator(8, labels=3), 0.1)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(2, 3, 32, 32, generator=generator) * 2 - 1
    labels = torch.randint(0, 3, (2, 32, 32), generator=generator, dtype=torch.uint8)
    return {"image": image, "labels": labels, "seed": torch.arange(2)}


def gradients(objective, loss):
    parameters = dict(objective.model.named_parameters())
    found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    return {
        name.split(".")[0]
        for name, gradient in zip(parameters, found, strict=True)
        if gradient is not None and gradient.abs().max() > 0
    }


def test_neither_network_learns_from_the_others_loss(objective, batch):
    """Passing teaches the autoencoder alone, judging the discriminator alone."""
    losses = objective(batch)
    assert gradients(objective, losses["passing"]) == {"autoencoder"}
    losses = objective(batch)
    assert gradients(objective, losses["judging"]) == {"discriminator"}


def test_the_plain_losses_are_in_the_sum(objective, batch):
    losses = objective(batch)
    plain = objective.plain(batch)
    expected = plain["loss"] + losses["passing"] + losses["judging"]
    torch.testing.assert_close(losses["loss"], expected)
    assert torch.equal(losses["l1"], plain["l1"])


def test_a_score_for_every_patch():
    """An eighth of the picture's resolution."""
    assert PatchDiscriminator(8)(torch.zeros(1, 3, 64, 32)).shape == (1, 1, 8, 4)


def test_a_score_depends_on_what_was_painted():
    """Once it has learned anything about labels."""
    torch.manual_seed(0)
    judge, picture = PatchDiscriminator(8, labels=3), torch.rand(1, 3, 64, 32)
    torch.nn.init.normal_(judge.wanted.weight)
    y = torch.zeros(1, 3, 64, 32)
    y[:, 0, :, :16], y[:, 1, :, 16:] = 1, 1
    swapped = y[:, [1, 0, 2]]
    assert (judge(picture, y) - judge(picture, swapped)).abs().min() > 0
    assert torch.equal(judge(picture, y), judge(picture, F.avg_pool2d(y, 8)))


def test_the_push_at_a_picture_is_of_one_size(objective, batch):
    """Whatever the judge's scores are multiplied by."""
    for gain in (1.0, 50.0):
        with torch.no_grad():
            objective.model.discriminator.score.weight.mul_(gain)
        _, picture = objective.plain.compare(batch)
        picture = picture.detach().requires_grad_()
        judged = objective.model.discriminator(levelled(picture, 0.1 * GRADIENT))
        judged.mean().backward()
        norms = picture.grad.flatten(1).norm(dim=1)
        torch.testing.assert_close(norms, torch.full((2,), 0.1 * GRADIENT / 2))


def test_the_discriminator_learns_to_tell_and_at_its_own_rate(objective, batch, tmp_path):
    """Judging gets easier; its group has its own rate; the whole state comes back from disk."""
    settings = TrainSettings(steps=30, batch=2, lr=4e-3, warmup=1)
    objective.weight = 0.0  # the autoencoder does not strive against it here
    run = TrainRun(objective, settings, torch.device("cpu"))
    losses = [done.losses for done in train(run, [batch] * 30)]
    assert losses[-1]["judging"] < 0.9 * losses[0]["judging"]
    assert [g["lr"] for g in run.optimizer.param_groups] == [4e-3, 4e-3 * DISCRIMINATOR_LR]
    run.save(tmp_path / "state.safetensors", {})
    fresh = AdversarialObjective(
        AutoencoderObjective(Autoencoder(TINY_AUTOENCODER)), PatchDiscriminator(8, labels=3), 0.1
    )
    fresh.weight = 0.0
    again = TrainRun(fresh, settings, torch.device("cpu"))
    again.load(tmp_path / "state.safetensors", {})
    [one], [two] = list(train(run, [batch])), list(train(again, [batch]))
    assert one.losses == two.losses
    old, new = run.objective.model.state_dict(), again.objective.model.state_dict()
    assert all(torch.equal(old[k], new[k]) for k in old)


@pytest.mark.parametrize(("judging", "expected"), [(2.3, 0.0), (2.0, 0.0), (1.5, 0.25), (0.0, 1.0)])
def test_a_judge_that_guesses_pushes_nowhere(judging, expected):
    assert sureness(torch.tensor(judging)) == expected
