"""The imperative shell of a render: files, progress and device moves live here and nowhere else.

Shot by shot, the units that are missing are sampled and kept on disk; then the shot is finished from its units, at
full size, into the file. So memory depends on the window and the frame size, never on the clip's length, and a render
that is killed goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import InputError, NotFiniteError
from vedit.finishing.upsample import side_by_side as compare
from vedit.media.writing.containers import default_output
from vedit.media.writing.output_plan import check_output, plan_output, temporary_for
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.target import check_target
from vedit.media.writing.write import VideoWriter
from vedit.options.request import RenderRequest
from vedit.progress.callbacks import OnProgress, Progress, ignore_progress
from vedit.progress.course import Course
from vedit.render.conditioning import ConditioningSource
from vedit.render.costs import CachedWork, expected_of, expected_of_plan
from vedit.render.ended_before import ended_before, journal_of
from vedit.render.estimate import describe_job, outline_of
from vedit.render.finish_shot import untouched_shot
from vedit.render.job import Job, conditioning_of, reopen_source
from vedit.render.killed import BesideJournal, beside_of
from vedit.render.measured_costs import keep as keep_costs
from vedit.render.measured_costs import paces_of
from vedit.render.outcome import RenderPlan, RenderResult, ignore_plan
from vedit.render.passes import Pass, asked_of, open_passes, recipe_of, used_by
from vedit.render.prepare import in_full, said_of
from vedit.render.resumed import same_threads, units_kept
from vedit.render.sample_shot import (
    OnNote,
    Stop,
    ignore_note,
    never,
    stop_if_asked,
)
from vedit.render.settle import admit_files, make_job
from vedit.render.steps import Checking, step_of
from vedit.store.computed import ComputedCache
from vedit.store.frames import UNTOUCHED, FinishedFrames, FinishedShot
from vedit.store.units import UnitStore
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.media.contract.report import ContractReport
    from vedit.media.output import OutputOptions
    from vedit.media.reading.reader import VideoReader
    from vedit.media.writing.commit import Journal
    from vedit.render.costs import Outline

DIVIDER = 2


def plan(
    request: RenderRequest,
    *,
    reader: VideoReader | None = None,
    on_progress: OnProgress = ignore_progress,
    side_by_side: Path | None = None,
) -> RenderPlan:
    """What `restyle` would do, with rough estimates of memory and time; nothing is written, no model is loaded.

    Args:
        request: what to render.
        reader: of the source, where one is open already; it stays open.
        on_progress: told of the stage.
        side_by_side: the comparison that would be written too.

    Raises:
        InputError: the request cannot be carried out.
    """
    admit_files(request, reader=reader)
    if side_by_side is not None:
        check_output(side_by_side, request.source, _beside_options(request))
    course = Course(on_progress)

    def expect(outline: Outline | None) -> None:
        course.expect({} if outline is None else expected_of_plan(outline, paces=paces_of(outline)))

    job = make_job(request, reader=reader, on_progress=course, on_outline=expect)
    if side_by_side is not None:
        _beside(job, side_by_side)
    with ExitStack() as stack:
        cache = stack.enter_context(ComputedCache())
        for look in job.looks():
            stack.enter_context(ConditioningSource(conditioning_of(look), cache))
        return describe_job(job)


def restyle(
    request: RenderRequest,
    *,
    reader: VideoReader | None = None,
    on_progress: OnProgress = ignore_progress,
    on_plan: Callable[[RenderPlan], None] = ignore_plan,
    on_note: OnNote = ignore_note,
    stop: Stop = never,
    side_by_side: Path | None = None,
) -> RenderResult:
    """Render the source under the prompt, with its timing and sound, and check the written file.

    What is finished is kept in `OUT.vedit/` until the result has its name; the same call goes on from there.

    Args:
        request: what to render.
        reader: of the source, where one is open already: its index is not made again. It stays open.
        on_progress: told as frames pass the stages.
        on_plan: told what will be done, before a model is loaded.
        on_note: told of what happens on the way: units kept from before, memory that ran out.
        stop: asked between units; True ends the render there.
        side_by_side: also write source and result beside each other to this file.

    Raises:
        InputError: the request cannot be carried out; nothing was written.
        NotFiniteError: NaN or infinity came up, in float32 too; nothing was written.
        ContractError: the written file broke the timing or sound contract; it was removed.
        Interrupted: `stop` said so.
    """
    clock = _Clock()
    admit_files(request, reader=reader)
    course = Course(on_progress)
    ended = ended_before(request, side_by_side=side_by_side)
    if ended is not None:
        on_note("the result was finished and checked by a run that was stopped before it could clean up")
        return ended
    if side_by_side is not None:
        check_output(side_by_side, request.source, _beside_options(request))
    beside = side_by_side is not None

    def expect(outline: Outline | None) -> None:
        course.expect({} if outline is None else expected_of(outline, beside=beside, paces=paces_of(outline)))

    job = make_job(request, reader=reader, on_progress=course, on_outline=expect)
    on_plan(describe_job(job))
    pair = None if side_by_side is None else _beside(job, side_by_side)
    clock.lap("plan")
    attempt = partial(
        _attempt,
        beside=pair,
        side_by_side=side_by_side,
        clock=clock,
        course=course,
        on_note=on_note,
        stop=stop,
    )
    try:
        return attempt(job)
    except NotFiniteError as error:
        precision, said = in_full(error), said_of(error)
    on_note(said)
    course.expect(expected_of(outline_of(job, is_scanned=True), beside=beside), anew=True)
    # All of it: what is finished was computed in fewer bits, and is not joined to what is not.
    return attempt(replace(job, notes=(*job.notes, said)), precision=precision)


def _attempt(
    job: Job,
    *,
    beside: OutputSpec | None,
    side_by_side: Path | None,
    clock: _Clock,
    course: Course,
    on_note: OnNote,
    stop: Stop,
    precision: str | None = None,
) -> RenderResult:
    """The render of a job, in a precision or what suits the device.

    Raises:
        NotFiniteError: NaN or infinity came up; nothing has the result's name.
    """
    request = job.request
    with ExitStack() as stack:
        work = stack.enter_context(UnitStore(job.output.path, fresh=request.fresh))
        if precision is not None:
            work.set_precision(precision)
        before = work.computed_on
        on_threads = stack.enter_context(same_threads(job.device, work, on_note))
        # Another process may have written it between the plan and the lock.
        writing = request.writing
        check_target(
            job.output.path,
            job.metadata.path,
            job.output.pictures,
            overwrite=writing.overwrite,
            replaces=writing.replaces,
        )
        stop_if_asked(stop, work)
        asked = asked_of(job)  # the hashes of masks as they are now, not as they may be when the render is done
        course(Progress(stage="load", done=0, total=1))
        passes, notes = open_passes(job, work, stack, on_progress=course, on_note=on_note, stop=stop)
        course(Progress(stage="load", done=1, total=1))
        clock.lap("load")
        sampling = [one.sampler for one in passes if one.restyler.trajectory.steps]
        kept = units_kept(sampling, work, before, on_note)
        # A locked shot is not made anew, whatever is asked: what is kept of it is all there is.
        # Under one look for all shots nothing is kept or locked: what a plan's renders have kept here is theirs.
        shelving = request.looks is not None or request.keep_frames
        shelf = FinishedFrames(work.path, fresh=request.fresh and shelving and not request.locked)
        locked = _locked(job, shelf)
        left = CachedWork(
            sampled=tuple(frames for sampler in sampling for frames in sampler.kept()),
            finished=tuple(_shelved(job, passes, shelf, locked)),
        )
        outline = outline_of(job)
        paces = paces_of(outline)
        course.expect(expected_of(outline, left, beside=beside is not None, paces=paces))
        planned = _in_work(job.output, work, recipe_of(job, passes))
        writer = stack.enter_context(VideoWriter(planned, hash_frames=True))
        pair = None if beside is None else stack.enter_context(VideoWriter(_in_work(beside, work, {})))
        source_reader = stack.enter_context(reopen_source(job))
        keys: list[str] = []
        shelved = list(locked.values())
        for shot in job.shots:
            held = locked.get(shot.number)
            able = () if held is not None else passes
            own = next((one for one in able if shot in one.job.own_shots and one.restyler.trajectory.steps), None)
            if own is not None:
                own.ladder.join(one.ladder for one in passes)
            at = held.path if held is not None else None
            if own is not None and request.keep_frames and not request.fresh:
                at = shelf.find(own.shelf_key(shot))
            if at is not None:
                size = job.frames_at_once
                skip = shot.frames.start - held.first if held is not None else 0
                finished = shelf.read(at, shot, source_reader, size=size, with_source=pair is not None, skip=skip)
            elif own is None:
                finished = untouched_shot(job, shot, source_reader)
            else:
                finished = own.finished(shot, source_reader)
                if request.keep_frames:
                    finished = shelf.recorded(partial(own.shelf_key, shot), finished)
                    stack.callback(finished.close)
                clock.lap("sample")
            for source, frames in finished:
                reached = source.start + len(source)
                course(step_of("finish", job, shot, reached))
                stop_if_asked(stop, work)
                if any(one.ladder.footing.tiled for one in passes):
                    work.set_tiled()
                writer.write(frames)
                if pair is not None:
                    pair.write(
                        compare(source.frames[:, :3], frames[:, :3], bit_depth=source.bit_depth, divider=DIVIDER)
                    )
                course(step_of("write", job, shot, reached))
            if own is not None:
                keys += own.sampler.keys(shot)
            if held is None and request.keep_frames:
                key = UNTOUCHED if own is None else own.shelf_key(shot)
                shelved.append(FinishedShot(frames=shot.frames, key=key, first=shot.frames.start))
            clock.lap("finish")
        checking = Checking(course, job, files=1 if pair is None else 2)
        if pair is not None:
            # First: once the result has its name nothing may fail any more.
            pair.finish(journal=lambda _: BesideJournal(work.path), on_checked=checking.next_file())
        told = (
            *job.notes,
            *on_threads,
            *notes,
            *(note for one in passes for note in (*one.steering.notes, *one.ladder.notes)),
        )
        told = tuple(dict.fromkeys(told))
        keeping = request.keep_work or request.keep_frames
        keep, rendered = (frozenset(keys), job.frames) if keeping else (frozenset[str](), None)

        def journal(report: ContractReport) -> Journal:
            return journal_of(
                request,
                _result(job, report, told, kept, clock),
                folder=work.path,
                side_by_side=side_by_side,
                source_sha256=job.source_sha256,
                keep=keep,
                rendered=rendered,
            )

        report = writer.finish(
            timings=clock.laps,
            notes=told,
            used=used_by(passes),
            asked=asked,
            source_sha256=job.source_sha256,
            journal=journal,
            on_checked=checking.next_file(),
        )
        if shelving:
            part = job.frames if request.keep_frames else FrameRange(start=0, stop=len(job.index))
            shelf.keep_only(shelved, source=job.source_key, rendered=part)
        work.done(keep=keep, rendered=rendered)
        checking.end()
        clock.lap("verify")
        if not any(one.ladder.notes for one in passes):
            keep_costs(outline, course.taken, paces)
    return _result(job, report, told, kept, clock)


def _result(job: Job, report: ContractReport, notes: tuple[str, ...], kept: int, clock: _Clock) -> RenderResult:
    return RenderResult(
        output=str(job.output.path),
        frames=len(job.frames),
        seconds=clock.total,
        contract=report.as_dict(),
        notes=notes,
        units_kept=kept,
        timings=clock.laps,
        source=str(job.request.source),
        first_frame=job.frames.start,
    )


class _Clock:
    """Seconds of wall time by stage."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self.laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """Book the time since the last call on a stage."""
        now = time.monotonic()
        self.laps[stage] = round(self.laps.get(stage, 0.0) + now - self._last, 3)
        self._last = now

    @property
    def total(self) -> float:
        return time.monotonic() - self._began


def _locked(job: Job, shelf: FinishedFrames) -> dict[int, FinishedShot]:
    """What the last render left of the locked shots. Raises InputError where one has a look and was never rendered."""
    found: dict[int, FinishedShot] = {}
    rendered = {shot.number: shot for shot in job.shots}
    whole = {shot.number: shot for shot in job.request.shots or ()}
    for number in sorted(job.request.locked):
        # What lies outside the rendered part too, where it is kept: it outlives this render.
        spans = [shot.frames for shot in (whole.get(number), rendered.get(number)) if shot is not None]
        held = (shelf.remembered(span, source=job.source_key) for span in spans)
        kept = next((one for one in held if one is not None), None)
        if kept is not None:
            found[number] = kept
        elif number in rendered and (job.request.looks is None or number in job.request.looks):
            raise InputError(
                f"shot {number} is locked, but no finished frames of it are kept",
                remedy="render it once without the lock, or leave it as the source with untouched = true",
            )
    return found


def _in_work(plan: OutputSpec, work: UnitStore, recipe: dict[str, object]) -> OutputSpec:
    """The plan with its unfinished file in the work folder, where a killed run's is found and removed."""
    return replace(plan, temporary=temporary_for(plan.path, work.path), recipe=recipe)


