"""A command's progress on stderr: one bar on a terminal, a few plain lines elsewhere, or events for a program."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vedit.cli.console import tell, writes_events
from vedit.cli.plain_lines import PlainLines

if TYPE_CHECKING:
    from vedit.progress.callbacks import OnProgress, Progress

EVENT_INTERVAL = 0.1
"""Seconds between events of one stage; its first and its last step are always told."""


@contextmanager
def progress(*, quiet: bool = False, each: str = "shot") -> Generator[OnProgress]:
    """What a command reports its progress to, for the time of the `with` block.

    Args:
        quiet: nothing is shown.
        each: what the parts are called that a step is one of.
    """
    if quiet:
        from vedit.progress.callbacks import ignore_progress

        yield ignore_progress
    elif writes_events():
        yield Events()
    elif sys.stderr.isatty():
        from vedit.cli.bar import on_terminal

        with on_terminal(each=each) as report:
            yield report
    else:
        yield PlainLines(each=each)


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
        tell(
            "progress",
            stage=step.stage,
            done=step.done,
            total=step.total,
            shot=step.shot,
            shots=step.shots,
            share=None if step.share is None else round(step.share, 4),
            seconds_left=None if step.seconds_left is None else round(step.seconds_left, 1),
        )
