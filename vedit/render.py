"""The imperative shell of a render: files, progress and device moves live here and nowhere else.

Shot by shot, the units that are missing are sampled and kept on disk; then the shot is finished from its units, at
full size, into the file. So memory depends on the window and the frame size, never on the clip's length, and a render
that is killed goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from vedit.errors import InputError
from vedit.finish import side_by_side as compare
from vedit.finishing import finished_shot, untouched_shot
from vedit.media.plan import OutputPlan, plan_output, temporary_for
from vedit.media.target import check_target
from vedit.media.write import VideoWriter
from vedit.memory import Footing, Ladder
from vedit.options import OnProgress, Progress, RenderPlan, RenderRequest, RenderResult, ignore_plan, ignore_progress
from vedit.pipelines.restyle import Restyler
from vedit.planning import Job, describe_job, load_restyler, make_job, reopen_source
from vedit.sampling import OnNote, Sampler, Stop, ignore_note, never, stop_if_asked
from vedit.types import Shot
from vedit.work import Work

DIVIDER = 2


def plan(request: RenderRequest, *, on_progress: OnProgress = ignore_progress) -> RenderPlan:
    """What `restyle` would do, with rough estimates of memory and time; nothing is written, no model is loaded.

    Raises:
        InputError: the request cannot be carried out.
    """
    return describe_job(make_job(request, on_progress=on_progress))


def restyle(
    request: RenderRequest,
    *,
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
        on_progress: told as frames pass the stages.
        on_plan: told what will be done, before a model is loaded.
        on_note: told of what happens on the way: units kept from before, memory that ran out.
        stop: asked between units; True ends the render there.
        side_by_side: also write source and result beside each other to this file.

    Raises:
        InputError: the request cannot be carried out; nothing was written.
        ContractError: the written file broke the timing or sound contract; it was removed.
        Interrupted: `stop` said so.
    """
    clock = _Clock()
    job = make_job(request, on_progress=on_progress)
    on_plan(describe_job(job))
    beside = None if side_by_side is None else _beside(job, side_by_side)
    clock.lap("plan")
    with ExitStack() as stack:
        work = stack.enter_context(Work(job.output.path, fresh=request.fresh))
        # Another process may have written it between the plan and the lock.
        check_target(job.output.path, job.metadata.path, job.output.pictures, overwrite=request.writing.overwrite)
        stop_if_asked(stop, work)
        restyler, notes = load_restyler(job)
        clock.lap("load")
        options = restyler.options
        footing = Footing(batch=options.batch, window=options.window, tiled=work.tiled)
        ladder = Ladder(footing, restyler.model, on_note=on_note)
        sampler = Sampler(job, restyler, work, ladder, on_progress=on_progress, stop=stop)
        kept = _resumed(sampler, work, on_note) if restyler.path.steps else 0
        writer = stack.enter_context(VideoWriter(_in_work(job.output, work, _recipe(job, restyler))))
        pair = None if beside is None else stack.enter_context(VideoWriter(_in_work(beside, work, {})))
        reader = stack.enter_context(reopen_source(job))
        keys: list[str] = []
        for shot in job.shots:
            if restyler.path.steps:
                sampled = sampler.sample(shot, reader)
                keys += sampled.keys
                clock.lap("sample")
                finished = finished_shot(job, restyler, ladder, reader, sampler.latents(sampled))
            else:
                finished = untouched_shot(job, shot, reader)
            for source, frames in finished:
                stop_if_asked(stop, work)
                if ladder.footing.tiled:
                    work.set_tiled()
                writer.write(frames)
                if pair is not None:
                    pair.write(
                        compare(source.frames[:, :3], frames[:, :3], bit_depth=source.bit_depth, divider=DIVIDER)
                    )
                on_progress(_written(job, shot, source.start + len(source)))
            clock.lap("finish")
        on_progress(Progress(stage="verify", done=0, total=len(job.frames)))
        if pair is not None:
            pair.finish()  # first: once the result has its name nothing may fail any more
        told = (*job.notes, *notes, *ladder.notes)
        report = writer.finish(timings=clock.laps, notes=told, used=_used(sampler, ladder))
        work.done(keep=frozenset(keys) if request.keep_work else frozenset())
        clock.lap("verify")
    return RenderResult(
        output=str(job.output.path),
        frames=len(job.frames),
        seconds=clock.total,
        contract=report.as_dict(),
        notes=told,
        units_kept=kept,
        timings=clock.laps,
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


def _resumed(sampler: Sampler, work: Work, on_note: OnNote) -> int:
    """How many units of this render an earlier run has kept, said where there are any."""
    missing, total = sampler.missing()
    if missing < total:
        on_note(f"going on: {total - missing} of {total} units are finished in {work.path}")
    elif work.kept:
        on_note(f"the units in {work.path} are of other settings or another source: beginning anew")
    return total - missing


def _in_work(plan: OutputPlan, work: Work, recipe: dict[str, object]) -> OutputPlan:
    """The plan with its unfinished file in the work folder, where a killed run's is found and removed."""
    return replace(plan, temporary=temporary_for(plan.path, work.path), recipe=recipe)


def _recipe(job: Job, restyler: Restyler) -> dict[str, object]:
    """Everything that decides the frames, for the file's metadata and the sidecar."""
    described = describe_job(job)
    return {
        **described.settings,
        "steps": described.steps,
        "controls": [f"{spec.kind}:{spec.scale:g}@{spec.start:g}-{spec.end:g}" for spec in restyler.controls],
        "working_size": list(described.working_size),
        "frames": [job.frames.start, job.frames.stop],
        "shots": [list(shot) for shot in described.shots],
        "model": job.request.model,
        "model_sha256": restyler.model.fingerprint,
        "device": job.device,
        "interlaced": job.request.writing.interlaced,
    }


def _used(sampler: Sampler, ladder: Ladder) -> dict[str, object]:
    """What memory has made of the settings, beside the recipe, which says what was asked for."""
    return {
        "windows": {str(start): window for start, window in sampler.windows.items()},
        "tiled": ladder.footing.tiled,
    }


def _beside(job: Job, path: Path) -> OutputPlan:
    """The plan of the comparison video: the source's timing and sound, twice its width."""
    if path.absolute() in (job.output.path, job.output.beside, job.output.sidecar):
        raise InputError(f"{path} is named twice", remedy="give the result and the side-by-side video two names")
    width = 2 * job.metadata.width + DIVIDER
    return plan_output(
        path,
        replace(job.metadata, width=width, has_alpha=False),
        job.index,
        frames=job.output.frames,
        options=replace(job.request.writing, drop_unsupported=True, codec=None, sidecar=False, strict=False),
    )


def _written(job: Job, shot: Shot, stop: int) -> Progress:
    return Progress(
        stage="write",
        done=stop - job.frames.start,
        total=len(job.frames),
        shot=shot.number,
        shots=len(job.shots),
    )
