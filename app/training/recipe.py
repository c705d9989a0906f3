"""What the window asks of `core.train`: a few choices, as the words of its command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RANK = 8  # of a small file
STEPS = {True: 500, False: 2000}  # by whether the file is small, as core.train has them
SHEETS, LOGS = 10, 100  # in a run
SAVES = 100  # steps between two; stopping saves, too


@dataclass(frozen=True)
class Recipe:
    """init: the model to start from. small: train low-rank updates of it, not the whole.
    pictures: how many a step.
    """

    data: Path
    palette: Path
    init: Path
    out: Path
    steps: int
    small: bool
    pictures: int

    def words(self) -> list[str]:
        """The arguments of `core.train`."""
        words: list[object] = ["--data", self.data, "--palette", self.palette]
        words += ["--init", self.init, "--out", self.out, "--steps", self.steps]
        words += ["--lora", RANK] if self.small else []
        words += ["--batch", self.pictures, "--warmup", max(1, min(200, self.steps // 10))]
        words += ["--log-every", max(1, self.steps // LOGS), "--save-every", SAVES]
        words += ["--sheet-every", max(1, self.steps // SHEETS), "--bad-pairs", "skip"]
        return [str(word) for word in words]


def going_on(words: tuple[str, ...], steps: int) -> list[str]:
    """The words of an earlier run, to go on with it up to `steps`."""
    more = [word for word in words if word != "--resume"]
    if "--steps" in more:
        more[more.index("--steps") + 1] = str(steps)
    else:
        more += ["--steps", str(steps)]
    return [*more, "--resume"]
