"""Guidance with scores whose gradients are known: what a step is moved by, to the digit."""

import math

import pytest
import torch

from core.guidance import (
    TERMS,
    Guided,
    Kind,
    LowPass,
    Pull,
    even,
    gram,
    likeness,
    low_pass,
    paper_eps,
    paper_mean,
    rule_of,
    structure,
    style,
    unit,
)
from core.sampling import SAMPLERS, SeedNoise, path_of, sample
from core.schedule import Prediction, ScheduleSpec, posterior
from core.seen import Seen

SCHEDULE = ScheduleSpec().build()
SHAPE = (2, 3, 4, 4)
GOAL = 0.7
STRIDE, EARLY = 0.2, 0.5


def plain(x: torch.Tensor, t: int) -> Prediction:
    """A denoiser that knows one thing: the data are standard normal. x0 = sqrt(abar) x."""
    x0 = math.sqrt(SCHEDULE.abar(t)) * x
    return Prediction(SCHEDULE.eps_from_x0(x, t, x0), x0, torch.zeros_like(x))


def look(x: torch.Tensor, t: int) -> Seen:
    """An encoder that sees x as it is."""
    return Seen(torch.nn.functional.normalize(x.flatten(1)), x, (x,))


def quadratic(seen: Seen, wanted: Seen) -> torch.Tensor:
    """-|x - goal|^2 / 2, whose gradient is goal - x."""
    return -0.5 * (seen.places - wanted.places).square().sum((1, 2, 3))


def pull(score=quadratic, weight=1.0, mask=None, goal=GOAL) -> Pull:
    wanted = torch.full((1, *SHAPE[1:]), goal)
    return Pull(Kind(score, STRIDE, EARLY), lambda t: look(wanted, t), weight, mask)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))


def guided(rule, *pulls, chunk=64) -> Guided:
    return Guided(plain, SCHEDULE, look, pulls, rule, chunk)


def test_the_gradient_is_the_score_s_own(x):
    """Of a quadratic score goal - x; each picture has its own, whatever the batch."""
    (found,) = guided(paper_eps(SCHEDULE), pull()).gradients(x, 500)
    torch.testing.assert_close(found, GOAL - x)
    (alone,) = guided(paper_eps(SCHEDULE), pull()).gradients(x[1:], 500)
    torch.testing.assert_close(alone, found[1:])


@pytest.mark.parametrize("t", [999, 500, 1])
def test_the_paper_s_eps_rule(x, t):
    """eps - sqrt(1 - abar) g (algorithm 2), and the x0 that this eps implies."""
    moved, before = guided(paper_eps(SCHEDULE), pull(weight=0.3))(x, t), plain(x, t)
    wanted = before.eps - math.sqrt(1 - SCHEDULE.abar(t)) * 0.3 * (GOAL - x)
    torch.testing.assert_close(moved.eps, wanted, rtol=1e-4, atol=1e-4)
    x0 = SCHEDULE.x0_from_eps(x, t, wanted)
    torch.testing.assert_close(moved.x0, x0, rtol=1e-3, atol=1e-3 / math.sqrt(SCHEDULE.abar(t)))


def test_the_paper_s_mean_rule(x):
    """The mean of a step of ddpm moves by Sigma g (algorithm 1); v is as it was."""
    path = [800, 600, -1]
    rule = rule_of("paper", SCHEDULE, "ddpm", path)
    walk = guided(rule, pull(weight=0.3))
    step = SAMPLERS["ddpm"](SCHEDULE, 0.0)
    moved, before = walk(x, 800), plain(x, 800)
    none = lambda: torch.zeros_like(x)  # noqa: E731 - a noise of zero leaves the mean
    difference = step(moved, x, 800, 600, none) - step(before, x, 800, 600, none)
    q = posterior(SCHEDULE.abar(800), SCHEDULE.abar(600))
    variance = math.sqrt(q.variance * q.beta)  # v = 0 is half-way between their logarithms
    torch.testing.assert_close(difference, variance * 0.3 * (GOAL - x), rtol=1e-4, atol=1e-5)
    last = walk(x, 600)
    torch.testing.assert_close(last.x0, plain(x, 600).x0)


