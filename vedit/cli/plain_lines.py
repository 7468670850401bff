"""Where a long command is, in words, and a few lines of that where there is no terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from vedit.cli.console import say, span

if TYPE_CHECKING:
    from vedit.progress.callbacks import Progress

PLAIN_INTERVAL = 60.0
"""Seconds between plain lines, at least."""
PLAIN_SHARE = 0.05
"""Of the whole command between plain lines, at least."""
STAGES = {
    "index": "reading the times of all frames",
    "shots": "looking for cuts",
    "load": "loading the model",
    "keys": "choosing keyframes",
    "invert": "inverting",
    "sample": "sampling",
    "finish": "bringing to full size",
    "write": "encoding",
    "verify": "checking the written file",
    "preview": "rendering stills",
    "mask": "drawing mattes",
    "check": "measuring controls",
    "measure": "measuring the result",
}
"""What a user reads for the names of stages that programs read."""
_UNCOUNTED = ("load", "preview")
"""Stages whose steps are no frames."""


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
