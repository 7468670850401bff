"""A command's progress on stderr: one bar on a terminal, a few plain lines elsewhere, or events for a program."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vedit.cli.console import say, span, tell, writes_events

if TYPE_CHECKING:
    from vedit.options.request import OnProgress, Progress

PLAIN_INTERVAL = 60.0
"""Seconds between plain lines, at least."""
PLAIN_SHARE = 0.05
"""Of the whole command between plain lines, at least."""
EVENT_INTERVAL = 0.1
"""Seconds between events of one stage; its first and its last step are always told."""
STAGES = {
    "index": "reading the times of all frames",
    "shots": "looking for cuts",
    "load": "loading the model",
    "invert": "inverting",
    "sample": "sampling",
    "finish": "bringing to full size",
    "write": "encoding",
    "verify": "checking the written file",
    "preview": "rendering stills",
    "mask": "drawing mattes",
    "check": "measuring controls",
}
"""What a user reads for the names of stages that programs read."""
_UNCOUNTED = ("load", "preview")
"""Stages whose steps are no frames."""


@contextmanager
def progress(*, quiet: bool = False, each: str = "shot") -> Generator[OnProgress]:
    """What a command reports its progress to, for the time of the `with` block.

    Args:
        quiet: nothing is shown.
        each: what the parts are called that a step is one of.
    """
    if quiet:
        from vedit.options.request import ignore_progress

        yield ignore_progress
    elif writes_events():
        yield Events()
    elif sys.stderr.isatty():
        from vedit.cli.bar import on_terminal

        with on_terminal(each=each) as report:
            yield report
    else:
        yield PlainLines(each=each)


def in_words(step: Progress, *, each: str = "shot") -> str:
    """Where a command is: `sampling, frame 120 of 240, shot 2 of 5`."""
    told = [STAGES.get(step.stage, step.stage)]
    if step.stage not in _UNCOUNTED:
        told.append(f"frame {step.done} of {step.total}")
    if step.shots > 1:
        told.append(f"{each} {step.shot} of {step.shots}")
    return ", ".join(told)


def percent(share: float) -> str:
    """A share of the whole: 100 % is said of nothing that is not done."""
    return f"{int(share * 100 + 1e-9)} %"


class PlainLines:
    """Says where a long command is, not more often than once a minute and each twentieth of it."""

    def __init__(self, *, interval: float = PLAIN_INTERVAL, each: str = "shot") -> None:
        self._interval, self._each = interval, each
        self._last, self._share = time.monotonic(), 0.0

    def __call__(self, step: Progress) -> None:
        now = time.monotonic()
        share = self._share + PLAIN_SHARE if step.share is None else step.share
        if now - self._last < self._interval or share - self._share < PLAIN_SHARE - 1e-9:
            return
        self._last = now
        text = in_words(step, each=self._each)
        if step.share is not None:
            self._share, text = step.share, f"{percent(step.share)}, {text}"
        say(text if not step.seconds_left else f"{text}, {span(step.seconds_left)} left")


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
