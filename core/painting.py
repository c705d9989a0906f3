"""What a painter is asked that answers at once: a layout, a style, and which part of the picture.

Nothing here knows torch or Qt: the window and the painter share these words and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from core.labelmap import Box
from core.request import Layout, ModelInfo
from core.style import StyleChoice


@dataclass(frozen=True, eq=False)
class Style:
    """How a layout looks: light, colours, season, and the seed of its textures.

    vector: float32 `[Z]`, of length 0 for a painter that knows one style only.
    """

    vector: np.ndarray
    seed: int = 0


class Painter(Protocol):
    """Paints layouts in one pass. Opened by path, used from one thread at a time."""

    info: ModelInfo

    def random_style(self, seed: int) -> Style:
        """The style of a seed; always the same one."""
        ...

    def style_of(self, picture: np.ndarray, seed: int = 0) -> Style:
        """The style of a picture uint8 `[H, W, 3]`; `seed` is that of its textures.

        Raises `RequestError` for a painter that cannot read styles.
        """
        ...

    def paint(self, layout: Layout, style: Style, box: Box | None = None) -> np.ndarray:
        """The picture, uint8 `[H, W, 3]`, or the part of it that is in `box`.

        A part has the pixels that the whole picture would have there. Sides of the picture are
        those of the layout, rounded to `info.multiple`; the box counts its pixels.
        """
        ...


def style_for(painter: Painter, choice: StyleChoice, seed: int) -> Style:
    """The style that was chosen for the picture of `seed`, as the painter knows it."""
    choice = choice.of(painter.info.name).at(seed)
    if not choice.values:
        return painter.random_style(choice.seed)
    return Style(np.array(choice.values, np.float32), choice.seed)
