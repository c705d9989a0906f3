"""A double click on our files: the program's entry for the desktops of Linux.

Two small files among the user's own, as freedesktop.org's specifications have them. Elsewhere the
desktop asks once which program opens a file ("Open with").
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QStandardPaths

from core.errors import InputError
from core.files import atomic_path, writing

NAME = "sdm-studio"
ICON = Path(__file__).with_name("icons") / "app.svg"
TYPES = {  # MIME type: what it is called, how its files are called
    "application/x-sdm-studio-project": ("SDM Studio project", "*.sdms"),
    "application/x-safetensors": ("Model weights", "*.safetensors"),
}
REFRESHERS = {"applications": "update-desktop-database", "mime": "update-mime-database"}


def install(program: Sequence[str]) -> list[Path]:
    """Write the entry for `program`, the words that start it; the files that were written.

    Raises `InputError` on other systems than Linux, `OutputError` if a file cannot be written.
    """
    if not sys.platform.startswith("linux"):
        raise InputError(
            "Desktop entries are for Linux. Here, choose the program once by Open with… in the "
            "menu of a file."
        )
    place = QStandardPaths.StandardLocation.GenericDataLocation
    data = Path(QStandardPaths.writableLocation(place))
    texts = {
        data / "applications" / f"{NAME}.desktop": entry(program),
        data / "mime" / "packages" / f"{NAME}.xml": kinds(),
    }
    for path, text in texts.items():
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as part:
                part.write_text(text, encoding="utf-8")
    for folder, refresher in REFRESHERS.items():
        if shutil.which(refresher):  # without it the desktop finds out at the next login
            subprocess.run([refresher, str(data / folder)], check=False, capture_output=True)
    return list(texts)


def entry(program: Sequence[str]) -> str:
    """The menu entry; it says which kinds of file the program opens."""
    lines = (
        "[Desktop Entry]",
        "Type=Application",
        "Name=SDM Studio",
        "Comment=Paint a scene as a map of labels, get a picture",
        f"Exec={' '.join(map(quoted, program))} %f",
        f"Icon={ICON}",
        "Categories=Graphics;",
        f"MimeType={';'.join(TYPES)};",
    )
    return "\n".join(lines) + "\n"


def quoted(word: str) -> str:
    """A word of a command line as Exec has it: quoted, then escaped as any string of the file."""
    for sign in '\\"`$':
        word = word.replace(sign, f"\\{sign}")
    word = word.replace("\\", "\\\\").replace("%", "%%")
    return f'"{word}"'


def kinds() -> str:
    """The kinds of file, by the ends of their names."""
    lines = [
        f'  <mime-type type="{kind}"><comment>{name}</comment>'
        f'<glob pattern="{pattern}"/></mime-type>'
        for kind, (name, pattern) in TYPES.items()
    ]
    head = '<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">'
    return (
        "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *lines, "</mime-info>"]) + "\n"
    )
