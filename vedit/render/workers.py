"""Units of a run on several processes of this machine: one loads the model once, and makes one unit after another.

A worker that dies takes nothing with it but the unit in hand, which another makes. Workers that lose the process that
began them end, so none is left behind. Nothing listens on a port: they are spoken to through pipes.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import torch

from vedit.errors import DoesNotFitError, Interrupted, NotFiniteError, VeditError
from vedit.progress.callbacks import OnProgress, Progress, ignore_progress
from vedit.progress.spent import spending
from vedit.render.by_unit import UnitMaker, missing_units, prepare
from vedit.render.monitor import Clock
from vedit.render.outcome import ignore_plan
from vedit.render.run import restyle
from vedit.render.run_folder import read_run
from vedit.render.sample_shot import ignore_note, never
from vedit.store.computed_on import threads_of, with_threads
from vedit.store.shared_units import SharedUnits
from vedit.store.units import UnitStore

if TYPE_CHECKING:
    from vedit.options.request import RenderRequest
    from vedit.render.outcome import RenderPlan, RenderResult
    from vedit.render.run_folder import Run
    from vedit.render.sample_shot import OnNote, Stop

ATTEMPTS = 3
"""Workers that may die over one unit."""
_POLL_SECONDS = 0.2
_CUDA = "CUDA_VISIBLE_DEVICES"


@dataclass(eq=False, kw_only=True)
class _Worker:
    number: int
    process: BaseProcess
    pipe: Connection
    unit: int | None = None
    """In hand."""


@dataclass(kw_only=True)
class _Left:
    """The units that are to be made."""

    waiting: deque[int]
    died: dict[int, int] = field(default_factory=dict[int, int])
    """Number of a unit -> how many workers have died over it."""


def restyle_on_workers(
    request: RenderRequest,
    count: int,
    *,
    on_progress: OnProgress = ignore_progress,
    on_plan: Callable[[RenderPlan], None] = ignore_plan,
    on_note: OnNote = ignore_note,
    stop: Stop = never,
    side_by_side: Path | None = None,
) -> RenderResult:
    """`vedit.render.run.restyle` with its units made on processes of their own; one process finishes.

    On a CPU the threads are shared out among them, and the pixels are those of one process on as many threads. What is
    not for one worker to decide, a smaller window where memory runs out and a precision in which nothing overflows, the
    process that finishes decides, and goes on alone.

    Args:
        request: what to render.
        count: processes; of several GPUs each sees one in turn.
        on_progress: told as frames pass the stages.
        on_plan: told what will be done.
        on_note: told of what happens on the way.
        stop: asked between units; True ends the render there.
        side_by_side: also write source and result beside each other to this file.

    Raises:
        VeditError: as `restyle`, and `make_on_workers`; what is finished is kept.
    """
    clock = Clock()
    with with_threads(max(1, torch.get_num_threads() // count)):
        run = prepare(request, on_progress=on_progress, on_plan=on_plan, on_note=on_note, stop=stop)
    clock.lap("plan")
    try:
        gpus = torch.cuda.device_count() if run.computed_on.get("device") == "cuda" else 0
        devices = tuple(map(str, range(gpus)))
        before = len(run.units) - len(missing_units(run))
        try:
            with spending("sample"):
                make_on_workers(run.folder, count, devices=devices, on_progress=on_progress, on_note=on_note, stop=stop)
        except (DoesNotFitError, NotFiniteError) as error:
            on_note(f"{error.message}: going on in one process")
        clock.lap("sample")
        with with_threads(threads_of(run.computed_on)):
            result = restyle(
                run.request, on_progress=on_progress, on_note=on_note, stop=stop, side_by_side=side_by_side
            )
        laps = {
            name: result.timings.get(name, 0.0) + clock.laps.get(name, 0.0) for name in (*clock.laps, *result.timings)
        }
        return replace(result, seconds=clock.total, timings=laps, units_kept=before)
    except BaseException:
        if run.folder.is_dir():
            with UnitStore(run.output) as work:
                work.forget_run()
        raise


def make_on_workers(
    folder: Path,
    count: int,
    *,
    devices: Sequence[str] = (),
    on_progress: OnProgress = ignore_progress,
    on_note: OnNote = ignore_note,
    stop: Stop = never,
) -> int:
    """Make every unit of a run that is missing, on processes of this machine; returns how many were made.

    Args:
        folder: OUT.vedit, prepared.
        count: processes.
        devices: what each of them sees of CUDA's devices, in turn; empty: all see all.
        on_progress: told as units are made.
        on_note: told of workers that died.
        stop: asked while units are made; True lets those in hand be finished.

    Raises:
        InputError: there is no such run, or its units would be others here.
        VeditError: a worker failed, or several died over one unit; what is finished is kept.
        Interrupted: `stop` said so.
    """
    run = read_run(folder)
    missing = missing_units(run)
    if not missing:
        return 0
    left, made = _Left(waiting=deque(missing)), 0
    with _begun(run, min(count, len(missing)), devices) as workers:
        while workers and (left.waiting or any(worker.unit is not None for worker in workers)):
            for worker in workers:
                if worker.unit is None and left.waiting and not stop():
                    worker.unit = left.waiting.popleft()
                    _tell(worker)
            if not any(worker.unit is not None for worker in workers):
                break  # it is to stop
            made += _heard(run, workers, left, devices, on_note)
            done = len(run.units) - len(left.waiting) - sum(worker.unit is not None for worker in workers)
            on_progress(_progress(run, done))
    if stop() and left.waiting:
        raise Interrupted(
            f"stopped; finished units are kept in {run.folder}", remedy="the same command goes on from there"
        )
    return made


def _heard(run: Run, workers: list[_Worker], left: _Left, devices: Sequence[str], on_note: OnNote) -> int:
    """Wait for what workers have to say; returns how many units were made."""
    said = wait([thing for one in workers for thing in (one.pipe, one.process.sentinel)], timeout=_POLL_SECONDS)
    made = 0
    for worker in list(workers):
        if worker.pipe not in said and worker.process.sentinel not in said:
            continue
        try:
            told = worker.pipe.recv() if worker.pipe.poll() else None
        except (EOFError, OSError):
            told = None
        if isinstance(told, VeditError):
            raise told
        if told is not None:
            worker.unit = None
            made += 1
        elif not worker.process.is_alive():
            workers.remove(worker)
            workers.append(_replaced(run, worker, left, devices, on_note))
    return made


def _replaced(run: Run, dead: _Worker, left: _Left, devices: Sequence[str], on_note: OnNote) -> _Worker:
    """Another worker in the place of one that died, whose unit waits again."""
    code, unit = dead.process.exitcode, dead.unit
    dead.pipe.close()
    how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with {code}"
    if unit is None:
        raise VeditError(f"worker {dead.number} {how} before it made anything", remedy="run the same command again")
    left.died[unit] = left.died.get(unit, 0) + 1
    if left.died[unit] >= ATTEMPTS:
        raise VeditError(
            f"{ATTEMPTS} workers died over unit {unit}, the last {how}",
            remedy=f"try it alone: vedit unit {run.folder} --index {unit}; finished units are kept",
        )
    on_note(f"worker {dead.number} {how} over unit {unit}: another one makes it")
    left.waiting.appendleft(unit)
    return _begin(run, dead.number, devices)


@contextmanager
def _begun(run: Run, count: int, devices: Sequence[str]) -> Generator[list[_Worker]]:
    """Workers, for the time of the `with` block; none outlives it."""
    workers: list[_Worker] = []
    try:
        for number in range(count):
            workers.append(_begin(run, number, devices))
        yield workers
    finally:
        for worker in workers:
            worker.pipe.close()
            if worker.unit is not None:
                worker.process.terminate()
        for worker in workers:
            worker.process.join(10)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def _begin(run: Run, number: int, devices: Sequence[str]) -> _Worker:
    """A new process: spawned, since neither CUDA nor threads survive a fork."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_work, args=(run.folder, theirs), name=f"vedit worker {number}", daemon=True
    )
    with _seeing(devices[number % len(devices)] if devices else None), _deaf_to_interrupts():
        process.start()
    theirs.close()
    return _Worker(number=number, process=process, pipe=ours)


