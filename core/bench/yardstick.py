"""The plain procedure that everything is measured by: a folder that is found, never imported.

It belongs to the tests (`tests/reference` of a checkout), which show that it computes what the
official code computed. Its modules `network`, `sampling` and `training` are used.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from core.bench.figures import BenchError

NAME = "core_bench_yardstick"  # under which the folder is loaded
CHECKOUT = Path(__file__).resolve().parent.parent.parent


class Yardstick:
    """The folder's modules. Raises `BenchError` if they are not there."""

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or CHECKOUT / "tests" / "reference"
        if not (folder / "network.py").is_file():
            raise BenchError(
                f"There is no yardstick in {folder}. It comes with the program's source: give its "
                "folder with --reference tests/reference."
            )
        _load(folder.resolve())
        self.network = importlib.import_module(f"{NAME}.network").network
        self.guided = importlib.import_module(f"{NAME}.sampling").guided
        self.OfficialStep = importlib.import_module(f"{NAME}.training").OfficialStep


def _load(folder: Path) -> ModuleType:
    """The folder as a package of that name, as if it were the first to be loaded."""
    for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
        del sys.modules[name]
    spec = importlib.util.spec_from_file_location(
        NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    package = sys.modules[NAME] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return package
