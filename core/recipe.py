"""Recipes: the options of a training stage in a TOML file, so that a run can be made again.

Those of the papers come with the program and go by their names, as palettes do.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection
from pathlib import Path

from core.errors import InputError, brief
from core.files import reason

RECIPES = Path(__file__).resolve().parent / "recipes"


def bundled_recipes() -> list[str]:
    """Names of the recipes that come with the program."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


class RecipeError(InputError):
    """A recipe that cannot be read, or that names an option which does not exist."""


def read_recipe(name_or_path: str | Path, options: Collection[str]) -> list[str]:
    """The options of a recipe, bundled or a .toml file, as words of a command line.

    A key is the name of an option, without dashes in front; `true` gives the option alone, `false`
    leaves it out, a table (as of `spec`) becomes JSON. Raises `RecipeError`.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = RECIPES / f"{name_or_path}.toml"
        if not path.is_file():
            raise RecipeError(
                f"There is no recipe {str(name_or_path)!r}. Bundled are "
                f"{', '.join(bundled_recipes())}; for your own, give the path of a .toml file."
            )
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {reason(error)}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecipeError(f"{path} is no TOML file: {brief(error)}.") from error
    words: list[str] = []
    for key, value in given.items():
        if key not in options:
            raise RecipeError(
                f"{path} says {brief(repr(key))}, which no option is called. Run the command with "
                "--help for the list."
            )
        if value is not False:
            words += [f"--{key}"] if value is True else [f"--{key}", _word(value)]
    return words


def _word(value: object) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)