def test_the_mean_rule_knows_paths_that_go_up(x):
    """Walked again, a timestep leads where it led."""
    rule = paper_mean(SCHEDULE, {800: 600, 600: -1})
    again = rule_of("paper", SCHEDULE, "ddpm", [800, 600, 800, 600, -1])
    one, other = (guided(r, pull())(x, 800).x0 for r in (rule, again))
    torch.testing.assert_close(one, other)


def test_the_even_rule_moves_equally_far_at_any_size_of_the_gradient(x):
    """x0 moves by weight, stride and what noise is left, along the gradient."""
    for scale in (1e-3, 1.0, 50.0):
        scaled = pull(lambda s, w, k=scale: k * quadratic(s, w), 2.0)
        moved = guided(even(SCHEDULE), scaled)(x, 400).x0 - plain(x, 400).x0
        size = moved.square().mean((1, 2, 3)).sqrt()
        far = 2.0 * STRIDE * (1 - SCHEDULE.abar(400)) ** EARLY
        torch.testing.assert_close(size, torch.full((2,), far))
        torch.testing.assert_close(
            unit(moved, scaled), unit(GOAL - x, scaled), rtol=1e-3, atol=1e-4
        )


def test_a_tint_moves_x0_whatever_the_gradient_is(x):
    """By its own size, in the mask alone; the paper's rule does not know it."""
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2, :] = 1
    tint = torch.randn(1, *SHAPE[1:], generator=torch.Generator().manual_seed(1))
    bare = pull(weight=2.0, mask=mask)
    tinted = bare._replace(kind=bare.kind._replace(tint=0.5), tint=tint)
    one, other = (guided(even(SCHEDULE), p)(x, 400).x0 for p in (bare, tinted))
    far = 2.0 * 0.5 * (1 - SCHEDULE.abar(400)) ** EARLY
    torch.testing.assert_close(other - one, (far * tint * mask).expand_as(x))
    same = [guided(paper_eps(SCHEDULE), p)(x, 400).x0 for p in (bare, tinted)]
    torch.testing.assert_close(*same)


def test_words_act_early_and_style_acts_late_too():
    """At the last steps words do nothing any more."""
    last, first = SCHEDULE.abar(30), SCHEDULE.abar(900)
    reach = {
        name: (1 - last) ** kind.early / (1 - first) ** kind.early for name, kind in TERMS.items()
    }
    assert reach["text"] < 1e-6 and reach["text"] == reach["content"]
    assert reach["text"] < reach["structure"] < 1e-3 < reach["style"]


def test_terms_add_up_and_act_where_their_masks_are(x):
    """Two terms are the sum of either alone; outside its mask a term does nothing."""
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2, :] = 1
    here, there = pull(weight=1.5, mask=mask), pull(weight=0.5, goal=-2.0)
    for rule in (even(SCHEDULE), paper_eps(SCHEDULE)):
        base = plain(x, 300).x0
        both = guided(rule, here, there)(x, 300).x0 - base
        one, two = (guided(rule, p)(x, 300).x0 - base for p in (here, there))
        torch.testing.assert_close(both, one + two, rtol=1e-4, atol=1e-4)
        assert one[..., 2:, :].abs().max() == 0 and one[..., :2, :].abs().min() > 0


@pytest.mark.parametrize("chunk", [1, 64])
def test_a_picture_s_pull_does_not_depend_on_its_batch(x, chunk):
    """Seen one by one or together."""
    alone = guided(even(SCHEDULE), pull())(x[:1], 300).x0
    torch.testing.assert_close(guided(even(SCHEDULE), pull(), chunk=chunk)(x, 300).x0[:1], alone)


def test_gradients_in_inference_mode(x):
    """The engine samples in inference mode, where tensors have no gradients."""
    with torch.inference_mode():
        moved = guided(even(SCHEDULE), pull())(x * 1.0, 300)
    torch.testing.assert_close(moved.x0, guided(even(SCHEDULE), pull())(x, 300).x0)


