"""What goes down to an engine and what comes back: one frozen request, a stream of small events.

Nothing here knows torch or Qt: the window and the engine share these words and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from core.errors import RequestError
from core.palette import Palette
from core.repaint import Inpaint, Start, Trajectory, frozen
from core.style import Painted
from core.terms import RULE_NAMES, GuidanceTerm
from core.words import Vocabulary

if TYPE_CHECKING:
    from core.painting import Painter

SAMPLER_NAMES = ("dpmpp_2m", "ddim", "ddpm")  # the first is the default
MAX_SEED = 2**31 - 1
MAX_GUIDANCE = 100.0
RECIPE_KEY = "sdm-studio:recipe"  # text chunk of a picture's PNG: JSON of everything but the layout


@dataclass(frozen=True, eq=False)
class Layout:
    """A painted scene, frozen: arrays are copied and read-only.

    labels: uint8 `[H, W]`, ids of `palette`. instances: int32 `[H, W]` or None.
    Raises `RequestError` for another shape or type, or for an id that the palette does not have.
    """

    labels: np.ndarray
    palette: Palette
    instances: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.labels.ndim != 2 or self.labels.dtype != np.uint8 or self.labels.size == 0:
            raise RequestError(
                f"A label map is uint8 [H, W]; got {self.labels.dtype} {list(self.labels.shape)}."
            )
        highest = int(self.labels.max())
        if highest >= len(self.palette):
            raise RequestError(
                f"The label map has the id {highest}, but palette {self.palette.name!r} ends at "
                f"{len(self.palette) - 1}. Choose the palette that the map was painted with."
            )
        object.__setattr__(self, "labels", frozen(self.labels))
        if self.instances is not None:
            if self.instances.shape != self.labels.shape:
                raise RequestError("The instance map and the label map differ in size.")
            object.__setattr__(self, "instances", frozen(self.instances.astype(np.int32)))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        height, width = self.labels.shape
        return height, width


@dataclass(frozen=True, eq=False)
class SampleRequest:
    """Everything that a picture depends on, beside the weights.

    steps: number of denoising steps, or an official respacing such as `"10,10,20"` or `"ddim25"`.
    guidance_scale: s of classifier-free guidance; 1 means off (one pass a step). A tuple holds one
    value per step: that is what a `Result` carries when the scale was moved during the sample.
    guidance_start: where on the way down guidance begins, as a share of the timesteps: 1 from the
    first step, 0.5 in the cleaner half; before, s is 1 (docs/decisions/023).
    seed, count: picture i of `count` is the picture of seed + i, whatever the count.
    size: (height, width) of the picture; None takes the layout's own, rounded to what the model
    can.
    preview_every: a `Preview` of the predicted x0 after the first step and then after every so
    many; 0 for none.
    student: sample with the distilled few-step student that lies beside the model. It takes its own
    steps, as many as asked for or as it has, whatever the sampler.
    finish: let the student take the last leap, if it learned to end the model's walks.
    draft_steps: before the first step, a `Preview` by the student in so many steps, from the same
    noise, which stands until a predicted x0 shows more; 0 for none, and none if the model has no
    student.
    inpaint: repaint a region of a picture instead of making a whole one.
    start: walk on from this state instead of from noise; with `inpaint`, in its region alone.
    painted: begin with the picture of the instant painter that lies beside the model.
    keep_trajectory: the `Result` carries the states that it went through, for later edits.
    guidance_map: float32 `[H, W]`, at the layout's size: the guidance scale is multiplied by it.
    seed_map: int32 `[H, W]`, at the layout's size: the seed of the noise there, whatever the
    picture's own; -1 leaves that to the picture's seed.
    label_controls: what these maps were made from, by names of labels: plain data for the recipe.
    terms: what the picture should be like beside its layout (semantic diffusion guidance).
    term_rule: how the terms move a step: "even", the same strength at every step and with every
    sampler, or "paper", the gradient as it is; see core/guidance.py.
    """

    layout: Layout
    steps: int | str = 25
    sampler: str = SAMPLER_NAMES[0]
    guidance_scale: float | tuple[float, ...] = 1.5
    guidance_start: float = 1.0
    seed: int = 0
    count: int = 1
    eta: float = 0.0
    size: tuple[int, int] | None = None
    preview_every: int = 1
    student: bool = False
    finish: bool = False
    draft_steps: int = 0
    inpaint: Inpaint | None = None
    start: Start | None = None
    painted: Painted | None = None
    keep_trajectory: bool = False
    guidance_map: np.ndarray | None = field(default=None, repr=False)
    seed_map: np.ndarray | None = field(default=None, repr=False)
    label_controls: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    terms: tuple[GuidanceTerm, ...] = ()
    term_rule: str = RULE_NAMES[0]

    def __post_init__(self) -> None:
        checks = (
            (
                self.sampler in SAMPLER_NAMES,
                f"sampler {self.sampler!r}",
                " or ".join(SAMPLER_NAMES),
            ),
            (
                isinstance(self.steps, str) or 1 <= self.steps <= 1000,
                f"steps {self.steps}",
                "1 to 1000",
            ),
            (0 <= self.seed <= MAX_SEED, f"seed {self.seed}", f"0 to {MAX_SEED}"),
            (1 <= self.count <= 64, f"count {self.count}", "1 to 64"),
            (0.0 <= self.eta <= 1.0, f"eta {self.eta}", "0 to 1"),
            (
                all(0 <= s <= MAX_GUIDANCE for s in self.scales),
                f"guidance scale {self.guidance_scale}",
                f"0 to {MAX_GUIDANCE:g}",
            ),
            (
                0 < self.guidance_start <= 1,
                f"guidance start {self.guidance_start}",
                "above 0, to 1",
            ),
            (self.term_rule in RULE_NAMES, f"rule {self.term_rule!r}", " or ".join(RULE_NAMES)),
        )
        for holds, got, wanted in checks:
            if not holds:
                raise RequestError(f"The {got} cannot be used; it must be {wanted}.")
        ids = [label for term in self.terms for label in term.labels]
        if ids and not 0 <= min(ids) <= max(ids) < len(self.layout.palette):
            raise RequestError(
                f"A guidance term acts on label {max(ids)}, but palette "
                f"{self.layout.palette.name!r} ends at {len(self.layout.palette) - 1}."
            )
        if self.painted and (self.inpaint or self.start):
            raise RequestError(
                "A request that repaints a region or walks on from a state cannot begin with the "
                "instant picture as well."
            )
        self._freeze_map("guidance_map", np.float32, 0, MAX_GUIDANCE)
        self._freeze_map("seed_map", np.int32, -1, MAX_SEED)

    def _freeze_map(self, name: str, kind: type, low: float, high: float) -> None:
        """Check a map over the layout, and let nobody write to it."""
        found = getattr(self, name)
        if found is None:
            return
        title = name.replace("_", " ")
        if found.shape != self.layout.size or found.dtype != kind:
            raise RequestError(
                f"The {title} must be {np.dtype(kind)} {list(self.layout.size)}, as large as the "
                f"label map; got {found.dtype} {list(found.shape)}."
            )
        if not (low <= found.min() and found.max() <= high):  # nan is in no range
            raise RequestError(
                f"The {title} goes from {found.min()} to {found.max()}; it must stay within {low} "
                f"to {high:g}."
            )
        object.__setattr__(self, name, frozen(found))

    @property
    def scales(self) -> tuple[float, ...]:
        """The guidance scale as a tuple, of one value if it is the same for every step."""
        given = self.guidance_scale
        return given if isinstance(given, tuple) else (given,)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each picture."""
        return tuple((self.seed + i) % (MAX_SEED + 1) for i in range(self.count))

    @property
    def instant(self) -> bool:
        """Whether the instant painter makes the picture, and nothing is sampled."""
        return self.painted is not None and self.painted.strength == 0

    def single(self, seed: int) -> SampleRequest:
        """The request that makes the picture of `seed` alone."""
        return replace(self, seed=seed, count=1)

    def recipe(self, weights: str = "") -> dict:
        """Plain data for a picture's metadata: all but the label map."""
        height, width = self.size or self.layout.size
        extras = {
            "student": self.student,
            "finish": self.finish,
            "inpaint": self.inpaint and self.inpaint.recipe(),
            "start": self.start and {"t": self.start.t, "clean": self.start.clean},
            "painted": self.painted and self.painted.plain,
            "label_controls": {name: dict(own) for name, own in self.label_controls.items()},
            "terms": [term.recipe(self.layout.palette) for term in self.terms],
            "term_rule": self.term_rule if self.terms else "",
        }
        sampling = {
            "sampler": self.sampler,
            "steps": self.steps,
            "guidance_scale": self.guidance_scale,
            "guidance_start": self.guidance_start,
            "eta": self.eta,
        }
        return {
            "program": "SDM Studio",
            "weights": weights,
            "palette": self.layout.palette.name,
            **({} if self.instant else sampling),
            "seed": self.seed,
            "width": width,
            "height": height,
        } | {name: value for name, value in extras.items() if value}


