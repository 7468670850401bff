"""A render's progress on stderr: bars on a terminal, a few plain lines elsewhere, or events for a program."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vedit.cli.console import say, span, tell, writes_events

if TYPE_CHECKING:
    from rich.progress import Task, TaskID

    from vedit.options import OnProgress, Progress

PLAIN_INTERVAL = 60.0
"""Seconds between plain lines; they are also held to one per quarter of a stage."""
EVENT_INTERVAL = 0.1
"""Seconds between events of one stage; its first and its last step are always told."""


@contextmanager
def progress(*, quiet: bool = False) -> Generator[OnProgress]:
    """What a render reports its progress to, for the time of the `with` block."""
    if quiet:
        from vedit.options import ignore_progress

        yield ignore_progress
    elif writes_events():
        yield Events()
    elif sys.stderr.isatty():
        with _bars() as report:
            yield report
    else:
        yield PlainLines()


class PlainLines:
    """Says where a long render is: one line when a stage passes a quarter, not more often than once a minute."""

    def __init__(self, *, interval: float = PLAIN_INTERVAL) -> None:
        self._interval = interval
        self._begun: dict[str, tuple[float, int]] = {}
        self._quarter: dict[str, int] = {}
        self._last = time.monotonic()

    def __call__(self, step: Progress) -> None:
        now = time.monotonic()
        # What a stage had done when it first spoke took time that was not seen.
        begun, before = self._begun.setdefault(step.stage, (now, step.done))
        quarter = 4 * step.done // max(step.total, 1)
        if quarter <= self._quarter.get(step.stage, 0) or now - self._last < self._interval:
            return
        self._quarter[step.stage] = quarter
        self._last = now
        text = f"{step.stage} {step.done}/{step.total} frames"
        if step.done > before and now > begun:
            rate = (step.done - before) / (now - begun)
            text += f", {rate:.1f} frames/s, {span((step.total - step.done) / rate)} left"
        say(text)


class Events:
    """Tells every stage's steps as JSON, one line each, not more often than a program can use."""

    def __init__(self, *, interval: float = EVENT_INTERVAL) -> None:
        self._interval = interval
        self._last: dict[str, float] = {}

    def __call__(self, step: Progress) -> None:
        now = time.monotonic()
        if step.done < step.total and now - self._last.get(step.stage, -self._interval) < self._interval:
            return
        self._last[step.stage] = now
        tell("progress", stage=step.stage, done=step.done, total=step.total, shot=step.shot, shots=step.shots)


@contextmanager
def _bars() -> Generator[OnProgress]:
    """One bar per stage: stages alternate chunk by chunk, so a bar stays when another moves."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    class RateColumn(ProgressColumn):
        """Frames per second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f} frames/s", style="progress.data.speed")

    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        RateColumn(),
        TextColumn("{task.fields[shot]}"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),  # honours NO_COLOR and TERM=dumb
        transient=True,
        speed_estimate_period=120,
    )
    tasks: dict[str, TaskID] = {}

    def report(step: Progress) -> None:
        if step.stage not in tasks:
            tasks[step.stage] = bars.add_task(step.stage, total=step.total, shot="")
        shot = f"shot {step.shot}/{step.shots}" if step.shots > 1 else ""
        bars.update(tasks[step.stage], completed=step.done, total=step.total, shot=shot)

    with bars:
        yield report
