"""A metric: how much warmer a result is than its source."""

from __future__ import annotations

from collections.abc import Sequence

from vedit.evaluation.definition import Definition, Score
from vedit.evaluation.metric import Setting, Step

ABOUT = Definition(
    name="warmth",
    title="Warmer than the source",
    unit="levels",
    better="neither",
    ideal=0.0,
    variant="mean of red minus blue over the pixels of a frame, result less source, of 255; mean over frames",
)


class Warmth:
    """A `vedit.evaluation.metric.Measure`."""

    def __init__(self) -> None:
        self._levels: dict[int, float] = {}

    def push(self, step: Step) -> None:
        """One frame of the source beside the same of the result."""
        change = (step.result.rgb - step.source.rgb).mean(axis=(0, 1))
        self._levels[step.frame] = 255 * float(change[0] - change[2])

    def finish(self) -> Sequence[Score]:
        """The figure, and the same over time."""
        mean = sum(self._levels.values()) / len(self._levels)
        return [Score(name=ABOUT.name, value=mean, series=self._levels)]


class WarmthMetric:
    """A `vedit.evaluation.metric.Metric`."""

    figures = (ABOUT,)
    quick = True
    whole_shot = False

    def start(self, setting: Setting) -> Warmth:
        """A measure of one result."""
        return Warmth()


METRIC = WarmthMetric()
