"""A new decoder for a model's latents."""

from dataclasses import replace

import torch

from core.checkpoint import Checkpoint
from core.join import main
from core.model.autoencoder import Autoencoder
from core.transfer import grown


def decoder_file(path, checkpoint, touch_encoder=False, **fields):
    """An autoencoder with the encoder of `checkpoint` and a decoder of its own."""
    old = checkpoint.load_autoencoder()
    new = Autoencoder(replace(old.spec, **fields))
    grown(new, old.state_dict())
    with torch.no_grad():
        new.decoder[0].weight.mul_(0.5)
        if touch_encoder:
            new.encoder[1].weight.mul_(0.5)
    state = {"autoencoder": new.state_dict()}
    Checkpoint(checkpoint.palette, autoencoder=new.spec).save(path, state, torch.float16)
    return str(path)


def half(make_checkpoint, tmp_path):
    """A latent model stored in fp16, as training stores them."""
    checkpoint = Checkpoint.open(make_checkpoint(latent=True))
    path = tmp_path / "model.safetensors"
    modules = {
        "unet": checkpoint.load_unet().state_dict(),
        "autoencoder": checkpoint.load_autoencoder().state_dict(),
    }
    checkpoint.save(path, modules, torch.float16)
    return Checkpoint.open(path)


def test_the_new_decoder_reads_the_old_latents(make_checkpoint, tmp_path):
    """U-Net and encoder stay, the decoder is the new one, of another shape even."""
    model, out = half(make_checkpoint, tmp_path), tmp_path / "joined.safetensors"
    made = decoder_file(tmp_path / "d.safetensors", model, full_width=4)
    assert main([str(model.path), made, "-o", str(out)]) == 0
    joined = Checkpoint.open(out)
    assert joined.spec.autoencoder.full_width == 4 and joined.training["step"] == 7
    old, new = model.load_unet().state_dict(), joined.load_unet().state_dict()
    assert all(torch.equal(old[k], new[k]) for k in old)
    picture = torch.rand(1, 3, 16, 16)
    before, after = model.load_autoencoder(), joined.load_autoencoder()
    assert torch.equal(before.encode(picture), after.encode(picture))
    assert not torch.equal(
        before.decode(before.encode(picture)), after.decode(after.encode(picture))
    )


def test_other_latents_are_refused(make_checkpoint, tmp_path, capsys):
    """A decoder whose encoder went on learning would show something else."""
    model, out = half(make_checkpoint, tmp_path), tmp_path / "joined.safetensors"
    other = decoder_file(tmp_path / "d.safetensors", model, touch_encoder=True)
    assert main([str(model.path), other, "-o", str(out)]) == 2
    assert "--freeze-encoder" in capsys.readouterr().err and not out.exists()


def test_what_has_no_such_part_is_named(make_checkpoint, tmp_path, capsys):
    """A model on pixels has no decoder to change; an autoencoder alone has no U-Net."""
    pixels = str(make_checkpoint(name="pixels.safetensors"))
    model = half(make_checkpoint, tmp_path)
    made = decoder_file(tmp_path / "d.safetensors", model)
    for first, second, says in (
        (pixels, made, "pixels.safetensors has no autoencoder"),
        (made, made, "no diffusion model"),
    ):
        assert main([first, second, "-o", str(tmp_path / "out.safetensors")]) == 2
        assert says in capsys.readouterr().err
