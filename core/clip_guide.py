"""Guidance by a CLIP file: of predicted pictures, or of noisy ones by the encoder of SDG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from core.clip import Clip, prepared
from core.errors import InputError
from core.meaning import meaning
from core.model.timed_resnet import TimedResNet
from core.official import read_state
from core.palette import Palette
from core.seen import Seen
from core.words import Vocabulary, read_words

Decode = Callable[[Tensor], Tensor]  # x0 -> pictures [N, 3, H, W] in [-1, 1]; differentiable


class ClipGuide:
    """As `core.guide.Guide`, but it looks at pictures.

    clean: it looks at the predicted x0, as a picture. With the authors' encoder, which knows noise,
    at x_t itself. Every sentence can be read; the vocabulary is for completion.
    """

    def __init__(self, clip: Clip, noisy: TimedResNet | None = None) -> None:
        self.clip, self.noisy, self.clean = clip, noisy, noisy is None
        self.device, self.dtype = clip.network.text_projection.device, torch.float32
        self.decode: Decode = lambda x0: x0  # of the request that is under way

    @classmethod
    def open(cls, clip: Path, noisy: Path | None, device: torch.device) -> ClipGuide:
        """noisy: the file of SDG's own encoder. Raises `InputError` for files that do not fit."""
        opened, timed = Clip.open(clip), noisy and open_noisy(noisy)
        if timed and timed.attn_pool.c_proj.out_features != opened.width:
            raise InputError(
                f"{noisy} sees {timed.attn_pool.c_proj.out_features} numbers, but {clip} reads "
                f"texts as {opened.width}. Give the CLIP file that it was made of (RN50x16)."
            )
        return cls(opened.to(device), timed and timed.to(device))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return replace(Vocabulary.from_dict(read_words()), free=True)

    def look(self, x: Tensor, t: int) -> Seen:
        """What is to be seen of x0, or of x_t; differentiable where gradients are wanted."""
        pictures = self.decode(x).float()
        if self.noisy is None:
            return self.clip.look(pictures)
        steps = torch.full((len(x),), max(t, 0), device=x.device)
        return self.noisy(prepared(pictures, self.noisy.size), steps)

    def tint(self, embedding: Tensor, palette: Palette) -> None:
        """What texts do to the colours of labels was not learned."""

    def text(self, text: str) -> Tensor:
        """The embedding `[1, D]` of any text."""
        return meaning(text, lambda clause: self.clip.text([clause]))


def open_noisy(path: Path) -> TimedResNet:
    """The encoder that SDG's authors released. Raises `InputError` for another file."""
    try:
        return TimedResNet.of(read_state(path))
    except (KeyError, RuntimeError) as error:
        detail = str(error).splitlines()[-1].strip()
        raise InputError(f"{path} is not SDG's encoder of noisy pictures: {detail}") from error
