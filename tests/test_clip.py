"""CLIP files: SDG's own encoder by its layout, and tiny CLIPs through the extra."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from core.checkpoint import Checkpoint
from core.clip import Clip, prepared, read_clip
from core.clip_guide import ClipGuide, open_noisy
from core.engine import Engine
from core.errors import InputError
from core.files import file_digest
from core.guidance_stage import SceneObjective
from core.guide import Guide, guide_path
from core.model.scene_encoder import SceneEncoder
from core.model.spec import SceneEncoderSpec
from core.model.timed_resnet import EXPANSION, TimedResNet
from core.request import Layout, Result, SampleRequest
from core.schedule import ScheduleSpec
from core.seen import Seen
from core.terms import GuidanceTerm
from core.train import main
from tests.conftest import randomised

needs_clip = pytest.mark.skipif(find_spec("open_clip") is None, reason="without the extra [clip]")
WIDTH, EMBEDDING = 8, 64
ANY = GuidanceTerm("text", text="a lonely pier")
REFERENCE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


def tiny_timed(embedding: int = EMBEDDING) -> TimedResNet:
    torch.manual_seed(0)
    return randomised(TimedResNet(WIDTH, (1, 1, 2, 1), 2, embedding)).eval()


@pytest.fixture
def noisy_file(tmp_path):
    """As released: a state dict of torch.save, with the counters of its batch norms."""
    path = tmp_path / "noisy.pt"
    torch.save(tiny_timed().state_dict(), path)
    return path


# -- SDG's own encoder ----------------------------------------------------------------------------


def test_the_released_encoder_has_its_layout():
    """Names and shapes of RN50x16 at 256 pixels, as its authors' code makes them."""
    with torch.device("meta"):
        state = TimedResNet(96, (6, 8, 18, 8), 8, 768).state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    norms = [48, 48, 96] + [96, 96, 384] * 6 + [192, 192, 768] * 8
    norms += [384, 384, 1536] * 18 + [768, 768, 3072] * 8
    for name, shape in {
        "visual_frozen.0.weight": (48, 3, 3, 3),
        "visual_frozen.7.running_mean": (96,),
        "visual_frozen.10.0.downsample.0.weight": (384, 96, 1, 1),
        "visual_frozen.11.7.conv2.weight": (192, 192, 3, 3),
        "visual_frozen.12.17.bn3.weight": (1536,),
        "layer4.0.downsample.1.num_batches_tracked": (),
        "layer4.7.conv3.weight": (3072, 768, 1, 1),
        "attn_pool.positional_embedding": (65, 3072),
        "attn_pool.c_proj.weight": (768, 3072),
        "time_embed.2.weight": (512, 512),
        "emb_layers.1.weight": (2 * sum(norms), 512),
    }.items():
        assert shapes[name] == shape, name
    assert len([n for n in shapes if n.startswith("layer4.")]) == 8 * 18 + 6


def test_a_released_file_is_read_whole(noisy_file):
    """Its shape follows from its tensors, and it says what the network in it does."""
    made, opened = tiny_timed(), open_noisy(noisy_file)
    x, t = torch.randn(2, 3, 64, 64), torch.tensor([3, 700])
    mine, theirs = made(x, t), opened(x, t)
    torch.testing.assert_close(mine.embedding, theirs.embedding)
    assert opened.size == 64 and theirs.places.shape == (2, EMBEDDING, 2, 2)
    widths = [WIDTH * 2**n * EXPANSION for n in range(4)]
    assert [layer.shape[1] for layer in theirs.layers] == widths
    assert opened(torch.randn(1, 3, 96, 64), t[:1]).places.shape == (1, EMBEDDING, 3, 2)


def test_it_is_told_the_timestep(noisy_file):
    """The same picture at another timestep looks otherwise."""
    opened, x = open_noisy(noisy_file), torch.randn(1, 3, 64, 64)
    early, late = (opened(x, torch.tensor([t])).embedding for t in (0, 900))
    assert (early - late).abs().max() > 1e-4


def test_other_files_are_no_such_encoder(tmp_path):
    """Named, with what is missing."""
    path = tmp_path / "other.pt"
    torch.save({"visual.conv1.weight": torch.zeros(2)}, path)
    with pytest.raises(InputError, match="other.pt is not SDG's encoder.*visual_frozen.10"):
        open_noisy(path)


@needs_clip
def test_without_time_it_is_clip_s_resnet():
    """Where the timestep says nothing, open_clip's network with the same weights sees the same."""
    from open_clip.modified_resnet import ModifiedResNet

    timed = tiny_timed()
    nn.init.zeros_(timed.emb_layers[1].weight)
    nn.init.zeros_(timed.emb_layers[1].bias)
    width = 32 * WIDTH
    theirs = ModifiedResNet([1, 1, 2, 1], EMBEDDING, width // 64, 64, WIDTH).eval()
    stem = ["conv1", "bn1", None, "conv2", "bn2", None, "conv3", "bn3", None, None]
    names = {f"visual_frozen.{n}": name for n, name in enumerate(stem) if name}
    names |= {f"visual_frozen.{9 + n}": f"layer{n}" for n in (1, 2, 3)}
    names |= {"layer4": "layer4", "attn_pool": "attnpool"}
    state = {}
    for key, value in timed.state_dict().items():
        for mine, name in names.items():
            if key.startswith(f"{mine}."):
                state[name + key.removeprefix(mine)] = value
    theirs.load_state_dict(state)
    x = torch.randn(2, 3, 64, 64)
    wanted = nn.functional.normalize(theirs(x), dim=1)
    found = timed(x, torch.tensor([5, 600])).embedding
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-3)


