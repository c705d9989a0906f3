"""What a picture should be like, beside its layout: terms of semantic diffusion guidance.

Plain data, so that the window can make them; core/guidance.py says what each does to a step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.errors import RequestError
from core.palette import Palette
from core.repaint import frozen

TERM_KINDS = ("text", "content", "style", "colours")
RULE_NAMES = ("even", "paper")  # how gradients move a step; the first is the default
MAX_WEIGHT = 10.0


@dataclass(frozen=True, eq=False)
class GuidanceTerm:
    """One thing that a picture should be like, and how much.

    kind: "text" asks for words; "content" for what a reference shows, "style" for its textures and
    light, "colours" for its large shapes and their colours (ILVR).
    weight: 1 is a good strength of each kind, 0 is none; of "colours" the share of the way on which
    they are kept, so that 1 is all. A tuple holds one value per step, as of the guidance scale.
    text: of "text", words of the model's vocabulary. reference: of all others, a picture uint8
    `[H, W, 3]` of any size. name: what the reference is called, for the recipe.
    labels: ids where it acts; empty for everywhere.
    spatial: "content" place by place, so that the reference's composition is followed too.
    coarse: of "colours", pixels below which the reference's detail is left out (N of the paper).
    Raises `RequestError` for what cannot be used.
    """

    kind: str
    weight: float | tuple[float, ...] = 1.0
    text: str = ""
    reference: np.ndarray | None = field(default=None, repr=False)
    name: str = ""
    labels: tuple[int, ...] = ()
    spatial: bool = False
    coarse: int = 32

    def __post_init__(self) -> None:
        kinds = ", ".join(TERM_KINDS)
        if self.kind not in TERM_KINDS:
            raise RequestError(f"There is no guidance by {self.kind!r}; there is {kinds}.")
        if not self.weights or not all(0 <= w <= MAX_WEIGHT for w in self.weights):
            raise RequestError(
                f"The weight {self.weight} of guidance by {self.kind} cannot be used; it must be "
                f"0 to {MAX_WEIGHT:g}."
            )
        if not 1 <= self.coarse <= 1024:
            raise RequestError(
                f"The coarseness {self.coarse} cannot be used; it must be 1 to 1024."
            )
        if self.kind == "text" and not self.text.strip():
            raise RequestError('Guidance by text needs some words, for example "sunset".')
        if self.kind != "text":
            self._check_reference()

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight as a tuple, of one value if it is the same for every step."""
        return self.weight if isinstance(self.weight, tuple) else (self.weight,)

    def _check_reference(self) -> None:
        picture = self.reference
        if picture is None:
            raise RequestError(f"Guidance by {self.kind} needs a reference picture.")
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise RequestError(
                f"A reference picture is uint8 [H, W, 3]; got {picture.dtype} "
                f"{list(picture.shape)}."
            )
        object.__setattr__(self, "reference", frozen(picture))

    def recipe(self, palette: Palette) -> dict[str, Any]:
        """Plain data for a picture's metadata: all but the reference's pixels."""
        data: dict[str, Any] = {"kind": self.kind, "weight": self.weight}
        if self.kind == "text":
            data["text"] = self.text
        elif self.name:
            data["reference"] = self.name
        if self.labels:
            data["labels"] = [palette[label].name for label in self.labels]
        if self.spatial:
            data["spatial"] = True
        if self.kind == "colours":
            data["coarse"] = self.coarse
        return data
