"""What an autoencoder keeps of a photo: PSNR, LPIPS, grid, flat areas, and how long decoding takes.

Encoding is done in float32 and decoding in the precision of the program: the figures are those of
the pictures that people see.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch

from core.checkpoint import Checkpoint
from core.command import Progress
from core.data_trees import Pair
from core.dataset import Sample, to_tensors
from core.device import pick_device, pick_precision, precision_name
from core.errors import InputError
from core.measure import Distance
from core.model.autoencoder import Autoencoder
from core.onehot import one_hot
from core.palette import Palette
from core.pixels import to_pixels

CELL = 8  # pixels of the picture in a latent pixel
NEIGHBOURS = (3, 4, 5, 6)  # frequency bins on either side that a lattice line is compared with
LEAST_SIDE = 64  # below, the lattice's frequencies and their neighbours are not told apart
FLAT_BLOCK, FLAT_STD = 16, 2.0  # pixels; grey levels around a plane
TIMED, WARM_UP = 30, 5  # decodings
TIMED_SIDE = 256


class Reconstruction:
    """An autoencoder, opened from a checkpoint. Raises `InputError` if there is none in it."""

    def __init__(self, weights: Path, precision: str | None = None) -> None:
        checkpoint = Checkpoint.open(weights)
        self.name, self.palette = weights.stem, checkpoint.palette
        encoding, decoding = (checkpoint.load_autoencoder() for _ in range(2))
        if encoding is None or decoding is None:
            raise InputError(f"{weights} works on pixels: it has no autoencoder to measure.")
        self.device = pick_device()
        self.dtype = pick_precision(self.device, precision)
        self._encoding: Autoencoder = encoding.to(self.device, memory_format=torch.channels_last)
        self._decoding: Autoencoder = decoding.to(
            self.device, self.dtype, memory_format=torch.channels_last
        )
        self.factor = encoding.spec.factor

    @torch.inference_mode()
    def __call__(self, sample: Sample) -> np.ndarray:
        """A photo through encoder and decoder, uint8 `[H, W, 3]`, sides multiples of 8.

        A decoder that reads the layout gets the sample's labels.
        """
        image, y = (part.to(self.device) for part in tensors_of(sample, self.palette))
        latents = self._encoding.encode(image)
        return to_pixels(self._decoding.decode(latents.to(self.dtype), y.to(self.dtype)))[0]

    @torch.inference_mode()
    def timing(self) -> dict:
        """Median times for one 256x256 picture, after warming up; and how they were measured.

        `decoder_ms`: of latents, with the layout read already, as it is while one is sampled again
        and again. `layout_ms`: of reading a new layout whole, 0 for a decoder that reads none.
        """
        side = TIMED_SIDE // self.factor
        channels = self._decoding.spec.latent_channels
        latents = torch.randn(1, channels, side, side).to(self.device, self.dtype)
        labels = torch.zeros(1, TIMED_SIDE, TIMED_SIDE, dtype=torch.uint8)
        y = one_hot(labels, self.palette.num_channels).to(self.device)
        decode, read = self._decoding.decode, self._decoding.embed_layout
        embedding = read(y, (side, side))
        return {
            "decoder_ms": _median_ms(lambda: to_pixels(decode(latents, embedding=embedding))),
            "layout_ms": _median_ms(
                lambda: [float(s[0, 0, 0, 0]) for s, _ in read(y, (side, side))]
            ),
            "precision": precision_name(self.dtype),
            "threads": torch.get_num_threads(),
        }


def _median_ms(work: Callable[[], object]) -> float:
    """Milliseconds of `work`, which leaves nothing pending on the device."""
    times = []
    for _ in range(WARM_UP + TIMED):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times[WARM_UP:]) * 1000)


@dataclass(eq=False)
class Fidelity:
    """Sums over photos and their reconstructions, one at a time."""

    distance: Distance | None = None
    psnr: list[float] = field(default_factory=list)
    lpips: list[float] = field(default_factory=list)
    lattices: list[np.ndarray] = field(default_factory=list)
    flat: list[np.ndarray] = field(default_factory=list)

    def add(self, photo: np.ndarray, copy: np.ndarray) -> None:
        self.psnr.append(psnr(photo, copy))
        if self.distance:
            self.lpips += self.distance([photo, copy])
        error = _grey(copy) - _grey(photo)
        if min(error.shape) >= LEAST_SIDE:
            self.lattices.append(lattice_energy(error))
        self.flat.append(flat_errors(_grey(photo), error))

    def figures(self) -> dict:
        """The means as plain data."""
        flat = np.concatenate(self.flat)
        figures: dict = {"photos": len(self.psnr), "psnr": float(np.mean(self.psnr))}
        if self.lpips:
            figures["lpips"] = float(np.mean(self.lpips))
        if self.lattices:
            on, beside = np.mean(self.lattices, 0)
            figures["grid"] = grid_ratios(on, beside)
        if len(flat):
            figures["flat_blocks"] = len(flat)
            figures["flat_rms"] = float(np.sqrt(flat.mean()))
        return figures


def reconstructed(autoencoder: Reconstruction, fidelity: Fidelity):
    """The source (see `core.measure`) of reconstructions, which `fidelity` sees beside the photo.

    The source raises `InputError` for a photo whose sides the autoencoder cannot halve three times.
    """

    def source(
        index: int, pair: Pair, sample: Sample, bar: Progress
    ) -> tuple[list[np.ndarray], float]:
        height, width = sample.image.shape[:2]
        if height % autoencoder.factor or width % autoencoder.factor:
            raise InputError(
                f"{pair.image} is {width}x{height}; the autoencoder needs sides that "
                f"are multiples of {autoencoder.factor}. Crop the photos first."
            )
        start = time.perf_counter()
        copy = autoencoder(sample)
        seconds = time.perf_counter() - start
        fidelity.add(sample.image, copy)
        return [copy], seconds

    return source


def tensors_of(sample: Sample, palette: Palette) -> tuple[torch.Tensor, torch.Tensor]:
    """The photo `[1, 3, H, W]` in [-1, 1] and its one-hot layout."""
    item = to_tensors(sample, palette)
    edges = item.get("edges")
    y = one_hot(item["labels"][None], len(palette), None if edges is None else edges[None])
    return item["image"][None], y


# -- plain functions ------------------------------------------------------------------------------


def psnr(photo: np.ndarray, copy: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two 8-bit pictures; infinite if they are equal."""
    mean_square = float(np.mean((photo.astype(np.float64) - copy) ** 2))
    return 10 * math.log10(255**2 / mean_square) if mean_square else math.inf


