"""An engine that follows a script instead of a model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from threading import Semaphore

import numpy as np

from core.labelmap import Box
from core.painting import Style, style_for
from core.palette import Palette
from core.regions import composite
from core.request import (
    Event,
    Layout,
    ModelInfo,
    Preview,
    Result,
    SampleRequest,
    Started,
    Trajectory,
)
from core.terms import GuidanceTerm
from core.words import Vocabulary

FIRST_GREY = 50  # of what is repainted, for a seed that ends in 00


class FakeEngine:
    """Paints each preview in one grey: the number of its step. Results are white, and one grey
    darker for each further seed of the request. What repaints a region is grey by its seed there,
    blended with the picture as asked.

    hold() makes every step wait until let(n) allows n of them or go() all. fail_at: the step that
    raises `error`. pause: seconds that each step takes. can_see(finds): it has a segmenter, which
    answers with `finds(picture)`. can_guide(vocabulary): it has an encoder of guidance.
    can_paint(): it has a `FakePainter` beside it. What was asked of it is kept: requests, scales
    (one per step), closed (how many samples were given up early), decoded (numbers of steps), looks
    (how often it was to look at a picture), recombined (each scale): those pictures are 100 and ten
    for each unit of the scale. With `keep_trajectory` a result carries a state for each step. tape:
    the request that can be recombined, that of the last result. running, most_running: samples
    under way, and at most.
    """

    def __init__(self, palette: Palette | None = None) -> None:
        self.info = ModelInfo(
            "fake", palette or Palette.load("landscape"), (256, 256), 8, "cpu", "float32"
        )
        self.fail_at = 0
        self.pause = 0.0
        self.error: Exception = RuntimeError("the fake broke")
        self.requests: list[SampleRequest] = []
        self.scales: list[float] = []
        self.closed = 0
        self.decoded: list[int] = []
        self.looks = 0
        self._finds: Callable[[np.ndarray], np.ndarray] | None = None
        self.recombined: list[float] = []
        self.tape: SampleRequest | None = None
        self.running = self.most_running = 0
        self.painter: FakePainter | None = None
        self._held: Semaphore | None = None

    def hold(self) -> None:
        """Let the next step wait."""
        self._held = Semaphore(0)

    def let(self, steps: int) -> None:
        """Allow some of the steps that wait."""
        self._held.release(steps)

    def go(self) -> None:
        """Allow all steps."""
        held, self._held = self._held, None
        if held is not None:
            held.release(1000)

    def can_see(self, finds: Callable[[np.ndarray], np.ndarray]) -> None:
        """Have a segmenter. finds: from a picture to probabilities float32 `[labels, h, w]`."""
        self.info = replace(self.info, segmenter=True)
        self._finds = finds

    def can_paint(self) -> FakePainter:
        """Have an instant painter."""
        self.painter = FakePainter(self.info)
        self.info = replace(self.info, painter=self.painter.info.name)
        return self.painter

    def can_guide(self, vocabulary: Vocabulary | None) -> None:
        """Have an encoder of guidance that knows these words."""
        self.info = replace(self.info, guidance=True, vocabulary=vocabulary)

    def segment(self, picture: np.ndarray) -> np.ndarray:
        """As scripted."""
        self.looks += 1
        return self._finds(picture)

    def sample(
        self,
        request: SampleRequest,
        guidance_scale: Callable[[], float] | None = None,
        term_weights: Callable[[], Sequence[float]] | None = None,
    ) -> Iterator[Event]:
        """Started, a preview per step, a result."""
        if request.instant:
            for seed in request.seeds:
                style = style_for(self.painter, request.painted.style, seed)
                picture, told = self.painter.paint(request.layout, style), request.single(seed)
                yield Result(picture, told, 0.01, "fake-instant")
            return
        self.requests.append(request)
        own, weights = tuple(term.weights[0] for term in request.terms), []
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            yield Started(request, request.steps)
            for step in range(1, request.steps + 1):
                if self._held is not None:
                    self._held.acquire(timeout=10)
                time.sleep(self.pause)
                self.scales.append(guidance_scale() if guidance_scale else request.scales[0])
                weights.append(tuple(term_weights()) if term_weights else own)
                if step == self.fail_at:
                    raise self.error
                yield Preview((_grey(request, step),) * request.count, step, request.steps)
        except GeneratorExit:
            self.closed += 1
            raise
        finally:
            self.running -= 1
        for number, seed in enumerate(request.seeds):
            picture = _grey(request, 255 - number)
            if request.inpaint is not None:
                new = _grey(request, FIRST_GREY + seed % 100)
                picture = composite(request.inpaint.picture, new, request.inpaint.blend)
            states = _states(request.steps) if request.keep_trajectory else None
            self.tape = replace(request.single(seed), terms=_weighed(request.terms, weights))
            yield Result(picture, self.tape, 0.5, self.info.name, states)

    def picture_of(self, x0: np.ndarray, layout: Layout) -> np.ndarray:
        """All of the first value of x0: that is the number of its step."""
        if self._held is not None:
            self._held.acquire(timeout=10)
        self.decoded.append(int(x0.flat[0]))
        return np.full((8, 8, 3), int(x0.flat[0]), np.uint8)

    def recombine(self, request: SampleRequest, guidance_scale: float) -> np.ndarray | None:
        """A grey of its own for each scale."""
        time.sleep(self.pause)
        self.recombined.append(guidance_scale)
        if request is not self.tape or request.terms:
            return None
        return _grey(request, 100 + round(10 * guidance_scale))


class FakePainter:
    """Paints every label in a grey of its own: ten for each id, and one for each seed of the style
    or, of a style that was read, as bright as the picture was. The last two channels are 7.

    What was asked of it is kept: boxes (None for a whole picture), styles. pause: seconds that each
    part takes. error: raised in place of the next part.
    """

    def __init__(self, info: ModelInfo) -> None:
        self.info = replace(info, name="fake-instant", painter="fake-instant")
        self.boxes: list[Box | None] = []
        self.styles: list[Style] = []
        self.pause = 0.0
        self.error: Exception | None = None

    def random_style(self, seed: int) -> Style:
        """One number: the seed."""
        return Style(np.array([seed], np.float32), seed)

    def style_of(self, picture: np.ndarray, seed: int = 0) -> Style:
        """One number: how bright the picture is."""
        return Style(np.array([picture.mean()], np.float32), seed)

    def paint(self, layout: Layout, style: Style, box: Box | None = None) -> np.ndarray:
        """As scripted."""
        time.sleep(self.pause)
        if self.error is not None:
            raise self.error
        self.boxes.append(box)
        self.styles.append(style)
        picture = np.full((*layout.size, 3), 7, np.uint8)
        picture[..., 0] = (10 * layout.labels.astype(int) + int(style.vector[0])) % 256
        return picture if box is None else picture[box.slices].copy()


def _weighed(
    terms: tuple[GuidanceTerm, ...], weights: list[tuple[float, ...]]
) -> tuple[GuidanceTerm, ...]:
    """The terms with their weights, of all steps where they moved."""
    moved = {index: own for index, own in enumerate(zip(*weights)) if len(set(own)) > 1}
    return tuple(
        replace(term, weight=moved.get(index, weights[-1][index]))
        for index, term in enumerate(terms)
    )


def _states(steps: int) -> Trajectory:
    """Every x0 is the number of its step, every state the negative of it; t falls by tens."""
    numbers = np.arange(1, steps + 1, dtype=np.float16)[:, None, None, None]
    times = tuple(10 * (steps - 1 - number) for number in range(steps))
    return Trajectory(times, -numbers.repeat(4, 1), numbers.repeat(4, 1))


def _grey(request: SampleRequest, value: int) -> np.ndarray:
    return np.full((*(request.size or request.layout.size), 3), value, np.uint8)
