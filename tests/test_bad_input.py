"""What the fuzz found: each of these once ended in something else than a sentence."""

import io
import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from core.archive import read_member
from core.checkpoint import Checkpoint, CheckpointError
from core.convert import convert
from core.data_trees import DatasetError
from core.dataset import read_photo
from core.errors import InputError, brief
from core.header import HEADER_KEY, palette_of
from core.model.spec import ModelSpec, SpecError
from core.official import OfficialError, read_state
from core.palette import Palette, PaletteError
from core.recipe import RecipeError, read_recipe
from core.tensor_file import is_finite
from core.words import Vocabulary
from tests.conftest import TINY, randomised


def header_of(path):
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()[HEADER_KEY])


def with_header(path, **changes):
    """The same file whose header says something else."""
    metadata = {HEADER_KEY: json.dumps({**header_of(path), **changes})}
    save_file(load_file(path), path, metadata)
    return path


# -- weights --------------------------------------------------------------------------------------

NO_NETWORK = {
    "model_channels": 10**9,  # a few of these are all the memory there is
    "num_res_blocks": 10**9,  # as many loops
    "channel_mult": [1] * 100_000,
    "num_classes": 2**40,
    "image_size": 0,
    "spade_hidden": -1,
    "num_head_channels": "16",
    "dropout": "a lot",
    "aspect_ratio": float("nan"),
    "resblock_updown": 1,
    "attention_resolutions": [[8]],
}


@pytest.mark.parametrize("field", NO_NETWORK)
def test_a_spec_of_no_network_is_refused_at_once(make_checkpoint, field):
    """Before anything is built; the field and its value are named."""
    path = make_checkpoint()
    spec = {**header_of(path)["spec"], field: NO_NETWORK[field]}
    with pytest.raises(CheckpointError, match=f"{path}.*{field} = .*which no network can have"):
        Checkpoint.open(with_header(path, spec=spec))


def test_a_spec_that_cannot_be_built_is_refused(make_checkpoint):
    """Numbers that are each possible and do not go together."""
    path = make_checkpoint()
    spec = {**header_of(path)["spec"], "model_channels": 65536, "channel_mult": [65536, 65536]}
    with pytest.raises(CheckpointError, match=f"{path} describes.* cannot be built: "):
        Checkpoint.open(with_header(path, spec=spec)).load_unet()


@pytest.mark.parametrize("field", ["spec", "base", "segmenter", "guidance", "spade"])
def test_an_empty_part_of_the_header_is_no_part_left_out(make_checkpoint, field):
    """`{}` is not what a file without that part has."""
    with pytest.raises(CheckpointError, match="header"):
        checkpoint = Checkpoint.open(with_header(make_checkpoint(), **{field: {}}))
        checkpoint.load_unet()
        checkpoint.load_segmenter()


@pytest.mark.parametrize("field, value", [("training", [1]), ("licence", {}), ("training", None)])
def test_what_a_header_tells_of_its_training_is_checked(make_checkpoint, field, value):
    """It is shown to people, who would see a traceback."""
    with pytest.raises(CheckpointError, match="training or licence"):
        Checkpoint.open(with_header(make_checkpoint(), **{field: value}))


def test_an_unknown_schedule_is_told_when_the_file_is_opened(make_checkpoint):
    """Not when it is first sampled from, and with the file's name."""
    path = with_header(make_checkpoint(), schedule={"noise_schedule": "sqrt"})
    with pytest.raises(CheckpointError, match=f"{path}.*'sqrt'"):
        Checkpoint.open(path)


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_weights_that_are_no_numbers_are_named(make_checkpoint, odd, dtype):
    """One value among all, in any precision: the file and the tensor are told at open time."""
    path = make_checkpoint()
    tensors = {name: value.to(dtype) for name, value in load_file(path).items()}
    tensors["unet.out.2.weight"].view(-1)[5] = odd
    save_file(tensors, path, {HEADER_KEY: json.dumps(header_of(path))})
    with pytest.raises(CheckpointError, match=f"{path}.*no numbers.*unet.out.2.weight"):
        Checkpoint.open(path).load_unet()


def test_every_kind_of_tensor_can_be_looked_at():
    """Eight bits, whole numbers and nothing at all."""
    assert is_finite(torch.zeros(3).to(torch.float8_e4m3fn))
    assert is_finite(torch.zeros(3, dtype=torch.int64)) and is_finite(torch.zeros(0))
    assert not is_finite(torch.tensor([1.0, float("nan")]).to(torch.float8_e4m3fn))


def test_an_official_file_with_a_nan_is_not_converted(tmp_path, palette):
    """The source is named, not the file that would have been made; and that is not made."""
    from core.model.unet import SDMUNet

    state = randomised(SDMUNet(ModelSpec(**TINY))).state_dict()
    state["out.2.bias"][0] = float("nan")
    source, out = tmp_path / "theirs.pt", tmp_path / "ours.safetensors"
    torch.save(state, source)
    fields = {k: v for k, v in TINY.items() if k != "num_classes"}
    with pytest.raises(OfficialError, match=f"{source}.*no numbers.*out.2.bias"):
        convert(source, out, palette, fields)
    assert list(tmp_path.glob("*.safetensors")) == []


# A pickle's "get from the memo" with nothing in it, and a mark that is never set.
BROKEN_PICKLES = (
    b"\x80\x02h\x05.",
    b"\x80\x02t.",
    b"\x80\x02N0000.",
    b"\x80\x02X\xff\xff\xff\x7f.",
)


