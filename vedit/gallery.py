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

from vedit.controls import settled
from vedit.errors import NotFiniteError
from vedit.finishing import decoded, full_size
from vedit.geometry import fit, resize
from vedit.guides import Steering
from vedit.map_cache import FrameCache
from vedit.media.timecode import parse_moment
from vedit.models import control_kinds
from vedit.options import OnProgress, Progress, RenderRequest, ignore_progress
from vedit.pipelines.restyle import Restyler, restyle_frames
from vedit.planning import Job, indexed, make_job, open_source, steered_by
from vedit.ranges import to_integer, to_unit
from vedit.restylers import in_full, load_restylers
from vedit.thumbnail import image_html, png, thumbnail
from vedit.types import Clip

if TYPE_CHECKING:
    from vedit.media.read import VideoReader
    from vedit.options import RestyleOptions
    from vedit.types import IntFrames

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
    at: str | None = None,
    *,
    reader: VideoReader | None = None,
    on_progress: OnProgress = ignore_progress,
) -> GalleryPlan:
    """Which frame a gallery shows, at which size; no model is loaded. It takes and raises what `make_gallery` does."""
    with tempfile.TemporaryDirectory(prefix="vedit-") as folder, ExitStack() as stack:
        reader = reader or stack.enter_context(open_source(request))
        return _planned(_job_at(request, at, reader, Path(folder), on_progress))


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
        looks: at least one.
        at: the moment of the frame as seconds, timecode or #frame; None is the middle of the clip.
        side: pixels of the longer side of the pictures, which are made no larger than they are; None is the source's
            size. Frames of more than `LARGEST_PIXELS` are then finished at about that size.
        reader: of the source, where one is open already; it stays open.
        on_plan: told before the model is loaded.
        on_progress: told of looks that are sampled, then finished.

    Raises:
        InputError: it cannot be done as asked.
    """
    with tempfile.TemporaryDirectory(prefix="vedit-") as folder, ExitStack() as stack:
        reader = reader or stack.enter_context(open_source(request))
        asked = replace(request, options=looks[0])
        job = _job_at(asked, at, reader, Path(folder), on_progress)
        plan = _planned(job)
        if on_plan is not None:
            on_plan(plan)
        clip = reader.read(job.frames)
        jobs = [replace(job, request=replace(job.request, options=options)) for options in _settled(request, looks)]
        cache = stack.enter_context(FrameCache())
        steering = stack.enter_context(Steering(steered_by(job), cache))
        restylers, _ = load_restylers(jobs, cache)
        try:
            pictures = _pictures(jobs, restylers, steering, clip, side, on_progress)
        except NotFiniteError as error:
            restylers, _ = load_restylers(jobs, cache, precision=in_full(error))
            pictures = _pictures(jobs, restylers, steering, clip, side, on_progress)
    source = _at_side(clip.frames[0, :3], clip.bit_depth, side)
    return Gallery(plan=plan, source=source, pictures=pictures, bit_depth=clip.bit_depth)


def _job_at(request: RenderRequest, at: str | None, reader: VideoReader, folder: Path, on_progress: OnProgress) -> Job:
    """The render of the frame alone. Raises InputError where the moment is outside the clip."""
    index = indexed(reader, on_progress)
    frame = len(index) // 2 if at is None else parse_moment(at, index, reader.metadata.timecode)
    # A plan needs a file that could be written; none is.
    writing = replace(request.writing, drop_unsupported=True, drop_alpha=True)
    alone = replace(
        request, frames=f"#{frame}..#{frame + 1}", output=folder / "still.mkv", writing=writing, shots=None, looks=None
    )
    return make_job(alone, reader=reader, on_progress=on_progress)


def _planned(job: Job) -> GalleryPlan:
    return GalleryPlan(
        source=job.request.source,
        frame=job.frames.start,
        seconds=job.index.seconds(job.frames.start),
        source_size=(job.metadata.width, job.metadata.height),
        working_size=(job.fit.outer[1], job.fit.outer[0]),
        model=job.request.model,
        device=job.device,
        quality=job.request.options.quality,
        notes=job.notes,
    )


def _settled(request: RenderRequest, looks: Sequence[RestyleOptions]) -> list[RestyleOptions]:
    """The looks with the controls that will act."""
    kinds = control_kinds(request.model, dict(request.controlnets))
    return [settled(options, kinds, model=request.model) for options in looks]


def _pictures(
    jobs: Sequence[Job],
    restylers: Sequence[Restyler],
    steering: Steering,
    clip: Clip,
    side: int | None,
    on_progress: OnProgress,
) -> tuple[IntFrames, ...]:
    """The frame under each look, in order."""
    number, (shot,) = clip.start, jobs[0].shots
    frames, shown = fit(clip, jobs[0].fit), _no_larger(clip, None if side is None else LARGEST_PIXELS)
    made: dict[int, IntFrames] = {}
    for places in _alike(restylers):
        first = restylers[places[0]]

        def tell(stage: str, part: float, done: int = len(made), count: int = len(places)) -> None:
            if stage == "sample":
                on_progress(Progress(stage="sample", done=done + int(part * count), total=len(jobs)))

        guides = steering.guides_of(shot, first.controls, (), drawn=first.drawn)([number], frames)
        targets = [restylers[place].target for place in places]
        latents = restyle_frames(first, frames, [number], guides, tell, targets=targets)
        seen, results = decoded(jobs[places[0]], first, frames, latents)
        for place, result in zip(places, results.split(1), strict=True):
            done = full_size(jobs[place], shown, seen, result, None)
            made[place] = _at_side(done[0, :3], clip.bit_depth, side)
            on_progress(Progress(stage="finish", done=len(made), total=len(jobs)))
    return tuple(made[place] for place in range(len(jobs)))


def _alike(restylers: Sequence[Restyler]) -> list[list[int]]:
    """Places of restylers that differ in nothing but the prompt, together."""
    groups: dict[object, list[int]] = {}
    for place, one in enumerate(restylers):
        how = (one.path, one.inversion, one.controls, one.guidance, one.fixed_point, one.few_steps)
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
