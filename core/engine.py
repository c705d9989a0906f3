"""`Engine.open(path)`, then `sample(request)`: the only place that composes the parts.

A request goes down, events come up; between them stand the layout's encoding, the denoiser, a
sampler's step, its path, and the decoder of a latent model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from core.allocation import give_back, hold_freed
from core.areas import noise_of, scale_map
from core.checkpoint import Checkpoint, CheckpointError
from core.clip import Clip
from core.clip_guide import ClipGuide
from core.conversion import same_labels
from core.crop import Crop
from core.denoiser import Denoiser
from core.device import pick_device, pick_precision, precision_name, watching
from core.embedding import KeptEmbedding, Marks, held_bytes
from core.errors import InputError, NotAPicture, OutOfMemory, is_shortage
from core.files import file_digest
from core.first_step import FirstStep
from core.guide import Guide, Terms, check_terms, guide_path
from core.inpainting import Recorder, check_fit, last_steps
from core.instant import check_request, painted, resized
from core.kept_encoding import KeptEncoding
from core.labelmap import layout_edges, nearest_resize
from core.model.autoencoder import Autoencoder
from core.model.layers import Modulation
from core.model.unet import LayoutEmbedding, SDMUNet
from core.painters import painter_beside
from core.painting import style_for
from core.parts import parts_of, sampled_in_parts
from core.pixels import from_pixels, sound_pixels
from core.plan import Plan, plain_path
from core.recombination import Replay, Tape, Taped
from core.repaint import Start
from core.request import (
    Event,
    Layout,
    ModelInfo,
    Preview,
    RequestError,
    Result,
    SampleRequest,
    Started,
    Stepped,
)
from core.sampling import FEW_STEPS, Denoise, Moment, sample
from core.segmenter import Segmenter, segmenter_path
from core.term_weights import Live as LiveWeights
from core.term_weights import TermWeights, compact

DRAFT_STANDS = 0.6  # share of the steps after which a predicted x0 shows more than a draft
MAX_PIXELS = 4096 * 4096  # a larger picture is a slip of the hand, and no machine has the memory


class Engine:
    """A checkpoint, opened on a device and ready to sample. See `core.request.Engine`.

    Use it from one thread at a time: it has one network.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> None:
        self.checkpoint, self.device, self.dtype = checkpoint, device, dtype
        self.schedule = checkpoint.schedule.build()
        self.unet = self._open_unet(checkpoint)
        self.student = self._open_student()
        self.segmenter = self._open_segmenter()
        self.guide = self._open_guide()
        self.painter = painter_beside(checkpoint.path, checkpoint.palette, device, dtype)
        self.autoencoder: Autoencoder | None = checkpoint.load_autoencoder(self._placed)
        self._forget()
        self._holds = device.type == "cpu" and self.autoencoder is None and hold_freed()
        # One at a time costs a CPU nothing and makes a picture independent of its batch to the bit.
        self.chunk = 1 if device.type == "cpu" else 64
        own = _info(checkpoint, device, dtype, self.student, self.segmenter, self.guide)
        self.info = replace(own, painter=self.painter.info.name if self.painter else "")

    @classmethod
    def open(
        cls, path: str | Path, device: str | None = None, precision: str | None = None
    ) -> Engine:
        """Open a checkpoint. Device and precision, if not given, are the best the machine has.

        Raises `CheckpointError` with one sentence if the file is no checkpoint of ours.
        """
        where = pick_device(device)
        return cls(Checkpoint.open(path), where, pick_precision(where, precision))

    def _open_unet(self, checkpoint: Checkpoint) -> SDMUNet:
        unet = checkpoint.load_unet(self._placed)
        unet.embedding_budget = held_bytes(self.device)
        return unet

    def _open_student(self) -> SDMUNet | None:
        """The few-step student: this model itself, or the file beside it, made for its latents."""
        if self.unet.spec.stops:
            return self.unet
        path = student_path(self.checkpoint.path)
        if path is None or not path.is_file():
            return None
        student = Checkpoint.open(path)
        if student.spec is None or not student.spec.is_student_of(self.unet.spec):
            raise CheckpointError(
                f"{path} is no student of {self.checkpoint.path.name}: their networks differ. Take "
                "it away, or distil it again."
            )
        return self._open_unet(student)

    def _open_segmenter(self) -> Segmenter | None:
        """The segmenter beside this model, or beside the one with the same labels below it."""
        path = segmenter_path(self.checkpoint.path)
        if path and not path.is_file() and self.checkpoint.base:
            below = self.checkpoint.open_base()
            if same_labels(below.palette, self.checkpoint.palette):
                path = segmenter_path(below.path)
        if path is None or not path.is_file():
            return None
        return Segmenter.open(path, self.checkpoint.palette).to(self.device, self.dtype)

    def _open_guide(self) -> Guide | None:
        """The encoder of guidance beside this model, or beside the one below it."""
        path = guide_path(self.checkpoint.path)
        if path and not path.is_file() and self.checkpoint.base:
            path = guide_path(self.checkpoint.open_base().path)
        if path is None or not path.is_file():
            return None
        return Guide.open(path, self.unet.spec.in_channels).to(self.device, self.dtype)

    def use_clip(self, clip: Path, noisy: Path | None = None) -> None:
        """Let words and references guide through a CLIP file from now on.

        The encoder beside this model does it, if it learned to see as the file does; else CLIP
        itself looks at predicted pictures.

        noisy: SDG's own encoder of noisy pictures, for models that work on pixels. Raises
        `InputError` for files that do not fit.
        """
        if noisy and self.autoencoder is not None:
            raise InputError(
                f"{noisy} looks at noisy pictures, but {self.info.name} works on latents. Leave it "
                "out: CLIP then looks at the pictures that are predicted."
            )
        learned = self.guide.encoder.spec.clip if isinstance(self.guide, Guide) else ""
        if learned and learned == file_digest(clip) and noisy is None:
            self.guide = self.guide.reading(Clip.open(clip).to(self.device))
        else:
            self.guide = ClipGuide.open(clip, noisy, self.device)
        self.info = replace(self.info, guidance=True, vocabulary=self.guide.vocabulary)

    def _forget(self) -> None:
        """Keep nothing of the pictures that were made: it only saves time."""
        num_labels = len(self.checkpoint.palette)
        self._kept = {
            unet: (KeptEmbedding(unet, num_labels), FirstStep())
            for unet in (self.unet, self.student)
            if unet is not None
        }
        reads = self.autoencoder is not None and self.autoencoder.spec.layout_labels
        self._hints = KeptEmbedding(self.autoencoder, num_labels) if reads else None
        self._references = KeptEncoding(self.encode)
        self._taped: Taped | None = None  # of the last picture that guidance made with two branches

    def _placed(self, tensor: Tensor) -> Tensor:
        """A tensor of a file as this engine computes with it: a copy, so the file can be closed."""
        order = torch.channels_last if tensor.ndim == 4 else torch.preserve_format
        return tensor.to(self.device, self.dtype, memory_format=order, copy=True)

    # -- sampling ---------------------------------------------------------------------------------

    def sample(
        self,
        request: SampleRequest,
        guidance_scale: Callable[[], float] | None = None,
        term_weights: LiveWeights | None = None,
    ) -> Iterator[Event]:
        """Yield `Started`, then `Stepped` or `Preview` for each step, then one `Result` a picture.

        Raises `RequestError` before the first event if this model cannot fulfil the request, and
        on the way `OutOfMemory` or `DeviceLost` if the machine cannot, `NotAPicture` if the numbers
        ran over.
        """
        self.check(request)
        return self._within_limits(request, self._edited(request, guidance_scale, term_weights))

    def _within_limits(self, request: SampleRequest, events: Iterator[Event]) -> Iterator[Event]:
        """The same events. What does not fit, or comes out as no picture, is told in a sentence and
        leaves nothing behind."""
        try:
            with watching():
                yield from events
        except NotAPicture:
            self._forget()
            raise
        except Exception as error:
            if not is_shortage(error):
                raise
            self._forget()
            raise OutOfMemory(self.picture_size(request)) from error
        finally:
            if self._holds:
                give_back()

    def check(self, request: SampleRequest) -> None:
        """Raise `RequestError` if the palette is another or the picture is too large."""
        mine, given = self.checkpoint.palette, request.layout.palette
        if not same_labels(given, mine):
            raise RequestError(
                f"The layout is painted in palette {given.name!r}, but {self.info.name} was "
                f"trained on {mine.name!r}. Choose other weights, or paint in that palette."
            )
        if request.student and self.student is None:
            raise RequestError(
                f"{self.info.name} has no few-step student. Distil one with core.train, or sample "
                "with the model itself."
            )
        check_terms(request, self.guide, self.info.name)
        if request.painted and self.painter is None:
            raise RequestError(
                f"{self.info.name} has no instant painter. Train one with core.train --stage "
                "instant, or begin with noise."
            )
        if request.instant:
            check_request(request, self.painter.checkpoint, self.painter.info)
        (height, width), factor = self.picture_size(request), self.unet.spec.factor
        if height * width > MAX_PIXELS:
            raise RequestError(
                f"A picture of {width}x{height} is too large; up to 4096x4096 can be made."
            )
        latents = (self.unet.spec.in_channels, height // factor, width // factor)
        check_fit(request, (height, width), latents, len(self.schedule))

    def picture_size(self, request: SampleRequest) -> tuple[int, int]:
        """(height, width) asked for, rounded to what the network can do."""
        multiple = self.info.multiple
        height, width = (
            max(1, round(v / multiple)) * multiple for v in request.size or request.layout.size
        )
        return height, width

    def _edited(
        self,
        request: SampleRequest,
        live_scale: Callable[[], float] | None,
        live_weights: LiveWeights | None,
    ) -> Iterator[Event]:
        """The events of a request; an edit of one picture in several places is several walks."""
        if request.instant:
            return painted(self.painter, request)
        parts = []
        if request.inpaint is not None and request.count == 1:
            canvas, factor = self.picture_size(request), self.unet.spec.factor
            parts = parts_of(request.inpaint, canvas, factor, self.info.multiple)
        if len(parts) < 2:
            return self._events(request, live_scale, live_weights)
        steps = [self._plan(replace(request, inpaint=part)).steps for part in parts]
        one = partial(self._events, live_scale=live_scale, live_weights=live_weights)
        return sampled_in_parts(request, parts, steps, one)

    @torch.inference_mode()
    def _events(
        self,
        request: SampleRequest,
        live_scale: Callable[[], float] | None,
        live_weights: LiveWeights | None,
    ) -> Iterator[Event]:
        started = time.perf_counter()
        asked = request
        request, beginning = self._begun(request)
        plan = self._plan(request)
        yield Started(request, plan.steps)
        marks = self.marks(request.layout, plan.crop)
        denoise = self._denoiser(request, marks, plan.crop, live_scale)
        for number in plan.recall(self.encode, denoise.unguided(), self.device):
            yield Stepped(number, plan.steps)
        drafted = request.draft_steps > 0 and self.student is not None and not request.student
        if drafted:
            draft = plan.of(_draft_of(request), self.student.spec.stops)
            student = self._denoiser(draft.request, marks, plan.crop, live_scale)
            *_, last = self._walk(draft, self._guided(draft, student))
            yield Preview(plan.outcome(self.decode(last.x, marks)), 0, plan.steps)
        elif beginning and request.preview_every:
            yield Preview(beginning, 0, plan.steps)
        tape = Tape()
        if not request.terms:  # a replay would not know them
            denoise.listener = tape.keep
        weights = TermWeights(request.terms, live_weights)
        guided = self._guided(plan, denoise, weights)
        recorder = Recorder(guided) if request.keep_trajectory else None
        walk = self._walk(plan, recorder or guided, weights)
        for number, moment in enumerate(walk, start=plan.steps_before + 1):
            if drafted and number < plan.steps * DRAFT_STANDS:
                yield Stepped(number, plan.steps)
            else:
                yield self._progress(plan, moment, number, marks)
        pictures = plan.outcome(self.decode(moment.x, marks, not self._quick(request)))
        seconds = time.perf_counter() - started
        scale = compact(denoise.scales)
        request = replace(asked, guidance_scale=scale, terms=weights.told())
        results = []
        for index, (seed, picture) in enumerate(zip(request.seeds, pictures, strict=True)):
            kept = recorder and plan.trajectory(recorder, index, moment.x[index])
            results.append(Result(picture, request.single(seed), seconds, self.info.name, kept))
        self._taped = Taped.of(results[0].request, plan, denoise, tape) or self._taped
        yield from results

    def _begun(self, request: SampleRequest) -> tuple[SampleRequest, tuple[np.ndarray, ...]]:
        """The request that walks on from instant pictures, if they are asked for, and those."""
        told = request.painted
        if told is None:
            return request, ()
        size = self.picture_size(request)
        layout = resized(request.layout, size)
        styles = [told.style.at(seed) for seed in request.seeds]
        made = {}  # seeds that have the same style and textures share a picture and its latents
        for seed, style in zip(request.seeds, styles, strict=True):
            if style not in made:
                picture = self.painter.paint(layout, style_for(self.painter, style, seed))
                if picture.shape[:2] != size:  # its sides are multiples of another number
                    picture = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
                # One by one: latents are the same to the bit in any batch.
                made[style] = picture, self.encode(picture[None])[0].float().cpu().numpy()
        pictures, latents = zip(*(made[style] for style in styles))
        path = self._plain_path(request)
        start = Start(np.stack(latents), last_steps(path, told.strength)[0], clean=True)
        return replace(request, painted=None, start=start, draft_steps=0), pictures

    @watching()
    @torch.inference_mode()
    def recombine(self, request: SampleRequest, guidance_scale: float) -> np.ndarray | None:
        """About the picture of `request` at another guidance scale. See `core.request.Engine`."""
        taped = self._taped
        if taped is None or taped.request is not request:
            return None
        replay = Replay(taped.denoise, taped.tape, guidance_scale)
        *_, last = self._walk(taped.plan, replay)
        marks = self.marks(request.layout, taped.plan.crop)
        return taped.plan.outcome(self.decode(last.x, marks))[0]

    def _plan(self, request: SampleRequest) -> Plan:
        canvas, factor = self.picture_size(request), self.unet.spec.factor
        crop = Crop.of(request.inpaint, canvas, factor, self.info.multiple)
        return Plan(request, self.schedule, crop, *self._leaps(request))

    def _plain_path(self, request: SampleRequest) -> list[int]:
        return plain_path(self.schedule, request, *self._leaps(request))

    def _leaps(self, request: SampleRequest) -> tuple[tuple[int, ...], int]:
        """The stops of a student that walks the whole way, and where one ends the model's walk."""
        return self._network(request).spec.stops, self._finish(request)

    def _finish(self, request: SampleRequest) -> int:
        """The timestep at or below which the student takes the last leap of a walk; 0 for none.

        Not where the way is walked upwards first: a leap cannot be walked backwards.
        """
        upwards = request.inpaint is not None and request.inpaint.invert
        if not request.finish or request.student or self.student is None or upwards:
            return 0
        return self.student.spec.finish

    def _network(self, request: SampleRequest) -> SDMUNet:
        """What the request is sampled with."""
        return self.student if request.student else self.unet

    def _quick(self, request: SampleRequest) -> bool:
        """Whether embeddings may be patched where the layout changed.

        They are a small part of a long walk; whole, its bits depend on no earlier stroke.
        """
        return len(self._plain_path(request)) - 1 <= FEW_STEPS

    def _denoiser(
        self,
        request: SampleRequest,
        marks: Marks,
        crop: Crop,
        live_scale: Callable[[], float] | None,
    ) -> Denoiser:
        """The request's network on the crop's part of the layout, and what ends its walk."""
        exact, finish = not self._quick(request), self._finish(request)
        build = partial(self._denoiser_of, request, marks, crop, live_scale, exact)
        denoise = build(self._network(request))
        if finish:
            denoise.hand_over(build(self.student), finish)
        return denoise

    def _denoiser_of(
        self,
        request: SampleRequest,
        marks: Marks,
        crop: Crop,
        live_scale: Callable[[], float] | None,
        exact: bool,
        unet: SDMUNet,
    ) -> Denoiser:
        """A network on the crop's part of the layout. exact: see `_quick`."""
        scales, size = live_scale or _scales_of(request), crop.latent_size
        areas = scale_map(request, crop.latent_canvas, self.device)
        areas = None if areas is None else crop.cells(areas)
        embedding, first = self._kept[unet]

        def embed(branch: str) -> LayoutEmbedding:
            if branch == "null":
                return embedding.null(size)
            return embedding.of(marks, size, exact)

        start = request.guidance_start
        return Denoiser(unet, self.schedule, embed, size, scales, self.chunk, areas, first, start)

    def _terms(self, plan: Plan, weights: TermWeights | None) -> Terms:
        if isinstance(self.guide, ClipGuide) and self.autoencoder is not None:
            marks = self.marks(plan.request.layout, plan.crop)
            self.guide.decode = partial(self._decoded, marks)
        parts = self.guide, self.schedule, plan.crop, self._references, self.chunk
        return Terms(plan.request, *parts, weights)

    def _guided(self, plan: Plan, denoise: Denoise, weights: TermWeights | None = None) -> Denoise:
        """`denoise` with the request's terms, if it has any."""
        if not plan.request.terms:
            return denoise
        return self._terms(plan, weights).guided(denoise, plan.sampler, plan.path)

    def _walk(
        self, plan: Plan, denoise: Denoise, weights: TermWeights | None = None
    ) -> Iterator[Moment]:
        """From the plan's start down to the clean picture."""
        request, crop = plan.request, plan.crop
        shape = (self.unet.spec.in_channels, *crop.latent_canvas)
        canvas_noise = noise_of(request, shape, self.device)
        for _ in range(plan.draws_before):
            canvas_noise()

        def noise() -> Tensor:
            return crop.cells(canvas_noise())

        denoise, x, constrain = plan.begin(denoise, noise)
        if request.terms:
            first = crop.cells(noise_of(request, shape, self.device)())
            constrain = self._terms(plan, weights).constrained(constrain, first)
        return sample(denoise, plan.step(), plan.path, x, noise, self.schedule, constrain)

    def _progress(self, plan: Plan, moment: Moment, number: int, marks: Marks) -> Event:
        every = plan.request.preview_every
        due = every and (number == 1 or number % every == 0)
        if not due or number == plan.steps:  # the last step is followed by the result itself
            return Stepped(number, plan.steps)
        images = plan.outcome(self.decode(moment.prediction.x0, marks))
        return Preview(images, number, plan.steps)

    @watching()
    def segment(self, picture: np.ndarray) -> np.ndarray:
        """How likely each label is at each place of a picture; see `core.request.Engine`."""
        if self.segmenter is None:
            raise RequestError(
                f"{self.info.name} has no segmenter. Train one with core.train --stage segmenter."
            )
        return self.segmenter.probabilities(picture)

    # -- the ends ---------------------------------------------------------------------------------

    def marks(self, layout: Layout, crop: Crop) -> Marks:
        """What the networks are shown of a layout, which is resized to the canvas and cut."""
        labels = nearest_resize(layout.labels, crop.canvas)
        if not layout.palette.instance_edges:
            return Marks(crop.pixels(labels), None)
        instances = layout.instances
        if instances is not None:
            instances = nearest_resize(instances, crop.canvas)
        return Marks(crop.pixels(labels), crop.pixels(layout_edges(labels, instances)))

    def encode(self, pictures: np.ndarray) -> Tensor:
        """x0 float32 `[N, C, h, w]` of pictures uint8 `[N, H, W, 3]`."""
        x = from_pixels(pictures).to(self.device)
        return x if self.autoencoder is None else self.autoencoder.encode(x.to(self.dtype)).float()

    def decode(self, x: Tensor, marks: Marks, exact: bool = True) -> np.ndarray:
        """Pictures uint8 `[N, H, W, 3]` of x or of a predicted x0; some decoders read the marks.

        exact: as for `KeptEmbedding.of`.
        """
        if self.autoencoder is None:
            return sound_pixels(x)
        size = (x.shape[-2], x.shape[-1])
        hints = self._hints.of(marks, size, exact) if self._hints else []
        parts = x.to(self.dtype).split(self.chunk)
        decode = self.autoencoder.decode
        return np.concatenate([sound_pixels(decode(part, embedding=hints)) for part in parts])

    def _decoded(self, marks: Marks, x0: Tensor) -> Tensor:
        """Pictures `[N, 3, H, W]` of an x0, differentiable."""
        size = (x0.shape[-2], x0.shape[-1])
        hints = self._hints.of(marks, size, True) if self._hints else []
        with torch.inference_mode(False):
            hints = [_gone_back_on(hint) for hint in hints]
            return self.autoencoder.decode(x0.to(self.dtype), embedding=hints)

    @watching()
    @torch.inference_mode()
    def picture_of(self, x0: np.ndarray, layout: Layout) -> np.ndarray:
        """uint8 `[H, W, 3]` of an x0 float16 `[C, h, w]`, as in a `Trajectory`, and its layout."""
        factor = self.unet.spec.factor
        canvas = x0.shape[1] * factor, x0.shape[2] * factor
        x = torch.from_numpy(x0.astype(np.float32))[None].to(self.device)
        return self.decode(x, self.marks(layout, Crop.whole(canvas, factor)))[0]


def _gone_back_on(hint: Modulation | Tensor) -> Modulation | Tensor:
    """A copy that gradients can go through, which those of inference mode do not allow."""
    if isinstance(hint, tuple):
        return tuple(part.clone() for part in hint)
    return hint.clone()


def student_path(weights: Path | None) -> Path | None:
    """Where the student of a checkpoint lies: `NAME-student.safetensors` beside it."""
    return weights and weights.with_name(f"{weights.stem}-student{weights.suffix}")


def _info(
    checkpoint: Checkpoint,
    device: torch.device,
    dtype: torch.dtype,
    student: SDMUNet | None,
    segmenter: Segmenter | None,
    guide: Guide | None,
) -> ModelInfo:
    spec, path = checkpoint.spec, checkpoint.path
    training = checkpoint.training
    summary = (
        f"{training.get('step', '?')} steps on {training.get('device', '?')}" if training else ""
    )
    return ModelInfo(
        name=_name(path) if path else "model",
        palette=checkpoint.palette,
        size=spec.picture_size,
        multiple=spec.multiple,
        device=device.type,
        precision=precision_name(dtype),
        summary=summary,
        student=student is not None,
        segmenter=segmenter is not None,
        ceiling=segmenter.ceiling if segmenter else (),
        guidance=guide is not None,
        vocabulary=guide.vocabulary if guide else None,
        path=str(path or ""),
    )


def _name(path: Path) -> str:
    """What people call a model: its file, or its run, whose files are all called `weights`."""
    return path.resolve().parent.name if path.stem == "weights" else path.stem


def _draft_of(request: SampleRequest) -> SampleRequest:
    """The student's picture of the same noise and the first guidance scale."""
    return replace(
        request,
        steps=request.draft_steps,
        guidance_scale=request.scales[0],
        student=True,
    )


def _scales_of(request: SampleRequest) -> Callable[[], float]:
    """The request's guidance scales, one a step; the last one goes on if there are too few."""
    scales = list(request.scales)
    return lambda: scales.pop(0) if len(scales) > 1 else scales[0]
