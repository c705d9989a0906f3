"""The judges beside the autoencoder, and the walks that they see."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from core import train as command
from core.adversarial import (
    DISCRIMINATOR_LR,
    EYES,
    GRADIENT,
    LABEL_DISCRIMINATOR_LR,
    AdversarialObjective,
    LabelJudge,
    sureness,
)
from core.checkpoint import Checkpoint
from core.dataset import PairDataset, find_pairs
from core.label_judge import labelled, made_everywhere, smoothed
from core.latents import shares_of
from core.model.autoencoder import Autoencoder
from core.model.discriminator import LabelDiscriminator, PatchDiscriminator
from core.objective import AutoencoderObjective, levelled
from core.onehot import one_hot
from core.perceptual import LPIPS
from core.schedule import ScheduleSpec
from core.training import TrainRun, TrainSettings, train
from core.walked_pairs import WalkedPairs
from core.walks import Walker, WalkPlan
from tests.conftest import LATENT, TINY_AUTOENCODER, randomised
from tests.learners import learners
from tests.test_lpips import lpips_tensors, vgg_tensors


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


def test_neither_network_learns_from_the_others_loss(objective, batch):
    """Passing teaches the autoencoder alone, judging the discriminator alone."""
    losses = objective(batch)
    assert learners(objective, losses["passing"]) == {"autoencoder"}
    losses = objective(batch)
    assert learners(objective, losses["judging"]) == {"discriminator"}


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


# -- the judge that tells labels ------------------------------------------------------------------


@pytest.fixture(scope="session")
def alex(tmp_path_factory):
    """An LPIPS network of random weights."""
    path = tmp_path_factory.mktemp("nets") / "alex.safetensors"
    save_file(lpips_tensors(), path)
    return path


@pytest.fixture
def make_judged(alex):
    """`make_judged()`: the objective with both judges."""

    def make():
        torch.manual_seed(0)
        plain = AutoencoderObjective(Autoencoder(TINY_AUTOENCODER), LPIPS(alex))
        second = LabelJudge(plain.perceptual, torch.tensor([1.0, 2.0, 0.5]), 1.0)
        return AdversarialObjective(plain, PatchDiscriminator(8, labels=3), 0.5, second)

    return make


@pytest.fixture
def walked_batch():
    """Two photos and two walks, 40x40: what AlexNet needs at least."""
    generator = torch.Generator().manual_seed(2)
    labels = torch.randint(0, 3, (2, 2, 5, 5), generator=generator, dtype=torch.uint8)
    labels = labels.repeat_interleave(8, 2).repeat_interleave(8, 3)
    colours = torch.tensor([[-0.8, -0.5, 0.1], [0.7, 0.2, 0.9], [-0.2, 0.6, -0.6]])
    return {
        "image": colours[labels[0].long()].permute(0, 3, 1, 2).contiguous(),
        "labels": labels[0],
        "seed": torch.tensor([3, 4]),
        "walk_x0": torch.randn(2, 4, 5, 5, generator=generator).half(),
        "walk_labels": labels[1],
        "walk_seed": torch.tensor([5, 6]),
    }


def test_no_network_learns_from_anothers_loss(make_judged, walked_batch):
    judged = make_judged()
    learns = {
        "l1": {"autoencoder"},
        "lpips": {"autoencoder"},
        "passing": {"autoencoder"},
        "label_passing": {"autoencoder"},
        "judging": {"discriminator"},
        "label_judging": {"label_discriminator"},
    }
    for name, networks in learns.items():
        assert learners(judged, judged(walked_batch)[name]) == networks, name


def test_the_sum_is_of_all_losses(make_judged, walked_batch):
    judged = make_judged()
    losses = judged(walked_batch)
    named = ("passing", "judging", "label_passing", "label_judging")
    expected = judged.plain(walked_batch)["loss"] + sum(losses[name] for name in named)
    torch.testing.assert_close(losses["loss"], expected)


def test_a_walk_is_judged_and_compared_with_no_photo(make_judged, walked_batch):
    """Other latents change what the decoder is taught by judges, not what photos teach it."""
    judged = make_judged()
    other = walked_batch | {"walk_x0": walked_batch["walk_x0"].flip(-1)}
    photos = {k: v for k, v in walked_batch.items() if not k.startswith("walk_")}
    first, second, without = (judged(batch) for batch in (walked_batch, other, photos))
    for name in ("l1", "lpips", "latent"):
        assert torch.equal(first[name], second[name]) and torch.equal(first[name], without[name])
    for name in ("passing", "label_passing"):
        taught = [decoder_gradient(judged, losses[name]) for losses in (first, second, without)]
        assert not torch.equal(taught[0], taught[1]) and not torch.equal(taught[0], taught[2])


def decoder_gradient(objective, loss):
    last = list(objective.model.autoencoder.decoder.parameters())[-2]
    return torch.autograd.grad(loss, last, retain_graph=True)[0]


def test_a_walk_is_decoded_with_its_own_layout(walked_batch):
    """By a decoder that reads labels and edges."""
    model = randomised(Autoencoder(replace(TINY_AUTOENCODER, layout_labels=4)))
    plain = AutoencoderObjective(model, layout_dropout=0.0)
    judged = AdversarialObjective(plain, PatchDiscriminator(8, labels=3), 0.5)
    edges = (torch.rand(2, 40, 40) < 0.2).float()
    walks = {"x0": walked_batch["walk_x0"], "labels": walked_batch["walk_labels"]}
    walks |= {"edges": edges, "seed": walked_batch["walk_seed"]}
    y = one_hot(walks["labels"], 3, edges)
    assert torch.equal(judged._decoded(walks), model.decode(walks["x0"].float(), y))
    walked = {f"walk_{name}": part for name, part in walks.items()}
    assert judged(walked_batch | {"edges": 1 - edges} | walked)["passing"].isfinite()


def test_its_push_at_a_picture_is_of_one_size(make_judged, walked_batch):
    """Whatever its logits are multiplied by."""
    judged = make_judged()
    made = torch.rand(4, 3, 40, 40) * 2 - 1
    y = F.one_hot(walked_batch["labels"].long(), 3).permute(0, 3, 1, 2).float().repeat(2, 1, 1, 1)
    for gain in (1.0, 50.0):
        with torch.no_grad():
            for out in judged.second.discriminator.out:
                out.weight.mul_(gain)
        leaf = made.clone().requires_grad_()
        judged.second(walked_batch["image"], leaf, y, torch.arange(4))["label_passing"].backward()
        norms = leaf.grad.flatten(1).norm(dim=1)
        torch.testing.assert_close(norms, torch.full((4,), GRADIENT / 4))


def test_both_judges_learn_and_the_state_comes_back(make_judged, walked_batch, tmp_path):
    """Each at its own rate; a run that was saved goes on bit for bit."""
    settings = TrainSettings(steps=12, batch=2, lr=3e-3, warmup=1)
    run = TrainRun(make_judged(), settings, torch.device("cpu"))
    run.objective.weight = run.objective.second.weight = 0.0  # nobody strives against them here
    losses = [done.losses for done in train(run, [walked_batch] * 12)]
    for name in ("judging", "label_judging"):
        assert losses[-1][name] < 0.95 * losses[0][name]
    rates = [group["lr"] for group in run.optimizer.param_groups]
    assert rates == [3e-3, 3e-3 * DISCRIMINATOR_LR, 3e-3 * LABEL_DISCRIMINATOR_LR]
    run.save(tmp_path / "state.safetensors", {})
    again = TrainRun(make_judged(), settings, torch.device("cpu"))
    again.load(tmp_path / "state.safetensors", {})
    again.objective.weight = again.objective.second.weight = 0.0
    for one in (run, again):
        assert len(list(train(one, [walked_batch]))) == 1
    old, new = run.objective.model.state_dict(), again.objective.model.state_dict()
    assert all(torch.equal(old[k], new[k]) for k in old)
    assert not any("network" in k for k in old)  # AlexNet's weights are no part of the run


def test_maps_of_any_size_are_handed_on_to_the_next_finer():
    """AlexNet's are no exact doubles; where they are, each coarse place goes to its four."""
    judge, sides = LabelDiscriminator((2, 2, 2, 2), 3, (4, 4, 4)), (30, 14, 6, 6)
    logits = judge([torch.randn(1, 2, side, side) for side in sides])
    assert [part.shape for part in logits] == [(1, 4, side, side) for side in sides]
    judge = LabelDiscriminator((2, 2), 3, (4, 4))
    fine, coarse = torch.randn(1, 2, 8, 8), torch.randn(1, 2, 4, 4)
    below = judge.body[1](judge.look[1](coarse))
    own = torch.cat([judge.look[0](fine), F.interpolate(below, scale_factor=2.0)], 1)
    assert torch.equal(judge([fine, coarse])[0], judge.out[0](judge.body[0](own)))


