"""What a command tells its caller while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One step of a command; `done` of `total` frames of this stage in the whole job (`load` has one step)."""

    stage: str
    done: int
    total: int
    shot: int = 1
    shots: int = 1
    share: float | None = None
    """How much of the whole command is done, all stages together, in [0, 1]; it never falls. None: nobody knows."""
    seconds_left: float | None = None
    """Of the whole command, by what its stages have taken so far; None where nobody knows."""


OnProgress = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """The caller that does not want to know."""
