"""Low-rank files: they start as their base, change only updates, and open like any other file."""

import json
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from core import base as base_module
from core import train
from core.checkpoint import HEADER_KEY, Checkpoint, CheckpointError
from core.engine import Engine
from core.fingerprint import fingerprint
from core.labelmap import read_labels
from core.lora import LowRank, stored
from core.merge import main as merge
from core.request import Layout, SampleRequest

QUICK = ["--size", "16", "--batch", "2", "--threads", "1", "--warmup", "1", "--sheet-every", "0"]
QUICK += ["--precision", "float32", "--device", "cpu"]
LAVA = (
    'title = "Mine"\nunlabeled = 0\n'
    '[[classes]]\nid = 0\nname = "ground"\ncolor = [0, 0, 0]\n'
    '[[classes]]\nid = 1\nname = "heaven"\nsynonyms = ["sky"]\ncolor = [9, 9, 250]\n'
    '[[classes]]\nid = 2\nname = "lava"\ncolor = [250, 9, 9]\n'
    '[[classes]]\nid = 3\nname = "ash"\ncolor = [90, 90, 90]\n'
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """The models that come along are not these."""
    monkeypatch.setattr(base_module, "WEIGHTS", tmp_path / "bundled")


@pytest.fixture
def ride(photos, palette_file, tmp_path):
    """`ride(base, steps, *more)`: train a low-rank file; gives its path."""

    def go(base, steps, *more, out="mine", palette=palette_file, rank=2):
        words = ["--data", photos, "--palette", palette, "--out", tmp_path / out, *QUICK]
        words += ["--init", base, "--lora", rank, "--steps", steps, *more]
        assert train.main([str(word) for word in words]) == 0
        return tmp_path / out / "weights.safetensors"

    return go


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_it_begins_as_its_base_bit_for_bit(make_unet):
    """In the forward pass and in the merged weights."""
    base = make_unet()
    rider = LowRank(base, 4)
    x, t, y = torch.randn(2, 3, 16, 16), torch.tensor([3, 700]), torch.rand(2, 3, 16, 16)
    assert torch.equal(rider(x, t, y), base(x, t, y))
    state = rider.merged_state(rider.state_dict())
    assert all(torch.equal(v, state[k]) for k, v in base.state_dict().items())


def test_the_forward_pass_is_that_of_the_merged_weights(make_unet):
    """What training sees is what the engine loads, and the gradient reaches the updates alone."""
    base, rider = make_unet(), LowRank(make_unet(), 4)
    for parameter in rider.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x, t, y = torch.randn(1, 3, 16, 16), torch.tensor([3]), torch.rand(1, 3, 16, 16)
    before = base(x, t, y)
    out = rider(x, t, y)
    out.sum().backward()
    base.load_state_dict(rider.merged_state(rider.state_dict()))
    assert torch.equal(out, base(x, t, y)) and not torch.equal(out, before)
    assert all(p.grad is not None for p in rider.parameters())
    assert all(p.grad is None for p in rider.base.parameters())


def test_training_leaves_the_base_alone_and_saves_updates(make_checkpoint, ride):
    """A small file: nothing in it but factors; the base's file is what it was."""
    base = make_checkpoint()
    before = base.read_bytes()
    made = ride(base, 3)
    assert base.read_bytes() == before
    tensors = load_file(made)
    assert all(name.endswith((".down", ".up")) for name in tensors)
    assert any(tensors[name].abs().max() > 0 for name in tensors if name.endswith(".up"))
    down = tensors["unet.input_blocks.0.0.weight.down"]
    assert down.shape == (2, 27) and down.dtype == torch.float16
    weights = sum(v.numel() for k, v in load_file(base).items() if v.ndim > 1)
    assert sum(v.numel() for v in tensors.values()) < weights / 3
    assert not same(Checkpoint.open(made).load_unet(), Checkpoint.open(base).load_unet())


def test_no_step_is_no_change(make_checkpoint, ride, tmp_path):
    """With a learning rate of 0 the file opens as its base, to the bit."""
    base = make_checkpoint(latent=True)
    rider = Checkpoint.open(ride(base, 1, "--lr", "0"))
    assert same(rider.load_unet(), Checkpoint.open(base).load_unet())
    assert same(rider.load_autoencoder(), Checkpoint.open(base).load_autoencoder())


def test_layers_of_new_labels_are_kept_whole(make_checkpoint, ride, tmp_path):
    """A palette of one's own: those layers have its labels, and are learned."""
    (tmp_path / "lava.toml").write_text(LAVA)
    base = make_checkpoint()
    made = ride(base, 2, palette=tmp_path / "lava.toml")
    whole = [k for k in load_file(made) if not k.endswith((".down", ".up"))]
    assert whole and all(k.endswith("mlp_shared.0.weight") for k in whole)
    rider = Checkpoint.open(made)
    assert rider.spec.num_classes == 4 and [c.name for c in rider.palette.classes][2] == "lava"
    assert rider.load_unet().spec.num_classes == 4
    start = ride(base, 1, "--lr", "0", out="start", palette=tmp_path / "lava.toml")
    assert any(not torch.equal(load_file(made)[k], load_file(start)[k]) for k in whole)


def test_the_window_engine_opens_it_and_a_merged_file_paints_the_same(
    make_checkpoint, ride, photos, tmp_path
):
    """Ridden and merged are one picture, to the bit where the file is kept in float32."""
    made = ride(make_checkpoint(latent=True), 2)
    whole = tmp_path / "whole.safetensors"
    assert merge([str(made), "-o", str(whole), "--store", "float32"]) == 0
    assert Checkpoint.open(whole).base is None
    pictures = []
    for path in (made, whole):
        engine = Engine.open(path, "cpu", "float32")
        labels = read_labels(photos / "labels" / "00.png", engine.info.palette).labels
        request = SampleRequest(Layout(labels, engine.info.palette), steps=2)
        *_, last = engine.sample(request)
        pictures.append(torch.from_numpy(last.image.copy()))
    assert torch.equal(*pictures)


def test_what_is_whole_is_not_merged(make_checkpoint, tmp_path, capsys):
    """The file is named."""
    base = make_checkpoint()
    assert merge([str(base), "-o", str(tmp_path / "out.safetensors")]) == 2
    assert "whole file already" in capsys.readouterr().err


def test_an_interrupted_run_goes_on_bit_for_bit(make_checkpoint, ride):
    """2 + 2 steps are 4 steps."""
    base = make_checkpoint()
    constant = ("--lr-schedule", "constant")
    whole = ride(base, 4, *constant, out="whole")
    ride(base, 2, *constant, out="halves")
    halves = ride(base, 4, *constant, "--resume", out="halves")
    whole, halves = load_file(whole), load_file(halves)
    assert all(torch.equal(whole[k], halves[k]) for k in whole)


# -- the base --------------------------------------------------------------------------------------


def test_a_base_is_found_beside_it_or_among_the_bundled(make_checkpoint, ride, tmp_path):
    """In both places; under its own name only where the tensors agree, and never itself."""
    base = make_checkpoint(name="weights.safetensors")  # the name that the low-rank file has too
    made = ride(base, 1)
    assert Checkpoint.open(made).open_base().path == base.resolve()  # where it was
    for folder, name in (("far/moved", "mine.safetensors"), ("bundled", "weights.safetensors")):
        (tmp_path / folder).mkdir(parents=True)
        shutil.copy(made if "far" in folder else base, tmp_path / folder / name)
    base.rename(tmp_path / "hidden.safetensors")
    moved = Checkpoint.open(tmp_path / "far" / "moved" / "mine.safetensors")
    assert moved.open_base().path == tmp_path / "bundled" / "weights.safetensors"


def test_a_missing_base_is_told_with_the_places(make_checkpoint, ride, tmp_path):
    """The name, and every folder that was looked into."""
    base = make_checkpoint()
    made = ride(base, 1)
    base.unlink()
    with pytest.raises(ValueError, match=r"needs tiny\.safetensors.*none of .*mine.*bundled"):
        Engine.open(made, "cpu", "float32")


def test_another_base_of_that_name_is_refused(make_checkpoint, ride):
    """One number in it is different."""
    base = make_checkpoint()
    made = ride(base, 1)
    tensors = load_file(base)
    tensors["unet.out.2.bias"][0] += 1
    with safe_open(base, "pt") as file:
        save_file(tensors, base, file.metadata())
    with pytest.raises(ValueError, match=r"trained on a tiny\.safetensors with other weights"):
        Checkpoint.open(made).load_unet()


def test_a_fingerprint_is_of_the_tensors_alone(make_checkpoint, tmp_path):
    """Another header changes nothing, another number does; a cut file is refused."""
    path = make_checkpoint()
    first = fingerprint(path)
    tensors = load_file(path)
    save_file(tensors, tmp_path / "bare.safetensors", {HEADER_KEY: json.dumps({"a": 1})})
    assert fingerprint(tmp_path / "bare.safetensors") == first
    tensors["unet.out.2.bias"][0] += 1
    save_file(tensors, tmp_path / "bare.safetensors")
    assert fingerprint(tmp_path / "bare.safetensors") != first
    for kept in (0, 5, 300, -1):
        (tmp_path / "cut.safetensors").write_bytes(path.read_bytes()[:kept])
        with pytest.raises(ValueError, match="no complete safetensors file"):
            fingerprint(tmp_path / "cut.safetensors")


def test_updates_that_do_not_fit_are_explained(make_checkpoint, ride):
    """A damaged low-rank file names itself and its base."""
    made = ride(make_checkpoint(), 1)
    tensors = load_file(made)
    tensors["unet.input_blocks.0.0.weight.up"] = torch.zeros(5, 2)
    with safe_open(made, "pt") as file:
        save_file(tensors, made, file.metadata())
    with pytest.raises(CheckpointError, match="does not fit its own base tiny.safetensors"):
        Checkpoint.open(made).load_unet()


def test_what_cannot_be_ridden_on_is_refused(make_checkpoint, ride, photos, tmp_path, capsys):
    """No base, a rank of nothing, a low-rank file as base, another network."""
    base = make_checkpoint()
    made = ride(base, 1)
    words = ["--data", str(photos), "--palette", str(tmp_path / "tiny.toml"), *QUICK]
    words += ["--out", str(tmp_path / "no"), "--steps", "1"]
    for more, says in (
        (["--lora", "2"], "--lora needs --init"),
        (["--lora", "0", "--init", base], "--lora 0 is no rank"),
        (["--lora", "2", "--init", made], "python -m core.merge"),
        (["--lora", "2", "--init", base, "--grow"], "leave out --grow"),
    ):
        assert train.main(words + [str(word) for word in more]) == 2
        assert says in capsys.readouterr().err


def test_a_run_of_another_rank_is_not_resumed(make_checkpoint, ride, photos, tmp_path, capsys):
    """What differs is said."""
    base = make_checkpoint()
    ride(base, 1)
    words = ["--data", photos, "--palette", tmp_path / "tiny.toml", *QUICK, "--resume"]
    words += ["--out", tmp_path / "mine", "--init", base, "--steps", 2, "--lora", 3]
    assert train.main([str(word) for word in words]) == 2
    assert "was trained with lora" in capsys.readouterr().err


def test_names_are_those_of_the_network(make_unet):
    """A low-rank file speaks of the weights by their names, with what they are behind."""
    rider = LowRank(make_unet(), 1, ["middle_block.0.in_norm.mlp_shared.0.weight"])
    names = stored(rider.state_dict())
    assert "middle_block.0.in_norm.mlp_shared.0.weight" in names
    assert "time_embed.0.weight.up" in names and "time_embed.0.bias" not in names
