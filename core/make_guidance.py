"""The stage that learns what scenes are like, as a command's arguments ask for it."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from core.captions import CAPTIONS, Evidence, read_table
from core.checkpoint import Checkpoint
from core.clip import Clip
from core.command import counted, encoding, say
from core.dataset import PairDataset
from core.errors import InputError
from core.files import file_digest
from core.guidance_stage import SceneDataset, SceneStage
from core.latents import LatentDataset
from core.model.autoencoder import Autoencoder
from core.model.scene_encoder import SceneEncoder
from core.model.spec import SceneEncoderSpec, spec_from_dict
from core.photo_folder import PhotoFolder
from core.phrases import Phrases
from core.pixels import from_pixels
from core.schedule import ScheduleSpec
from core.sentences import INSTALL, SentenceReader, packaged
from core.words import WORDS_FILE, Vocabulary, read_words

FITTED = ("phrases.", "tints")  # what of the weights is not trained


def make_guidance(
    args: argparse.Namespace,
    data: PairDataset | PhotoFolder,
    device: torch.device,
    autoencoder: Autoencoder | None,
) -> SceneStage:
    """The stage of `args`; with words, where the photos have captions."""
    captions = Path(args.data) / CAPTIONS
    words, targets, taught = {"concepts": {}}, torch.zeros(len(data), 0), None
    if args.clip_file:
        return _by_clip(args, data, device, autoencoder)
    reader = _reader(captions) if args.sentences else None  # before minutes of reading photos
    if captions.is_file():
        words = read_words(Path(args.vocabulary) if args.vocabulary else WORDS_FILE)
        scores = read_table(Path(args.scores)) if args.scores else {}
        evidence = Evidence(words, read_table(captions), scores)
        targets = torch.from_numpy(evidence.targets(data, partial(counted, title="reading photos")))
        taught = torch.from_numpy(evidence.every_score(data))
    elif args.vocabulary or args.scores:
        raise InputError(f"--vocabulary and --scores need captions, but {captions} is missing.")
    else:
        say(f"note: {captions} is missing, so the encoder learns no words.")
    vocabulary = Vocabulary.from_dict(words) if words["concepts"] else None
    names = [pair.name for pair in data.pairs] if reader else []
    phrases = Phrases(vocabulary, read_table(captions), names, reader) if reader else None
    shape = {**_read(autoencoder), "words": targets.shape[1]}
    shape["tints"] = len(data.palette) if targets.shape[1] else 0
    if phrases:
        shape["phrases"], shape["sentence"] = phrases.embeddings.shape
    model = SceneEncoder(spec_from_dict(SceneEncoderSpec, shape | args.spec))
    if args.init:
        _go_on(model, args.init, vocabulary)
    dataset = SceneDataset(_pictures(args, data, autoencoder), targets, taught)
    return SceneStage(dataset, model, _schedule(args), vocabulary, device, phrases)


def _by_clip(
    args: argparse.Namespace,
    photos: PhotoFolder,
    device: torch.device,
    autoencoder: Autoencoder | None,
) -> SceneStage:
    """The stage that learns to see through noise what a CLIP file sees without: no captions."""
    clip = Clip.open(Path(args.clip_file)).to(device)
    with torch.no_grad():
        seen = [
            clip.look(from_pixels(photos.sample(index).image[None]).to(device)).embedding
            for index in counted(range(len(photos)), "looking with CLIP")
        ]
    shape = {
        **_read(autoencoder),
        "embedding": clip.width,
        "clip": file_digest(Path(args.clip_file)),
    }
    model = SceneEncoder(spec_from_dict(SceneEncoderSpec, shape | args.spec))
    if args.init:
        _go_on(model, args.init, None)
    pictures, none = _pictures(args, photos, autoencoder), torch.zeros(len(photos), 0)
    dataset = SceneDataset(pictures, none, views=torch.cat(seen).cpu())
    return SceneStage(dataset, model, _schedule(args), None, device)


def _read(autoencoder: Autoencoder | None) -> dict[str, int]:
    """What the encoder reads: latents, or pixels."""
    if autoencoder is None:
        return {"in_channels": 3, "patch": 8}
    return {"in_channels": autoencoder.spec.latent_channels, "patch": 2}


def _pictures(
    args: argparse.Namespace, data: PairDataset | PhotoFolder, autoencoder: Autoencoder | None
) -> PairDataset | PhotoFolder | LatentDataset:
    """What x0 is made of."""
    if autoencoder is None:
        return data
    return LatentDataset(data, autoencoder, encoding, args.crops)


def _schedule(args: argparse.Namespace) -> ScheduleSpec:
    return ScheduleSpec(args.noise_schedule) if args.noise_schedule else ScheduleSpec()


def _reader(captions: Path) -> SentenceReader:
    """What reads sentences, to teach the encoder of guidance what they mean."""
    if not captions.is_file():
        raise InputError(f"--sentences needs captions, but {captions} is missing.")
    reads = packaged()
    if reads is None:
        raise InputError(f"--sentences needs the extra [text]: {INSTALL}")
    return SentenceReader(reads)


def _go_on(model: SceneEncoder, path: str, vocabulary: Vocabulary | None) -> None:
    """Start an encoder of guidance from the one in a file."""
    checkpoint = Checkpoint.open(path)
    old = checkpoint.load_guidance()
    names = [v.names if v else () for v in (checkpoint.vocabulary, vocabulary)]
    if _trained(old.spec) != _trained(model.spec) or names[0] != names[1]:
        raise InputError(f"{path} holds another encoder or other words than this run's.")
    state = {k: v for k, v in old.state_dict().items() if not k.startswith(FITTED)}
    model.load_state_dict(model.state_dict() | state)


def _trained(spec: SceneEncoderSpec) -> SceneEncoderSpec:
    """What training makes, without what is fitted anew whenever weights are saved."""
    return replace(spec, sentence=0, phrases=0, tints=0)
