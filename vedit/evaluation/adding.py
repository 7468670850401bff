"""Sums over a clip that become figures, and planes of the last frames: what several metrics keep while they work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from vedit.evaluation.motion import LAG

if TYPE_CHECKING:
    from vedit.evaluation.metric import Step
    from vedit.evaluation.picture import Plane

LEAST_SHARE = 0.01
"""Of a frame's pixels: fewer of a kind say nothing about it."""


class Ratio:
    """A sum over another, of the whole clip and of each frame."""

    def __init__(self) -> None:
        self.above = self.below = 0.0
        self.series: dict[int, float] = {}

    def add(self, frame: int, above: float, below: float) -> None:
        """The sums of one frame; nothing where the one below is 0."""
        if below > 0:
            self.above += above
            self.below += below
            self.series[frame] = above / below

    @property
    def value(self) -> float | None:
        """None where nothing was added."""
        return self.above / self.below if self.below > 0 else None


class Kept:
    """Something made of each frame, kept for as many frames as a metric can look back.

    Args:
        make: of a step; it is called once for each.
    """

    def __init__(self, make: Callable[[Step], Plane]) -> None:
        self._make = make
        self._planes: deque[Plane] = deque(maxlen=LAG + 1)

    def push(self, step: Step) -> Plane:
        """That of this frame."""
        if step.back(1) is None:
            self._planes.clear()
        self._planes.append(self._make(step))
        return self._planes[-1]

    def back(self, lag: int) -> Plane:
        """That of so many frames before the one pushed last; `Step.back` says whether there is one."""
        return self._planes[-1 - lag]
