"""Contact sheets: every picture is there, whole and in its place."""

import numpy as np
import pytest
from PIL import ImageFont

from core.sheets import CAPTION_HEIGHT, PAPER, TEXT_SIZE, fitting, sheet


def picture(height, width, value):
    return np.full((height, width, 3), value, np.uint8)


def test_pictures_stand_in_a_grid_with_a_gap_around_each():
    """Two rows of two pictures fill the sheet that their sizes and the gap make."""
    rows = [[picture(10, 20, 1), picture(10, 20, 2)], [picture(10, 20, 3), picture(10, 20, 4)]]
    image = sheet(rows, gap=5)
    assert image.shape == (5 + 10 + 5 + 10 + 5, 5 + 20 + 5 + 20 + 5, 3)
    assert (image[5:15, 5:25] == 1).all() and (image[20:30, 30:50] == 4).all()
    assert (image[:5] == PAPER).all() and (image[:, 25:30] == PAPER).all()


def test_a_smaller_picture_is_centred_in_its_column():
    """Columns are as wide as their widest picture and keep the others whole."""
    image = sheet([[picture(8, 30, 1)], [picture(4, 10, 2), picture(8, 6, 3)]], gap=0)
    assert image.shape == (16, 36, 3)
    assert (image[10:14, 10:20] == 2).all() and (image == 2).sum() == 4 * 10 * 3
    assert (image[8:16, 30:36] == 3).all()


def test_captions_take_a_strip_above_their_row_only():
    """One row of captions heads the columns; rows without captions stay close."""
    rows = [[picture(10, 60, 0)], [picture(10, 60, 0)]]
    plain, headed = sheet(rows), sheet(rows, [["layout"]])
    assert headed.shape[0] == plain.shape[0] + CAPTION_HEIGHT
    assert (headed[: 8 + CAPTION_HEIGHT] != PAPER).any()
    assert (headed[8 + CAPTION_HEIGHT :] == plain[8:]).all()


def test_a_long_caption_is_cut_to_its_column():
    """A caption never runs into the next column."""
    font = ImageFont.load_default(TEXT_SIZE)
    cut = fitting("a caption that is far too long", 60, font)
    assert cut.endswith("…") and font.getlength(cut) <= 60
    assert fitting("sky", 60, font) == "sky"


def test_a_sheet_of_nothing_is_refused():
    """Without pictures there is nothing to draw."""
    with pytest.raises(ValueError, match="at least one picture"):
        sheet([[], []])