# -- events, in the order in which a sample gives them --------------------------------------------


@dataclass(frozen=True, eq=False)
class Started:
    """The sample has begun and will take `steps` steps."""

    request: SampleRequest
    steps: int


@dataclass(frozen=True, eq=False)
class Preview:
    """The predicted x0 after step `step` of `steps` (1-based): one uint8 `[H, W, 3]` per seed.

    Step 0 is a draft of the whole picture, by the student or the instant painter.
    """

    images: tuple[np.ndarray, ...] = field(repr=False)
    step: int
    steps: int


@dataclass(frozen=True, eq=False)
class Stepped:
    """Step `step` of `steps` (1-based) is done and no preview was due."""

    step: int
    steps: int


@dataclass(frozen=True, eq=False)
class Result:
    """One finished picture, uint8 `[H, W, 3]`, and the request that makes exactly it again.

    trajectory: where the request asked for it, the states of this picture alone; of an edit, those
    of the whole picture, if the old one's were given.
    """

    image: np.ndarray = field(repr=False)
    request: SampleRequest
    seconds: float
    weights: str = ""  # name of the checkpoint
    trajectory: Trajectory | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Failed:
    """The sample ended without a picture: a sentence for people, a traceback for `details`.

    too_large: (height, width) of a picture that did not fit into memory.
    """

    message: str
    details: str = ""
    too_large: tuple[int, int] | None = None


