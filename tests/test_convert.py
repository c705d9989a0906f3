"""Official checkpoints become ours: the same numbers, checked names, and no code of theirs runs."""

import json
import pickle

import pytest
import torch
from safetensors import safe_open

from core import convert
from core.checkpoint import Checkpoint
from core.model.spec import ModelSpec
from core.model.unet import SDMUNet
from core.official import compare
from core.palette import Palette
from tests.conftest import TINY, randomised
from tests.reference import GOLDEN

FIELDS = {k: list(v) if isinstance(v, tuple) else v for k, v in TINY.items() if k != "num_classes"}
RELEASES = json.loads((GOLDEN / "sdm_release_shapes.json").read_text())


@pytest.fixture
def network():
    return randomised(SDMUNet(ModelSpec(**TINY)))


@pytest.fixture
def run(tmp_path, palette_file):
    """`run(state, *more)`: status of the command on a file with `state`."""

    def go(state, *more, **how):
        torch.save(state, tmp_path / "theirs.pt", **how)
        words = [
            tmp_path / "theirs.pt",
            "--palette",
            palette_file,
            "-o",
            tmp_path / "ours.safetensors",
        ]
        return convert.main([str(w) for w in words] + ["--spec", json.dumps(FIELDS), *more])

    return go


@pytest.mark.parametrize("how", [{}, {"_use_new_zipfile_serialization": False}])
@pytest.mark.parametrize("wrap", [dict, lambda s: {"state_dict": {f"module.{k}": s[k] for k in s}}])
def test_the_numbers_are_the_same_to_the_bit(run, network, tmp_path, how, wrap):
    """Whether mapped or in the old format, bare or wrapped."""
    assert run(wrap(network.state_dict()), **how) == 0
    made = Checkpoint.open(tmp_path / "ours.safetensors")
    assert made.spec == network.spec and made.palette.classes[1].name == "sky"
    assert made.training["converted_from"] == "theirs.pt"
    state = made.load_unet().state_dict()
    assert all(torch.equal(state[k], v) for k, v in network.state_dict().items())


@pytest.mark.parametrize("store", ["bfloat16", "float16"])
def test_the_file_can_be_stored_at_half_the_size(run, network, tmp_path, store):
    """Every tensor is rounded to the asked precision, once."""
    assert run(network.state_dict(), "--store", store) == 0
    with safe_open(tmp_path / "ours.safetensors", "pt") as file:
        for name, value in network.state_dict().items():
            assert torch.equal(file.get_tensor(f"unet.{name}"), value.to(convert.STORES[store]))


def test_what_differs_is_named(run, network, capsys, tmp_path):
    """A wrong shape, a missing and a foreign tensor; nothing is written."""
    state = dict(network.state_dict())
    state["out.2.weight"] = state["out.2.weight"][:3]
    state["stranger"] = state.pop("out.2.bias")
    assert run(state) == 2
    said = capsys.readouterr().err
    assert "out.2.weight is [3, 16, 3, 3], expected [6, 16, 3, 3]" in said
    assert "out.2.bias is missing" in said and "stranger is not expected" in said
    assert not (tmp_path / "ours.safetensors").exists()


class Bomb:
    """What a hostile file would hold."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_code_in_a_pickle_never_runs(run, network, tmp_path, capsys):
    """The file is refused with a reason, and what it wanted to do was not done."""
    assert run({**network.state_dict(), "bomb": Bomb(tmp_path / "boom")}) == 2
    assert "could run code" in capsys.readouterr().err
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Bomb(tmp_path / "boom")))
    words = [
        str(tmp_path / "plain.pt"),
        "--palette",
        "landscape",
        "-o",
        str(tmp_path / "o.safetensors"),
    ]
    assert convert.main(words) == 2
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"\x00" * 4096])
def test_a_damaged_file_has_its_sentence(tmp_path, capsys, content):
    """It is named, and the status is 2."""
    (tmp_path / "bad.pt").write_bytes(content)
    words = [
        str(tmp_path / "bad.pt"),
        "--palette",
        "landscape",
        "-o",
        str(tmp_path / "o.safetensors"),
    ]
    assert convert.main(words) == 2 and "bad.pt" in capsys.readouterr().err
    assert convert.main(["gone.pt", *words[1:]]) == 2 and "gone.pt" in capsys.readouterr().err


def test_a_state_of_no_tensors_is_refused(run, capsys):
    """A dict of something else is no network."""
    assert run({"epoch": 3}) == 2 and "no state dict" in capsys.readouterr().err


@pytest.mark.parametrize("release", RELEASES)
def test_the_four_releases_are_what_their_palettes_expect(release):
    """Names and shapes of each released file pass the check of its palette, without a flag."""
    palette = Palette.load(release)
    fields = {"num_classes": palette.num_channels} | convert.RELEASES.get(release, {})
    with torch.device("meta"):
        ours = {
            k: tuple(v.shape) for k, v in SDMUNet(ModelSpec.from_dict(fields)).state_dict().items()
        }
        theirs = {k: torch.empty(shape) for k, shape in RELEASES[release]["shapes"].items()}
    assert compare(theirs, ours) == []


def test_progress_is_told_in_lines(run, network, capsys):
    """Whole percents, rising, the last one a hundred."""
    assert run(network.state_dict(), "--lines") == 0
    told = [int(line) for line in capsys.readouterr().out.split()]
    assert told == sorted(set(told)) and told[-1] == 100 and len(told) > 10
