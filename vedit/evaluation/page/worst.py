"""Where a result is at its worst: by which figure, at which frames, and where in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from vedit.evaluation.chosen import load_metric
from vedit.evaluation.clip import frames_of, result_of
from vedit.evaluation.measure import steps
from vedit.evaluation.metric import Heated
from vedit.evaluation.motion import LAG, estimator
from vedit.registry.metrics import metrics as registry
from vedit.types import FrameRange, Shot

if TYPE_CHECKING:
    from vedit.display.html_page import Image
    from vedit.evaluation.definition import Figure
    from vedit.evaluation.metric import Measure, Metric
    from vedit.evaluation.motion import Estimator
    from vedit.evaluation.page.opened import Opened
    from vedit.evaluation.picture import Plane
    from vedit.evaluation.report import Report

EACH = 3
"""Frames of a figure."""
MOST_HEATED = 12
"""Frames that are measured again for where: each needs the flow of some frames before it."""
_APART = 0.05
"""Of the clip, between two of a figure: neighbours show the same."""


@dataclass(frozen=True, kw_only=True)
class Worst:
    """A frame at which a figure is further from what is wanted than the source's own is."""

    figure: str
    frame: int
    value: float
    own: float | None


def worst_of(figure: Figure, count: int = EACH) -> tuple[Worst, ...]:
    """The frames at which a figure is worst beside the source's own, the worst first; those no worse are none.

    None of a figure that is neither better high nor low, and of one that its values over time do not add up to, as a
    drift is not that of a frame.
    """
    better, values = figure.definition.better, figure.series.values()
    if better == "neither" or figure.value is None or not values or not min(values) <= figure.value <= max(values):
        return ()
    sign = 1 if better == "lower" else -1
    beside = {frame: sign * (value - figure.own_series.get(frame, 0.0)) for frame, value in figure.series.items()}
    if not figure.own_series and better == "higher":  # nothing to be beside: the mean is
        beside = {frame: worse + sum(values) / len(values) for frame, worse in beside.items()}
    apart = max(2, round(_APART * (max(beside) - min(beside) + 1)))
    found: list[int] = []
    for frame in sorted(beside, key=lambda frame: (-beside[frame], frame)):
        if len(found) == count or beside[frame] <= 0:
            break
        if all(abs(frame - other) >= apart for other in found):
            found.append(frame)
    return tuple(
        Worst(figure=figure.name, frame=frame, value=figure.series[frame], own=figure.own_series.get(frame))
        for frame in found
    )


def frames_to_show(figures: Sequence[Figure], most: int) -> tuple[int, ...]:
    """At most so many frames: the worst of every figure, then the second worst, and so on."""
    lists = [worst_of(figure) for figure in figures]
    ranked = [one[place].frame for place in range(EACH) for one in lists if place < len(one)]
    return tuple(dict.fromkeys(ranked))[:most]


def heat_maps(report: Report, opened: Opened, shown: Sequence[int]) -> Mapping[tuple[str, int], Plane]:
    """(figure, frame of the source) -> where in the frame it comes from, (h, w), 0 where all is well.

    A metric shows where its main figure comes from, so that others have none.

    Args:
        report: of the result.
        opened: its clips.
        shown: frames that the page shows; of others there is none.
    """
    if report.material is None:
        return {}
    heated, wanted = _heated(report), dict[int, set[str]]()
    for place in range(EACH):
        for name in heated:
            worst = worst_of(report.figures[name])
            if place >= len(worst) or worst[place].frame not in shown:
                continue
            if worst[place].frame in wanted or len(wanted) < MOST_HEATED:
                wanted.setdefault(worst[place].frame, set()).add(name)
    return dict(_measured(report, opened, heated, wanted)) if wanted else {}


def _heated(report: Report) -> dict[str, tuple[Metric, Measure]]:
    """The main figures of metrics that can show where, each metric begun anew."""
    assert report.material is not None
    found: dict[str, tuple[Metric, Measure]] = {}
    for name in dict.fromkeys(figure.metric for figure in report.figures.values()):
        metric = load_metric(registry()[name])
        measure = metric.start(report.material.setting)
        if isinstance(measure, Heated) and metric.figures[0].name in report.figures:
            found[metric.figures[0].name] = metric, measure
    return found


def _measured(
    report: Report, opened: Opened, heated: Mapping[str, tuple[Metric, Measure]], wanted: Mapping[int, set[str]]
) -> Iterator[tuple[tuple[str, int], Plane]]:
    used = {name: heated[name] for names in wanted.values() for name in names}
    source = frames_of(opened.source, _runs(report.shots, sorted(wanted)), report.measured_at)
    results = {"": result_of(opened.results[0], opened.pairs[0], report.measured_at)}
    flow = estimator(cast("Estimator", report.flow))
    first = any(metric.whole_shot for metric, _ in used.values())
    for _, step in steps(source, results, flow, first=first):
        for name, (_, measure) in used.items():
            measure.push(step)
            if name in wanted.get(step.frame, ()) and isinstance(measure, Heated):
                heat = measure.heat(step)
                if heat is not None:
                    yield (name, step.frame), heat


def _runs(shots: Sequence[Shot], frames: Sequence[int]) -> tuple[Shot, ...]:
    """The frames with as many before each as a metric looks back on, as far as they are of its shot."""
    found: list[Shot] = []
    for frame in frames:
        shot = next(shot for shot in shots if frame in shot.frames)
        start = max(shot.frames.start, frame - LAG)
        if found and found[-1].number == shot.number and start <= found[-1].frames.stop:
            start = found.pop().frames.start
        found.append(Shot(number=shot.number, frames=FrameRange(start=start, stop=frame + 1)))
    return tuple(found)


def overlaid(picture: Image, heat: Plane, top: float) -> Image:
    """A picture in grey with the heat over it in colour, (h, w, 3) as the picture.

    Args:
        picture: (h, w, 3) of the result.
        heat: (H, W), 0 where all is well.
        top: heat of the hottest colour.
    """
    height, width = picture.shape[:2]
    grey = picture.astype(np.float32).mean(2, keepdims=True) * 0.6
    small = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    share = np.clip(np.asarray(small, np.float32) / max(top, 1e-12), 0, 1)
    hot = cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1].astype(np.float32)
    weight = np.sqrt(share)[..., None]
    return (grey * (1 - weight) + hot * weight).round().clip(0, 255).astype(np.uint8)


def hottest(heats: Sequence[Plane]) -> float:
    """What the hottest colour stands for, of several maps of one figure: their 99.5th percentile, 0 apart."""
    values = np.concatenate([heat[heat > 0].ravel() for heat in heats])
    return float(np.percentile(values, 99.5)) if values.size else 0.0
