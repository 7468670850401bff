"""Variations of a render to choose from: one frame of the clip under several seeds, as the film would show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import InputError, NotFiniteError
from vedit.media.timecode import parse_moment
from vedit.media.writing.atomic import write_whole
from vedit.media.writing.containers import default_output
from vedit.media.writing.target import check_target
from vedit.models.resolve import model_of
from vedit.options.request import RenderRequest
from vedit.options.table import BOUNDS
from vedit.pipelines.seeds import drawing, draws
from vedit.progress.callbacks import OnProgress, Progress, ignore_progress
from vedit.render.conditioning import ConditioningSource
from vedit.render.finish_shot import finished_stills
from vedit.render.job import Job, conditioning_of, reopen_source
from vedit.render.prepare import in_full, load_prepared
from vedit.render.settle import admit_files, make_job
from vedit.store.computed import ComputedCache
from vedit.thumbnail import png, thumbnail

if TYPE_CHECKING:
    from vedit.media.reading.reader import VideoReader
    from vedit.options.request import RestyleOptions
    from vedit.pipelines.pipeline import Prepared
    from vedit.types import IntFrames, Shot


@dataclass(frozen=True, kw_only=True)
class Variation:
    """A still of one seed."""

    seed: int
    picture: Path
    """The PNG."""
    options: RestyleOptions
    """With which a render of the clip shows the same."""


def variations(
    request: RenderRequest,
    count: int,
    at: str | None = None,
    *,
    reader: VideoReader | None = None,
    on_job: Callable[[Job], None] | None = None,
    on_progress: OnProgress = ignore_progress,
) -> tuple[Variation, ...]:
    """One frame under `count` seeds, from that of the request on, each as a PNG at the source's size.

    The pictures are OUT.seed-S.png beside the planned output. Where nothing would be drawn from the seed, neither by
    the look's own recipe nor as asked, they are made with the variation that comes with the result.

    Args:
        request: what would be rendered, under one look.
        count: of seeds, at least 1.
        at: the moment of the frame as seconds, timecode or #frame; None is the middle of the part that is rendered.
        reader: of the source, where one is open already; it stays open.
        on_job: told what is made before the model is loaded.
        on_progress: told before each picture and at the end.

    Raises:
        InputError: it cannot be done as asked; nothing was written.
    """
    model = model_of(request)
    admit_files(request, reader=reader)
    options = request.options
    if options.only_painted:
        raise InputError("without a prompt nothing is drawn from a seed", remedy="say the look with --prompt")
    if options.variation == 0 and not draws(options):
        raise InputError(
            "with variation 0 every seed gives the same picture", remedy="leave the variation out, or give one above 0"
        )
    last = options.seed + count - 1
    if not BOUNDS["seed"].holds(last):
        raise InputError(
            f"the last of {count} seeds from {options.seed} on is too large", remedy="begin at a lower one"
        )
    options = drawing(options, model)
    looks = tuple(replace(options, seed=seed) for seed in range(options.seed, last + 1))
    output = (request.output or default_output(request.source, request.track)).absolute()
    files = tuple(output.with_suffix(f".seed-{look.seed}.png") for look in looks)
    for path in files:
        check_target(path, request.source, overwrite=request.writing.overwrite)
    # A result that is there is no hindrance: it is not touched.
    free = replace(request.writing, overwrite=True)
    job = make_job(replace(request, options=options, writing=free), model, reader=reader, on_progress=on_progress)
    frame = _frame(job, at)
    if on_job is not None:
        on_job(job)
    # The job's own options are settled: what a recipe sets is in them.
    jobs = [
        replace(job, request=replace(job.request, options=replace(job.request.options, seed=look.seed)))
        for look in looks
    ]
    for path, picture in zip(files, _pictures(jobs, frame, on_progress), strict=True):
        write_whole(path, png(thumbnail(picture, job.metadata.bit_depth, side=max(picture.shape[1:]))))
    return tuple(Variation(seed=look.seed, picture=path, options=look) for look, path in zip(looks, files, strict=True))


def _frame(job: Job, at: str | None) -> int:
    """The number of the frame that is shown. Raises InputError where it is outside the part."""
    if at is None:
        return (job.frames.start + job.frames.stop - 1) // 2
    frame = parse_moment(at, job.index, job.metadata.timecode)
    if frame not in job.frames:
        raise InputError(
            f"{at} is outside the part that is rendered, #{job.frames.start}..#{job.frames.stop}",
            remedy="name a moment within, or widen the range",
        )
    return frame


def _pictures(jobs: Sequence[Job], frame: int, on_progress: OnProgress) -> list[IntFrames]:
    """The frame under each job's look, (3, H, W) integers of the source's depth."""
    job = jobs[0]
    shot = next(shot for shot in job.shots if frame in shot.frames)
    with ExitStack() as stack:
        cache = stack.enter_context(ComputedCache())
        steering = stack.enter_context(ConditioningSource(conditioning_of(job), cache))
        reader = stack.enter_context(reopen_source(job))
        on_progress(Progress(stage="load", done=0, total=1))
        restylers, _ = load_prepared(jobs, cache)
        on_progress(Progress(stage="load", done=1, total=1))

        def made(restylers: Sequence[Prepared]) -> list[IntFrames]:
            found: list[IntFrames] = []
            for one, restyler in zip(jobs, restylers, strict=True):
                on_progress(Progress(stage="preview", done=len(found), total=len(jobs)))
                *_, (_, result) = finished_stills(one, restyler, steering, reader, shot, _together(one, shot, frame))
                found.append(result)
            on_progress(Progress(stage="preview", done=len(found), total=len(jobs)))
            return found

        try:
            return made(restylers)
        except NotFiniteError as error:
            restylers, _ = load_prepared(jobs, cache, precision=in_full(error))
            return made(restylers)


def _together(job: Job, shot: Shot, frame: int) -> tuple[int, ...]:
    """The frames that are sampled together for one: in a render it sees the shot's first, or the anchor."""
    first = shot.frames.start
    return (frame,) if frame == first or job.anchor_of(shot) is not None else (first, frame)
