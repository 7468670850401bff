"""What a render tells its caller as it goes and asks of it, and the time that its stages take."""

from __future__ import annotations

import time
from dataclasses import dataclass

from vedit.progress.course import Course
from vedit.render.sample_shot import OnNote, Stop


class Clock:
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
        """Seconds since the clock was made."""
        return time.monotonic() - self._began


@dataclass(frozen=True, kw_only=True)
class Monitor:
    """The caller's end of a render."""

    course: Course
    """Told of every step."""
    clock: Clock
    on_note: OnNote
    """Told of what happens on the way."""
    stop: Stop
    """Asked between units."""
