"""The index of a data folder: what was found there, so that the next start need not look again.

It lies in the user's cache folder, never in the data folder, and is worth nothing but time: it is
made anew whenever one of the folders changed, and where it cannot be written all works without.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from core.data_trees import Pair, Scan, Tree, scan
from core.files import atomic_path
from core.palette import Palette

FORMAT = 1


def cache_folder() -> Path:
    """The user's folder for what can be made again."""
    home = Path.home()
    if os.environ.get("XDG_CACHE_HOME"):
        base = Path(os.environ["XDG_CACHE_HOME"])
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = home / ".cache"
    return base / "sdm-studio" / "data"


def indexed(root: Path, tree: Tree, split: str) -> Scan:
    """What `scan` finds; from the index where no folder has changed since."""
    root = root.resolve()
    path = cache_folder() / f"index-{_key(root, tree.name, split)}.json"
    known = _read(path)
    with suppress(KeyError, TypeError, ValueError, AttributeError, OSError):
        folders, problems = known["folders"], known["problems"]
        if folders and all(os.stat(root / f).st_mtime_ns == t for f, t in folders.items()):
            rows = [_row(row) for row in known["rows"]]
            return Scan(rows, [str(one) for one in problems], folders)
    found = scan(root, tree, split)
    _write(path, vars(found))
    return found


def _row(row: list) -> tuple[str, str, str, str, tuple[str, ...]]:
    """A row of a `Scan`. Raises `ValueError` for what no scan writes: it would lead elsewhere."""
    name, *files, parts = row
    image, labels, instances = files
    for one in (name, *files, *parts):
        if not isinstance(one, str) or one.startswith("/") or ".." in one.split("/"):
            raise ValueError(one)
    return name, image, labels, instances, tuple(parts)


class Checked:
    """Which pairs of a folder were read and found good for a palette, and are as they were then."""

    def __init__(self, root: Path, palette: Palette) -> None:
        meaning = json.dumps([palette.raw_to_id.tolist(), palette.instance_edges])
        self.path = cache_folder() / f"checked-{_key(root.resolve(), meaning)}.json"
        stamps = _read(self.path).get("stamps")
        self._stamps: dict[str, str] = stamps if isinstance(stamps, dict) else {}
        self._new: dict[str, str] = {}

    def is_good(self, pair: Pair) -> bool:
        """Whether the pair was good and none of its files has changed since."""
        stamp = _stamp(pair)
        self._new[pair.name] = stamp
        return bool(stamp) and self._stamps.get(pair.name) == stamp

    def remember(self, good: Sequence[Pair]) -> None:
        """Keep that these are good; forgets all others."""
        stamps = {pair.name: self._new[pair.name] for pair in good}
        if stamps != self._stamps:
            _write(self.path, {"stamps": stamps})


def _stamp(pair: Pair) -> str:
    """A digest of sizes and times of the pair's files; "" if one is not there."""
    try:
        seen = [(s.st_size, s.st_mtime_ns) for s in map(os.stat, pair.files)]
    except OSError:
        return ""
    return hashlib.sha1(repr((pair.parts, seen)).encode()).hexdigest()[:16]


def _key(*what: object) -> str:
    return hashlib.sha1(repr([str(one) for one in what]).encode()).hexdigest()[:20]


def _read(path: Path) -> dict:
    """The JSON object of a cache file; empty if there is none that can be used."""
    with suppress(OSError, ValueError, RecursionError):
        data = json.loads(path.read_text("utf-8"))
        if isinstance(data, dict) and data.get("format") == FORMAT:
            return data
    return {}


def _write(path: Path, data: dict) -> None:
    """Keep `data`, if the cache folder can be written."""
    with suppress(OSError, UnicodeEncodeError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            part.write_text(json.dumps({"format": FORMAT, **data}), "utf-8")
