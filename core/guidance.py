"""Semantic diffusion guidance (Liu et al. 2021, arXiv 2112.05744): scores that pull every step.

A term has a score of x_t, larger where the picture is more like what is wanted, and an encoder that
sees through noise gives its gradient with respect to x_t. `Guided` wraps a `denoise(x, t)` and
moves what it predicts, so it works with every sampler, path and constraint. How a gradient moves a
prediction is a rule:

    paper   DDIM's eps <- eps - sqrt(1 - abar_t) g, for all samplers but ddpm: there the step's mean
            moves by Sigma g (the paper's algorithm 1). g is the weighted sum of raw gradients.
            As a shift of x0 that is (1 - abar_t) / sqrt(abar_t) g: beyond bounds at the first
            steps, where few-step samplers take x0 at its word.
    even    x0 moves by stride (1 - abar_t)^early along each term's gradient brought to the same
            size, times its weight: the same strength whatever the term's units, the sampler and the
            number of steps; and eps along with it. Words also move it towards the colours that
            they give to each label (core/tints.py). They act while light and colours are decided:
            what comes after makes a picture of it that keeps to its layout. Textures, that is
            style, are decided later.

The colours of a reference (ILVR, Choi et al. 2021) are no gradient but a constraint on x_t.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from core.sampling import Constrain, Denoise
from core.schedule import Prediction, Schedule, interpolate_log_variance, posterior
from core.seen import Seen

Look = Callable[[Tensor, int], Seen]  # of x_t; differentiable
Score = Callable[[Seen, Seen], Tensor]  # what is seen, what is wanted -> [N]
Weight = float | Callable[[], float]
TINY = 1e-12


# -- scores ---------------------------------------------------------------------------------------


def likeness(seen: Seen, wanted: Seen) -> Tensor:
    """Cosine of the embeddings, of a text or of a picture: the paper's equations 4 and 6."""
    return (seen.embedding * wanted.embedding).sum(1)


def structure(seen: Seen, wanted: Seen) -> Tensor:
    """Cosine place by place: content with its composition, the paper's equation 7."""
    return F.cosine_similarity(seen.places.float(), wanted.places.float(), dim=1).mean((1, 2))


def style(seen: Seen, wanted: Seen) -> Tensor:
    """Minus the distance of the Gram matrices of every level, each relative to the wanted one's
    own size: the paper's equation 8, in units that do not depend on the network."""
    pairs = zip(seen.layers, wanted.layers, strict=True)
    return -sum(_apart(gram(a), gram(b)) for a, b in pairs) / len(seen.layers)


