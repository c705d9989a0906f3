"""The command that opens the window: which model, which palette, which scene."""

import pytest

import main
from core.palette import Palette


@pytest.fixture
def started(monkeypatch):
    """What `run` was called with."""
    calls = []
    run = "app.application.run"
    monkeypatch.setattr(run, lambda *args, **named: calls.append((args, named)) or 0)
    return calls


def test_a_model_opens_with_its_own_palette(started, make_checkpoint):
    """Given as the file, as a double click does, or by name; a palette that is named wins."""
    path = make_checkpoint()
    assert main.main([str(path)]) == main.main(["--weights", str(path)]) == 0
    assert main.main([str(path), "--palette", "ade20k"]) == 0
    for (_, model, palette, layout), _ in started[:2]:
        assert model.args == (path,) and palette.name == "tiny" and layout is None
    assert started[2][0][2].name == "ade20k"


def test_without_a_word_it_is_the_bundled_model_and_palette(started, tmp_path):
    """A scene is opened in it; the palette is the bundled file's, with all its synonyms."""
    assert main.main(["scene.png"]) == 0
    (_, model, palette, layout), _ = started[0]
    assert model.args == (main.WEIGHTS,) and layout.name == "scene.png"
    assert palette == Palette.load("landscape")


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}"])
def test_a_damaged_model_still_opens_the_window(started, tmp_path, content):
    """Its thread says what is wrong; painting works."""
    (tmp_path / "bad.safetensors").write_bytes(content)
    assert main.main([str(tmp_path / "bad.safetensors")]) == 0
    assert started[0][0][2].name == "landscape"


def test_an_unknown_palette_is_refused(started, capsys):
    """With a sentence, before a window opens."""
    assert main.main(["--palette", "klingon"]) == 2
    assert "klingon" in capsys.readouterr().err and not started
