"""A request's guidance terms, made ready for a walk: what each wants, and where it acts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from core.checkpoint import Checkpoint, CheckpointError
from core.clip import Clip
from core.crop import Crop
from core.errors import RequestError
from core.guidance import TERMS, Guided, LowPass, Pull, rule_of
from core.labelmap import nearest_resize
from core.latents import shares_of
from core.meaning import meaning
from core.model.scene_encoder import SceneEncoder
from core.palette import Palette
from core.request import SampleRequest
from core.sampling import Constrain, Denoise, SeedNoise
from core.schedule import Schedule
from core.seen import Seen
from core.sentences import INSTALL, SentenceReader, packaged
from core.term_weights import TermWeights
from core.terms import GuidanceTerm
from core.words import UnknownWord, Vocabulary, read_words

Encode = Callable[[np.ndarray], Tensor]  # uint8 [1, H, W, 3] -> x0 [1, C, h, w]

Meaning = Callable[[Sequence[str]], Tensor]  # sentences -> [N, sentence]

FREE_SENTENCES = f"Free sentences need the extra [text]: {INSTALL}"
REFERENCE_SEED = 0  # of the noise that references are seen through


def guide_path(weights: Path | None) -> Path | None:
    """Where the encoder of a model's guidance lies: `NAME-guidance.safetensors` beside it."""
    return weights and weights.with_name(f"{weights.stem}-guidance{weights.suffix}")


class Guide:
    """An encoder that sees scenes through noise, and the words that it knows.

    clean: it looks at x_t, not at the predicted x0.
    """

    clean = False

    def __init__(
        self,
        encoder: SceneEncoder,
        vocabulary: Vocabulary | None,
        timesteps: int,
        sentences: Meaning | None = None,
        labels: tuple[str, ...] = (),
    ) -> None:
        """sentences: reads texts with words that the vocabulary does not have. labels: names of
        those that it learned with."""
        self.encoder, self.timesteps, self.sentences = encoder, timesteps, sentences
        self.labels = labels
        learned = bool(encoder.spec.phrases or encoder.spec.clip)
        self.vocabulary = vocabulary and _told(vocabulary, learned, sentences)
        weight = next(encoder.parameters())
        self.device, self.dtype = weight.device, weight.dtype

    @classmethod
    def open(cls, path: Path, in_channels: int) -> Guide:
        """Open a checkpoint of `core.train --stage guidance`, in float32.

        Raises `CheckpointError` if it is something else, or reads other latents.
        """
        checkpoint = Checkpoint.open(path)
        encoder = checkpoint.load_guidance()
        if encoder.spec.in_channels != in_channels:
            raise CheckpointError(
                f"{path} reads {encoder.spec.in_channels} channels, but the model has "
                f"{in_channels}. Take it away, or train one on this model's latents."
            )
        reads = packaged() if encoder.spec.phrases else None
        sentences = SentenceReader(reads) if reads else None
        timesteps = checkpoint.schedule.diffusion_steps
        labels = _names(checkpoint.palette)
        return cls(encoder, checkpoint.vocabulary, timesteps, sentences, labels)

    def reading(self, clip: Clip) -> Guide:
        """The same with the words of the CLIP file whose space it learned."""
        known = Vocabulary.from_dict(read_words())
        return Guide(self.encoder, known, self.timesteps, clip.text, self.labels)

    def to(self, device: torch.device, dtype: torch.dtype) -> Guide:
        """The same on another device and in another precision."""
        encoder = self.encoder.to(device, dtype).to(memory_format=torch.channels_last)
        return Guide(encoder, self.vocabulary, self.timesteps, self.sentences, self.labels)

    def look(self, x: Tensor, t: int) -> Seen:
        """What is to be seen of x_t; differentiable where gradients are wanted."""
        share = torch.full((len(x),), (t + 1) / self.timesteps, device=x.device)
        return self.encoder(x.to(self.dtype), share)

    def text(self, text: str) -> Tensor:
        """The embedding `[1, D]` of a text. Raises `InputError` for words that it does not know."""
        if self.vocabulary is None:
            raise RequestError("This model's encoder of guidance learned no words.")
        if self.encoder.spec.clip:
            return meaning(text, self._read)
        try:
            weights = self.vocabulary.read(text)
        except UnknownWord:
            if not self.vocabulary.free:
                raise
            return meaning(text, self._read)
        row = [weights.get(name, 0.0) for name in self.vocabulary.names]
        return self.encoder.text(torch.tensor([row], device=self.device))

    def tint(self, embedding: Tensor, palette: Palette) -> Tensor | None:
        """How the text of an embedding `[1, D]` changes x0 under each label, float32 `[labels, C]`;
        None where that was not learned, or with other labels."""
        return self.encoder.tint(embedding) if _names(palette) == self.labels else None

    def _read(self, clause: str) -> Tensor:
        said = self.sentences([clause]).to(self.device)
        return said if self.encoder.spec.clip else self.encoder.meaning(said)


def _told(vocabulary: Vocabulary, learned: bool, sentences: Meaning | None) -> Vocabulary:
    """A vocabulary that says whether free sentences can be read, and else why not."""
    more = FREE_SENTENCES if learned and sentences is None else ""
    return replace(vocabulary, free=learned and sentences is not None, more=more)


def _names(palette: Palette) -> tuple[str, ...]:
    return tuple(label.name for label in palette.classes)


