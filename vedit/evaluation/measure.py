"""One pass over a clip and its results, under every metric that is asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from vedit.evaluation.definition import Score
from vedit.evaluation.metric import Frame, Step
from vedit.evaluation.motion import LAG, Motion

if TYPE_CHECKING:
    from vedit.evaluation.metric import Measure, Metric, Setting
    from vedit.evaluation.motion import FlowOf
    from vedit.evaluation.picture import Picture, Plane
    from vedit.types import Shot


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A frame of the source as it comes by."""

    number: int
    """In the source."""
    shot: Shot
    full: Frame
    picture: Picture
    mask: Plane | None = None
    full_mask: Plane | None = None


Shown = Callable[[Seen], "tuple[Frame, Picture] | None"]
"""What a result shows where the source shows a frame; None where it is not measured."""


def itself(seen: Seen) -> tuple[Frame, Picture]:
    """The source as a result of its own: what every figure is beside."""
    return seen.full, seen.picture


def steps(
    source: Iterable[Seen], results: Mapping[str, Shown], flow: FlowOf, *, first: bool = False
) -> Iterator[tuple[str, Step]]:
    """Every frame beside each of the results, in order; see `steps_of_frames`."""
    for together in steps_of_frames(source, results, flow, first=first):
        yield from together.items()


def steps_of_frames(
    source: Iterable[Seen], results: Mapping[str, Shown], flow: FlowOf, *, first: bool = False
) -> Iterator[Mapping[str, Step]]:
    """Every frame beside all the results that show it, in order; steps are whole until the next ones are asked for.

    Args:
        source: its frames.
        results: what is measured, by name.
        flow: the estimator.
        first: the way back to the first frame of a shot is followed.
    """
    motion = Motion(first=first)
    earlier: dict[str, deque[Step]] = {name: deque(maxlen=LAG) for name in results}
    before: Seen | None = None
    for seen in source:
        if before is None or before.shot != seen.shot:
            motion.begin(seen.picture.size)
            for kept in earlier.values():
                kept.clear()
        else:
            motion.push(flow(before.picture, seen.picture))
        before = seen
        together: dict[str, Step] = {}
        for name, shown in results.items():
            found = shown(seen)
            if found is None:
                earlier[name].clear()
                continue
            full, picture = found
            together[name] = Step(
                frame=seen.number,
                shot=seen.shot,
                source=seen.picture,
                result=picture,
                motion=motion,
                flow=flow,
                earlier=tuple(earlier[name]),
                full=(seen.full, full),
                mask=seen.mask,
                full_mask=seen.full_mask,
            )
        yield together
        for name, step in together.items():
            step.forget()
            earlier[name].append(step)
        seen.picture.forget()


class Bench:
    """The metrics at work on one result.

    Args:
        metrics: by name.
        setting: of the measurement.
    """

    def __init__(self, metrics: Mapping[str, Metric], setting: Setting) -> None:
        self._metrics = metrics
        self._measures: dict[str, Measure] = {name: metric.start(setting) for name, metric in metrics.items()}
        self.frames = 0

    def push(self, step: Step) -> None:
        """The next frame."""
        self.frames += 1
        for measure in self._measures.values():
            measure.push(step)

    def finish(self) -> dict[str, dict[str, Score]]:
        """Metric -> figure -> score, all of them; a figure that was not given says so."""
        return {
            name: _all_of(self._metrics[name], measure.finish()) if self.frames else _all_of(self._metrics[name], ())
            for name, measure in self._measures.items()
        }


def _all_of(metric: Metric, given: Sequence[Score]) -> dict[str, Score]:
    found = {score.name: _sound(score) for score in given}
    missing = [one.name for one in metric.figures if one.name not in found]
    return {**found, **{name: Score(name=name, value=None, why="nothing of it was measured") for name in missing}}


def _sound(score: Score) -> Score:
    """Without what is no number."""
    series = {frame: float(value) for frame, value in score.series.items() if isfinite(value)}
    if score.value is None or isfinite(score.value):
        value = None if score.value is None else float(score.value)
        return Score(name=score.name, value=value, why=score.why, series=series)
    return Score(name=score.name, value=None, why=score.why or "it came out as no number", series=series)


def run_all(
    metrics: Mapping[str, Metric],
    settings: Mapping[str, Setting],
    source: Iterable[Seen],
    results: Mapping[str, Shown],
    flow: FlowOf,
    *,
    on_frame: Callable[[int], None] | None = None,
) -> dict[str, dict[str, dict[str, Score]]]:
    """Result -> metric -> figure -> score, of one pass.

    Args:
        metrics: by name.
        settings: of each result, by the same name.
        source: frames of the source.
        results: what is measured, by name.
        flow: the estimator.
        on_frame: told of each frame of the source that is about to be measured.
    """
    benches = {name: Bench(metrics, settings[name]) for name in results}
    first = any(metric.whole_shot for metric in metrics.values())
    # A thread for each result: what they share of a frame is made once or twice, and is the same.
    with ThreadPoolExecutor(len(benches)) as pool:
        for together in steps_of_frames(_counted(source, on_frame), results, flow, first=first):
            for done in [pool.submit(benches[name].push, step) for name, step in together.items()]:
                done.result()
    return {name: bench.finish() for name, bench in benches.items()}


def _counted(source: Iterable[Seen], on_frame: Callable[[int], None] | None) -> Iterator[Seen]:
    for seen in source:
        if on_frame is not None:
            on_frame(seen.number)
        yield seen
