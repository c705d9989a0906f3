"""The scenes that come with the program: label maps, and the picture of each.

Painted for the program; the arch, the shore, the beach and the waterfall started from machine-made
label maps of photographs. `python -m docs.make_examples` makes the pictures again.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent
PALETTE = "landscape"  # that the scenes are painted with


class Example(NamedTuple):
    """One scene. seed, guidance_scale, guidance_start: of its picture; the rest is the default."""

    name: str
    title: str
    seed: int
    guidance_scale: float = 2.5
    guidance_start: float = 0.5

    @property
    def layout(self) -> Path:
        """The label map."""
        return FOLDER / f"{self.name}.png"

    @property
    def picture(self) -> Path:
        """The picture, JPEG."""
        return FOLDER / f"{self.name}.jpg"


EXAMPLES = (  # the first is the scene of a first start
    Example("lake", "Mountain lake", 21),
    Example("arch", "Sea arch", 3),
    Example("river", "Forest river", 5),
    Example("meadow", "Flower meadow", 3),
    Example("shore", "Wooded shore", 8),
    Example("waterfall", "Waterfall", 5),
    Example("beach", "Beach rock", 5),
    Example("dunes", "Dunes", 8),
    Example("village", "Village", 7),
)
