"""The imperative shell of a render: files, progress and device moves live here and nowhere else.

Shot by shot, the units that are missing are sampled and kept on disk; then the shot is finished from its units, at
full size, into the file. So memory depends on the window and the frame size, never on the clip's length, and a render
that is killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import NotFiniteError
from vedit.media.writing.output_plan import check_output
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.target import check_target
from vedit.models.resolve import model_of
from vedit.options.request import RenderRequest
from vedit.progress.callbacks import OnProgress, Progress, ignore_progress
from vedit.progress.course import Course
from vedit.progress.spent import spending, spent_on
from vedit.render.conditioning import ConditioningSource
from vedit.render.costs import CachedWork, expected_of, expected_of_plan
from vedit.render.ended_before import ended_before, journal_of
from vedit.render.estimate import describe_job, outline_of
from vedit.render.job import Job, conditioning_of, reopen_source
from vedit.render.killed import BesideJournal
from vedit.render.measured_costs import keep as keep_costs
from vedit.render.measured_costs import paces_of
from vedit.render.monitor import Clock, Monitor
from vedit.render.outcome import RenderPlan, RenderResult, ignore_plan
from vedit.render.passes import Pass, asked_of, drawings, open_passes, recipe_of, used_by
from vedit.render.prepare import in_full, said_of
from vedit.render.rendered_files import RenderedFiles, comparison_options, open_files, plan_comparison
from vedit.render.resumed import same_threads, units_kept
from vedit.render.sample_shot import OnNote, Stop, ignore_note, never, stop_if_asked
from vedit.render.settle import admit_files, make_job
from vedit.render.shot_sources import Sampled, ShotSources
from vedit.render.steps import Checking, step_of
from vedit.store.computed import ComputedCache
from vedit.store.units import UnitStore

if TYPE_CHECKING:
    from vedit.media.contract.report import ContractReport
    from vedit.media.reading.reader import VideoReader
    from vedit.media.writing.commit import Journal
    from vedit.render.costs import Outline


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
    model = model_of(request)
    admit_files(request, reader=reader)
    if side_by_side is not None:
        check_output(side_by_side, request.source, comparison_options(request))
    course = Course(on_progress)

    def expect(outline: Outline | None) -> None:
        course.expect({} if outline is None else expected_of_plan(outline, paces=paces_of(outline)))

    job = make_job(request, model, reader=reader, on_progress=course, on_outline=expect)
    if side_by_side is not None:
        plan_comparison(job, side_by_side)
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
    clock = Clock()
    model = model_of(request)
    admit_files(request, reader=reader)
    course = Course(on_progress)
    ended = ended_before(request, model, side_by_side=side_by_side)
    if ended is not None:
        on_note("the result was finished and checked by a run that was stopped before it could clean up")
        return ended
    if side_by_side is not None:
        check_output(side_by_side, request.source, comparison_options(request))
    beside = side_by_side is not None

    def expect(outline: Outline | None) -> None:
        course.expect({} if outline is None else expected_of(outline, beside=beside, paces=paces_of(outline)))

    job = make_job(request, model, reader=reader, on_progress=course, on_outline=expect)
    on_plan(describe_job(job))
    comparison = None if side_by_side is None else plan_comparison(job, side_by_side)
    clock.lap("plan")
    monitor = Monitor(course=course, clock=clock, on_note=on_note, stop=stop)
    try:
        return _attempt(job, comparison, monitor)
    except NotFiniteError as error:
        precision, said = in_full(error), said_of(error)
    on_note(said)
    course.expect(expected_of(outline_of(job, is_scanned=True), beside=beside), anew=True)
    # All of it: what is finished was computed in fewer bits, and is not joined to what is not.
    return _attempt(replace(job, notes=(*job.notes, said)), comparison, monitor, precision)


@dataclass(frozen=True, kw_only=True)
class _OpenRender:
    """A render whose models are loaded."""

    job: Job
    work: UnitStore
    passes: tuple[Pass, ...]
    asked: dict[str, object] | None
    """What a record says of the call, with the hashes of its files as they were when it began."""
    units_kept: int
    """By an earlier run."""
    run_notes: tuple[str, ...]
    """Of its threads and its precision."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the render, one line each; complete once every frame is written."""
        ladders = (note for one in drawings(self.passes) for note in one.ladder.notes)
        found = (*(note for one in self.passes for note in one.steering.notes), *ladders)
        return tuple(dict.fromkeys((*self.job.notes, *self.run_notes, *found)))