@pytest.mark.parametrize("data", BROKEN_PICKLES)
def test_a_broken_pickle_is_a_damaged_file(tmp_path, data):
    """Whatever the reader of pickles raises."""
    path = tmp_path / "theirs.pth"
    path.write_bytes(data)
    with pytest.raises(OfficialError, match=str(path)):
        read_state(path)


def test_a_spec_field_of_a_command_line_is_checked():
    """`--spec` goes the same way."""
    with pytest.raises(SpecError, match="num_res_blocks = 99"):
        ModelSpec.from_dict({"num_res_blocks": 99})


# -- texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a = " + "[" * 20_000, "a = 1e", "\x00", 'a = "\\ud800"'])
def test_toml_that_is_none_is_told_in_a_sentence(tmp_path, text):
    """Also brackets within brackets until Python gives up."""
    path = tmp_path / "mine.toml"
    path.write_text(text)
    for read, error in (
        (Palette.load, PaletteError),
        (lambda path: read_recipe(path, ("a",)), RecipeError),
    ):
        with pytest.raises(error) as told:
            read(path)
        assert str(path) in str(told.value) and str(told.value).endswith(".")
        assert str(told.value).isprintable() and len(str(told.value)) < 600


def test_a_palette_that_is_a_list_is_refused(make_checkpoint):
    """In the header of a checkpoint, too."""
    with pytest.raises(PaletteError, match="classes"):
        Palette.from_dict([1, 2], where="here")
    with pytest.raises(InputError):
        palette_of(with_header(make_checkpoint(), palette=[1]))


def test_foreign_text_in_a_sentence_is_short_and_on_one_line():
    """A label's name may be a novel."""
    assert brief("a\nb\x00c\u202e") == "a b c "
    assert brief("x" * 300, 10) == "x" * 9 + "…" and brief("short") == "short"
    novel = {"name": "tiny", "classes": [{"id": 0, "name": "x\n" * 9999}]}
    with pytest.raises(PaletteError) as told:
        Palette.from_dict(novel)
    assert len(str(told.value)) < 400 and "\n" not in str(told.value)


# -- zips -----------------------------------------------------------------------------------------


def lying_zip(says: int) -> bytes:
    """A megabyte of zeros of which the directory says that it is `says` bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(2**20))
    told = (2**20).to_bytes(4, "little")
    return buffer.getvalue().replace(told, says.to_bytes(4, "little"))


def test_a_zip_that_lies_is_not_unpacked_further_than_it_says():
    """It used to be unpacked whole before its end was looked for."""
    with zipfile.ZipFile(io.BytesIO(lying_zip(100))) as archive:
        with pytest.raises(zipfile.BadZipFile, match="CRC"):
            read_member(archive, "a", 2**30)


def test_a_zip_that_tells_of_too_much_is_not_unpacked():
    """The sentence has the file and its size."""
    with zipfile.ZipFile(io.BytesIO(lying_zip(2**31))) as archive:
        with pytest.raises(ValueError, match="'a' would take 2,147,483,648 bytes"):
            read_member(archive, "a", 2**29)


def test_a_whole_member_is_read():
    """What is right goes through."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"bytes")
    with zipfile.ZipFile(buffer) as archive:
        assert read_member(archive, "a", 5) == b"bytes"
        with pytest.raises(KeyError):
            read_member(archive, "b", 5)


# -- pictures -------------------------------------------------------------------------------------


def test_a_picture_whose_chunk_says_four_gigabytes_is_refused(tmp_path, palette):
    """OpenCV would make room for them; in a data set and in a project."""
    from app.png import check_png
    from tests.trees import plain

    plain(tmp_path)
    path = tmp_path / "images" / "1.jpg"
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(buffer, "PNG")
    good = buffer.getvalue()
    data = good[:33] + b"\xff\xff\xff\x00tEXt" + good[33:]
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="images/1.jpg"):
        read_photo(path)
    with pytest.raises(ValueError, match="damaged"):
        check_png(data)
    check_png(good)


# -- prompts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["foo_bar", "_foggi", "l’aube", "-x- x", "İi\u0307"])
def test_words_that_are_joined_in_odd_ways_are_looked_for_once(text):
    """The search for unknown words went on without end where it could not cut one out."""
    vocabulary = Vocabulary.from_dict({"concepts": {"fog": {"group": "sky"}}})
    assert all(one.word for one in vocabulary.unknown(text))
    assert vocabulary.unknown("fog") == ()


# -- what the program keeps for itself ------------------------------------------------------------


def test_infinite_numbers_in_settings_and_logs_are_left_out(tmp_path):
    """Qt and Python turn them into whole numbers by an exception."""
    from app.settings import GenerateSettings, Store
    from app.training.loss_curve import read_losses

    (tmp_path / "settings.ini").write_text("[generate]\nsteps=inf\nseed=1e999\n")
    found = Store(tmp_path / "settings.ini").generate()
    assert found == GenerateSettings(steps=found.steps, seed=found.seed).checked()
    (tmp_path / "log.csv").write_text("step,loss\n1,0.5\n1e999,0.4\n3,nan\n4,0.3\n")
    assert read_losses(tmp_path / "log.csv") == [(1, 0.5), (4, 0.3)]
