"""Heat maps of metrics on made-up frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.support.made_frames import Frames
from vedit.evaluation.definition import Definition, Score
from vedit.evaluation.metric import Heated, Metric, Setting, Step
from vedit.testing.metrics import scores_of


def heats_of(metric: Metric, source: Frames, result: Frames | None = None, **told: Any) -> list[Frames | None]:
    """Of each frame, as the measure tells them while it is at work; `told` as `scores_of`."""
    kept = _Kept(metric)
    scores_of(kept, source, result, **told)
    return kept.heats


class _Kept:
    """A metric whose heat maps are kept."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self.heats: list[Frames | None] = []

    @property
    def figures(self) -> tuple[Definition, ...]:
        return self._metric.figures

    @property
    def quick(self) -> bool:
        return self._metric.quick

    @property
    def whole_shot(self) -> bool:
        return self._metric.whole_shot

    def start(self, setting: Setting) -> _Kept:
        self._measure = self._metric.start(setting)
        return self

    def push(self, step: Step) -> None:
        self._measure.push(step)
        assert isinstance(self._measure, Heated)
        self.heats.append(self._measure.heat(step))

    def finish(self) -> Sequence[Score]:
        return self._measure.finish()
