"""One picture of the history: what is known of it, and in which files it lies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any

from core.style import Painted

NAME = re.compile(r"[0-9a-f]{8,64}")  # what may become part of a file's name


@dataclass(frozen=True)
class Record:
    """A picture that was kept.

    id: names its files. made: local time as `YYYY-MM-DD HH:MM:SS`. layout, palette: digests of the
    layout that it was made from and of that layout's palette; pictures share them. labels: ids in
    the layout. size: bytes of its own files.
    """

    id: str
    made: str
    seconds: float
    recipe: Mapping[str, Any]
    layout: str
    palette: str
    labels: tuple[int, ...]
    size: int
    instances: bool = False
    starred: bool = False

    @property
    def picture_file(self) -> str:
        """The name of its PNG within a project or a session."""
        return f"history/{self.id}.png"

    @property
    def thumbnail_file(self) -> str:
        """The name of its small PNG."""
        return f"history/{self.id}.thumb.png"

    @property
    def layout_file(self) -> str:
        """The name of its layout's palette PNG."""
        return f"layouts/{self.layout}.png"

    @property
    def instances_file(self) -> str:
        """The name of its layout's instance map, if there is one."""
        return f"layouts/{self.layout}.instances.png"

    @property
    def own_files(self) -> tuple[str, ...]:
        """The files that belong to no other picture."""
        return self.picture_file, self.thumbnail_file

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that is needed to show it and to make it again."""
        shared = (self.layout_file, self.instances_file) if self.instances else (self.layout_file,)
        return self.own_files + shared

    @property
    def caption(self) -> str:
        """A line about how it was made."""
        recipe = self.recipe
        painted = Painted.from_plain(recipe.get("painted"))
        if painted is not None and painted.strength == 0:
            style = painted.style.at(recipe.get("seed") or 0).seed
            return f"{recipe.get('weights')} · style {style} · {self.made}"
        return (
            f"seed {recipe.get('seed')} · {recipe.get('steps')} steps · {recipe.get('sampler')} · "
            f"guidance {_scale_text(recipe.get('guidance_scale'))} · {self.made}"
            f"{' · local edit' if recipe.get('inpaint') else ''}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: the inverse of `from_dict`."""
        return {**asdict(self), "recipe": dict(self.recipe), "labels": list(self.labels)}

    @classmethod
    def from_dict(cls, data: Any) -> Record:
        """Read what `to_dict` gave. Raises `ValueError` for anything that no record can hold."""
        try:
            found = cls(**{**data, "labels": tuple(data["labels"])})
            right = (
                all(NAME.fullmatch(name) for name in (found.id, found.layout, found.palette))
                and isinstance(found.made, str)
                and isinstance(found.seconds, Real)
                and isinstance(found.recipe, dict)
                and all(isinstance(label, int) and 0 <= label < 256 for label in found.labels)
                and isinstance(found.size, int)
                and found.size >= 0
                and all(isinstance(flag, bool) for flag in (found.instances, found.starred))
            )
        except (TypeError, KeyError):
            right = False
        if not right:
            raise ValueError("the record of a picture in it is damaged")
        return found


def _scale_text(scale: Any) -> str:
    if isinstance(scale, list | tuple) and scale:
        return f"{min(scale):.1f}–{max(scale):.1f}"
    return f"{scale:.1f}" if isinstance(scale, Real) else "?"