def test_what_the_judge_should_say():
    """A photo's place is its labels; a made one is made, and the judge is never quite sure."""
    shares = torch.tensor([0.25, 0.75]).reshape(1, 2, 1, 1)
    assert labelled(shares).flatten().tolist() == [0.0, 0.25, 0.75]
    assert made_everywhere(shares).flatten().tolist() == [1.0, 0.0, 0.0]
    assert smoothed(made_everywhere(shares)).sum() == pytest.approx(1)


def test_it_knows_the_widths_of_its_eyes(alex):
    network = LPIPS(alex)
    least = network.smallest
    maps = network.features(torch.zeros(1, 3, least, least))
    assert [part.shape[1] for part in maps] == network.widths
    with pytest.raises(RuntimeError):
        network.features(torch.zeros(1, 3, least - 1, least - 1))
    assert [network.widths[level] for level in EYES] == [64, 192, 384, 256]


# -- walks ----------------------------------------------------------------------------------------


@pytest.fixture
def walked_pairs(photos, palette, make_unet):
    """Crops of six photos, beside `latents` that are the layouts' own shares of labels and edges.

    As if the palette had instances.
    """
    pairs, palette = find_pairs(photos)[0], replace(palette, instance_edges=True)
    plan = WalkPlan("tiny", (), (999, -1), (2.0, 4.0), (24, 32), 0)
    whole, teacher = PairDataset(pairs, palette, (24, 32)), make_unet(**LATENT)
    walker = Walker(teacher, ScheduleSpec().build(), whole, plan)
    shard = {"x": torch.stack([walker.layout(n) for n in range(8)])[:, None].half()}
    return WalkedPairs(PairDataset(pairs, palette, (16, 16)), [shard], walker)