def lattice_energy(error: np.ndarray) -> np.ndarray:
    """float64 `[2, 4]`: energy of `error` `[H, W]` at the lattice's frequencies, and beside them.

    The columns are the periods 8, 4, 8/3 and 2 pixels: a pattern that repeats in every cell has all
    its energy there. Both directions are added.
    """
    return sum(_along_rows(plane) for plane in (error, error.T))


def _along_rows(error: np.ndarray) -> np.ndarray:
    length = error.shape[1] // CELL * CELL  # then the lattice's frequencies are bins exactly
    window = np.hanning(length + 1)[:-1]
    power = (np.abs(np.fft.rfft(error[:, :length] * window, axis=1)) ** 2).mean(0)
    lines = length // CELL * np.arange(1, CELL // 2 + 1)
    beside = [[k + s for s in (*NEIGHBOURS, *(-n for n in NEIGHBOURS))] for k in lines]
    last = len(power) - 1  # the spectrum goes on as its own mirror image
    means = [power[[last - abs(last - k) for k in around]].mean() for around in beside]
    return np.stack([power[lines], means])


def grid_ratios(on: Sequence[float], beside: Sequence[float]) -> dict[str, float]:
    """Energy on the lattice over energy beside it, by period in pixels; 1 is no grid at all."""
    periods = ("8", "4", "8/3", "2")
    return {p: float(a / b) if b else math.nan for p, a, b in zip(periods, on, beside, strict=True)}


def flat_errors(photo: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Mean square of `error` in each flat block of the photo, float64 `[blocks]`.

    Both `[H, W]` in grey levels. A block of 16x16 is flat if the photo leaves a plane by less than
    2 levels (standard deviation): clear sky, mist. A plane is taken off the error as well: a slight
    shift of tone cannot be seen, steps and specks can.
    """
    spread = (_off_plane(photo) ** 2).mean((1, 2))
    return (_off_plane(error)[spread < FLAT_STD**2] ** 2).mean((1, 2))


def _off_plane(image: np.ndarray) -> np.ndarray:
    """What is left of each block after the plane that fits it best, `[blocks, 16, 16]`."""
    rows, columns = (side // FLAT_BLOCK for side in image.shape)
    cut = image[: rows * FLAT_BLOCK, : columns * FLAT_BLOCK]
    blocks = cut.reshape(rows, FLAT_BLOCK, columns, FLAT_BLOCK).swapaxes(1, 2)
    blocks = blocks.reshape(-1, FLAT_BLOCK, FLAT_BLOCK)
    slope = np.arange(FLAT_BLOCK) - (FLAT_BLOCK - 1) / 2
    slope /= np.sqrt((slope**2).sum() * FLAT_BLOCK)  # as a plane, a unit vector
    blocks = blocks - blocks.mean((1, 2), keepdims=True)
    for plane in (np.tile(slope, (FLAT_BLOCK, 1)), np.tile(slope[:, None], FLAT_BLOCK)):
        blocks = blocks - (blocks * plane).sum((1, 2))[:, None, None] * plane
    return blocks


def _grey(image: np.ndarray) -> np.ndarray:
    """Brightness of an RGB picture, float64 `[H, W]`, 0..255."""
    return cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2GRAY).astype(np.float64)