@contextmanager
def _seeing(device: str | None) -> Generator[None]:
    """Processes that begin within the block see one of CUDA's devices; None: all that this one sees."""
    if device is None:
        yield
        return
    before = os.environ.get(_CUDA)
    os.environ[_CUDA] = device
    try:
        yield
    finally:
        os.environ.pop(_CUDA)
        if before is not None:
            os.environ[_CUDA] = before


@contextmanager
def _deaf_to_interrupts() -> Generator[None]:
    """Processes that begin within the block do not hear Ctrl-C, which a terminal sends to all: this one stops them."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only there can it be set
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _tell(worker: _Worker) -> None:
    with contextlib.suppress(OSError):  # it died meanwhile, which is heard of
        worker.pipe.send(worker.unit)


def _work(folder: Path, pipe: Connection) -> None:
    """What a worker does: units by number as they are asked for, until nobody asks any more."""
    _end_with_parent()
    try:
        run = read_run(folder)
        cv2.setNumThreads(threads_of(run.computed_on) or cv2.getNumThreads())
        with UnitMaker(
            run, SharedUnits(run.folder), on_progress=ignore_progress, on_note=ignore_note, stop=never
        ) as maker:
            while True:
                number: int = pipe.recv()
                maker.make([run.units[number]])
                pipe.send(number)
    except EOFError:
        pass
    except VeditError as error:
        pipe.send(error)


def _end_with_parent() -> None:
    """End this process with the one that began it, in the middle of a unit too."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _progress(run: Run, done: int) -> Progress:
    """Frames of the units that are done, as those of a render; which of them does not matter."""
    frames = [unit.frames for unit in run.units]
    first, total = min(start for start, _ in frames), max(stop for _, stop in frames)
    whole = total - first
    shots = len({unit.shot for unit in run.units})
    return Progress(stage="sample", done=whole * done // len(run.units), total=whole, shot=1, shots=shots)
