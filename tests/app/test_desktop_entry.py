"""What a desktop reads: the program's entry, and the files that it opens."""

import sys
from configparser import RawConfigParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

import main
from app import desktop_entry
from app.desktop_entry import NAME, entry, install
from app.project import SUFFIX
from core.errors import InputError

SPACE = "{http://www.freedesktop.org/standards/shared-mime-info}"


@pytest.fixture
def refreshed(monkeypatch):
    """Linux, and a desktop that is told of its new entries."""
    calls = []
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(desktop_entry.shutil, "which", lambda name: name)
    monkeypatch.setattr(desktop_entry.subprocess, "run", lambda words, **_: calls.append(words))
    return calls


def read(text):
    parser = RawConfigParser(delimiters="=", comment_prefixes="#")
    parser.optionxform = str
    parser.read_string(text)
    return parser["Desktop Entry"]


def test_a_double_click_opens_projects_and_models(refreshed, capsys):
    """`--desktop-entry` writes both files, names them, and the desktop reads them anew."""
    assert main.main(["--desktop-entry"]) == main.main(["--desktop-entry"]) == 0
    written = [Path(line) for line in dict.fromkeys(capsys.readouterr().out.splitlines())]
    assert [path.name for path in written] == [f"{NAME}.desktop", f"{NAME}.xml"]
    found = read(written[0].read_text("utf-8"))
    program = f'"{sys.executable}" "{Path(main.__file__).resolve()}" %f'
    assert found["Exec"] == program and Path(found["Icon"]).is_file()
    root = ElementTree.parse(written[1]).getroot()
    kinds = {kind.get("type"): kind.find(f"{SPACE}glob").get("pattern") for kind in root}
    assert list(kinds.values()) == [f"*{SUFFIX}", "*.safetensors"]
    assert found["MimeType"].split(";")[:-1] == list(kinds)
    assert [words[0].split("-")[1] for words in refreshed[:2]] == ["desktop", "mime"]


def test_a_folder_may_have_any_name():
    """Spaces, quotes, dollars and percent signs reach the program as they are."""
    line = read(entry(['/a b/100%/"x"$y\\z']))["Exec"]
    assert line == '"/a b/100%%/\\\\"x\\\\"\\\\$y\\\\\\\\z" %f'


def test_other_systems_have_another_way(monkeypatch, capsys):
    """A sentence, and nothing is written."""
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(InputError, match="Open with"):
        install(["program"])
    assert main.main(["--desktop-entry"]) == 2 and "Open with" in capsys.readouterr().err
