"""What the program remembers: how to generate, how the window lies, which theme."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QSettings, QStandardPaths

from core.request import MAX_SEED, SAMPLER_NAMES
from core.style import StyleChoice

MAX_STEPS = 250
MIN_GUIDANCE, MAX_GUIDANCE = 1.0, 5.0
MIN_START = 0.05
MAX_RECENT = 10
MAX_PROMPTS = 30
HISTORY_LIMIT, MAX_HISTORY_LIMIT = 500, 1_000_000  # MiB
THEMES = ("system", "light", "dark")


@dataclass(frozen=True)
class GenerateSettings:
    """How a picture is made from the scene.

    steps: 1..`MAX_STEPS`. guidance_scale: `MIN_GUIDANCE`..`MAX_GUIDANCE`; 1 is off.
    guidance_start: `MIN_START`..1, the share of the noise below which guidance acts. seed:
    0..`MAX_SEED`; unless locked, each Generate draws a new one. style: of the instant painter,
    where there is one. instant_strength: 0..1, how much of its picture a sample forgets; 1 begins
    with noise alone, 0 leaves the picture to it.
    """

    steps: int = 25
    sampler: str = SAMPLER_NAMES[0]
    guidance_scale: float = 2.5  # with the start, what the bundled model is best at: decisions/023
    guidance_start: float = 0.5
    seed: int = 1
    seed_locked: bool = False
    style: StyleChoice = StyleChoice()
    instant_strength: float = 0.6

    def checked(self) -> GenerateSettings:
        """The nearest settings that can be used: a stored file may hold anything."""
        return replace(
            self,
            steps=_clamp(self.steps, 1, MAX_STEPS),
            sampler=self.sampler if self.sampler in SAMPLER_NAMES else SAMPLER_NAMES[0],
            guidance_scale=_clamp(self.guidance_scale, MIN_GUIDANCE, MAX_GUIDANCE),
            guidance_start=_clamp(self.guidance_start, MIN_START, 1.0),
            seed=_clamp(self.seed, 0, MAX_SEED),
            instant_strength=_clamp(self.instant_strength, 0.0, 1.0),
        )


def _clamp(value: Any, low: Any, high: Any) -> Any:
    return max(low, min(high, value))


def data_folder() -> Path:
    """Where the program keeps what is the user's but no document."""
    return Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppDataLocation))


