"""The guide to a model of one's own holds: its set, its palette, and what it quotes."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core import train
from core.checkpoint import Checkpoint
from core.labelmap import read_labels
from core.palette import Palette
from docs.make_set import LAVA, SIDE, make_set

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "own-model.md"
BUNDLED = Palette.load("landscape")


def test_the_set_is_made_again_to_the_byte(tmp_path):
    """Every map has the same size as its picture, and lava glows."""
    for name in ("one", "two"):
        make_set(tmp_path / name, 3)
    files = [p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*")]
    assert len(files) == 7
    assert all(
        (tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files
    )
    palette = Palette.load(str(tmp_path / "one" / "palette.toml"))
    for number in range(3):
        labels = read_labels(tmp_path / "one" / "labels" / f"{number:02d}.png", palette).labels
        picture = np.array(Image.open(tmp_path / "one" / "images" / f"{number:02d}.png"))
        assert picture.shape == (SIDE, SIDE, 3) and labels.shape == (SIDE, SIDE)
        red, _, blue = picture[labels == LAVA].mean(0)
        assert red > 200 > 100 > blue and (labels == LAVA).mean() > 0.002


def test_the_palette_of_the_guide_is_that_of_the_set(tmp_path):
    """As it stands in the text."""
    make_set(tmp_path, 1)
    _, text = GUIDE.read_text("utf-8").split("```toml\n", 1)
    (tmp_path / "guide.toml").write_text(text.split("```")[0])
    palettes = (Palette.load(str(tmp_path / f"{name}.toml")) for name in ("guide", "palette"))
    guide, made = ([c for c in palette.classes] for palette in palettes)
    assert guide == made


def test_the_guide_s_command_learns_from_it(tmp_path, make_unet, capsys):
    """On a tiny model of the bundled palette; it says of the labels what the guide quotes."""
    unet = make_unet(num_classes=len(BUNDLED))
    base = tmp_path / "landscape.safetensors"
    Checkpoint(BUNDLED, unet.spec).save(base, {"unet": unet.state_dict()}, torch.float32)
    make_set(tmp_path / "my_photos", 4)
    words = ["--data", tmp_path / "my_photos", "--palette", tmp_path / "my_photos" / "palette.toml"]
    words += ["--init", base, "--out", tmp_path / "mine", "--steps", 2, "--batch", 2]
    words += ["--sheet-every", 0, "--threads", 1, "--device", "cpu", "--precision", "float32"]
    assert train.main([str(word) for word in words]) == 0
    quoted = next(line for line in GUIDE.read_text("utf-8").splitlines() if "go on from" in line)
    assert quoted.strip() in capsys.readouterr().err
    palette = Checkpoint.open(tmp_path / "mine" / "weights.safetensors").palette
    assert [c.name for c in palette.classes][LAVA] == "lava"
