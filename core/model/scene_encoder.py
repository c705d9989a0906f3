"""A small network that sees what a scene is like, through any amount of noise.

It reads x_t itself, latents or pixels, and the timestep scales and shifts its norms, as in
Semantic Diffusion Guidance (arXiv 2112.05744, section 3.2): so its gradient with respect to x_t
means something from the first step on. Words have vectors in the space of its embeddings.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.model.layers import timestep_embedding
from core.model.segmenter import PlaceNorm
from core.model.spec import SceneEncoderSpec
from core.seen import Seen

TIME_WIDTH = 64  # sinusoids of the timestep
NEARNESS = 0.05  # cosine by which a phrase must be farther to count e times less


class TimedNorm(nn.Module):
    """Layer norm of each place, scaled and shifted by the timestep."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = PlaceNorm(width, elementwise_affine=False)
        self.from_time = nn.Linear(TIME_WIDTH, 2 * width)
        nn.init.zeros_(self.from_time.weight)
        nn.init.zeros_(self.from_time.bias)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.from_time(time)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(shift, self.norm(x), 1 + scale)


class TimedBlock(nn.Module):
    """x + f(x, t), with f zero at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = TimedNorm(width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        return x + self.last(F.silu(self.first(self.norm(x, time))))


class Phrasebook(nn.Module):
    """A sentence means what the phrases nearest to it mean.

    keys: their embeddings `[phrases, sentence]` of length 1. meanings: `[phrases, D]`.
    """

    def __init__(self, spec: SceneEncoderSpec) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.zeros(spec.phrases, spec.sentence))
        self.meanings = nn.Parameter(torch.zeros(spec.phrases, spec.embedding))

    def forward(self, sentences: Tensor) -> Tensor:
        near = torch.softmax(sentences.float() @ self.keys.float().T / NEARNESS, dim=-1)
        return F.normalize(near @ self.meanings.float(), dim=-1)


class SceneEncoder(nn.Module):
    """x `[N, C, H, W]` at timesteps `[N]` to `Seen`. Sides are cut to multiples of `spec.patch`.

    Timesteps are shares of the schedule, 0 for the clean picture to 1 for pure noise. words:
    `[words, D]`, a vector for each concept; the other parameters of words turn cosines into logits.
    phrases: from the embeddings of a sentence encoder to the same space. tints: from there to what
    a text changes of x0 in each label (core/tints.py).
    """

    def __init__(self, spec: SceneEncoderSpec) -> None:
        super().__init__()
        self.spec = spec
        widths, first = spec.widths, spec.in_channels * spec.patch**2
        self.time = nn.Sequential(
            nn.Linear(TIME_WIDTH, TIME_WIDTH), nn.SiLU(), nn.Linear(TIME_WIDTH, TIME_WIDTH)
        )
        self.stem = nn.Conv2d(first, widths[0], 3, padding=1)
        self.levels = nn.ModuleList(
            nn.ModuleList(TimedBlock(width) for _ in range(count))
            for width, count in zip(widths, spec.blocks, strict=True)
        )
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(widths, widths[1:])
        )
        self.norms = nn.ModuleList(TimedNorm(width) for width in widths)
        self.head = nn.Sequential(
            nn.Conv2d(widths[-1], 2 * spec.embedding, 1),
            nn.SiLU(),
            nn.Conv2d(2 * spec.embedding, spec.embedding, 1),
        )
        self.words = nn.Parameter(torch.randn(spec.words, spec.embedding))
        self.gains = nn.Parameter(torch.full((spec.words,), 2.0))  # logarithms
        self.biases = nn.Parameter(torch.full((spec.words,), -2.0))
        self.phrases = Phrasebook(spec) if spec.phrases else None
        shape = spec.tints, spec.in_channels, spec.embedding
        self.tints = nn.Parameter(torch.zeros(shape)) if spec.tints else None
        self.bag_scale = nn.Parameter(torch.tensor([2.0, -2.0]))  # logarithm of a gain, and a bias

    def forward(self, x: Tensor, t: Tensor) -> Seen:
        time = self.time(timestep_embedding(1000 * t, TIME_WIDTH).to(x.dtype))
        height, width = (side // self.spec.patch * self.spec.patch for side in x.shape[-2:])
        x = self.stem(F.pixel_unshuffle(x[..., :height, :width], self.spec.patch))
        layers = []
        for index, level in enumerate(self.levels):
            x = self.down[index - 1](x) if index else x
            for block in level:
                x = block(x, time)
            layers.append(self.norms[index](x, time))
        places = self.head(layers[-1])
        return Seen(F.normalize(places.mean((2, 3)).float()), places, tuple(layers))

    def text(self, weights: Tensor) -> Tensor:
        """The embedding `[..., D]`, of length 1, of weights `[..., words]` of concepts."""
        return F.normalize(weights @ F.normalize(self.words.float()), dim=-1)

    def meaning(self, sentences: Tensor) -> Tensor:
        """The embedding `[N, D]`, of length 1, of what a sentence encoder says, `[N, sentence]`."""
        return self.phrases(sentences)

    def tint(self, embedding: Tensor) -> Tensor | None:
        """How the text of an embedding `[1, D]` changes x0 under each label, `[labels, C]`."""
        return None if self.tints is None else self.tints.float() @ embedding[0]

    def logits(self, embedding: Tensor) -> Tensor:
        """`[N, words]`: how much pictures with these embeddings show each concept."""
        cosines = embedding @ F.normalize(self.words.float()).T
        return self.gains.exp() * cosines + self.biases

    def bags(self, embedding: Tensor, texts: Tensor) -> Tensor:
        """`[N, M]`: how well embeddings `[N, D]` fit texts `[M, D]`."""
        gain, bias = self.bag_scale
        return gain.exp() * (embedding @ texts.T) + bias
