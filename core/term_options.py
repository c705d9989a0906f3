"""Guidance terms on a command line: `--text "sunset:1.5@sky"`, `--style photo.jpg:0.8`."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.errors import InputError
from core.palette import Palette
from core.picture import read_picture
from core.request import ModelInfo
from core.terms import RULE_NAMES, GuidanceTerm

KINDS = {  # option: kind of the term, what it takes, help
    "text": ("text", "WORDS", 'what it should be like: "foggy sunset, no snow"'),
    "content": ("content", "PICTURE", "what this picture shows"),
    "structure": ("content", "PICTURE", "what this picture shows, place by place"),
    "style": ("style", "PICTURE", "the textures and the light of this picture"),
    "colours": ("colours", "PICTURE", "the large shapes and colours of this picture (ILVR)"),
}


def add_term_options(parser: argparse.ArgumentParser) -> None:
    """The options of guidance; each may be given more than once."""
    group = parser.add_argument_group(
        "words and references",
        "Each takes a weight and labels where it acts, as in --text sunset:1.5@sky+cloud; 1 is the "
        "usual weight.",
    )
    for option, (_, takes, text) in KINDS.items():
        group.add_argument(f"--{option}", action="append", default=[], metavar=takes, help=text)
    group.add_argument(
        "--coarse", type=int, default=32, help="of --colours: pixels of its detail left out (32)"
    )
    group.add_argument(
        "--clip", type=Path, help="a CLIP file that words and references guide through, by [clip]"
    )
    group.add_argument(
        "--noisy-clip", type=Path, help="SDG's own encoder of noisy pictures, for models of pixels"
    )
    group.add_argument(
        "--rule", choices=RULE_NAMES, default=RULE_NAMES[0], help="how terms move a step (even)"
    )


def clip_files(args: argparse.Namespace) -> dict[str, Path]:
    """The files of CLIP that were given, by their names for `open_model`."""
    given = {"clip": args.clip, "noisy_clip": args.noisy_clip}
    return {name: path for name, path in given.items() if path is not None}


def terms_of(args: argparse.Namespace, info: ModelInfo) -> tuple[GuidanceTerm, ...]:
    """The terms that were asked for. Raises `InputError` for what the model cannot follow: once,
    before the first picture."""
    terms = tuple(
        _term(option, given, args.coarse, info.palette)
        for option in KINDS
        for given in getattr(args, option)
    )
    for term in terms:
        if term.kind == "text" and info.vocabulary:
            info.vocabulary.check(term.text)
    return terms


def _term(option: str, given: str, coarse: int, palette: Palette) -> GuidanceTerm:
    kind = KINDS[option][0]
    value, weight, labels = split_term(given, palette)
    settings = {"weight": weight, "labels": labels, "coarse": coarse}
    if kind == "text":
        return GuidanceTerm(kind, text=value, **settings)
    picture = read_picture(Path(value)).image
    spatial = option == "structure"
    return GuidanceTerm(kind, reference=picture, name=Path(value).name, spatial=spatial, **settings)


def split_term(given: str, palette: Palette) -> tuple[str, float, tuple[int, ...]]:
    """`VALUE[:WEIGHT][@LABEL+LABEL]` in its parts. Raises `InputError` for an unknown label."""
    value, at, names = given.rpartition("@")
    if not at:
        value, names = given, ""
    labels = tuple(_label(name, palette) for name in names.split("+") if name)
    head, _, weight = value.rpartition(":")
    try:
        return (head, float(weight), labels) if head else (value, 1.0, labels)
    except ValueError:  # a colon of the value itself
        return value, 1.0, labels


def _label(name: str, palette: Palette) -> int:
    found = palette.find(name)
    if found is None:
        raise InputError(f"Palette {palette.name!r} has no label {name!r} for a term to act on.")
    return found