def test_a_walks_crop_has_its_layouts_pixels(walked_pairs):
    """Latents and layout are of one place, by chance, the same for a seed; photos stay theirs."""
    seen, palette = set(), walked_pairs.pairs.palette
    for seed in range(40):
        item = walked_pairs[(seed % 6, seed)]
        edges = item["walk_edges"].numpy()
        expected = shares_of(item["walk_labels"].numpy(), edges, palette, 8)
        assert torch.equal(item["walk_x0"], expected.half()) and edges.any()
        assert torch.equal(item["image"], walked_pairs.pairs[(seed % 6, seed)]["image"])
        seen.add(item["walk_labels"].numpy().tobytes())
    assert len(seen) > 10
    again = walked_pairs[(3, 39)]
    assert torch.equal(again["walk_labels"], item["walk_labels"])
    assert again["walk_seed"] == item["walk_seed"]


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def words(photos, palette_file, tmp_path):
    """`words(out, *more)`: the arguments of a run of this stage on six tiny photos."""

    def make(out, *more):
        base = ["--data", photos, "--palette", palette_file, "--out", tmp_path / out]
        base += ["--stage", "autoencoder", "--batch", 2, "--size", 40, "--threads", 1]
        base += ["--precision", "float32", "--sheet-every", 0, "--lr-schedule", "constant"]
        base += ["--warmup", 1]
        return [str(word) for word in (*base, *more)]

    return make