Event = Started | Stepped | Preview | Result | Failed


@dataclass(frozen=True, eq=False)
class ModelInfo:
    """What an engine tells about the model it has open."""

    name: str
    palette: Palette
    size: tuple[int, int]  # (height, width) the model was trained at
    multiple: int  # sides of a picture are multiples of this
    device: str  # "cpu", "cuda", "mps"
    precision: str  # "float32", "bfloat16", "float16"
    summary: str = ""  # one line about training, for tooltips
    student: bool = False  # whether a distilled few-step student is there
    segmenter: bool = False  # whether it can tell which label each place of a picture looks like
    painter: str = ""  # name of the instant painter that is there, if any
    ceiling: tuple[float, ...] = ()  # how plain each label is to it on real photos, 0..1
    guidance: bool = False  # whether terms of content and style can be used
    vocabulary: Vocabulary | None = None  # the words that a term of text may have; None for none
    path: str = ""  # of its file


class Engine(Protocol):
    """Turns requests into events. Opened by path; the only seam between window and models."""

    info: ModelInfo
    painter: Painter | None  # what paints at once, if `info.painter` names one

    def sample(
        self,
        request: SampleRequest,
        guidance_scale: Callable[[], float] | None = None,
        term_weights: Callable[[], Sequence[float]] | None = None,
    ) -> Iterator[Event]:
        """Sample `request`. Closing the iterator cancels, effective within one step.

        guidance_scale, if given, is asked before every step and overrides the request's: the live
        slider; and so is term_weights, for one weight for each of the request's terms. They are
        called in the thread that iterates.
        """
        ...

    def recombine(self, request: SampleRequest, guidance_scale: float) -> np.ndarray | None:
        """About the picture of `request` at another guidance scale, uint8 `[H, W, 3]`, at once.

        An approximation for the eye while a slider moves: what the network said of both branches is
        added up anew and the network itself is not asked. None unless `request` is the very object
        that the last guided `Result` carried, or if its guidance was off.
        """
        ...

    def picture_of(self, x0: np.ndarray, layout: Layout) -> np.ndarray:
        """uint8 `[H, W, 3]`, the picture of an x0 float16 `[C, h, w]`, as in a `Trajectory`.

        layout: what it was made from; some models read it once more to paint the picture.
        """
        ...

    def segment(self, picture: np.ndarray) -> np.ndarray:
        """How likely each label is, float32 `[labels, h, w]`, of a picture uint8 `[H, W, 3]`.

        h and w are of its proportions, at a resolution of the engine's choice. Raises
        `RequestError` where `info.segmenter` is False.
        """
        ...