def _attempt(job: Job, comparison: OutputSpec | None, monitor: Monitor, precision: str | None = None) -> RenderResult:
    """The render of a job, in a precision or what suits the device.

    Raises:
        NotFiniteError: NaN or infinity came up; nothing has the result's name.
    """
    with ExitStack() as stack:
        render = _open_render(job, precision, stack, monitor)
        work, passes = render.work, render.passes
        sources = ShotSources(job, passes, work.path, with_source=comparison is not None)
        left = CachedWork(
            sampled=tuple(frames for one in drawings(passes) if one.samples for frames in one.sampler.kept()),
            finished=tuple(sources.cached()),
        )
        outline = outline_of(job)
        paces = paces_of(outline)
        monitor.course.expect(expected_of(outline, left, beside=comparison is not None, paces=paces))
        files = stack.enter_context(open_files(job.output, comparison, work.path, recipe_of(job, passes)))
        units = _write_shots(render, sources, files, stack.enter_context(reopen_source(job)), monitor)
        report = _finish(render, sources, files, units, monitor)
        if drawings(passes) and not any(one.ladder.notes for one in drawings(passes)):
            keep_costs(outline, monitor.course.taken, paces)
    return _result(render, report, monitor.clock)


@spent_on("load")
def _open_render(job: Job, precision: str | None, stack: ExitStack, monitor: Monitor) -> _OpenRender:
    """Take the work folder, on the threads of what is finished in it, and load the models."""
    request = job.request
    work = stack.enter_context(UnitStore(job.output.path, fresh=request.fresh))
    if precision is not None:
        work.set_precision(precision)
    before = work.computed_on
    on_threads = stack.enter_context(same_threads(job.device, work, monitor.on_note))
    # Another process may have written it between the plan and the lock.
    writing, pictures = request.writing, job.output.pictures
    check_target(job.output.path, job.metadata.path, pictures, overwrite=writing.overwrite, replaces=writing.replaces)
    stop_if_asked(monitor.stop, work)
    asked = asked_of(job)  # the hashes of masks as they are now, not as they may be when the render is done
    monitor.course(Progress(stage="load", done=0, total=1))
    passes, notes = open_passes(
        job, work, stack, on_progress=monitor.course, on_note=monitor.on_note, stop=monitor.stop
    )
    monitor.course(Progress(stage="load", done=1, total=1))
    monitor.clock.lap("load")
    kept = units_kept([one.sampler for one in drawings(passes) if one.samples], work, before, monitor.on_note)
    return _OpenRender(job=job, work=work, passes=passes, asked=asked, units_kept=kept, run_notes=(*on_threads, *notes))


def _write_shots(
    render: _OpenRender, sources: ShotSources, files: RenderedFiles, reader: VideoReader, monitor: Monitor
) -> frozenset[str]:
    """Every shot, in order, into the files; the names of the units that they rest on."""
    job, units = render.job, set[str]()
    for shot in job.shots:
        source = sources.of(shot)
        with closing(source.frames(reader)) as finished:
            if isinstance(source, Sampled):
                monitor.clock.lap("sample")
            for clip, frames in finished:
                stop = clip.start + len(clip)
                monitor.course(step_of("finish", job, shot, stop))
                stop_if_asked(monitor.stop, render.work)
                if any(one.ladder.footing.tiled for one in drawings(render.passes)):
                    render.work.set_tiled()
                with spending("encode"):
                    files.write(clip, frames)
                monitor.course(step_of("write", job, shot, stop))
        units.update(source.units())
        sources.written(source)
        monitor.clock.lap("finish")
    return frozenset(units)


@spent_on("verify")
def _finish(
    render: _OpenRender, sources: ShotSources, files: RenderedFiles, units: frozenset[str], monitor: Monitor
) -> ContractReport:
    """Check the files, give them their names, and clean the work folder."""
    job, work, request = render.job, render.work, render.job.request
    checking = Checking(monitor.course, job, files=files.count)
    comparison = files.comparison
    if comparison is not None:
        # First: once the result has its name nothing may fail any more.
        comparison.finish(journal=lambda _: BesideJournal(work.path), on_checked=checking.next_file())
    keeps = request.keep_work or request.keep_frames
    keep, rendered = (units, job.frames) if keeps else (frozenset[str](), None)

    def journal(report: ContractReport) -> Journal:
        return journal_of(
            request,
            job.model,
            _result(render, report, monitor.clock),
            folder=work.path,
            side_by_side=files.comparison_path,
            source_sha256=job.source_sha256,
            keep=keep,
            rendered=rendered,
        )

    report = files.result.finish(
        timings=monitor.clock.laps,
        notes=render.notes,
        used=used_by(render.passes),
        asked=render.asked,
        source_sha256=job.source_sha256,
        journal=journal,
        on_checked=checking.next_file(),
    )
    sources.remember()
    work.done(keep=keep, rendered=rendered)
    checking.end()
    monitor.clock.lap("verify")
    return report


def _result(render: _OpenRender, report: ContractReport, clock: Clock) -> RenderResult:
    job = render.job
    return RenderResult(
        output=str(job.output.path),
        frames=len(job.frames),
        seconds=clock.total,
        contract=report.as_dict(),
        notes=render.notes,
        units_kept=render.units_kept,
        timings=clock.laps,
        source=str(job.request.source),
        first_frame=job.frames.start,
    )
