"""Networks that tell classes apart, from files of several kinds, behind one call.

Each takes a picture uint8 `[H, W, 3]` and gives scores float32 `[h, w, classes]` at its own size:
logits, or 0 and -inf where the network gives only the winner. None of them is part of the product.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from core.errors import InputError

DEFAULT_SIZE = (512, 512)  # (height, width) for networks that take any
# How pixels 0..255 become a network's numbers: (x - mean) / deviation.
PIXELS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "signed": ((127.5,) * 3, (127.5,) * 3),
    "unit": ((0.0,) * 3, (255.0,) * 3),
    "raw": ((0.0,) * 3, (1.0,) * 3),
}
SIGNED_KINDS = (".tflite",)  # what networks of these files are used to; the others: imagenet
TORCHSCRIPT, EXPORTED = (".pt", ".pth", ".ts", ".torchscript"), (".pt2",)

ONNX_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")  # the quickest first


class ClassNetwork(Protocol):
    """classes: how many it tells apart, None if that shows only in its output."""

    classes: int | None

    def __call__(self, image: np.ndarray) -> np.ndarray: ...


class TensorNetwork:
    """A function from prepared pixels to scores.

    run: float32 `[1, H, W, 3]` or, with channels_first, `[1, 3, H, W]` to an array. size: (height,
    width) of that. pixels: a name of `PIXELS`.
    """

    def __init__(
        self,
        run: Callable[[np.ndarray], np.ndarray],
        size: tuple[int, int],
        pixels: str,
        channels_first: bool,
        classes: int | None = None,
    ) -> None:
        self._run, self._size, self._channels_first = run, size, channels_first
        self._mean, self._deviation = (np.float32(part) for part in PIXELS[pixels])
        self.classes = classes

    def __call__(self, image: np.ndarray) -> np.ndarray:
        height, width = self._size
        # PIL's bicubic, antialiased where it shrinks: docs/evaluate.md has what other filters cost.
        resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
        numbers = (np.asarray(resized, np.float32) - self._mean) / self._deviation
        batch = numbers.transpose(2, 0, 1) if self._channels_first else numbers
        found = np.asarray(self._run(np.ascontiguousarray(batch[None])))
        return scores(found, self._channels_first, self.classes)


def scores(found: np.ndarray, channels_first: bool, classes: int | None) -> np.ndarray:
    """A network's output as `[h, w, classes]`.

    found: scores `[1, classes, h, w]` or `[1, h, w, classes]`, or whole numbers of classes `[1, h,
    w]`, also with an axis of one for the channel. Raises `InputError` for another shape.
    """
    if found.dtype.kind in "iu":
        numbers = found.reshape([side for side in found.shape if side != 1])
        if numbers.ndim == 2 and classes:
            hits = numbers[..., None] == np.arange(classes)
            return np.where(hits, np.float32(0), np.float32(-np.inf))
    elif found.ndim == 4 and len(found) == 1:
        return np.moveaxis(found[0], 0, -1) if channels_first else found[0]
    raise InputError(
        f"The segmenter gives an array of the shape {list(found.shape)}; scores [1, classes, h, w] "
        "or class numbers [1, h, w] are needed."
    )


def open_network(
    path: Path,
    threads: int = 1,
    classes: int | None = None,
    size: tuple[int, int] | None = None,
    pixels: str | None = None,
) -> ClassNetwork:
    """Open a segmenter by the suffix of its file.

    classes: for networks that give class numbers. size: (height, width) for a network that takes
    any. pixels: a name of `PIXELS`; None: what such files are used to. Raises `InputError` if the
    file cannot be used or what runs it is not installed.
    """
    suffix = path.suffix.lower()
    kinds = {".tflite": _tflite, ".onnx": _onnx}
    kinds |= dict.fromkeys(TORCHSCRIPT, _torchscript) | dict.fromkeys(EXPORTED, _exported)
    if suffix not in kinds:
        raise InputError(f"{path} is no segmenter; give a file that ends in {', '.join(kinds)}.")
    if not path.is_file():
        raise InputError(f"There is no segmenter {path}.")
    pixels = pixels or ("signed" if suffix in SIGNED_KINDS else "imagenet")
    return kinds[suffix](path, threads, classes, size, pixels)


def _tflite(path: Path, threads: int, classes: int | None, size: Any, pixels: str) -> ClassNetwork:
    litert = _installed("ai_edge_litert.interpreter", "a .tflite segmenter", "ai-edge-litert")
    try:
        interpreter = litert.Interpreter(str(path), num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path} is not a TFLite network: {error}.") from error
    return tflite_network(interpreter, pixels)


def tflite_network(interpreter: Any, pixels: str = "signed") -> ClassNetwork:
    """An interpreter with allocated tensors, from `[1, H, W, 3]` to logits `[1, h, w, classes]`."""
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(batch: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(source["index"], batch)
        interpreter.invoke()
        return interpreter.get_tensor(target["index"])

    _, height, width, _ = (int(side) for side in source["shape"])
    return TensorNetwork(run, (height, width), pixels, False, int(target["shape"][-1]))


def _onnx(path: Path, threads: int, classes: int | None, size: Any, pixels: str) -> ClassNetwork:
    runtime = _installed("onnxruntime", "an .onnx segmenter", "onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        providers = [name for name in ONNX_PROVIDERS if name in runtime.get_available_providers()]
        session = runtime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its errors have no base of their own
        raise InputError(f"{path} is not an ONNX network: {error}") from error
    source, target = session.get_inputs()[0], session.get_outputs()[0]
    sides = [side if isinstance(side, int) else None for side in source.shape]  # others are names
    if len(sides) != 4 or 3 not in (sides[1], sides[3]):
        raise InputError(f"{path} takes {source.shape}; a picture [1, 3, H, W] is needed.")
    channels_first = sides[1] == 3
    own = tuple(sides[2:] if channels_first else sides[1:3])
    size = _size(path, own, size)

    def run(batch: np.ndarray) -> np.ndarray:
        return session.run([target.name], {source.name: batch})[0]

    return TensorNetwork(run, size, pixels, channels_first, classes)


def _size(path: Path, own: tuple, wanted: tuple[int, int] | None) -> tuple[int, int]:
    """The size at which the network looks: its own where it has one."""
    if None in own:
        return wanted or DEFAULT_SIZE
    if wanted not in (None, own):
        raise InputError(f"{path} takes pictures of {own[0]}x{own[1]} only: no --segmenter-size.")
    return own


def _torchscript(
    path: Path, threads: int, classes: int | None, size: Any, pixels: str
) -> ClassNetwork:
    import torch

    try:
        with warnings.catch_warnings():  # deprecated, but many networks exist only so
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(str(path), map_location="cpu").eval()
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"{path} is no TorchScript network. A file of weights alone says nothing of its "
            "network: save it by torch.jit.script or torch.export."
        ) from error
    return TensorNetwork(_torch_run(module), size or DEFAULT_SIZE, pixels, True, classes)


def _exported(
    path: Path, threads: int, classes: int | None, size: Any, pixels: str
) -> ClassNetwork:
    import torch

    try:
        program = torch.export.load(path)
    except Exception as error:  # whatever a damaged archive makes of itself
        raise InputError(f"{path} is no network saved by torch.export.") from error
    shapes = [
        node.meta["val"].shape
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in program.graph_signature.user_inputs
    ]
    own = tuple(side if isinstance(side, int) else None for side in tuple(shapes[0])[2:])
    return TensorNetwork(
        _torch_run(program.module()), _size(path, own, size), pixels, True, classes
    )


def _torch_run(module: Any) -> Callable[[np.ndarray], np.ndarray]:
    import torch

    def run(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            found = module(torch.from_numpy(batch))
        if isinstance(found, dict):  # as torchvision's segmenters: the first is what counts
            found = next(iter(found.values()))
        if isinstance(found, (list, tuple)):
            found = found[0]
        found = found.cpu()
        return (found.float() if found.is_floating_point() else found).numpy()

    return run


def _installed(module: str, what: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(
            f"Measuring with {what} needs a package that is not installed: `pip install {package}`."
        ) from None