class Store:
    """The user's settings file. Give `path` to keep them in an ini file of your own."""

    def __init__(self, path: Path | None = None) -> None:
        if path is None:
            self._settings = QSettings("SDM Studio", "SDM Studio")
        else:
            self._settings = QSettings(str(path), QSettings.Format.IniFormat)

    def generate(self) -> GenerateSettings:
        """The last generate settings; the default of each that is missing or unreadable."""
        default = GenerateSettings()
        found = {name: self._read(name, value) for name, value in asdict(default).items()}
        found["style"] = self._style()
        return GenerateSettings(**found).checked()

    def keep_generate(self, settings: GenerateSettings) -> None:
        """Remember the generate settings."""
        for name, value in {**asdict(settings), "style": json.dumps(settings.style.plain)}.items():
            self._settings.setValue(f"generate/{name}", value)

    def keys(self) -> dict[str, list[str]]:
        """The keys that the user chose: name of a wish to texts such as "Ctrl+E"."""
        try:
            found = json.loads(self._settings.value("keys/own", "{}"))
            return {str(name): [str(key) for key in keys] for name, keys in found.items()}
        except (TypeError, ValueError, AttributeError):
            return {}

    def keep_keys(self, keys: dict[str, list[str]]) -> None:
        """Remember the keys that differ from the program's own."""
        self._settings.setValue("keys/own", json.dumps(keys))

    def _style(self) -> StyleChoice:
        try:
            return StyleChoice.from_plain(
                json.loads(self._settings.value("generate/style", "null"))
            )
        except (TypeError, ValueError):
            return StyleChoice()

    def _read(self, name: str, default: Any) -> Any:
        try:
            return self._settings.value(f"generate/{name}", default, type=type(default))
        except (TypeError, ValueError, OverflowError):
            return default

    @property
    def theme(self) -> str:
        """One of `THEMES`."""
        theme = self._settings.value("window/theme", THEMES[0])
        return theme if theme in THEMES else THEMES[0]

    @theme.setter
    def theme(self, theme: str) -> None:
        self._settings.setValue("window/theme", theme)

    @property
    def pressure(self) -> bool:
        """Whether a tablet pen's pressure sets the size of the brush."""
        return self._settings.value("pen/pressure", "true") != "false"

    @pressure.setter
    def pressure(self, pressure: bool) -> None:
        self._settings.setValue("pen/pressure", "true" if pressure else "false")

    @property
    def welcomed(self) -> bool:
        """Whether the start page was shown once."""
        return bool(self._settings.value("window/welcomed", False, type=bool))

    @welcomed.setter
    def welcomed(self, welcomed: bool) -> None:
        self._settings.setValue("window/welcomed", welcomed)

    def folder(self, purpose: str) -> str:
        """The folder that was last used for `purpose`, or ""."""
        return str(self._settings.value(f"folders/{purpose}", ""))

    def keep_folder(self, purpose: str, folder: Path) -> None:
        """Remember where files for `purpose` were."""
        self._settings.setValue(f"folders/{purpose}", str(folder))

    def recent(self) -> list[Path]:
        """The documents that were last opened or saved, newest first."""
        names = self._settings.value("files/recent", [])
        names = [names] if isinstance(names, str) else names or []  # an ini file makes one of one
        return [Path(name) for name in names if name]

    def keep_recent(self, path: Path | None) -> None:
        """Remember a document; None forgets all."""
        paths = [path.resolve(), *self.recent()] if path else []
        names = list(dict.fromkeys(map(str, paths)))[:MAX_RECENT]
        self._settings.setValue("files/recent", names)

    def prompts(self) -> list[str]:
        """The words that pictures were asked for with, newest first."""
        try:
            found = json.loads(self._settings.value("guiding/prompts", "[]"))
            return [str(text) for text in found][:MAX_PROMPTS] if isinstance(found, list) else []
        except (TypeError, ValueError):
            return []

    def keep_prompt(self, text: str) -> None:
        """Remember words."""
        texts = list(dict.fromkeys([text, *self.prompts()]))[:MAX_PROMPTS]
        self._settings.setValue("guiding/prompts", json.dumps(texts))

    @property
    def history_limit(self) -> int:
        """Bytes that the pictures of a document may take."""
        try:
            limit = int(self._settings.value("history/limit_mb", HISTORY_LIMIT))
        except (TypeError, ValueError, OverflowError):
            limit = HISTORY_LIMIT
        return _clamp(limit, 1, MAX_HISTORY_LIMIT) * 2**20

    @history_limit.setter
    def history_limit(self, limit: int) -> None:
        self._settings.setValue("history/limit_mb", limit // 2**20)

    def pins(self, palette: str) -> dict[int, str] | None:
        """Key → name of the label pinned on it, for a palette; None if there never was one."""
        try:
            found = json.loads(self._settings.value(f"pins/{palette}", "null"))
            return None if found is None else {int(k): str(name) for k, name in found.items()}
        except (AttributeError, TypeError, ValueError):
            return None

    def keep_pins(self, palette: str, pins: dict[int, str]) -> None:
        """Remember which labels of a palette are pinned."""
        self._settings.setValue(f"pins/{palette}", json.dumps(pins))

    def flag(self, name: str, default: bool = False) -> bool:
        """Whether something that can be switched on was on; `default` at first."""
        return self._settings.value(f"view/{name}", "on" if default else "off") == "on"

    def keep_flag(self, name: str, on: bool) -> None:
        """Remember that something was switched on or off."""
        self._settings.setValue(f"view/{name}", "on" if on else "off")

    def window(self) -> tuple[QByteArray, QByteArray]:
        """(geometry, docks) of the main window as it was left; empty at first."""
        keys = ("window/geometry", "window/docks")
        found = [self._settings.value(key, QByteArray()) for key in keys]
        geometry, docks = (f if isinstance(f, QByteArray) else QByteArray() for f in found)
        return geometry, docks

    def keep_window(self, geometry: QByteArray, docks: QByteArray) -> None:
        """Remember how the main window lies."""
        self._settings.setValue("window/geometry", geometry)
        self._settings.setValue("window/docks", docks)
        self._settings.sync()
