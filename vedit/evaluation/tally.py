"""What most metrics need beside their own: numbers of frames and the score they make, and which frames to look at."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from vedit.evaluation.definition import Score

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from vedit.evaluation.metric import Step
    from vedit.types import Shot


class Tally:
    """A figure of each frame. Its value is their mean.

    Args:
        name: of the figure.
        nothing: why there is no value, where no frame gave one.
    """

    def __init__(self, name: str, nothing: str) -> None:
        self._name, self.nothing = name, nothing
        self.series: dict[int, float] = {}

    def add(self, frame: int, value: float) -> None:
        """The next frame's; what is no number is left out."""
        if isfinite(value):
            self.series[frame] = float(value)

    @property
    def mean(self) -> float | None:
        return sum(self.series.values()) / len(self.series) if self.series else None

    def score(self, why: str = "") -> Score:
        """The mean over frames, and each of them."""
        return self.score_of(self.mean, why)

    def score_of(self, value: float | None, why: str = "") -> Score:
        """Another value than the mean, with the same numbers over time."""
        return Score(name=self._name, value=value, why=self.nothing if value is None else why, series=self.series)


def changing(step: Step) -> npt.NDArray[np.bool_] | None:
    """(h, w): where the mask lets the picture change, by half or more; None where there is no mask."""
    return None if step.mask is None else step.mask >= 0.5


def spread(shots: Sequence[Shot], count: int) -> frozenset[int]:
    """At most `count` frames, evenly spread over all that the shots have."""
    frames = [frame for shot in shots for frame in range(shot.frames.start, shot.frames.stop)]
    if len(frames) <= count:
        return frozenset(frames)
    return frozenset(frames[int((number + 0.5) * len(frames) / count)] for number in range(count))
