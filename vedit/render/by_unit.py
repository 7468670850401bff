"""A render by several processes: prepared by one, its units made by any, in any order, and finished by one.

    prepare(request)  ->  OUT.vedit/run.json, which lists the units
    make_units(run, first, count)  ->  OUT.vedit/units/, wherever that folder is seen
    finish(run)  ->  OUT, as `restyle` writes it

No unit depends on another. The pixels are those of one process: each unit's name says everything that decides it, the
threads and the precision that it is computed in too, and a process that would make another one says so instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from vedit.errors import InputError
from vedit.media.writing.sidecar import source_hash
from vedit.models.resolve import model_of
from vedit.progress.callbacks import OnProgress, ignore_progress
from vedit.render.estimate import describe_job
from vedit.render.job import reopen_source
from vedit.render.outcome import ignore_plan
from vedit.render.passes import drawings, open_passes
from vedit.render.run import restyle
from vedit.render.run_folder import Run, RunUnit, read_run, write_run
from vedit.render.sample_shot import ignore_note, never
from vedit.render.settle import admit_files, make_job
from vedit.store.computed_on import in_words, threads_of, with_threads
from vedit.store.shared_units import SharedUnits
from vedit.store.units import UnitStore

if TYPE_CHECKING:
    from vedit.options.request import RenderRequest
    from vedit.render.job import Job
    from vedit.render.outcome import RenderPlan, RenderResult
    from vedit.render.passes import Drawing
    from vedit.render.sample_shot import OnNote, SampledShot, Stop


def prepare(
    request: RenderRequest,
    *,
    on_progress: OnProgress = ignore_progress,
    on_plan: Callable[[RenderPlan], None] = ignore_plan,
    on_note: OnNote = ignore_note,
    stop: Stop = never,
) -> Run:
    """Settle a render and write which units it has; the model is loaded for it, and nothing is sampled.

    What an earlier run of the same output has finished stays, unless the request asks for a fresh one.

    Raises:
        InputError: the request cannot be carried out; nothing was written.
    """
    model = model_of(request)
    admit_files(request)
    job = make_job(request, model, on_progress=on_progress)
    on_plan(describe_job(job))
    with ExitStack() as stack:
        work = stack.enter_context(UnitStore(job.output.path, fresh=request.fresh))
        drawn = _opened(job, work, stack, on_progress=on_progress, on_note=on_note, stop=stop)
        asked = replace(job.request, output=job.output.path)
        run = Run(
            # Nobody looks for them again; those of a part are found as they are here.
            request=replace(asked, shots=job.shots) if asked.frames is None else asked,
            source_sha256=job.source_sha256,
            computed_on=drawn[0].sampler.computed_on if drawn else {},
            units=tuple(unit for _, planned in _planned(job, drawn) for unit in _units_of(planned)),
        )
        write_run(run)
    return run


def missing_units(run: Run) -> list[int]:
    """The numbers of the units of a run that are not there yet, or damaged."""
    absent = set(SharedUnits(run.folder).missing(unit.key for unit in run.units))
    return [number for number, unit in enumerate(run.units) if unit.key in absent]


@dataclass(frozen=True, kw_only=True)
class MadeUnits:
    """What one process made of a run."""

    made: int
    there: int
    """Units that were there already."""


def make_units(
    folder: Path,
    first: int,
    count: int = 1,
    *,
    on_progress: OnProgress = ignore_progress,
    on_note: OnNote = ignore_note,
    stop: Stop = never,
) -> MadeUnits:
    """Make some units of a prepared run; those that are there are left.

    Args:
        folder: OUT.vedit.
        first: number of the first unit, from 0.
        count: units; what lies beyond the last is none.
        on_progress: told as frames pass the stages.
        on_note: told of what happens on the way.
        stop: asked between units; True ends it there.

    Raises:
        InputError: there is no such run or unit, its source is another, or this machine would make another unit.
        DoesNotFitError: memory ran out.
        Interrupted: `stop` said so.
    """
    run = read_run(folder)
    wanted = _named(run, first, count)
    work = SharedUnits(run.folder)
    absent = set(work.missing(unit.key for unit in wanted))
    missing = [unit for unit in wanted if unit.key in absent]
    if missing:
        with UnitMaker(run, work, on_progress=on_progress, on_note=on_note, stop=stop) as maker:
            maker.make(missing)
    return MadeUnits(made=work.kept, there=len(wanted) - len(missing))


def finish(
    folder: Path,
    *,
    on_progress: OnProgress = ignore_progress,
    on_note: OnNote = ignore_note,
    stop: Stop = never,
    side_by_side: Path | None = None,
) -> RenderResult:
    """Finish a prepared run from its units, as `restyle` does, with its arguments.

    Raises:
        InputError: there is no such run, or units are missing; the message names them.
        VeditError: as `restyle`.
    """
    run = read_run(folder)
    missing = missing_units(run)
    if missing:
        named = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
        raise InputError(
            f"{len(missing)} of {len(run.units)} units are missing: {named}",
            remedy=f"make them first: vedit unit {run.folder} --index {missing[0]}",
        )
    with with_threads(threads_of(run.computed_on)):
        return restyle(run.request, on_progress=on_progress, on_note=on_note, stop=stop, side_by_side=side_by_side)


class UnitMaker:
    """Makes units of a run with the model loaded once; use it as a context manager.

    Args:
        run: prepared.
        work: where its units go.
        on_progress: told as frames pass the stages.
        on_note: told of what happens on the way.
        stop: asked between units.

    Raises:
        InputError: the source is absent or another one.
    """

    def __init__(self, run: Run, work: SharedUnits, *, on_progress: OnProgress, on_note: OnNote, stop: Stop) -> None:
        self._run, self._work = run, work
        self._on_progress, self._on_note, self._stop = on_progress, on_note, stop
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def make(self, units: Iterable[RunUnit]) -> None:
        """Make units; those that are there are left.

        Raises:
            InputError: this machine would make another unit.
            DoesNotFitError: memory ran out.
            Interrupted: `stop` said so.
        """
        keys = {unit.key for unit in units}
        if not keys <= {key for _, shot in self._planned for key in shot.keys}:
            raise _another(self._run, self._drawn)
        for one, shot in self._planned:
            if keys & set(shot.keys):
                one.sampler.make(shot, keys, self._reader)

    def _open(self) -> None:
        request, stack = self._run.request, self._stack
        if not request.source.exists():
            raise InputError(f"{request.source} is not there", remedy="have the source where the run names it")
        stack.enter_context(with_threads(threads_of(self._run.computed_on)))
        model = model_of(request)
        admit_files(request)
        another = InputError(
            f"{request.source} is not the source that the run was prepared of", remedy="prepare it anew, or put it back"
        )
        try:
            job = make_job(request, model, on_progress=self._on_progress)
        except InputError:
            if source_hash(request.source)[0] != self._run.source_sha256:
                raise another from None
            raise
        if job.source_sha256 != self._run.source_sha256:
            raise another
        self._drawn = _opened(
            job, self._work, stack, on_progress=self._on_progress, on_note=self._on_note, stop=self._stop
        )
        self._planned = list(_planned(job, self._drawn))
        self._reader = stack.enter_context(reopen_source(job))


def _another(run: Run, drawn: Sequence[Drawing]) -> InputError:
    """Why a unit that is asked for would not be the one of the run."""
    here = drawn[0].sampler.computed_on if drawn else {}
    differs = {name: value for name, value in run.computed_on.items() if here.get(name) != value}
    if differs:
        ours = in_words({name: here.get(name, "nothing") for name in differs})
        return InputError(
            f"the run was prepared for {in_words(differs)}, and this is {ours}",
            remedy="make its units on machines of one kind, or prepare it here",
        )
    return InputError(
        "the units would be others here: weights, plug-ins or packages are not those of the run",
        remedy="install the same on every machine, or prepare it here",
    )


def _opened(
    job: Job, work: SharedUnits, stack: ExitStack, *, on_progress: OnProgress, on_note: OnNote, stop: Stop
) -> tuple[Drawing, ...]:
    """What draws the looks of a job."""
    passes, _ = open_passes(job, work, stack, on_progress=on_progress, on_note=on_note, stop=stop)
    return tuple(one for one in drawings(passes) if one.samples)


def _planned(job: Job, drawn: Sequence[Drawing]) -> Iterator[tuple[Drawing, SampledShot]]:
    """The shots that are sampled, in order, each with what draws it and its units."""
    found = [(one, one.sampler.planned(shot)) for one in drawn for shot in one.sampler.shots]
    yield from sorted(found, key=lambda pair: pair[1].shot.frames.start)


def _units_of(planned: SampledShot) -> Iterator[RunUnit]:
    for part, key in zip(planned.parts, planned.keys, strict=True):
        yield RunUnit(shot=planned.shot.number, frames=(part.frames.start, part.frames.stop), key=key)


def _named(run: Run, first: int, count: int) -> Sequence[RunUnit]:
    """Some units by number. Raises InputError where there is none of that number."""
    if not 0 <= first < len(run.units):
        last = f"they go from 0 to {len(run.units) - 1}" if run.units else "it has none: finish it"
        raise InputError(f"the run has no unit {first}", remedy=last)
    return run.units[first : first + count]
