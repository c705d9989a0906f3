"""The pictures of an evaluation, kept as PNGs that say how they were made.

Making them takes longest, so a run that was stopped finds those that it has; a picture that was
made in another way is refused, not measured.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.errors import InputError
from core.files import writing
from core.picture import read_picture, write_picture
from core.request import Result, SampleRequest

SECONDS = "seconds"  # of the recipe: how long this picture took


class KeptPictures:
    """The pictures of one model and one guidance scale.

    folder: None keeps nothing. about: what pictures depend on beside their request, plain data: the
    weights file, the precision.
    """

    def __init__(self, folder: Path | None, about: dict) -> None:
        self.folder, self.about = folder, about

    def of(
        self,
        name: str,
        request: SampleRequest,
        sample: Callable[[SampleRequest], Iterable[Result]],
    ) -> tuple[list[np.ndarray], float]:
        """The pictures of a layout, and the seconds that it took to make them, now or earlier.

        name: of the layout. Raises `InputError` for a picture in the folder that was made in
        another way, and `OutputError` if the folder cannot be written.
        """
        pictures, seconds = [], 0.0
        for seed in request.seeds if self.folder else ():
            path = self._path(name, seed)
            if not path.is_file():
                break
            picture, took = self._read(path, request.single(seed))
            pictures.append(picture)
            seconds += took
        missing = request.count - len(pictures)
        if missing:
            rest = replace(request, seed=request.seeds[-missing], count=missing)
            start = time.perf_counter()
            results = list(sample(rest))
            spent = time.perf_counter() - start
            for result in results:
                self._write(name, result, spent / missing)
            pictures += [result.image for result in results]
            seconds += spent
        return pictures, seconds

    def _path(self, name: str, seed: int) -> Path:
        return self.folder / f"{name}_{seed}.png"

    def _recipe(self, request: SampleRequest, weights: str) -> dict:
        recipe = request.recipe(weights) | self.about
        instances = request.layout.instances
        if instances is not None:
            recipe["instances"] = hashlib.sha256(instances.tobytes()).hexdigest()
        return json.loads(json.dumps(recipe))  # as it comes back from a file

    def _write(self, name: str, result: Result, seconds: float) -> None:
        if self.folder is None:
            return
        path = self._path(name, result.request.seed)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        recipe = self._recipe(result.request, result.weights) | {SECONDS: seconds}
        write_picture(path, result.image, recipe, result.request.layout)

    def _read(self, path: Path, request: SampleRequest) -> tuple[np.ndarray, float]:
        found = read_picture(path)
        recipe = dict(found.recipe)
        seconds = recipe.pop(SECONDS, 0.0)
        wanted = self._recipe(request, recipe.get("weights", ""))  # a copy may have another name
        differing = [k for k in wanted | recipe if wanted.get(k) != recipe.get(k)]
        if differing:
            name = differing[0]
            self._refuse(path, f"{name} {recipe.get(name)} where it is {wanted.get(name)} now")
        if found.layout is None or not np.array_equal(found.layout.labels, request.layout.labels):
            self._refuse(path, "another layout")
        return found.image, seconds

    def _refuse(self, path: Path, made: str) -> None:
        raise InputError(
            f"{path} was made with {made}. Give another --out, or take {self.folder} away."
        )
