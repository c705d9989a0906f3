"""Memory that runs out, numbers that run over, a device that is lost: in the engine itself."""

import cv2
import numpy as np
import pytest
import torch

from app.worker import failure
from core import device, opening, train
from core.checkpoint import CheckpointError
from core.engine import Engine
from core.errors import DeviceLost, NotAPicture, OutOfMemory, is_shortage
from core.pixels import sound_pixels
from core.request import Layout, Preview, Result, SampleRequest
from tests.test_train_command import SMALL, UNET


def name_of(error: BaseException) -> str:
    return type(error).__name__


CPU = (
    "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate 9223372036854775807 bytes. Error code 12 (Cannot allocate memory)"
)
SHORT = [
    MemoryError(),
    RuntimeError(CPU),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has …"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    cv2.error("OpenCV(4.11.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 9"),
    np._core._exceptions._ArrayMemoryError((2**40,), np.dtype(np.uint8)),
]


@pytest.mark.parametrize("error", SHORT, ids=name_of)
def test_a_shortage_is_told_as_one(error):
    """Whoever says it, and in whatever words."""
    assert is_shortage(error)
    assert failure(error).message.startswith("There is not enough memory")


def test_a_real_shortage():
    """What torch and numpy themselves raise here and now."""
    for ask in (lambda: torch.empty(2**60, dtype=torch.uint8), lambda: np.empty(2**60, np.uint8)):
        with pytest.raises((RuntimeError, MemoryError)) as caught:
            ask()
        assert is_shortage(caught.value)


@pytest.mark.parametrize("error", SHORT[1:4], ids=name_of)
def test_the_engine_goes_on(make_checkpoint, palette, monkeypatch, error):
    """In the middle of a sample: the size is told, and the same request can follow."""
    engine = Engine.open(make_checkpoint(), device="cpu", precision="float32")
    request = SampleRequest(Layout(np.zeros((16, 16), np.uint8), palette), steps=3)
    (*_, expected) = engine.sample(request)
    events = engine.sample(request)
    next(events)
    with monkeypatch.context() as patch:
        patch.setattr(engine.unet, "decode", lambda *_, **__: (_ for _ in ()).throw(error))
        with pytest.raises(OutOfMemory, match="16 × 16"):
            list(events)
    (*_, again) = engine.sample(request)
    assert (again.image == expected.image).all()


def test_a_model_that_does_not_fit(make_checkpoint, monkeypatch):
    """The file is named; a second try can work."""
    path = make_checkpoint()
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "_open_unet", lambda *_: torch.empty(2**60, dtype=torch.uint8))
        with pytest.raises(CheckpointError, match=r"not enough memory to open .*tiny"):
            opening.open_model(path, "cpu", "float32")
    assert opening.open_model(path, "cpu", "float32").info.name == "tiny"


def test_a_training_that_does_not_fit(photos, palette_file, tmp_path, capsys, monkeypatch):
    """Status 2, a sentence with the way out, and the last state resumes."""
    words = ["--data", photos, "--palette", palette_file, "--out", tmp_path / "run"]
    words += ["--spec", UNET, *SMALL, "--sheet-every", "0"]
    words = [str(word) for word in words]
    assert train.main([*words, "--steps", "1"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr("core.training._update", lambda run: torch.empty(2**60, dtype=torch.uint8))
        assert train.main([*words, "--steps", "2", "--resume"]) == 2
    assert "Lower it, or raise" in capsys.readouterr().err
    assert train.main([*words, "--steps", "2", "--resume"]) == 0


# -- numbers that run over -------------------------------------------------------------------------


@pytest.fixture
def request_of(palette):
    """`request_of(**fields)`: for a scene of 64 × 64 with all labels."""
    labels = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64) % 3
    return lambda **fields: SampleRequest(Layout(labels, palette), steps=4, **fields)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_no_colour(value):
    """One of them in a million is enough."""
    images = torch.zeros(1, 3, 8, 8)
    images[0, 1, 2, 3] = value
    with pytest.raises(NotAPicture, match="another seed"):
        sound_pixels(images)
    assert sound_pixels(torch.full((1, 3, 2, 2), 9.0)).min() == 255  # what is large is only clipped


@pytest.mark.parametrize("previews", [0, 1])
def test_nan_in_the_middle_of_a_sample(engine, request_of, monkeypatch, previews):
    """No event with a picture comes of it, nothing of it is kept, and the next sample is the same
    as ever."""
    request = request_of(preview_every=previews)
    (*_, expected) = engine.sample(request)
    decode, calls = engine.unet.decode, []

    def poisoned(*args, **kwargs):
        calls.append(1)
        made = decode(*args, **kwargs)
        return made * float("nan") if len(calls) > 2 else made

    seen = []
    with monkeypatch.context() as patch:
        patch.setattr(engine.unet, "decode", poisoned)
        with pytest.raises(NotAPicture):
            seen += engine.sample(request)
    assert not any(isinstance(event, Result) for event in seen)
    assert all(np.ptp(p.images[0]) > 0 for p in seen if isinstance(p, Preview))
    (*_, again) = engine.sample(request)
    assert (again.image == expected.image).all()


def test_weights_that_are_nan(make_checkpoint, request_of):
    """A model that is broken through and through says so with each picture."""
    engine = Engine.open(make_checkpoint(), device="cpu", precision="float32")
    with torch.inference_mode():
        next(engine.unet.parameters()).fill_(float("nan"))
    for _ in range(2):
        with pytest.raises(NotAPicture):
            list(engine.sample(request_of()))


# -- a device that is lost ------------------------------------------------------------------------

LOST = [
    "CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronously reported",
    "CUDA error: unspecified launch failure",
    "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx(...)`",
]


@pytest.mark.parametrize("text", LOST)
def test_a_lost_device_is_told_as_one(make_checkpoint, palette, monkeypatch, text):
    """The sentence has what the device said last, in one line."""
    engine = Engine.open(make_checkpoint(), device="cpu", precision="float32")
    request = SampleRequest(Layout(np.zeros((16, 16), np.uint8), palette), steps=2)

    def gone(*_, **__):
        raise RuntimeError(text)

    monkeypatch.setattr(engine.unet, "decode", gone)
    with pytest.raises(DeviceLost) as caught:
        list(engine.sample(request))
    first = text.split("\n")[0]
    assert f"gave up: {first}. Generate again" in str(caught.value)
    with pytest.raises(KeyError), device.watching():
        raise KeyError(text)


def test_a_question_to_a_lost_device(make_checkpoint, palette, monkeypatch):
    """As a sample."""
    engine = Engine.open(make_checkpoint(), device="cpu", precision="float32")

    def gone(*_, **__):
        raise RuntimeError(LOST[0])

    monkeypatch.setattr(engine, "decode", gone)
    with pytest.raises(DeviceLost):
        engine.picture_of(
            np.zeros((3, 16, 16), np.float16), Layout(np.zeros((16, 16), np.uint8), palette)
        )


def test_a_device_that_does_not_answer_is_not_chosen(monkeypatch):
    """One that is there and fails is passed over; another error is no shortage and no loss."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def ones(*_, device=None):
        raise RuntimeError(LOST[1])

    monkeypatch.setattr(torch, "ones", ones)
    assert device.pick_device().type == "cpu" and device.pick_device("cuda").type == "cuda"
    assert not device.is_lost(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not device.is_lost(RuntimeError("CUDA out of memory. CUDA error: whatever"))
