"""Film: frames in order with one noise, key-framed guidance, and one file of them all."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from core import film
from core.film import natural_key, track
from core.labelmap import write_labels
from core.palette import Palette
from core.request import RECIPE_KEY
from core.sample import main
from tests.test_sample_command import PaintedEngine, run

PALETTE = Palette.load("landscape")


@pytest.fixture
def frames(tmp_path):
    """Twelve frames whose names sort wrongly as text: the sea rises over the sky."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for i in range(12):
        labels = np.full((32, 48), 1, np.uint8)
        labels[30 - 2 * i :] = 15
        write_labels(folder / f"frame{i}.png", labels, PALETTE)
    return folder


def test_frames_come_in_the_order_of_their_numbers(frames, tmp_path, capsys):
    """frame10 comes after frame9, in the requests as in the film."""
    engine = PaintedEngine()
    assert run(frames, "-o", tmp_path / "out", "--seed", 5, engine=engine) == 0
    seas = [int((request.layout.labels == 15).sum()) for request in engine.requests]
    assert seas == sorted(seas) and len(seas) == 12
    assert {request.seed for request in engine.requests} == {5}
    printed = capsys.readouterr().out.split()
    assert printed[2].endswith("frame2_5.png") and printed[-1].endswith("frame11_5.png")


def test_names_sort_by_number_then_as_they_are():
    """Numbers count by value, letters by no case, and equals keep apart."""
    names = ["b2.png", "A10.png", "a9.png", "2.png", "a09.png", "10.png"]
    ordered = sorted((Path(name) for name in names), key=natural_key)
    assert [p.name for p in ordered] == [
        "2.png",
        "10.png",
        "a09.png",
        "a9.png",
        "A10.png",
        "b2.png",
    ]


