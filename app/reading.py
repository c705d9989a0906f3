"""How a model that was trained on another palette reads the scene."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from app.scene import Scene
from core.conversion import Conversion, label_counts, same_labels
from core.palette import Palette
from core.request import Layout, RequestError


class PaletteDiffers(RequestError):
    """The model knows other labels than the scene has. Raised, or an event where it shows late."""


class Reading:
    """The scene as the model is shown it. What was settled between two palettes holds for the
    session; the scene itself stays as it is.

    model_palette: None until the model is known.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._settled: dict[tuple[Palette, Palette], Conversion] = {}
        self.model_palette: Palette | None = None

    @property
    def conversion(self) -> Conversion | None:
        """From the scene's palette to the model's, if that is another and it was settled."""
        mine, other = self._scene.palette, self.model_palette
        if other is None or same_labels(mine, other):
            return None
        return self._settled.get((mine, other))

    def settle(self, conversion: Conversion) -> None:
        """Read scenes of `conversion.source` so from now on."""
        self._settled[conversion.source, conversion.target] = conversion

    def layout(self) -> Layout:
        """The scene, frozen, in the model's palette. `PaletteDiffers` if that is to be settled,
        for the first time or for a label that nobody has decided about."""
        other = self.model_palette
        if other is not None and not same_labels(self._scene.palette, other):
            used = np.flatnonzero(label_counts(self._scene.labels)).tolist()
            if self.conversion is None or self.conversion.unsettled(used):
                raise PaletteDiffers
        return Layout(*self._as_read())

    def ids_of(self, names: Iterable[str]) -> tuple[int, ...]:
        """The ids, in `layout`, of the scene's labels of these names; of none that it lacks."""
        found = {self._scene.palette.find(name) for name in names} - {None}
        ids = np.array(sorted(found), np.uint8)
        if self.conversion is not None:
            ids = self.conversion.convert(ids)
        return tuple(dict.fromkeys(ids.tolist()))

    def is_of(self, layout: Layout) -> bool:
        """Whether a layout is the present scene."""
        labels, palette = self._as_read()
        return same_labels(layout.palette, palette) and np.array_equal(layout.labels, labels)

    def _as_read(self) -> tuple[np.ndarray, Palette]:
        conversion = self.conversion
        if conversion is None:
            return self._scene.labels, self._scene.palette
        return conversion.convert(self._scene.labels), conversion.target
