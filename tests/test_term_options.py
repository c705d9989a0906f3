"""Guidance terms as they are written on a command line."""

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.palette import Palette
from core.term_options import split_term
from core.words import Vocabulary, Word
from tests.test_sample_command import PALETTE, PaintedEngine, layout, run  # noqa: F401

SKY, CLOUD = (PALETTE.find(name) for name in ("sky", "cloud"))


@pytest.mark.parametrize(
    "given, parts",
    [
        ("sunset", ("sunset", 1.0, ())),
        ("foggy sunset, no snow:1.5", ("foggy sunset, no snow", 1.5, ())),
        ("sunset:2@sky+cloud", ("sunset", 2.0, (SKY, CLOUD))),
        ("sunset@sky", ("sunset", 1.0, (SKY,))),
        (r"C:\photos\dune.jpg:0.8", (r"C:\photos\dune.jpg", 0.8, ())),
        (r"C:\dune.jpg", (r"C:\dune.jpg", 1.0, ())),
    ],
)
def test_a_term_has_a_value_a_weight_and_labels(given, parts):
    """Weight and labels may be left out; a colon of the value stays."""
    assert split_term(given, Palette.load("landscape")) == parts


def test_terms_reach_the_engine(layout, tmp_path):  # noqa: F811
    """In the order of the options, with the picture read and named."""
    photo = tmp_path / "dune.png"
    cv2.imwrite(str(photo), np.full((4, 6, 3), (10, 20, 30), np.uint8))
    engine = PaintedEngine()
    options = ("--text", "sunset:2@sky", "--text", "warm", "--structure", photo)
    options += ("--colours", f"{photo}:0.5", "--coarse", 64, "--rule", "paper")
    assert run(layout, "-o", tmp_path / "out", *options, engine=engine) == 0
    (request,) = engine.requests
    one, two, three, four = request.terms
    assert (one.text, one.weight, one.labels) == ("sunset", 2.0, (SKY,)) and two.text == "warm"
    assert (three.kind, three.spatial, three.name) == ("content", True, "dune.png")
    assert three.reference[0, 0].tolist() == [30, 20, 10]
    assert (four.kind, four.weight, four.coarse) == ("colours", 0.5, 64)
    assert request.term_rule == "paper"


@pytest.mark.parametrize(
    "options, sentence",
    [
        (("--text", "sunset@nowhere"), "has no label 'nowhere'"),
        (("--text", "foggi"), "'foggi' is not known.*Near it: fog"),
        (("--style", "nothing.png"), "nothing.png"),
        (("--text", "fog:99"), "weight 99.0 of guidance by text"),
    ],
)
def test_a_bad_term_is_refused_once(layout, tmp_path, capsys, options, sentence):  # noqa: F811
    """Before the first picture, with status 2."""
    engine = PaintedEngine()
    words = Vocabulary((Word("fog", "weather", ("foggy",)),))
    engine.info = replace(engine.info, vocabulary=words)
    assert run(layout, layout, "-o", tmp_path / "out", *options, engine=engine) == 2
    assert re.search(sentence, capsys.readouterr().err) and not engine.requests