def gram(features: Tensor) -> Tensor:
    """`[N, C, C]`: how often features `[N, C, h, w]` occur together."""
    flat = features.float().flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def _apart(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().sum((1, 2)) / b.square().sum((1, 2))


class Kind(NamedTuple):
    """A score, and how the even rule follows it: stride in deviations of x0, and how early. tint:
    how far along to what the labels' colours become."""

    score: Score
    stride: float
    early: float
    tint: float = 0.0


TERMS = {  # docs/decisions/018 has the measurements
    "text": Kind(likeness, 0.45, 8),
    "tinted": Kind(likeness, 0.22, 8, tint=1.25),  # text, where it is known what it does to labels
    "content": Kind(likeness, 0.35, 8),
    "structure": Kind(structure, 0.3, 4),
    "style": Kind(style, 0.3, 1),
}


# -- terms at work --------------------------------------------------------------------------------


class Pull(NamedTuple):
    """A term, ready. wanted: what should be seen at timestep t. weight: a function is asked at
    every step. mask: `[1, 1, h, w]`, where it acts; None for everywhere. tint: `[1, C, h, w]`, how
    it changes x0 where one label or another is painted; None for not at all."""

    kind: Kind
    wanted: Callable[[int], Seen]
    weight: Weight
    mask: Tensor | None = None
    tint: Tensor | None = None


class Push(NamedTuple):
    """A pull, and the gradient of its score `[N, C, h, w]`."""

    pull: Pull
    gradient: Tensor


Rule = Callable[[list[Push], Prediction, int], Tensor]  # -> how far x0 moves, [N, C, h, w]


class Guided:
    """`denoise`, pulled by the gradient of sum_i w_i score_i(x_t, t).

    chunk: how many pictures are seen at once, as in `Denoiser`. clean: `look` is at the predicted
    x0, and its gradient stands for that with respect to x_t.
    """

    def __init__(
        self,
        denoise: Denoise,
        schedule: Schedule,
        look: Look,
        pulls: Sequence[Pull],
        rule: Rule,
        chunk: int = 64,
        clean: bool = False,
    ) -> None:
        self.denoise, self.schedule, self.look = denoise, schedule, look
        self.pulls, self.rule, self.chunk, self.clean = list(pulls), rule, chunk, clean

    def __call__(self, x: Tensor, t: int) -> Prediction:
        prediction = self.denoise(x, t)
        pulls = [pull._replace(weight=now(pull.weight)) for pull in self.pulls]
        pulls = [pull for pull in pulls if pull.weight > 0]
        if not pulls:
            return prediction
        seen = prediction.x0 if self.clean else x
        parts = [self.gradients(part, t, pulls) for part in seen.split(self.chunk)]
        gradients = [torch.cat(own) for own in zip(*parts, strict=True)]
        pushes = [Push(*both) for both in zip(pulls, gradients, strict=True)]
        x0 = prediction.x0 + self.rule(pushes, prediction, t)
        return Prediction(self.schedule.eps_from_x0(x, t, x0), x0, prediction.v)

    def gradients(self, x: Tensor, t: int, pulls: Sequence[Pull] = ()) -> list[Tensor]:
        """The gradient of the score of each pull, or of all, at x_t: `[N, C, h, w]`."""
        pulls = pulls or self.pulls
        with torch.inference_mode(False), torch.enable_grad():
            x = x.detach().clone().requires_grad_(True)  # of an inference tensor there is none
            seen = self.look(x, t)
            scores = [pull.kind.score(seen, pull.wanted(t)).sum() for pull in pulls]
            last = len(scores) - 1
            return [
                torch.autograd.grad(score, x, retain_graph=number < last)[0]
                for number, score in enumerate(scores)
            ]


def now(weight: Weight) -> float:
    """A weight as it is now."""
    return weight() if callable(weight) else weight


# -- rules ----------------------------------------------------------------------------------------


def even(schedule: Schedule) -> Rule:
    """Every term moves x0 as far as its kind says, however large its gradient is."""

    def rule(pushes: list[Push], prediction: Prediction, t: int) -> Tensor:
        noise = 1 - schedule.abar(t)
        return sum(
            pull.weight * noise**pull.kind.early * masked(_stride(pull, g), pull)
            for pull, g in pushes
        )

    return rule


def _stride(pull: Pull, gradient: Tensor) -> Tensor:
    """How far x0 moves at weight 1 under nothing but noise."""
    along = pull.kind.stride * unit(gradient, pull)
    return along if pull.tint is None else along + pull.kind.tint * pull.tint


def unit(gradient: Tensor, pull: Pull) -> Tensor:
    """A gradient of mean square 1 in each picture, where its mask is."""
    squares, mask = gradient.square(), pull.mask
    if mask is None:
        size = squares.mean((1, 2, 3), keepdim=True)
    else:
        share = mask.expand_as(gradient)
        size = (squares * share).sum((1, 2, 3), keepdim=True) / (share.sum() / len(share) + TINY)
    return gradient / (size + TINY).sqrt()


def masked(gradient: Tensor, pull: Pull) -> Tensor:
    return gradient if pull.mask is None else gradient * pull.mask


def summed(pushes: list[Push]) -> Tensor:
    """The gradient of the weighted sum of the scores."""
    return sum(pull.weight * masked(gradient, pull) for pull, gradient in pushes)


def paper_eps(schedule: Schedule) -> Rule:
    """eps - sqrt(1 - abar_t) g, said of x0: the paper's algorithm 2, for DDIM."""

    def rule(pushes: list[Push], prediction: Prediction, t: int) -> Tensor:
        abar = schedule.abar(t)
        return (1 - abar) / math.sqrt(abar) * summed(pushes)

    return rule


def paper_mean(schedule: Schedule, below: Mapping[int, int]) -> Rule:
    """The step's mean + Sigma g, said of x0: the paper's algorithm 1, for DDPM.

    below: the timestep after each of the path. Into the last step Sigma is 0, and so is the shift.
    """

    def rule(pushes: list[Push], prediction: Prediction, t: int) -> Tensor:
        q = posterior(schedule.abar(t), schedule.abar(below[t]))
        if below[t] < 0:
            return torch.zeros_like(prediction.x0)
        low, high = math.log(q.variance), math.log(q.beta)
        variance = interpolate_log_variance(prediction.v, low, high).exp()
        return variance * summed(pushes) / q.coef1

    return rule


def rule_of(name: str, schedule: Schedule, sampler: str, path: Sequence[int]) -> Rule:
    """The rule "even" or "paper" for a sampler that walks `path`."""
    if name == "even":
        return even(schedule)
    if sampler != "ddpm":
        return paper_eps(schedule)
    return paper_mean(schedule, {t: after for t, after in zip(path, path[1:]) if after < t})


# -- colours --------------------------------------------------------------------------------------


class LowPass:
    """`constrain(x, t)`: large shapes and their colours are those of a reference (ILVR).

    x <- x + phi(y_t) - phi(x): phi keeps what is larger than `cells`, y_t is the reference x0 under
    the noise of timestep t, the same noise all the way down, as a deterministic sampler needs. The
    paper works on pixels; of a latent model it is the latents that are low-passed.
    reference: `[1, C, h, w]`. noise: `[N, C, h, w]`. mask: `[1, 1, h, w]` or None. weight: of the
    timesteps, from the noisiest on; after them the model makes of the colours what it thinks right
    (the paper's range of conditioning). after: what else constrains x, and has the last word.
    """

    def __init__(
        self,
        schedule: Schedule,
        reference: Tensor,
        noise: Tensor,
        cells: float,
        weight: Weight = 1.0,
        mask: Tensor | None = None,
        after: Constrain = lambda x, t: x,
    ) -> None:
        self.schedule, self.reference, self.noise = schedule, reference, noise
        self.cells, self.weight, self.share = cells, weight, 1.0 if mask is None else mask
        self.after = after

    def __call__(self, x: Tensor, t: int) -> Tensor:
        weight = now(self.weight)
        if weight < 1 and t < round((1 - weight) * len(self.schedule)):
            return self.after(x, t)
        wanted = self.reference if t < 0 else self.schedule.q_sample(self.reference, t, self.noise)
        return self.after(x + self.share * low_pass(wanted - x, self.cells), t)


def low_pass(x: Tensor, cells: float) -> Tensor:
    """phi: x `[N, C, h, w]` made smaller by `cells` and as large again, as in the paper's code."""
    size = x.shape[-2:]
    small = tuple(max(1, round(side / cells)) for side in size)
    shrunk = F.interpolate(x, small, mode="bicubic", antialias=True, align_corners=False)
    return F.interpolate(shrunk, size, mode="bicubic", align_corners=False)