def test_guidance_has_key_frames(frames, tmp_path):
    """Between two keys the scale is linear; each frame's recipe says its own."""
    assert run(frames, "-o", tmp_path / "out", "--guidance", "2:1.2,6:2,8:1") == 0
    found = []
    for i in range(12):
        with Image.open(tmp_path / "out" / f"frame{i}_0.png") as picture:
            found.append(json.loads(picture.text[RECIPE_KEY])["guidance_scale"])
    assert found == [1.2, 1.2, 1.2, 1.4, 1.6, 1.8, 2.0, 1.5, 1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("text", ["", "x", "0:1,0:2", "5:1,2:3", "0:1,", "0:a", "-1:2", "1:2:3"])
def test_bad_key_frames_are_refused_in_words(text, capsys):
    """What is no track ends with an example, before anything is opened."""
    with pytest.raises(SystemExit):
        main(["a.png", "-o", "out", f"--guidance={text}"])
    assert "0:1.2,24:2.5" in capsys.readouterr().err


def test_a_key_frame_out_of_range_is_refused_before_sampling(frames, tmp_path, capsys):
    """Not only the first key is checked."""
    engine = PaintedEngine()
    assert run(frames, "-o", tmp_path / "out", "--guidance", "0:1,500:900", engine=engine) == 2
    assert engine.requests == [] and "900" in capsys.readouterr().err


def test_one_number_is_a_level_track():
    """A plain scale is the same for every frame."""
    assert [track("1.5").at(frame) for frame in (0, 7, 1000)] == [1.5, 1.5, 1.5]


def test_a_gif_has_every_frame_at_its_time(frames, tmp_path):
    """Twelve frames at 24 a second last half a second, and the last is the last layout."""
    target = tmp_path / "film.gif"
    assert run(frames, "-o", tmp_path / "out", "--video", target, "--fps", 24) == 0
    with Image.open(target) as opened:
        assert opened.n_frames == 12
        lengths = []
        for i in range(12):
            opened.seek(i)
            lengths.append(opened.info["duration"])
        last = np.asarray(opened.convert("RGB")).astype(int)
    assert sum(lengths) == 500
    assert np.abs(last[31, 0] - PALETTE.colors[15]).max() < 8
    assert sorted(p.name for p in tmp_path.iterdir()) == ["film.gif", "frames", "out"]


def test_a_webp_film(frames, tmp_path):
    """An animated WebP has all frames in full colour."""
    target = tmp_path / "films" / "film.webp"
    assert run(frames, "-o", tmp_path / "out", "--video", target) == 0
    with Image.open(target) as opened:
        assert opened.n_frames == 12 and opened.size == (48, 32)


def test_an_mp4_film(frames, tmp_path):
    """Where the codec is there, any player finds twelve frames at the rate that was asked for."""
    target = tmp_path / "film.mp4"
    try:
        film.check_video(target)
    except film.FilmError:
        pytest.skip("this OpenCV has no MPEG-4 codec")
    assert run(frames, "-o", tmp_path / "out", "--video", target, "--fps", 12) == 0
    reader = cv2.VideoCapture(str(target))
    seen = []
    while (frame := reader.read())[0]:
        seen.append(frame[1][31, 0, ::-1].astype(int))
    assert reader.get(cv2.CAP_PROP_FPS) == 12 and len(seen) == 12
    assert np.abs(seen[-1] - PALETTE.colors[15]).max() < 16


def test_a_missing_codec_is_told_before_sampling(frames, tmp_path, monkeypatch, capsys):
    """One sentence with the way out, and no engine is opened."""

    class NoWriter:
        def __init__(self, *_):
            pass

        def isOpened(self):
            return False

        def release(self):
            pass

    monkeypatch.setattr(film.cv2, "VideoWriter", NoWriter)
    arguments = [str(frames), "-o", str(tmp_path / "out"), "--video", str(tmp_path / "film.mp4")]
    assert main(arguments, open_engine=lambda path: pytest.fail("opened")) == 2
    assert ".webp or .gif" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, words",
    [
        (("--video", "film.avi"), ".mp4"),
        (("--video", "film.gif", "--count", "2"), "--count 2"),
    ],
)
def test_what_is_no_film_is_told_before_sampling(frames, tmp_path, options, words, capsys):
    """An unknown kind and several pictures a frame are refused."""
    engine = PaintedEngine()
    assert run(frames, "-o", tmp_path / "out", *options, engine=engine) == 2
    assert engine.requests == [] and words in capsys.readouterr().err


def test_frames_of_two_sizes_are_told_before_sampling(frames, tmp_path, capsys):
    """The first frame that differs is named, and --size mends it."""
    write_labels(frames / "frame12.png", np.ones((8, 8), np.uint8), PALETTE)
    engine = PaintedEngine()
    video = ("--video", tmp_path / "film.gif")
    assert run(frames, "-o", tmp_path / "out", *video, engine=engine) == 2
    error = capsys.readouterr().err
    assert engine.requests == [] and "frame12.png" in error and "--size" in error


def test_a_damaged_frame_costs_one_frame(frames, tmp_path, capsys):
    """The film is made of the others, and the exit status tells."""
    (frames / "frame3.png").write_bytes(b"broken")
    target = tmp_path / "film.gif"
    assert run(frames, "-o", tmp_path / "out", "--video", target) == 1
    with Image.open(target) as opened:
        assert opened.n_frames == 11
    assert "frame3.png" in capsys.readouterr().err


def test_all_frames_share_their_noise(tmp_path, make_checkpoint, palette):
    """Two frames of one layout are one picture to the bit, whatever frame stands between them."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for name, label in (("1.png", 1), ("2.png", 2), ("10.png", 1)):
        write_labels(folder / name, np.full((16, 16), label, np.uint8), palette)
    out = tmp_path / "out"
    options = ["--weights", str(make_checkpoint()), "--steps", "2", "--sampler", "ddpm"]
    assert main([str(folder), "-o", str(out), "--seed", "3", *options]) == 0
    first, second, tenth = (np.asarray(Image.open(out / f"{n}_3.png")) for n in (1, 2, 10))
    assert np.array_equal(first, tenth) and not np.array_equal(first, second)
