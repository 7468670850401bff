"""A look at a render to come: a few stills of each shot, before and after.

A still is the frame as it is sampled: the film's is steadied with those around it besides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.display.contact_sheet import contact_sheet
from vedit.errors import InputError, NotFiniteError
from vedit.media.writing.containers import default_output
from vedit.media.writing.target import check_target
from vedit.models.resolve import model_of
from vedit.options.output_names import preview_path
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.progress.callbacks import OnProgress, Progress, ignore_progress
from vedit.progress.course import Course
from vedit.render.conditioning import ConditioningSource
from vedit.render.costs import expected_of_stills
from vedit.render.finish_shot import finished_stills
from vedit.render.job import Job, conditioning_of, reopen_source
from vedit.render.measured_costs import paces_of
from vedit.render.prepare import in_full, load_prepared
from vedit.render.prompts import made_looks, word_notes
from vedit.render.sample_shot import OnNote, ignore_note
from vedit.render.settle import admit_files, make_job
from vedit.store.computed import ComputedCache
from vedit.thumbnail import thumbnail
from vedit.types import Shot

if TYPE_CHECKING:
    from vedit.media.reading.reader import VideoReader
    from vedit.render.costs import Outline
    from vedit.types import IntFrames


@dataclass(frozen=True, kw_only=True)
class ShotStills:
    """Stills of one shot."""

    shot: Shot
    options: RestyleOptions
    """Its look."""
    numbers: tuple[int, ...]
    """Of the frames in the source."""
    pairs: tuple[tuple[IntFrames, IntFrames], ...]
    """Source and result of each, (3, H, W) integers of the source's depth."""


def preview(
    request: RenderRequest,
    *,
    reader: VideoReader | None = None,
    numbers_of: Callable[[Shot], Sequence[int]] | None = None,
    on_progress: OnProgress = ignore_progress,
    on_note: OnNote = ignore_note,
) -> Path:
    """A few frames of each shot, source above result, as one PNG; the clip itself is not rendered.

    The picture is named after the look, so that looks can be compared: OUT.LOOK.preview.png beside the planned output,
    OUT.preview.png where shots have looks of their own. Shots without a look are left out.

    Args:
        request: what would be rendered.
        reader: of the source, where one is open already; it stays open.
        numbers_of: which frames of a shot; None is the first, the middle and the last.
        on_progress: told before each shot and at the end.
        on_note: told what the user should know of the prompts, before anything is made.

    Raises:
        InputError: the request cannot be carried out, or no shot has a look.
    """
    model = model_of(request)
    admit_files(request, reader=reader)
    output = (request.output or default_output(request.source, request.track)).absolute()
    target = preview_path(output, request.source, request.options if request.looks is None else None)
    check_target(target, request.source, overwrite=request.writing.overwrite)
    # A result that is there is no hindrance: it is not touched.
    request = replace(request, writing=replace(request.writing, overwrite=True))
    course = Course(on_progress)

    def expect(outline: Outline | None) -> None:
        course.expect({} if outline is None else expected_of_stills(outline, paces=paces_of(outline)))

    job = make_job(request, model, reader=reader, on_progress=course, on_outline=expect)
    for line in word_notes(made_looks(job.request), model):
        on_note(line)
    rows: list[list[IntFrames]] = []
    labels: list[list[str]] = []
    for made in stills_of(job, numbers_of=numbers_of or three_of, on_progress=course):
        rows += [[_small(pair[n], job.metadata.bit_depth) for pair in made.pairs] for n in (0, 1)]
        labels += [
            [f"shot {made.shot.number}, frame {n}" for n in made.numbers],
            [look_of(made.options)] * len(made.pairs),
        ]
    if not rows:
        raise InputError("no shot has a look that a model draws", remedy="give one to a shot at least")
    return contact_sheet(rows, labels, target)


def three_of(shot: Shot) -> tuple[int, ...]:
    """First, middle and last frame."""
    last = shot.frames.stop - 1
    return tuple(sorted({shot.frames.start, (shot.frames.start + last) // 2, last}))


def middle_of(shot: Shot) -> tuple[int, ...]:
    """The middle frame alone."""
    return ((shot.frames.start + shot.frames.stop - 1) // 2,)


def stills_of(
    job: Job,
    *,
    numbers_of: Callable[[Shot], Sequence[int]] = three_of,
    on_progress: OnProgress = ignore_progress,
) -> Iterator[ShotStills]:
    """Stills of every shot that has a look, in order; the frames of a shot are restyled together.

    Args:
        job: what would be rendered.
        numbers_of: which frames of a shot, in ascending order.
        on_progress: told before each shot and at the end.
    """
    looks = [look for look in job.looks() if not look.request.options.only_painted]
    if not looks:
        return
    with ExitStack() as stack:
        cache = stack.enter_context(ComputedCache())
        steered = [stack.enter_context(ConditioningSource(conditioning_of(look), cache)) for look in looks]
        reader = stack.enter_context(reopen_source(job))
        on_progress(Progress(stage="load", done=0, total=1))
        restylers, _ = load_prepared(looks, cache)
        on_progress(Progress(stage="load", done=1, total=1))
        shots = sorted(
            ((shot, n) for n, look in enumerate(looks) for shot in look.own_shots), key=lambda pair: pair[0].number
        )
        for done, (shot, n) in enumerate(shots):
            on_progress(Progress(stage="preview", done=done, total=len(shots), shot=shot.number, shots=len(job.shots)))
            numbers = tuple(numbers_of(shot))
            try:
                pairs = finished_stills(looks[n], restylers[n], steered[n], reader, shot, numbers)
            except NotFiniteError as error:
                restylers, _ = load_prepared(looks, cache, precision=in_full(error))
                pairs = finished_stills(looks[n], restylers[n], steered[n], reader, shot, numbers)
            yield ShotStills(shot=shot, options=looks[n].request.options, numbers=numbers, pairs=tuple(pairs))
        on_progress(Progress(stage="preview", done=len(shots), total=len(shots)))


def _small(frame: IntFrames, bit_depth: int) -> IntFrames:
    # A sheet is held in memory as a whole: of many shots that may not be frames at full size.
    return thumbnail(frame, bit_depth, side=640).transpose(2, 0, 1)


def look_of(options: RestyleOptions) -> str:
    """The prompts of a look in one line."""
    return " / ".join(filter(None, (options.prompt, *(region.prompt for region in options.regions))))
