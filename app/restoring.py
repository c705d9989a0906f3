"""A picture's recipe back into settings and a request; a recipe may come from anywhere."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from app.control_maps import maps_of
from app.guiding.plain import words_asked
from app.label_controls import LabelControls, from_plain
from app.settings import GenerateSettings
from app.table_step import ChangeTable
from core.request import SAMPLER_NAMES, Layout, SampleRequest
from core.style import Painted


def settings_of(recipe: dict, present: GenerateSettings) -> GenerateSettings:
    """The settings that make the picture again; what the recipe does not say stays as it is.

    The seed is locked, or Generate would draw another one. Of a guidance scale that moved during
    the sample the last value is taken.
    """
    scale = recipe.get("guidance_scale")
    if isinstance(scale, list | tuple):
        scale = scale[-1] if scale else None
    found = {
        "steps": _steps(recipe.get("steps")),
        "sampler": recipe.get("sampler"),
        "guidance_scale": float(scale) if _is_number(scale) else None,
        "guidance_start": _start(recipe),
        "seed": recipe.get("seed") if type(recipe.get("seed")) is int else None,
    }
    painted = Painted.from_plain(recipe.get("painted"))
    if painted is not None:
        found |= {"style": painted.style, "instant_strength": painted.strength}
    elif "steps" in recipe:  # it began with noise
        found["instant_strength"] = 1.0
    given = {name: value for name, value in found.items() if value is not None}
    locked = present.seed_locked or "seed" in given
    return replace(present, **given, seed_locked=locked).checked()


def controls_step(recipe: dict, controls: LabelControls) -> ChangeTable | None:
    """The step that gives the scene's labels the controls of a picture; None if they have them."""
    table = from_plain(recipe.get("label_controls"))
    text = "use a picture's label controls"
    return None if table == controls.table else ChangeTable(controls, table, text)


def request_of(recipe: dict, layout: Layout) -> SampleRequest | None:
    """The request of the picture, or None if the recipe does not make one. Reference pictures that
    guided it are not in a recipe."""
    scale, painted = recipe.get("guidance_scale", 1.0), Painted.from_plain(recipe.get("painted"))
    if painted is not None and painted.strength == 0:  # nothing was sampled
        recipe = {"steps": 1, "sampler": SAMPLER_NAMES[0]} | recipe
    whole = (recipe.get(name) for name in ("seed", "height", "width"))
    if scale == [] or any(type(number) is not int for number in whole):
        return None
    try:
        return SampleRequest(
            layout,
            steps=recipe["steps"],
            sampler=recipe["sampler"],
            guidance_scale=tuple(scale) if isinstance(scale, list) else scale,
            guidance_start=_start(recipe) or 1.0,
            seed=recipe["seed"],
            eta=recipe.get("eta", 0.0),
            size=(recipe["height"], recipe["width"]),
            finish=recipe.get("finish") is True,
            painted=painted,
            terms=words_asked(recipe, layout.palette),
            **maps_of(layout.labels, layout.palette, from_plain(recipe.get("label_controls"))),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _steps(steps: Any) -> int | None:
    """The number of steps, also of a respacing such as "ddim25" or "10,10,20"."""
    if isinstance(steps, str):
        return sum(int(part) for part in re.findall(r"\d+", steps)) or None
    return steps if type(steps) is int else None


def _start(recipe: dict) -> float | None:
    """Where guidance began; pictures of older versions were guided from the first step."""
    if "guidance_scale" not in recipe:
        return None
    start = recipe.get("guidance_start", 1.0)
    return float(start) if _is_number(start) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
