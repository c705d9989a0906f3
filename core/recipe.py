"""Recipes: the options of a training stage in a TOML file, so that a run can be made again."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection
from pathlib import Path

from core.errors import InputError


class RecipeError(InputError):
    """A recipe that cannot be read, or that names an option which does not exist."""


def read_recipe(path: str | Path, options: Collection[str]) -> list[str]:
    """The options of a recipe as words of a command line.

    A key is the name of an option, without dashes in front; `true` gives the option alone, `false`
    leaves it out, a table (as of `spec`) becomes JSON. Raises `RecipeError`.
    """
    try:
        given = tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is no TOML file: {error}.") from error
    words: list[str] = []
    for key, value in given.items():
        if key not in options:
            raise RecipeError(
                f"{path} says {key!r}, which no option is called. Run the command with --help for "
                "the list."
            )
        if value is not False:
            words += [f"--{key}"] if value is True else [f"--{key}", _word(value)]
    return words


def _word(value: object) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)
