"""Contact sheets: layouts beside pictures, for people to look at. numpy and PIL only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PAPER, INK = (250, 250, 250), (70, 70, 70)
TEXT_SIZE = 13  # pixels
CAPTION_HEIGHT = 20  # pixels above a row that has captions


def sheet(
    rows: Sequence[Sequence[np.ndarray]],
    captions: Sequence[Sequence[str]] | None = None,
    gap: int = 8,
) -> np.ndarray:
    """One picture with all of `rows`, uint8 `[H, W, 3]`.

    rows: pictures, uint8 `[h, w, 3]`; sizes may differ and rows may be of different length, then
    each column is as wide and each row as high as its largest, with the others centred in it.
    captions: texts above the pictures, shaped like `rows`; rows and texts may be left off at the
    end, so one row of them heads the columns. gap: pixels around every picture. Raises `ValueError`
    if there is no picture.
    """
    if not any(len(row) for row in rows):
        raise ValueError("a sheet needs at least one picture")
    texts = [list(row) for row in captions or ()]
    texts += [[] for _ in range(len(rows) - len(texts))]
    lefts, widths = _columns(rows, gap)
    tops, heights, total = _lines(rows, texts, gap)
    paper = Image.new("RGB", (lefts[-1] + widths[-1] + gap, total), PAPER)
    draw, font = ImageDraw.Draw(paper), ImageFont.load_default(TEXT_SIZE)
    for row, text, top, height in zip(rows, texts, tops, heights, strict=True):
        for picture, left, width in zip(row, lefts, widths, strict=False):
            h, w = picture.shape[:2]
            corner = (left + (width - w) // 2, top + (height - h) // 2)
            paper.paste(Image.fromarray(picture), corner)
        for caption, left, width in zip(text, lefts, widths, strict=False):
            corner = (left, top - CAPTION_HEIGHT + 3)
            draw.text(corner, fitting(caption, width, font), INK, font)
    return np.array(paper)


def fitting(text: str, width: int, font: ImageFont.FreeTypeFont) -> str:
    """`text`, or as much of its start as fits into `width` pixels, with an ellipsis."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _columns(rows: Sequence[Sequence[np.ndarray]], gap: int) -> tuple[list[int], list[int]]:
    """Left edge and width of each column."""
    count = max(len(row) for row in rows)
    widths = [max(row[i].shape[1] for row in rows if i < len(row)) for i in range(count)]
    lefts = [gap + sum(widths[:i]) + gap * i for i in range(count)]
    return lefts, widths


def _lines(
    rows: Sequence[Sequence[np.ndarray]], texts: list[list[str]], gap: int
) -> tuple[list[int], list[int], int]:
    """Top edge of each row's pictures, each row's height, and the height of all."""
    tops, heights, y = [], [], gap
    for row, text in zip(rows, texts, strict=True):
        y += CAPTION_HEIGHT if any(text) else 0
        tops.append(y)
        heights.append(max((picture.shape[0] for picture in row), default=0))
        y += heights[-1] + gap
    return tops, heights, y