@pytest.mark.parametrize("rule, weights", [("even", (0, 1, 2)), ("paper", (0, 0.05, 0.1))])
@pytest.mark.parametrize("sampler, steps", [("dpmpp_2m", 20), ("ddim", 20), ("ddpm", 40)])
def test_sampling_goes_to_the_goal(sampler, steps, rule, weights):
    """The data are standard normal; pulled, the samples' mean lies towards the goal of 3."""
    means = []
    for weight in weights:
        noise = SeedNoise(range(8), SHAPE[1:])
        path = path_of(SCHEDULE, steps, sampler)
        walk = guided(rule_of(rule, SCHEDULE, sampler, path), pull(weight=weight, goal=3.0))
        step = SAMPLERS[sampler](SCHEDULE, 0.0)
        *_, last = sample(walk, step, path, noise(), noise, SCHEDULE)
        means.append(float(last.x.mean()))
    assert abs(means[0]) < 0.2 and means[0] + 0.08 < means[1] < means[2] < 4


# -- scores ---------------------------------------------------------------------------------------


def test_likeness_is_the_cosine(x):
    """1 with itself, -1 with its opposite."""
    one, opposite = look(x, 0), look(-x, 0)
    torch.testing.assert_close(likeness(one, one), torch.ones(2))
    torch.testing.assert_close(likeness(one, opposite), -torch.ones(2))


def test_structure_knows_where_and_style_does_not(x):
    """A shifted picture has the style of the old one and another structure."""
    one, shifted = look(x, 0), look(x.roll(1, -1), 0)
    torch.testing.assert_close(style(one, shifted), torch.zeros(2))
    torch.testing.assert_close(structure(one, one), torch.ones(2))
    assert structure(one, shifted).max() < 0.7


def test_style_is_relative_to_the_wanted_one():
    """Gram matrices of a constant: c^2; of twice the constant four times that."""
    one, two = (look(torch.full((1, 3, 2, 2), c), 0) for c in (1.0, 2.0))
    torch.testing.assert_close(gram(one.places), torch.ones(1, 3, 3))
    torch.testing.assert_close(style(two, one), torch.tensor([-9.0]))


# -- colours --------------------------------------------------------------------------------------


def smooth(height: int, width: int) -> torch.Tensor:
    """A slow wave: nearly all of it passes."""
    return torch.sin(torch.linspace(0, 3, width)).expand(1, 3, height, width) + 0.5


def test_low_pass_keeps_the_mean_and_drops_detail():
    """Slow waves stay, a checkerboard goes."""
    wave = smooth(16, 16)
    torch.testing.assert_close(low_pass(wave, 4), wave, rtol=0, atol=0.3)
    assert float((low_pass(wave, 4) - wave).abs().mean()) < 0.08
    board = (torch.arange(16)[:, None] + torch.arange(16)) % 2 * 2.0 - 1
    assert low_pass(board.expand(1, 3, 16, 16).clone(), 4).abs().max() < 0.05
    torch.testing.assert_close(low_pass(wave, 1), wave)


def test_the_colours_of_a_reference_are_taken_over():
    """At every t low frequencies are those of the reference under the same noise: ILVR."""
    generator = torch.Generator().manual_seed(1)
    reference, noise, x = (torch.randn(1, 3, 16, 16, generator=generator) for _ in range(3))
    for t in (700, 3, -1):
        wanted = reference if t < 0 else SCHEDULE.q_sample(reference, t, noise)
        found = LowPass(SCHEDULE, reference, noise, 1.0)(x, t)
        torch.testing.assert_close(found, wanted)  # of one cell everything passes
        coarse = LowPass(SCHEDULE, reference, noise, 4.0)(x, t)
        torch.testing.assert_close(coarse - x, low_pass(wanted - x, 4.0))
        early = LowPass(SCHEDULE, reference, noise, 4.0, weight=0.4)(x, t)
        torch.testing.assert_close(early, coarse if t >= 600 else x)


def test_colours_act_in_their_mask_and_other_constraints_last():
    """Outside the mask x stays; what must be kept of an edit is kept."""
    x, reference = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    kept = LowPass(SCHEDULE, reference, x, 4.0, mask=mask)(x, -1)
    assert float(kept[..., 4:].abs().max()) == 0
    torch.testing.assert_close(kept[..., :4], torch.ones(1, 3, 8, 4))
    final = LowPass(SCHEDULE, reference, x, 4.0, after=lambda x, t: x * 0 + t)(x, 5)
    assert float(final.min()) == float(final.max()) == 5