def _beside(job: Job, path: Path) -> OutputSpec:
    """The plan of the comparison video: the source's timing and sound, twice its width."""
    width = 2 * job.metadata.width + DIVIDER
    planned = plan_output(
        path,
        replace(job.metadata, width=width, has_alpha=False),
        job.index,
        frames=job.output.frames,
        options=_beside_options(job.request),
    )
    if any(map(planned.takes, job.output.finals)) or any(map(job.output.takes, planned.finals)):
        raise InputError(f"{path} is named twice", remedy="give the result and the side-by-side video two names")
    return planned


def _beside_options(request: RenderRequest) -> OutputOptions:
    left = beside_of(request.output or default_output(request.source))
    replaces = (*request.writing.replaces, *left)
    return replace(request.writing, drop_unsupported=True, codec=None, sidecar=False, strict=False, replaces=replaces)


def _shelved(
    job: Job, passes: Sequence[Pass], shelf: FinishedFrames, locked: Mapping[int, FinishedShot]
) -> Iterator[FrameRange]:
    """The shots whose finished frames are kept, and will be used."""
    for shot in job.shots:
        own = next((one for one in passes if shot in one.job.own_shots and one.restyler.trajectory.steps), None)
        able = own is not None and job.request.keep_frames and not job.request.fresh
        if shot.number in locked or (able and own is not None and shelf.has(own.shelf_key(shot))):
            yield shot.frames