# -- CLIP files -----------------------------------------------------------------------------------


def clip_state(kind: str) -> dict[str, torch.Tensor]:
    """A tiny CLIP with random weights, in the names of the published files."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    torch.manual_seed(1)
    visions = {
        "vit": CLIPVisionCfg(layers=5, width=64, patch_size=8, image_size=32),
        "resnet": CLIPVisionCfg(layers=(1, 1, 1, 1), width=8, image_size=32),
    }
    text = CLIPTextCfg(context_length=77, vocab_size=49408, width=64, heads=1, layers=1)
    model = CLIP(EMBEDDING, visions[kind], text, quick_gelu=True)
    return {k: v.float() for k, v in model.state_dict().items() if k != "attn_mask"}


@pytest.fixture(params=["vit", "resnet"])
def clip_file(request, tmp_path):
    """A plain state dict, as many are passed on."""
    path = tmp_path / "clip.pt"
    torch.save(clip_state(request.param), path)
    return path


def test_pictures_are_prepared_for_clip():
    """Resized, and in units of its own: black and white."""
    black = prepared(torch.full((1, 3, 8, 8), -1.0), 4)
    assert black.shape == (1, 3, 4, 4)
    torch.testing.assert_close(
        black[0, :, 0, 0], torch.tensor([-1.7923, -1.7521, -1.4802]), atol=1e-3, rtol=0
    )


def test_without_the_extra_it_is_named(tmp_path, monkeypatch):
    """With the command that helps."""
    monkeypatch.setattr("core.clip.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs the extra \[clip\]: pip install open_clip_torch"):
        Clip.open(tmp_path / "clip.pt")


def test_a_file_that_is_none(tmp_path):
    """Damaged files of both kinds are named."""
    for name in ("clip.pt", "clip.safetensors"):
        (tmp_path / name).write_bytes(b"nothing")
        with pytest.raises(InputError, match=f"{name} (cannot be read|holds more than tensors)"):
            read_clip(tmp_path / name)
    with pytest.raises(InputError, match="There is no file"):
        read_clip(tmp_path / "none.pt")


@needs_clip
def test_a_clip_file_sees_and_reads(clip_file):
    """Pictures and sentences in one space; the gradient reaches the picture."""
    clip = Clip.open(clip_file)
    x = torch.rand(2, 3, 48, 40, requires_grad=True)
    seen, read = clip.look(x), clip.text(["a foggy lake", "a forest", "a foggy lake"])
    assert seen.embedding.shape == (2, EMBEDDING) and len(seen.layers) == 4
    torch.testing.assert_close(read.norm(dim=1), torch.ones(3))
    assert (read[0] == read[2]).all() and (read[0] - read[1]).abs().max() > 1e-3
    (seen.embedding @ read[0]).sum().backward()
    assert x.grad.abs().sum() > 0
    assert seen.places.shape[1] == EMBEDDING


@needs_clip
@pytest.mark.parametrize("latent", [True, False])
@pytest.mark.parametrize("kind", ["text", "content", "style"])
def test_terms_follow_clip(make_checkpoint, palette, clip_file, latent, kind):
    """On decoded latents and on pixels: every term changes the picture; any sentence is read."""
    engine = Engine.open(make_checkpoint(latent=latent), device="cpu", precision="float32")
    engine.use_clip(clip_file)
    assert engine.info.vocabulary.free
    labels = np.zeros((32, 32), np.uint8)
    term = GuidanceTerm("text", 3.0, "a lonely pier, no rain")
    if kind != "text":
        term = GuidanceTerm(kind, 3.0, reference=REFERENCE)
    settings = {"steps": 2, "guidance_scale": 1.0, "preview_every": 0}
    requests = [SampleRequest(Layout(labels, palette), terms=t, **settings) for t in ((), (term,))]
    plain, pulled = ([e.image for e in engine.sample(r) if isinstance(e, Result)] for r in requests)
    assert (plain[0] != pulled[0]).mean() > 0.02


@needs_clip
def test_the_noisy_encoder_reads_pixels_alone(make_checkpoint, tmp_path, noisy_file, palette):
    """With a model of pixels it guides; a latent model refuses it, and so does another width."""
    path = tmp_path / "clip.pt"
    torch.save(clip_state("vit"), path)
    engine = Engine.open(make_checkpoint(), device="cpu", precision="float32")
    engine.use_clip(path, noisy_file)
    assert not engine.guide.clean
    term = GuidanceTerm("text", 3.0, "a pier")
    request = SampleRequest(Layout(np.zeros((32, 32), np.uint8), palette), steps=2, terms=(term,))
    assert any(isinstance(event, Result) for event in engine.sample(request))
    latent = Engine.open(make_checkpoint(latent=True, name="l.safetensors"), device="cpu")
    with pytest.raises(InputError, match="works on latents"):
        latent.use_clip(path, noisy_file)
    other = tmp_path / "wide.pt"
    torch.save(tiny_timed(embedding=32).state_dict(), other)
    with pytest.raises(InputError, match="wide.pt sees 32 numbers.*texts as 64"):
        ClipGuide.open(path, other, torch.device("cpu"))


# -- an encoder that sees as CLIP does ------------------------------------------------------------


class FakeClip:
    """Sees three numbers of a picture, its mean colour; reads any text as red."""

    width = 3

    def to(self, device):
        return self

    def look(self, pictures):
        return Seen(nn.functional.normalize(pictures.mean((2, 3)) + 0.1, dim=1), pictures, ())

    def text(self, sentences):
        return torch.tensor([[1.0, 0, 0]]).repeat(len(sentences), 1)


@pytest.fixture
def fake_clip(monkeypatch, tmp_path):
    """The file of a CLIP, and what is opened of it."""
    path = tmp_path / "clip.pt"
    path.write_bytes(b"a clip")
    monkeypatch.setattr(Clip, "open", classmethod(lambda cls, path: FakeClip()))
    return path


def test_any_folder_of_photos_teaches_it(tmp_path, fake_clip, palette_file):
    """One command, no labels and no captions; the file reads sentences with the same CLIP alone."""
    photos = tmp_path / "photos"
    photos.mkdir()
    rng = np.random.default_rng(1)
    for number in range(6):
        color = rng.integers(0, 256, 3)
        Image.fromarray(np.full((20, 30, 3), color, np.uint8)).save(photos / f"{number}.png")
    spec = '{"widths": [8], "blocks": [1], "patch": 4}'
    command = f"--stage guidance --clip-file {fake_clip} --data {photos} --palette {palette_file}"
    options = f"{command} --size 24 --batch 4 --steps 3 --out {tmp_path / 'run'}".split()
    assert main([*options, "--spec", spec]) == 0
    guide = Guide.open(tmp_path / "run" / "weights.safetensors", 3)
    assert guide.encoder.spec.clip and guide.encoder.spec.embedding == 3
    assert guide.vocabulary is None
    reading = guide.reading(FakeClip())
    assert reading.vocabulary.free
    torch.testing.assert_close(reading.text("a pier"), torch.tensor([[1.0, 0, 0]]))
    torch.testing.assert_close(reading.text("no pier"), torch.tensor([[-1.0, 0, 0]]))


def test_it_sees_what_clip_sees_through_noise():
    """Noisy pictures are drawn to the views of the clean ones."""
    torch.manual_seed(0)
    colors = torch.nn.functional.one_hot(torch.arange(12) % 3, 3).float()
    x0 = (2 * colors - 1)[:, :, None, None].expand(12, 3, 8, 8)
    spec = SceneEncoderSpec(3, patch=4, widths=(16,), blocks=(1,), embedding=3, clip="some")
    objective = SceneObjective(SceneEncoder(spec), ScheduleSpec().build())
    optimiser = torch.optim.Adam(objective.parameters(), 1e-2)
    losses = []
    for step in range(60):
        seeds = torch.arange(12) + 12 * step
        batch = {"x0": x0, "view": colors, "seed": seeds, "words": torch.zeros(12, 0)}
        loss = objective(batch)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_the_encoder_of_the_same_file_is_used(make_checkpoint, fake_clip, palette, tmp_path):
    """It reads latents, which is quicker; of another file, CLIP itself looks."""
    path = make_checkpoint(latent=True)
    spec = SceneEncoderSpec(
        4, widths=(8,), blocks=(1,), embedding=3, patch=1, clip=file_digest(fake_clip)
    )
    header = Checkpoint(palette, guidance=spec)
    state = randomised(SceneEncoder(spec)).state_dict()
    header.save(guide_path(path), {"guidance": state}, torch.float32)
    engine = Engine.open(path, device="cpu", precision="float32")
    assert engine.info.vocabulary is None
    engine.use_clip(fake_clip)
    assert isinstance(engine.guide, Guide) and engine.info.vocabulary.free
    engine.check(SampleRequest(Layout(np.zeros((32, 32), np.uint8), palette), terms=(ANY,)))


def test_clip_is_of_guidance_alone(tmp_path, fake_clip, capsys):
    """Another stage refuses it."""
    command = (
        f"--stage segmenter --clip-file {fake_clip} --data {tmp_path} --out {tmp_path / 'run'}"
    )
    assert main(command.split()) == 2
    assert "--clip-file is for --stage guidance" in capsys.readouterr().err
