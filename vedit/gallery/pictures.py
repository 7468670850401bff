"""A gallery: one frame of a clip under many looks, each as `vedit restyle` would make that frame.

The frame is decoded once. Looks that differ in nothing but the prompt share its control maps and its inversion, and
go through the network together. So a look costs its own sampling, decoding and finishing, and nothing else.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from vedit.diffusion.prompts import led
from vedit.errors import InputError, NotFiniteError
from vedit.geometry import fit, resize
from vedit.media.timecode import parse_moment
from vedit.models.recipes import recipe_notes
from vedit.models.ref import ModelRef
from vedit.models.resolve import model_of
from vedit.options.loras import masks_of
from vedit.options.request import RenderRequest
from vedit.pipelines.pipeline import OnStep, Prepared
from vedit.pipelines.restyle import PreparedRestyle, restyle_frames
from vedit.progress.callbacks import OnProgress, Progress, ignore_progress
from vedit.progress.course import Course
from vedit.ranges import to_integer, to_unit
from vedit.registry.pipelines import OWN
from vedit.render.conditioning import ConditioningSource
from vedit.render.costs import expected_of_stills
from vedit.render.finish_shot import decoded_stills, full_size
from vedit.render.job import Job, conditioning_of
from vedit.render.measured_costs import paces_of
from vedit.render.prepare import in_full, load_prepared
from vedit.render.prompts import word_notes
from vedit.render.settle import admit_files, indexed, make_job, open_source, settle
from vedit.shots.bars import filled
from vedit.store.computed import ComputedCache
from vedit.thumbnail import image_html, png, thumbnail
from vedit.types import Clip

if TYPE_CHECKING:
    from vedit.diffusion.conditioning import FrameConditioning
    from vedit.media.reading.reader import VideoReader
    from vedit.options.request import RestyleOptions
    from vedit.render.costs import Outline
    from vedit.types import IntFrames, Latents

LARGEST_PIXELS = 1920 * 1088
"""Of the size at which small pictures are finished: a larger frame is made smaller before, which changes little."""


@dataclass(frozen=True, kw_only=True)
class GalleryPlan:
    """What a gallery shows, known before a model is loaded."""

    source: Path
    frame: int
    """Its number in the clip."""
    seconds: Fraction
    """When it is shown, after the clip's first frame."""
    source_size: tuple[int, int]
    """(width, height)."""
    working_size: tuple[int, int]
    """(width, height) at which the model works."""
    model: str
    device: str
    quality: str
    takes: float | None = None
    """Seconds of wall time, roughly; None where the size of the model is not known."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """A frame as it is and under looks; pictures are (H, W, 3) integers of `bit_depth`."""

    plan: GalleryPlan
    source: IntFrames
    pictures: tuple[IntFrames, ...]
    """In the order of the looks that were asked for."""
    bit_depth: int


class LookPictures(dict[str, "IntFrames"]):
    """Pictures by the names of their looks; shows itself in a notebook.

    Args:
        pictures: (H, W, 3) integers of `bit_depth`.
        bit_depth: 8 is uint8; up to 16 is uint16.
    """

    def __init__(self, pictures: Mapping[str, IntFrames], *, bit_depth: int = 8) -> None:
        super().__init__(pictures)
        self.bit_depth = bit_depth

    def _repr_html_(self) -> str:
        small = {name: thumbnail(one.transpose(2, 0, 1), self.bit_depth) for name, one in self.items()}
        return "".join(image_html(png(one), name) for name, one in small.items())


def plan_gallery(
    request: RenderRequest,
    looks: Sequence[RestyleOptions],
    at: str | None = None,
    *,
    reader: VideoReader | None = None,
    on_progress: OnProgress = ignore_progress,
) -> GalleryPlan:
    """Which frame a gallery shows, at which size; no model is loaded. It takes and raises what `make_gallery` does."""
    model = model_of(request)
    admit_files(request, reader=reader)
    with tempfile.TemporaryDirectory(prefix="vedit-") as folder, ExitStack() as stack:
        reader = reader or stack.enter_context(open_source(request))
        return _prepared(request, model, looks, at, reader, Path(folder), Course(on_progress))[0]


def make_gallery(
    request: RenderRequest,
    looks: Sequence[RestyleOptions],
    at: str | None = None,
    *,
    side: int | None = None,
    reader: VideoReader | None = None,
    on_plan: Callable[[GalleryPlan], None] | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Gallery:
    """One frame under each of several looks, without masks, regions or an anchor.

    A picture is what a render of this frame alone (`--range "#N..#N+1"`) shows before it is encoded. In a render of
    more, a frame is sampled together with the first of its shot, whose look it takes on.

    Args:
        request: the clip and the model; its output is not written, and its range is not looked at.
        looks: at least one; a look's recipe serves it, as in a render.
        at: the moment of the frame as seconds, timecode or #frame; None is the middle of the clip.
        side: pixels of the longer side of the pictures, which are made no larger than they are; None is the source's
            size. Frames of more than `LARGEST_PIXELS` are then finished at about that size.
        reader: of the source, where one is open already; it stays open.
        on_plan: told before the model is loaded.
        on_progress: told of each look twice, as it is sampled and as it is finished.

    Raises:
        InputError: it cannot be done as asked.
    """
    course = Course(on_progress)
    model = model_of(request)
    admit_files(request, reader=reader)
    with tempfile.TemporaryDirectory(prefix="vedit-") as folder, ExitStack() as stack:
        reader = reader or stack.enter_context(open_source(request))
        plan, jobs = _prepared(request, model, looks, at, reader, Path(folder), course)
        if on_plan is not None:
            on_plan(plan)
        clip = reader.read(jobs[0].frames)
        cache = stack.enter_context(ComputedCache())
        steering = stack.enter_context(ConditioningSource(conditioning_of(jobs[0]), cache))
        course(Progress(stage="load", done=0, total=1))
        restylers, _ = load_prepared(jobs, cache)
        course(Progress(stage="load", done=1, total=1))
        try:
            pictures = _pictures(jobs, restylers, steering, clip, side, course)
        except NotFiniteError as error:
            restylers, _ = load_prepared(jobs, cache, precision=in_full(error))
            pictures = _pictures(jobs, restylers, steering, clip, side, course)
    source = _at_side(clip.frames[0, :3], clip.bit_depth, side)
    return Gallery(plan=plan, source=source, pictures=pictures, bit_depth=clip.bit_depth)


def _prepared(
    request: RenderRequest,
    model: ModelRef,
    looks: Sequence[RestyleOptions],
    at: str | None,
    reader: VideoReader,
    folder: Path,
    course: Course,
) -> tuple[GalleryPlan, list[Job]]:
    """The plan, and renders of the frame alone, one for each look. Raises InputError as `make_gallery`."""
    if any(masks_of(look.loras) for look in looks):
        raise InputError("a gallery shows looks without masks, and a LoRA has one", remedy="leave its mask out")
    indexed(reader, course)
    index = reader.index()
    frame = len(index) // 2 if at is None else parse_moment(at, index, reader.metadata.timecode)
    # A plan needs a file that could be written; none is.
    writing = replace(request.writing, drop_unsupported=True, drop_alpha=True)
    alone = replace(
        request,
        options=looks[0],
        frames=f"#{frame}..#{frame + 1}",
        output=folder / "still.mkv",
        writing=writing,
        shots=None,
        looks=None,
    )
    settled = settle(replace(alone, looks=dict(enumerate(looks))), model).looks or {}
    seconds: list[float] = []

    def expect(outline: Outline | None) -> None:
        if outline is None:
            return
        one = expected_of_stills(outline, each=1, paces=paces_of(outline))
        legs = [replace(leg, seconds=leg.seconds * len(looks)) for leg in one["preview"]]
        course.expect({**one, "preview": legs})
        if all(look.sizes for look in outline.looks):
            seconds[:] = [sum(leg.seconds for stage in (*one.values(), legs) for leg in stage)]

    job = make_job(alone, model, reader=reader, on_progress=course, on_outline=expect)
    # What is said of one look's words and recipe would be said of each: a gallery shows it.
    own = {*recipe_notes(looks[:1], model), *word_notes(looks[:1], model)}
    told = () if model.vocabulary is not None else word_notes(looks, model)
    plan = GalleryPlan(
        source=request.source,
        frame=frame,
        seconds=index.seconds(frame),
        source_size=(job.metadata.width, job.metadata.height),
        working_size=(job.fit.outer[1], job.fit.outer[0]),
        model=model.name,
        device=job.device,
        quality=looks[0].quality,
        takes=seconds[0] if seconds else None,
        notes=(*told, *(note for note in job.notes if note not in own)),
    )
    return plan, [replace(job, request=replace(job.request, options=options)) for options in settled.values()]


def _pictures(
    jobs: Sequence[Job],
    restylers: Sequence[Prepared],
    steering: ConditioningSource,
    clip: Clip,
    side: int | None,
    course: Course,
) -> tuple[IntFrames, ...]:
    """The frame under each look, in order."""
    number, (shot,), bars = clip.start, jobs[0].shots, jobs[0].bars_at(clip.start)
    frames = fit(filled(clip, bars), jobs[0].fit)
    # Bars are told in pixels of the source.
    shown = _no_larger(clip, None if side is None or bars else LARGEST_PIXELS)
    sampled = 0
    made: dict[int, IntFrames] = {}

    def tell(stage: str, part: float) -> None:
        done = sampled + int(part * len(places)) if stage == "sample" else sampled
        course(Progress(stage="preview", done=done + len(made), total=2 * len(jobs)))

    for places in _alike(restylers):
        first = restylers[places[0]]
        guides = steering.guides_of(shot, first.controls, (), drawn=first.drawn)([number], frames)
        latents = _sampled([restylers[place] for place in places], frames, number, guides, tell)
        sampled += len(places)
        seen, results = decoded_stills(jobs[places[0]], first, frames, latents)
        for place, result in zip(places, results.split(1), strict=True):
            done = full_size(jobs[place], shown, seen, result, None)
            made[place] = _at_side(done[0, :3], clip.bit_depth, side)
            tell("finish", 1.0)
    return tuple(made[place] for place in range(len(jobs)))


def _sampled(
    alike: Sequence[Prepared], frames: torch.Tensor, number: int, guides: FrameConditioning, on_step: OnStep
) -> Latents:
    """A frame under looks that differ in nothing but the prompt: of vedit's own pipeline at once, of another one by
    one."""
    own = list(filter(None, map(_own, alike)))
    if own:
        return restyle_frames(
            own[0],
            frames,
            [number],
            guides,
            on_step,
            targets=[led(one.prompt, one.prompt_frames, [number]) for one in own],
        )
    (one,) = alike
    return one.stills(frames, [number], guides, on_step)


def _own(one: Prepared) -> PreparedRestyle | None:
    """One of vedit's own pipeline; a plug-in's makes its stills itself, though it be built upon it."""
    return one if isinstance(one, PreparedRestyle) and one.options.pipeline in OWN else None


def _alike(restylers: Sequence[Prepared]) -> list[list[int]]:
    """Places of restylers that differ in nothing but the prompt, and have it equally long, together."""
    groups: dict[object, list[int]] = {}
    for place, each in enumerate(restylers):
        one = _own(each)
        if one is None:
            groups[place] = [place]
            continue
        weights = None if one.fast is None else one.fast.folder
        length = one.prompt.states.shape[1]
        how = (one.trajectory, one.inversion, one.controls, one.guidance, one.fixed_point, weights, length)
        groups.setdefault((replace(one.options, prompt=""), how), []).append(place)
    return list(groups.values())


def _no_larger(clip: Clip, pixels: int | None) -> Clip:
    """A clip of a single frame, made smaller where it has more pixels."""
    height, width = clip.frames.shape[-2:]
    if pixels is None or height * width <= pixels:
        return clip
    scale = (pixels / (height * width)) ** 0.5
    return replace(clip, frames=_resized(clip.frames[0], clip.bit_depth, scale)[None])


def _at_side(frame: IntFrames, bit_depth: int, side: int | None) -> IntFrames:
    """A frame (3, H, W), its longer side at most `side`, as a picture (h, w, 3)."""
    longer = max(frame.shape[1:])
    scaled = frame if side is None or longer <= side else _resized(frame, bit_depth, side / longer)
    return cast("IntFrames", np.ascontiguousarray(scaled.transpose(1, 2, 0)))


def _resized(frame: IntFrames, bit_depth: int, scale: float) -> IntFrames:
    """A frame (C, H, W) made smaller, averaged over areas."""
    size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[2] * scale)))
    small = resize(to_unit(frame, bit_depth).permute(1, 2, 0).contiguous().numpy(), size)
    return to_integer(torch.from_numpy(small).permute(2, 0, 1), bit_depth)