def check_terms(request: SampleRequest, guide: Guide | None, model: str) -> None:
    """Raise `InputError` if the terms of a request cannot be followed."""
    for term in request.terms:
        if term.kind == "colours":
            continue
        if guide is None:
            raise RequestError(
                f"{model} has no encoder of guidance by {term.kind}. Train one with core.train "
                "--stage guidance."
            )
        if term.kind == "text":
            guide.text(term.text)


class Terms:
    """The terms of one request on one crop of its canvas.

    guide: None if the terms need none. encode: pictures to x0. chunk: as in `Guided`. weights: of
    the terms, at every step; None for the request's own.
    """

    def __init__(
        self,
        request: SampleRequest,
        guide: Guide | None,
        schedule: Schedule,
        crop: Crop,
        encode: Encode,
        chunk: int,
        weights: TermWeights | None = None,
    ) -> None:
        self.request, self.guide, self.schedule = request, guide, schedule
        self.crop, self.encode, self.chunk = crop, encode, chunk
        self.weights = weights or TermWeights(request.terms)
        acting = [t for i, t in enumerate(request.terms) if self.weights.may_act(i)]
        self.colours = [term for term in acting if term.kind == "colours"]
        self.scored = [term for term in acting if term.kind != "colours"]

    def guided(self, denoise: Denoise, sampler: str, path: list[int]) -> Denoise:
        """`denoise`, pulled by the terms that have a score."""
        if not self.scored:
            return self.weights.following(denoise)
        rule = rule_of(self.request.term_rule, self.schedule, sampler, path)
        pulls = [self._pull(term) for term in self.scored]
        look, clean = self.guide.look, self.guide.clean
        guided = Guided(denoise, self.schedule, look, pulls, rule, self.chunk, clean)
        return self.weights.following(guided)

    def constrained(self, constrain: Constrain, noise: Tensor) -> Constrain:
        """`constrain`, which also keeps to the colours of references. noise: of the walk's start,
        `[N, C, h, w]`."""
        for term in self.colours:
            reference = self.reference(term).to(noise)
            cells, mask = max(1.0, term.coarse / self.crop.factor), self.mask(term, noise.device)
            constrain = LowPass(
                self.schedule, reference, noise, cells, self._weight(term), mask, constrain
            )
        return constrain

    def _pull(self, term: GuidanceTerm) -> Pull:
        mask = self.mask(term, self.guide.device)
        if term.kind != "text":
            name = "structure" if term.kind == "content" and term.spatial else term.kind
            return Pull(TERMS[name], self._wanted_picture(term), self._weight(term), mask)
        with torch.inference_mode(False), torch.no_grad():
            embedding = self.guide.text(term.text)
        wanted, tint = Seen(embedding, embedding, ()), self._tint(embedding)
        kind = TERMS["text" if tint is None else "tinted"]
        return Pull(kind, lambda t: wanted, self._weight(term), mask, tint)

    def _weight(self, term: GuidanceTerm) -> Callable[[], float]:
        return partial(self.weights.of, self.request.terms.index(term))

    def _tint(self, embedding: Tensor) -> Tensor | None:
        """How a text changes x0 `[1, C, h, w]`: as it does in the labels that are painted there."""
        layout = self.request.layout
        changes = self.guide.tint(embedding, layout.palette)
        if changes is None:
            return None
        labels = nearest_resize(layout.labels, self.crop.canvas)
        shares = self.crop.cells(shares_of(labels, None, layout.palette, self.crop.factor))
        return torch.einsum("kc,khw->chw", changes, shares.to(changes))[None]

    def _wanted_picture(self, term: GuidanceTerm) -> Callable[[int], Seen]:
        """What is seen of the reference under the noise of t, computed when first asked for."""
        with torch.inference_mode(False), torch.no_grad():
            x0 = self.reference(term).clone()
            noise = SeedNoise([REFERENCE_SEED], x0.shape[1:], x0.device)()
        if self.guide.clean:
            with torch.inference_mode(False), torch.no_grad():
                seen = self.guide.look(x0, -1)
            return lambda t: seen

        @cache
        def wanted(t: int) -> Seen:
            with torch.no_grad():
                return self.guide.look(self.schedule.q_sample(x0, t, noise), t)

        return wanted

    def reference(self, term: GuidanceTerm) -> Tensor:
        """x0 `[1, C, h, w]` of a reference that fills the canvas, cut like the canvas."""
        picture = filling(term.reference, self.crop.canvas)
        return self.crop.cells(self.encode(picture[None]))

    def mask(self, term: GuidanceTerm, device: torch.device) -> Tensor | None:
        """float32 `[1, 1, h, w]`, where a term may act: in its labels, and in the region of an
        edit. None for everywhere."""
        share = None
        if term.labels:
            labels = nearest_resize(self.request.layout.labels, self.crop.canvas)
            inside = np.isin(labels, term.labels).astype(np.float32)
            size = self.crop.latent_canvas[::-1]
            share = self.crop.cells(cv2.resize(inside, size, interpolation=cv2.INTER_AREA))
        if self.request.inpaint is not None:
            region = self.crop.cells_touched(self.request.inpaint.region).astype(np.float32)
            share = region if share is None else share * region
        return None if share is None else torch.from_numpy(share.copy())[None, None].to(device)


def filling(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture uint8 `[h, w, 3]` cut in its middle to the proportions of `size` and resized."""
    height, width = size
    h, w = picture.shape[:2]
    scale = max(height / h, width / w)
    part_h, part_w = min(h, max(1, round(height / scale))), min(w, max(1, round(width / scale)))
    top, left = (h - part_h) // 2, (w - part_w) // 2
    part = picture[top : top + part_h, left : left + part_w]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(part, (width, height), interpolation=how)