def test_a_resumed_run_with_walks_is_the_run_bit_for_bit(words, alex, make_checkpoint, tmp_path):
    """The walks are made once; the judges are trained and stay behind; the encoder is kept."""
    model = make_checkpoint(latent=True)
    more = ["--init", model, "--freeze-encoder", "--walks", 8, "--perceptual", alex]
    more += ["--adversarial", 0.5, "--label-adversarial", 1, "--balance", 0.5]
    assert command.main(words("whole", *more, "--steps", 3)) == 0
    assert command.main(words("parts", *more, "--steps", 2)) == 0
    made = tmp_path / "parts" / "walks" / "00000.safetensors"
    assert load_file(made)["x"].shape == (8, 1, 4, 8, 8)
    when = made.stat().st_mtime_ns
    assert command.main(words("parts", *more, "--steps", 3, "--resume")) == 0
    assert made.stat().st_mtime_ns == when
    whole, parts = (load_file(tmp_path / n / "state.safetensors") for n in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    before = Checkpoint.open(model).load_autoencoder().state_dict()
    after = Checkpoint.open(tmp_path / "parts" / "weights.safetensors").load_autoencoder()
    moved = {k.split(".")[0] for k, v in after.state_dict().items() if not close(v, before[k])}
    assert moved == {"decoder"}
    row = (tmp_path / "parts" / "log.csv").read_text().splitlines()[0]
    assert "label_judging" in row and "shown" in row


def close(a, b):
    """Equal but for float16, which the file is in."""
    return torch.allclose(a, b, atol=1e-3, rtol=1e-3)


def test_a_run_is_resumed_with_the_judges_that_it_had(words, alex, make_checkpoint, capsys):
    more = ["--perceptual", alex, "--adversarial", 0.5]
    second = ["--label-adversarial", 1]
    assert command.main(words("run", *more, *second, "--steps", 1)) == 0
    assert command.main(words("run", *more, "--steps", 2, "--resume")) == 2
    assert "label_adversarial 1.0" in capsys.readouterr().err


def test_what_is_missing_has_its_sentence(words, alex, make_checkpoint, tmp_path, capsys):
    vgg, model = tmp_path / "vgg.safetensors", make_checkpoint(latent=True)
    save_file(vgg_tensors(), vgg)
    alone = tmp_path / "alone.safetensors"
    opened = Checkpoint.open(model)
    state = {"autoencoder": opened.load_autoencoder().state_dict()}
    Checkpoint(opened.palette, autoencoder=TINY_AUTOENCODER).save(alone, state, torch.float32)
    judged = ["--adversarial", 0.5]
    both = [*judged, "--label-adversarial", 1]
    walks = [*judged, "--freeze-encoder", "--walks", 8, "--init"]
    for more, said in (
        (["--label-adversarial", 1], "give --adversarial too"),
        (["--walks", 8], "--walks needs --adversarial"),
        (["--walks", -1], "--walks -1 must be 0 or more"),
        ([*judged, "--walks", 8], "--walks needs --freeze-encoder"),
        ([*judged, "--walks", 8, "--freeze-encoder"], "--freeze-encoder needs --init"),
        ([*judged, "--precision", "float16"], "give --precision float32"),
        (both, "needs an AlexNet for --perceptual: it looks through it."),
        ([*both, "--perceptual", vgg], "vgg.safetensors is none"),
        ([*judged, "--perceptual", alex, "--size", 32], "--size 32x32 is too small"),
        ([*judged, "--size", 36], "--size 36x36 must be multiples of 8"),
        ([*walks, alone], "alone.safetensors holds an autoencoder alone"),
        ([*walks, model, "--size", 72], "larger than the pictures of"),
    ):
        assert command.main(words("run", *more, "--steps", 1)) == 2
        told = capsys.readouterr().err
        assert said in told and "Traceback" not in told, told
