"""Killing a program at random moments, over and over, as a power cut or the kernel would."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.support.forked import Forked


@dataclass(frozen=True, kw_only=True)
class Killed:
    """One run that was to be killed."""

    number: int = 0
    """From 0."""
    seconds: float
    """After which it was killed, or ended by itself."""
    finished: bool
    """It ended by itself before its moment came."""
    code: int
    """Exit status; -9 where it was killed."""
    stderr: str


Program = Callable[[float], Killed]
"""Runs for so many seconds at most, after which it is killed with all that it started; `number` is filled in later."""


def killed_runs(
    program: Program,
    kills: int,
    seed: int,
    *,
    longest: float,
    shortest: float = 0.05,
    after_each: Callable[[Killed], None] | None = None,
    on_finished: Callable[[Killed], None] | None = None,
    limit: int | None = None,
) -> list[Killed]:
    """Start a program again and again and kill it, with all it started, by SIGKILL at a random moment.

    Args:
        program: see `started` and `forked_off`; the same each time, so that it resumes what it finds.
        kills: how many runs have to die.
        seed: of the moments, which are even over [shortest, longest) seconds after the start.
        longest: for instance the time that an undisturbed run takes.
        shortest: the earliest moment.
        after_each: told of every run, to check what lies on the disk then; what it raises ends the series.
        on_finished: told of a run that ended before its moment, to set the scene anew; None stops the series there.
        limit: of runs in all; None is three times `kills`.

    Returns:
        Every run in order, the ones that finished included.

    Raises:
        AssertionError: a run ended by itself with an exit status other than 0, or `limit` was reached first.
    """
    moments = random.Random(seed)
    most = 3 * kills if limit is None else limit
    runs: list[Killed] = []
    while _dead(runs) < kills:
        assert len(runs) < most, f"only {_dead(runs)} of {kills} runs were killed"
        run = replace(program(moments.uniform(shortest, longest)), number=len(runs))
        runs.append(run)
        assert not run.finished or run.code == 0, f"run {run.number} ended with {run.code}: {run.stderr}"
        if after_each is not None:
            after_each(run)
        if run.finished:
            if on_finished is None:
                break
            on_finished(run)
    return runs


def started(*argv: str) -> Program:
    """A program that is started anew each time."""

    def run(moment: float) -> Killed:
        began = time.monotonic()
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # its children die with it
        )
        try:
            _, stderr = process.communicate(timeout=moment)
            finished = True
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            _, stderr = process.communicate()
            # It may have ended between its moment and the signal.
            finished = process.returncode == 0
        return Killed(
            seconds=time.monotonic() - began,
            finished=finished,
            code=process.returncode,
            stderr=stderr.decode(errors="replace"),
        )

    return run


def forked_off(server: Forked, words: Sequence[str]) -> Program:
    """A command that is forked off a process in which all that it imports is there: it comes to its work at once."""

    def run(moment: float) -> Killed:
        ended = server.run(words, seconds=moment, start=False)
        finished = not ended.timed_out or ended.code == 0
        return Killed(seconds=ended.seconds, finished=finished, code=ended.code, stderr=ended.err)

    return run


def _dead(runs: Sequence[Killed]) -> int:
    return sum(not run.finished for run in runs)
