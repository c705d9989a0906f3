"""numpy arrays as Qt images: the only file that knows both."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PySide6.QtGui import QImage, qRgb, qRgba


def label_image(labels: np.ndarray, colors: np.ndarray) -> QImage:
    """An Indexed8 view of the label map's own memory: a painted pixel shows without a copy.

    labels: uint8 `[H, W]`, contiguous; keep it alive as long as the image. colors: uint8 `[n, 3]`.
    """
    height, width = labels.shape
    image = QImage(labels.data, width, height, width, QImage.Format.Format_Indexed8)
    image.setColorTable([qRgb(*color) for color in colors.tolist()])
    return image


def ink_image(pixels: np.ndarray, inks: Sequence[tuple[int, int, int, int]]) -> QImage:
    """An Indexed8 view of `pixels`, uint8 `[h, w]`, contiguous: each an index into RGBA `inks`.

    Keep the array alive as long as the image.
    """
    height, width = pixels.shape
    image = QImage(pixels.data, width, height, width, QImage.Format.Format_Indexed8)
    image.setColorTable([qRgba(*ink) for ink in inks])
    return image


def picture_image(picture: np.ndarray) -> QImage:
    """A copy of an RGB picture, uint8 `[H, W, 3]`, in the format that Qt draws fastest.

    numpy's memory and OpenCV's loop: several times as fast as Qt's for a large one.
    """
    height, width, _ = picture.shape
    pixels = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGRA)
    image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
    image.pixels = pixels  # lives as long as the image
    return image


def png_image(data: bytes) -> QImage:
    """The image of a PNG; a null image if the data is damaged."""
    return QImage.fromData(data, "PNG")
