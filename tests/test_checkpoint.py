"""A checkpoint knows what it is, and says in one sentence why it cannot be used."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from core.checkpoint import HEADER_KEY, Checkpoint, CheckpointError


def header_of(path):
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()[HEADER_KEY])


def rewritten(path, header=None, tensors=None):
    """The same file with another header or other tensors."""
    metadata = {HEADER_KEY: json.dumps(header or header_of(path))}
    save_file(tensors or load_file(path), path, metadata)
    return path


@pytest.mark.parametrize("latent", [False, True])
def test_a_path_is_all_it_needs(make_checkpoint, palette, latent):
    """Spec, schedule, palette, training and licence come back, and the networks' weights."""
    path = make_checkpoint(latent)
    checkpoint = Checkpoint.open(path)
    assert checkpoint.palette == palette
    assert (checkpoint.training["step"], checkpoint.licence) == (7, "MIT")
    stored = load_file(path)
    unet = checkpoint.load_unet()
    assert all(
        torch.equal(value, stored[f"unet.{key}"]) for key, value in unet.state_dict().items()
    )
    assert (checkpoint.load_autoencoder() is not None) == latent


def test_a_students_stops_come_back_and_older_headers_open(make_checkpoint):
    """Timesteps as they were; a field that older files have and no model used is passed over."""
    path = make_checkpoint(stops=(999, 416), finish=250)
    assert Checkpoint.open(path).spec.stops == (999, 416)
    assert Checkpoint.open(path).spec.finish == 250
    header = header_of(path)
    header["spec"]["guidance_embedding"] = False
    del header["spec"]["stops"], header["spec"]["finish"]
    spec = Checkpoint.open(rewritten(path, header)).spec
    assert (spec.stops, spec.finish) == ((), 0)


def test_half_precision_storage_opens_in_float32(make_checkpoint):
    """fp16 on disk, float32 in memory."""
    path = make_checkpoint()
    checkpoint = Checkpoint.open(path)
    checkpoint.save(path, {"unet": checkpoint.load_unet().state_dict()}, torch.float16)
    assert load_file(path)["unet.out.2.weight"].dtype == torch.float16
    assert Checkpoint.open(path).load_unet().dtype == torch.float32


def test_a_missing_file_is_named(tmp_path):
    """The sentence has the path."""
    with pytest.raises(CheckpointError, match="nowhere.safetensors"):
        Checkpoint.open(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("keep", [0, 4, 200, -1])
def test_a_truncated_file_is_refused(make_checkpoint, keep):
    """Cut anywhere, it is called incomplete."""
    path = make_checkpoint()
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="no complete safetensors file"):
        Checkpoint.open(path)


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    """Weights of another program are recognised as such."""
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="none of SDM Studio"):
        Checkpoint.open(path)


def test_a_pickle_is_never_read(tmp_path):
    """A .pt file with code in it is refused before anything of it runs."""
    path = tmp_path / "evil.safetensors"
    torch.save({"a": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="no complete safetensors file"):
        Checkpoint.open(path)


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda h: h.update(format=99), "format 99"),
        (lambda h: h["spec"].update(wings=2), "wings"),
        (lambda h: h["spec"].update(prediction="noise"), "noise"),
        (lambda h: h.pop("palette"), "palette"),
        (lambda h: h["palette"]["classes"][0].update(id=5), "id 5"),
    ],
)
def test_a_header_that_cannot_be_used_is_explained(make_checkpoint, change, says):
    """What is wrong in the header is named."""
    path = make_checkpoint()
    header = header_of(path)
    change(header)
    with pytest.raises(CheckpointError, match=says):
        Checkpoint.open(rewritten(path, header=header))


def test_weights_that_do_not_fit_their_header_are_named(make_checkpoint):
    """The first tensor of another shape, or missing, is in the sentence."""
    path = make_checkpoint()
    tensors = load_file(path)
    tensors["unet.out.2.bias"] = torch.zeros(9)
    with pytest.raises(CheckpointError, match=r"unet\.out\.2\.bias is \[9\], expected \[6\]"):
        Checkpoint.open(rewritten(path, tensors=tensors)).load_unet()
    del tensors["unet.out.2.bias"]
    with pytest.raises(CheckpointError, match=r"unet\.out\.2\.bias is missing"):
        Checkpoint.open(rewritten(path, tensors=tensors)).load_unet()


def test_an_autoencoder_alone_is_no_diffusion_model(make_checkpoint, palette):
    """It opens, gives its autoencoder, and says what it lacks."""
    full = Checkpoint.open(make_checkpoint(latent=True))
    autoencoder = full.load_autoencoder()
    alone = Checkpoint(palette, autoencoder=autoencoder.spec)
    alone.save(full.path, {"autoencoder": autoencoder.state_dict()}, torch.float32)
    alone = Checkpoint.open(full.path)
    assert alone.load_autoencoder().spec == autoencoder.spec
    with pytest.raises(CheckpointError, match="autoencoder alone"):
        alone.load_unet()


def test_a_folder_that_cannot_be_written_is_named(make_checkpoint, tmp_path):
    """Saving into nowhere is a sentence, and the checkpoint in memory is still there."""
    checkpoint = Checkpoint.open(make_checkpoint())
    with pytest.raises(CheckpointError, match="cannot be written"):
        checkpoint.save(tmp_path / "no" / "a.safetensors", {"unet": {}}, torch.float16)
