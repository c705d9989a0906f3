"""The controller: freezes the scene into a request, runs it, and tells what comes of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from app.control_maps import maps_of
from app.holding import Held
from app.label_controls import Table
from app.reading import PaletteDiffers, Reading
from app.scene import Scene
from app.settings import GenerateSettings
from app.worker import Job, Worker, failure
from core.conversion import Conversion, same_labels
from core.errors import DeviceLost, InputError
from core.palette import Palette
from core.request import (
    MAX_SEED,
    Engine,
    Event,
    Failed,
    ModelInfo,
    Preview,
    Result,
    SampleRequest,
    Started,
    Stepped,
    Trajectory,
)
from core.style import Painted

PREVIEWS = 8  # per picture: each costs about as much as a step
DRAFT_STEPS = 3  # of the few-step student, where the model has one; four would take 140 ms
MAX_STATES = 2**29  # pixels times steps up to which a picture keeps its states: some 250 MB
TELL = 0.1  # seconds between two steps that are told of: each draws a part of the window anew
VARIED_PREVIEWS = 4  # per picture of many: small pictures on a grid need fewer


@dataclass(frozen=True)
class Opened:
    """The engine is open."""

    info: ModelInfo


@dataclass(frozen=True, eq=False)
class Answered:
    """What the engine said to `ask`, and who wants to know."""

    answer: Any
    tell: Callable[[Any], None]


@dataclass(frozen=True)
class Varied:
    """What happened to one of the requests that vary a picture: its number and the event."""

    number: int
    event: Event


@dataclass(frozen=True, eq=False)
class Proposed:
    """A picture of `propose` is finished."""

    result: Result


@dataclass(frozen=True, eq=False)
class Quick:
    """What happened to a quick picture."""

    event: Event


@dataclass(frozen=True)
class Status:
    """What is happening, for every widget that tells about it.

    state: "loading", "no model", "sampling", "painting", "failed", "stale", "live" or "idle".
    step, steps: progress of the sample, 0 of 0 without one. seconds_left: None while unknown.
    """

    state: str
    text: str
    step: int = 0
    steps: int = 0
    seconds_left: float | None = None
    can_generate: bool = True
    can_cancel: bool = False


class Studio(QObject):
    """Scene and settings go in, pictures come out.

    status_changed(Status). settings_changed(GenerateSettings). picture_changed(picture, caption):
    uint8 `[H, W, 3]` or None: a preview while sampling, else the last result. varied(Varied): what
    comes of `vary`, in place of picture_changed. made(Result): a picture is finished, one of `vary`
    too. proposed(Result): what `propose` asked for. failed(Failed). varying_begun(first seed,
    count, scales): `vary` is under way. palette_differs: the model was trained on another palette
    than the scene's, and `reading` does not know yet how it should read the scene; `read_as` tells,
    and goes on. model_changed: another model took the place of the one before. quick_made(Result):
    a quick picture is finished and will be shown, in place of made.
    """

    status_changed = Signal(object)
    settings_changed = Signal(object)
    picture_changed = Signal(object, str)
    varying_begun = Signal(int, int, object)
    varied = Signal(object)
    proposed = Signal(object)
    made = Signal(object)
    failed = Signal(object)
    palette_differs = Signal()
    model_changed = Signal()
    quick_made = Signal(object)

    def __init__(
        self, scene: Scene, settings: GenerateSettings, open_engine: Callable[[], Engine]
    ) -> None:
        super().__init__()
        self.scene = scene
        self.settings = settings
        self.result: Result | None = None
        self.note = ""  # why the last result is not in the history: "live"
        self.model: ModelInfo | None = None
        self._stand_in: tuple[np.ndarray | None, str] = (None, "")  # shown while there is no result
        self.reading = Reading(scene)
        self._open_engine = open_engine  # of the last model that could be opened
        self._engine: Engine | None = None  # both are touched by the worker thread only
        self._phase = "loading"  # or "no model", "ready", "sampling", "failed"
        self.purpose = ""  # of the present or last sample: "picture", "variations" or "proposal"
        self._quick = False  # whether a quick picture is under way
        self._live = self._painting = False
        self._stale = False
        self._step, self._steps, self._began = 0, 0, 0.0
        self._told = 0.0  # when, as `time.monotonic` has it
        self._ticket = self._asked = 0
        self._wish: tuple = ()  # what was asked for last: arguments of `vary`; none for `generate`
        self._worker = Worker(self)
        self._worker.happened.connect(self._on_event)
        self._worker.ended.connect(self._on_end)

    # -- wishes -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread and open the engine in it."""
        self._worker.start()
        self._ticket = self._run(lambda: self._session(None))
        self._tell()

    def generate(self) -> None:
        """Sample the scene as it is now; a running sample gives way."""
        if self._phase == "no model":
            return
        if not self.settings.seed_locked:
            self.change_settings(replace(self.settings, seed=random.randint(0, MAX_SEED)))
        self.resample(self.holding)

    def resample(self, change: Callable[[SampleRequest], SampleRequest]) -> None:
        """Sample what `change` makes of the scene's request, as `generate` does."""
        if self._phase == "no model":
            return
        self._wish = ()
        try:
            request = change(self._freeze())
        except InputError as error:
            self._refuse(error)
            return
        self.sample(request)

    def request(self) -> SampleRequest | None:
        """The scene as it is now, frozen; None if that cannot be sampled: then it was told why.

        Words that are not known are left out: they may be half written.
        """
        self._wish = ()
        try:
            return self.holding(self._freeze(patient=True))
        except InputError as error:
            self._refuse(error)
            return None

    def sample(self, request: SampleRequest) -> None:
        """Make exactly this picture; a running sample gives way."""
        self._submit(lambda: self._session(request), request.steps, "picture")

    def sample_quick(self, request: SampleRequest) -> None:
        """Make a picture that nobody waits for, in place of whatever runs: without progress."""
        interrupting = self._phase == "sampling"
        self._phase, self._quick, self._step, self._steps = "ready", True, 0, 0
        self._ticket = self._run(lambda: self._quick_session(request))
        if interrupting:
            self._tell()

    def ask(self, question: Callable[[Engine], Any], tell: Callable[[Any], None]) -> int:
        """Put a short question to the engine, in the worker thread; `tell` gets the answer in this.

        Returns a ticket, or 0 if there is no engine yet or a sample runs. A newer question, or a
        sample, takes the place of one that waits, whose answer then never comes.
        """
        if self._phase not in ("ready", "failed"):
            return 0
        self._ticket = self._run(lambda: self._asking(question, tell))
        self._asked = self._ticket
        return self._ticket

    @property
    def free(self) -> bool:
        """Whether a question now would be answered and take nobody's place."""
        ready = self._phase in ("ready", "failed") and not self._steps and not self._quick
        ready = ready and not self._painting  # the hand may ask for something at any time
        return ready and self.model is not None and not (self._asked and self.awaits(self._asked))

    def awaits(self, ticket: int) -> bool:
        """Whether the answer to that question is still to come."""
        return ticket != 0 and ticket == self._ticket

    def vary(self, first_seed: int, count: int, scales: tuple[float, ...]) -> None:
        """Sample the scene with `count` seeds at each guidance scale; `varied` tells of it.

        The seeds of one scale are one request: they share the layout's embedding.
        """
        if self._phase == "no model":
            return
        self._wish = first_seed, count, scales
        try:
            request = self.holding(self._freeze())
            base = replace(request, seed=first_seed, count=count, keep_trajectory=False)
            if base.instant and base.painted.style.seed is not None:  # the same for every seed
                base = replace(base, painted=None)
            every = max(1, round(base.steps / VARIED_PREVIEWS))
            requests = [replace(base, guidance_scale=s, preview_every=every) for s in scales]
        except InputError as error:
            self._refuse(error)
            return
        self.varying_begun.emit(first_seed, count, scales)
        steps = base.steps * len(requests)
        self._submit(lambda: self._varying_session(requests), steps, "variations")

    def read_as(self, conversion: Conversion) -> None:
        """Let the model read the scene so from now on, and do what was asked for."""
        self.reading.settle(conversion)
        self.vary(*self._wish) if self._wish else self.generate()

    def propose(self, change: Callable[[SampleRequest], SampleRequest]) -> bool:
        """Sample what `change` makes of the scene's request; `proposed` tells of its picture.

        The picture is shown while it forms, and nothing becomes of it by itself. False if there is
        nothing to sample with, or no way to.
        """
        if self._phase == "no model":
            return False
        try:
            request = self.holding(change(self._freeze()))
        except InputError as error:
            self._refuse(error)
            return False
        self._submit(lambda: self._proposing_session(request), request.steps, "proposal")
        return True

    def accept(self, result: Result) -> None:
        """A picture that nothing kept yet is kept: it is the last result, and `made` tells so."""
        self.show_result(result)
        self.made.emit(result)

    @property
    def states(self) -> Trajectory | None:
        """The states that the last picture went through, if the present model made it: to another
        one they mean nothing."""
        made_here = self.result and self.model and self.result.weights == self.model.name
        return self.result.trajectory if made_here else None

    def show_picture(self, picture: np.ndarray, caption: str) -> None:
        """Show a picture that is not the last result, until something else is shown."""
        self.picture_changed.emit(picture, caption)

    def _run(self, job: Job) -> int:
        """Let the worker do it, in place of what it does now. Returns its ticket."""
        return self._worker.submit(lambda: self._watched(job))

    def _submit(self, job: Job, steps: int, purpose: str) -> None:
        self.purpose, self._quick = purpose, False
        self._phase = "loading" if self.model is None else "sampling"
        self._step, self._steps, self._began = 0, steps, time.monotonic()
        self._ticket = self._run(job)
        self._tell()

    def _refuse(self, error: InputError) -> None:
        """Say why there is no request, or ask for what it lacks."""
        if isinstance(error, PaletteDiffers):
            self.palette_differs.emit()
        else:
            self.failed.emit(failure(error))

    def cancel(self) -> None:
        """Give up the running sample within one step and go back to the last finished picture."""
        if not self.busy:
            return
        if self.model is None:  # opening goes on, only the sample behind it is dropped
            self._ticket = self._run(lambda: self._session(None))
        else:
            self._worker.cancel()
            self._ticket = 0  # events already on their way are not for us any more
            self._phase, self._quick = "ready", False
        self._forget_progress()
        self._show_result()

    def adopt(self, result: Result | None) -> None:
        """Take a finished picture as the present one, and its seed and guidance scale with it."""
        self.cancel()
        if result is not None:
            request = result.request
            told = {} if request.instant else {"guidance_scale": request.scales[-1]}
            if request.painted is not None:
                told["style"] = request.painted.style
            self.change_settings(replace(self.settings, seed=request.seed, **told))
        self.show_result(result)

    def stand_in(self, picture: np.ndarray, caption: str) -> None:
        """Show a picture until the scene has one of its own; `forget_result` ends it."""
        self._stand_in = picture, caption
        self._show_result()

    def change_settings(self, settings: GenerateSettings) -> None:
        """Take new settings. A running sample reads its guidance scale from here."""
        if settings != self.settings:
            self.settings = settings
            self.settings_changed.emit(settings)

    def set_painting(self, painting: bool) -> None:
        """A gesture on the canvas began or ended."""
        self._painting = painting
        self.review()

    def review(self) -> None:
        """Compare the scene with the layout of the last picture."""
        drawn = self.result and self.result.request.layout
        self._stale = drawn is not None and not self.reading.is_of(drawn)
        self._tell()

    def forget_result(self) -> None:
        """Another scene was opened: its picture is still to be made."""
        self.cancel()
        self._stand_in = None, ""
        self.show_result(None)

    def show_result(self, result: Result | None, note: str = "") -> None:
        """Show a finished picture as the last one; settings stay, and a running sample goes on.

        note: for the caption, if the picture is not in the history.
        """
        self.result, self.note = result, note
        self._show_result()
        self.review()

    def open_model(self, open_engine: Callable[[], Engine]) -> None:
        """Open another model in place of the present one, which stays if that fails."""
        self.cancel()
        self._phase = "loading"
        self._ticket = self._run(lambda: self._opening(open_engine))
        self._tell()

    def stop(self) -> None:
        """Cancel everything and end the thread; returns when it is over."""
        self._ticket = 0
        self._worker.stop()

    def set_live(self, live: bool) -> None:
        """Whether pictures follow the brush now; the status tells so."""
        if live != self._live:
            self._live = live
            self._tell()

    @property
    def busy(self) -> str:
        """What is under way: "loading", the purpose of a sample, "quick", or "" for nothing."""
        if self._phase == "sampling":
            return self.purpose
        return "loading" if self._phase == "loading" else "quick" if self._quick else ""

    @property
    def stale(self) -> bool:
        """Whether the scene has no picture that belongs to it."""
        return self._stale or self.result is None

    def status(self) -> Status:
        """What is happening now."""
        busy = self._steps > 0
        match self._phase:
            case "loading":
                return Status("loading", "loading model", 0, self._steps, None, True, busy)
            case "sampling":
                text = f"sampling {self._step}/{self._steps}"
                left = self._seconds_left()
                return Status("sampling", text, self._step, self._steps, left, True, True)
            case "no model":
                state = "painting" if self._painting else "no model"
                return Status(state, state, can_generate=False)
        state = "stale" if self._stale else "idle"
        if self._phase == "failed":
            state = "failed"
        if self._painting:
            state = "painting"
        if self._live and state != "failed":
            state = "live"
        return Status(state, state)

    # -- the worker's side ------------------------------------------------------------------------

    def _watched(self, job: Job) -> Iterator[Any]:
        """The events of a job. Runs in the worker thread."""
        try:
            with closing(job()) as events:
                yield from events
        except DeviceLost:
            self._engine = None  # the next job opens it anew, wherever that still works
            raise

    def _at_work(self) -> Iterator[Opened]:
        """Open the engine if it was lost, and tell of it. Runs in the worker thread."""
        if self._engine is None:
            yield Opened(self._opened().info)

    def _opened(self) -> Engine:
        if self._engine is None:
            self._engine = self._open_engine()
        return self._engine

    def _session(self, request: SampleRequest | None) -> Iterator[Any]:
        """Open the engine if need be, then sample. Runs in the worker thread."""
        info = self._opened().info
        yield Opened(info)
        if request is None:
            return
        weights = self.scene.wanted.live_weights(request.terms)
        if _is_foreign(request, info):
            yield PaletteDiffers()
        else:
            yield from self._engine.sample(request, self._guidance_now, *weights)

    def _varying_session(self, requests: list[SampleRequest]) -> Iterator[Any]:
        """Open the engine if need be, then sample each request. Runs in the worker thread."""
        yield from self._session(None)
        if _is_foreign(requests[0], self._engine.info):
            yield PaletteDiffers()
            return
        for number, request in enumerate(requests):
            with closing(self._engine.sample(request)) as events:
                for event in events:
                    yield Varied(number, event)

    def _asking(
        self, question: Callable[[Engine], Any], tell: Callable[[Any], None]
    ) -> Iterator[Any]:
        """Ask the engine. Runs in the worker thread."""
        yield from self._at_work()
        yield Answered(question(self._engine), tell)

    def _proposing_session(self, request: SampleRequest) -> Iterator[Any]:
        """As `_session`, but the picture is only proposed. Runs in the worker thread."""
        with closing(self._session(request)) as events:
            for event in events:
                yield Proposed(event) if isinstance(event, Result) else event

    def _quick_session(self, request: SampleRequest) -> Iterator[Any]:
        """Sample, with nothing told on the way. Runs in the worker thread."""
        yield from self._at_work()
        with closing(self._engine.sample(request)) as events:
            for event in events:
                yield Quick(event)

    def _opening(self, open_engine: Callable[[], Engine]) -> Iterator[Any]:
        """Open another engine. Runs in the worker thread."""
        self._engine = open_engine()
        self._open_engine = open_engine
        yield Opened(self._engine.info)

    def _guidance_now(self) -> float:
        """Called in the worker thread: reading one attribute of a frozen object needs no lock."""
        return self.settings.guidance_scale

    def _freeze(self, patient: bool = False) -> SampleRequest:
        settings, layout = self.settings, self.reading.layout()
        wanted, ids_of = self.scene.wanted, self.reading.ids_of
        height, width = layout.size
        return SampleRequest(
            layout,
            steps=settings.steps,
            sampler=settings.sampler,
            guidance_scale=settings.guidance_scale,
            guidance_start=settings.guidance_start,
            seed=settings.seed,
            preview_every=max(1, round(settings.steps / PREVIEWS)),
            finish=True,
            draft_steps=DRAFT_STEPS,
            keep_trajectory=height * width * settings.steps <= MAX_STATES,
            terms=wanted.terms(layout, self.model, ids_of, patient),
            **maps_of(*self._painted),
        )

    def holding(self, request: SampleRequest) -> SampleRequest:
        """The request with what locks and strengths hold of the last picture."""
        held = Held.of(*self._painted, request.layout, self.result, self.states)
        return self._begun(request if held is None else held.applied_to(request))

    def _begun(self, request: SampleRequest) -> SampleRequest:
        """The request of a whole picture begins with the instant one, as the settings say.

        Not with words or references: they act most at the first steps, which it would leave out.
        """
        style, strength = self.settings.style, self.settings.instant_strength
        painter = self.model.painter if self.model else ""
        if painter and painter == self.model.name:
            strength = 0  # the model is the painter itself
        if not painter or strength == 1 or request.inpaint or request.start:
            return request
        if request.terms and strength:
            return request
        terms = request.terms if strength else ()  # what is painted in one pass follows none
        return replace(request, painted=Painted(style.of(painter), strength), terms=terms)

    @property
    def _painted(self) -> tuple[np.ndarray, Palette, Table]:
        return self.scene.labels, self.scene.palette, self.scene.controls.table

    # -- events -----------------------------------------------------------------------------------

    def _on_event(self, ticket: int, event: Any) -> None:
        if ticket != self._ticket:  # the job was cancelled or overtaken
            if isinstance(event, Failed):
                self.failed.emit(event)
            return
        self._asked = 0
        match event:
            case Opened(info=info):
                another = self.model is not None
                self.model, self.reading.model_palette = info, info.palette
                self._phase = "sampling" if self._steps else "ready"
                if another:
                    self.model_changed.emit()
            case Started(steps=steps):
                self._phase, self._step, self._steps = "sampling", 0, steps
                self._began = time.monotonic()
            case Stepped(step=step, steps=steps):
                self._step, self._steps = step, steps
                if time.monotonic() - self._told < TELL:
                    return
            case Preview(images=images, step=step, steps=steps):
                self._step, self._steps = step, steps
                caption = f"preview · step {step} of {steps}" if step else "draft"
                self.picture_changed.emit(images[0], caption)
            case Result():
                self._phase = "ready"
                self.show_result(event)
                self.made.emit(event)
            case Varied():
                self._on_varied(event)
            case Answered(answer=answer, tell=tell):
                tell(answer)
            case Proposed(result=result):
                self._phase = "ready"
                self.proposed.emit(result)
            case Quick():
                self._on_quick(event.event)
                return  # no progress to tell of
            case PaletteDiffers():
                self._phase = "ready"
                self.palette_differs.emit()
            case Failed():
                self._fail(event)
        self._tell()

    def _on_quick(self, event: Event) -> None:
        if isinstance(event, Result):
            self._quick = False
            self.quick_made.emit(event)
            self.show_result(event, note="live")

    def _on_varied(self, varied: Varied) -> None:
        match varied.event:
            case Started() if varied.number == 0:
                self._phase, self._began = "sampling", time.monotonic()
            case Stepped(step=step, steps=steps) | Preview(step=step, steps=steps):
                self._step = varied.number * steps + step
            case Result():
                self.made.emit(varied.event)
        self.varied.emit(varied)

    def _on_end(self, ticket: int) -> None:
        if ticket == self._ticket:
            if self._phase == "sampling":
                self._phase = "ready"
            self._quick = False
            self._forget_progress()

    def _fail(self, event: Failed) -> None:
        self._phase, self._quick = "failed" if self.model else "no model", False
        self._show_result()
        self.failed.emit(event)
        self._tell()

    def _forget_progress(self) -> None:
        self._step = self._steps = 0
        self._tell()

    # -- telling ----------------------------------------------------------------------------------

    def _show_result(self) -> None:
        if self.result is None:
            self.picture_changed.emit(*self._stand_in)
        else:
            note = f"{self.note} · " if self.note else ""
            self.picture_changed.emit(self.result.image, note + caption_of(self.result))

    def _seconds_left(self) -> float | None:
        if not self._step:
            return None
        return (time.monotonic() - self._began) / self._step * (self._steps - self._step)

    def _tell(self) -> None:
        self._told = time.monotonic()
        self.status_changed.emit(self.status())


def _is_foreign(request: SampleRequest, model: ModelInfo) -> bool:
    """Whether it is in labels that the model does not know: asked for before that was there."""
    return not same_labels(request.layout.palette, model.palette)


def caption_of(result: Result) -> str:
    """A line about how a picture was made."""
    request, (height, width, _) = result.request, result.image.shape
    if request.instant:
        style = request.painted.style
        look = style.source if style.values else f"style {style.at(request.seed).seed}"
        return f"{width} × {height} · {look} · {result.weights} · {1000 * result.seconds:.0f} ms"
    how = "local edit" if request.inpaint else request.sampler
    if request.painted is not None:
        how += f", instant at {request.painted.strength:.0%}"
    return f"{width} × {height} · seed {request.seed} · {request.steps} steps · " + (
        f"{how} · {result.seconds:.1f} s"
    )
