"""Film: frames in their order, guidance with key frames, and a folder of pictures as one video.

Every frame of one seed and size begins with the same noise, so what does not move in the layouts
hardly moves in the pictures.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, features

from core.errors import InputError
from core.files import writing

VIDEO_SUFFIXES = (".mp4", ".gif", ".webp")
MAX_FPS = 100  # a GIF counts in hundredths of a second


class FilmError(InputError):
    """A film cannot be made as it was asked for."""


@dataclass(frozen=True)
class Track:
    """A value with key frames: linear between two of them, level before the first and after the
    last. frames: rising, 0 is the first picture."""

    frames: tuple[int, ...]
    values: tuple[float, ...]

    def at(self, frame: int) -> float:
        """The value at `frame`."""
        return round(float(np.interp(frame, self.frames, self.values)), 4)


def track(text: str) -> Track:
    """`"1.5"`, or key frames as `"0:1.2,24:2.5"`. For argparse: raises `ArgumentTypeError`."""
    try:
        if ":" not in text:
            return Track((0,), (float(text),))
        pairs = [key.split(":") for key in text.split(",")]
        keys = Track(tuple(int(f) for f, _ in pairs), tuple(float(v) for _, v in pairs))
    except ValueError:
        keys = None
    rising = keys and all(a < b for a, b in zip((-1, *keys.frames), keys.frames, strict=False))
    if not rising:
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot be read; write a number, or FRAME:VALUE,… with rising frames, "
            "as 0:1.2,24:2.5"
        )
    return keys


def natural_key(path: Path) -> tuple:
    """Sorts frame2 before frame10."""
    parts = re.split(r"(\d+)", path.name.casefold())  # text and number take turns
    return *(int(part) if part.isdecimal() else part for part in parts), path.name


def frames_per_second(text: str) -> float:
    """For argparse: a number above 0, at most `MAX_FPS`."""
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= MAX_FPS:
        raise argparse.ArgumentTypeError(
            f"{text!r} frames a second are not possible; give a number up to {MAX_FPS}"
        )
    return rate


# -- one file -------------------------------------------------------------------------------------


def check_video(path: Path) -> None:
    """Raise `FilmError` if no film can be written to `path`: before an hour of sampling, not after.

    Tries the codec with one small frame.
    """
    kind = path.suffix.lower()
    if kind not in VIDEO_SUFFIXES:
        raise FilmError(
            f"{path} does not say which kind of film to write; give a name that ends in "
            f"{', '.join(VIDEO_SUFFIXES)}."
        )
    if kind == ".webp" and not features.check("webp"):
        raise FilmError(f"{path} cannot be written: this Pillow has no WebP. Give a .gif name.")
    if kind == ".mp4":
        with tempfile.TemporaryDirectory() as folder:
            trial = Path(folder) / "trial.mp4"
            _write_mp4(trial, iter([np.zeros((64, 64, 3), np.uint8)]), 25.0, path)


def check_sizes(paths: Sequence[Path]) -> None:
    """Raise `FilmError` if the label maps differ in size. What is no image is found out later."""
    first: tuple[Path, tuple[int, int]] | None = None
    for path in paths:
        try:
            with Image.open(path) as image:
                size = image.size
        except (OSError, Image.DecompressionBombError):
            continue
        if first is None:
            first = path, size
        elif size != first[1]:
            raise FilmError(
                f"{path} is {size[0]}x{size[1]} pixels, but {first[0]} is "
                f"{first[1][0]}x{first[1][1]}. Give all frames of a film one size with --size HxW."
            )


def write_film(path: Path, pictures: Sequence[Path], fps: float) -> None:
    """Write the picture files, all of one size, as one film, whole or not at all.

    An MP4 is MPEG-4 video without sound; a GIF has 256 colours a frame and loops, a WebP loops.
    Raises `OutputError` if the place cannot be written, `FilmError` if the codec gives up.
    """
    frames = (np.asarray(Image.open(picture).convert("RGB")) for picture in pictures)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Writers choose by suffix, so the part needs the real one: it lies in a folder beside.
        with tempfile.TemporaryDirectory(prefix=".film.", dir=path.parent) as folder:
            part = Path(folder) / f"film{path.suffix.lower()}"
            if part.suffix == ".mp4":
                _write_mp4(part, frames, fps, path)
            else:
                _write_loop(part, frames, len(pictures), fps)
            part.replace(path)


def _write_mp4(part: Path, frames: Iterator[np.ndarray], fps: float, path: Path) -> None:
    writer = None
    try:
        for frame in frames:
            if writer is None:
                height, width, _ = frame.shape
                codec = cv2.VideoWriter_fourcc(*"mp4v")
                writer = cv2.VideoWriter(str(part), codec, fps, (width, height))
                if not writer.isOpened():
                    raise FilmError(
                        f"{path} cannot be written: this OpenCV has no MPEG-4 codec. "
                        "Give a name that ends in .webp or .gif."
                    )
            writer.write(np.ascontiguousarray(frame[..., ::-1]))
    finally:
        if writer is not None:
            writer.release()


def _write_loop(part: Path, frames: Iterator[np.ndarray], count: int, fps: float) -> None:
    """GIF or WebP. Durations are whole hundredths of a second that add up to the true length."""
    ends = [round(100 * (i + 1) / fps) for i in range(count)]
    lengths = [10 * (end - start) for start, end in zip([0, *ends], ends, strict=False)]
    images = (Image.fromarray(frame) for frame in frames)
    first = next(images)
    options = {"quality": 90, "method": 4} if part.suffix == ".webp" else {}
    first.save(part, save_all=True, append_images=images, duration=lengths, loop=0, **options)
