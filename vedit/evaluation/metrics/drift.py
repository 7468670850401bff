"""Whether the look stays the same over a shot: colour, contrast and sharpness beside the source's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import expm1, log
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from vedit.evaluation.definition import Definition, Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vedit.evaluation.metric import Setting, Step

LEAST = 10
"""Frames of a shot of which a first and a last tenth can be told apart."""
_LEAST_DEVIATION = 0.5 / 255
"""Of luma: a source below it has no contrast that a result's could be a multiple of."""
_SHORT = f"no shot has {LEAST} frames"
_EVEN = f"no shot has {LEAST} frames with contrast of their own"
_NO_JOIN = "no window of the render begins inside a shot, as far as its record says"

_SHOT = (
    "from the mean of the first tenth of a shot to that of its last, as a straight line over the whole of it; the "
    "worst shot counts. A look whose answer depends on what it sees drifts as the scene does: a shot that comes back "
    "to where it began shows what is drift alone"
)
FIGURES = (
    Definition(
        name="colour_drift",
        title="Colour drifts over a shot by",
        unit="levels",
        better="lower",
        ideal=0.0,
        variant=(
            "change of the mean of a channel, result minus source, in levels of 255, of the channel that moves most, "
            f"{_SHOT}"
        ),
        places=2,
    ),
    Definition(
        name="contrast_drift",
        title="Contrast drifts over a shot by",
        unit="%",
        better="lower",
        ideal=0.0,
        variant=f"relative change, up or down, of the standard deviation of luma, result over source, {_SHOT}",
        places=1,
    ),
    Definition(
        name="sharpness_drift",
        title="Sharpness drifts over a shot by",
        unit="%",
        better="lower",
        ideal=0.0,
        variant=(
            "relative change, up or down, of the RMS of fine luma (less its Gaussian of 3 pixels at a shorter side of "
            f"256), result over source, {_SHOT}"
        ),
        places=1,
    ),
    Definition(
        name="colour_step",
        title="Colour jumps at window joins by",
        unit="levels",
        better="lower",
        ideal=0.0,
        variant=(
            "change of the mean of each channel, result minus source, from one frame to the next, the channel that "
            "moves most, in levels of 255: the mean over the frames at which a window of the render begins inside a "
            "shot, less the median over all other frames, not below 0"
        ),
        places=2,
    ),
    Definition(
        name="sharpness_step",
        title="Sharpness jumps at window joins by",
        unit="%",
        better="lower",
        ideal=0.0,
        variant=(
            "the same of the RMS of fine luma, result over source: the relative change, up or down, from one frame to "
            "the next, the mean over window joins, less the median over all other frames, not below 0"
        ),
        places=1,
    ),
)


class Drift:
    """The metric."""

    figures = FIGURES
    quick = True
    whole_shot = False

    def start(self, setting: Setting) -> DriftMeasure:
        return DriftMeasure(setting)


@dataclass(kw_only=True)
class _Shot:
    """The frames of a shot: six numbers each."""

    colour: dict[int, tuple[float, ...]] = field(default_factory=dict[int, "tuple[float, ...]"])
    """Mean of each channel, result minus source, levels."""
    contrast: dict[int, float] = field(default_factory=dict[int, float])
    """Natural logarithm of the result's over the source's."""
    sharpness: dict[int, float] = field(default_factory=dict[int, float])


class DriftMeasure:
    """The metric at work."""

    def __init__(self, setting: Setting) -> None:
        self._joins = frozenset(setting.joins)
        self._shots: dict[int, _Shot] = {}

    def push(self, step: Step) -> None:
        shot = self._shots.setdefault(step.shot.number, _Shot())
        off = 255 * (step.result.rgb.mean(axis=(0, 1), dtype=np.float64) - step.source.rgb.mean((0, 1), np.float64))
        shot.colour[step.frame] = tuple(float(channel) for channel in off)
        for kept, planes in (
            (shot.contrast, (step.source.luma, step.result.luma)),
            (shot.sharpness, (step.source.fine, step.result.fine)),
        ):
            of_source, of_result = (float(plane.std(dtype=np.float64)) for plane in planes)
            if of_source > _LEAST_DEVIATION and of_result > 0:
                kept[step.frame] = log(of_result / of_source)

    def finish(self) -> tuple[Score, ...]:
        shots = self._shots.values()
        colour = {frame: sum(off) / 3 for shot in shots for frame, off in shot.colour.items()}
        contrast = {frame: _percent(ratio) for shot in shots for frame, ratio in shot.contrast.items()}
        sharpness = {frame: _percent(ratio) for shot in shots for frame, ratio in shot.sharpness.items()}
        channels = (_channel(shot, number) for shot in shots for number in range(3))
        contrasts, fines = ([shot.contrast for shot in shots], [shot.sharpness for shot in shots])
        return (
            _score("colour_drift", _worst(map(drift, channels)), _SHORT, colour),
            _score("contrast_drift", _worst(map(_relative_drift, contrasts)), _EVEN, contrast),
            _score("sharpness_drift", _worst(map(_relative_drift, fines)), _EVEN, sharpness),
            _score("colour_step", self._step([shot.colour for shot in shots]), _NO_JOIN, {}),
            _score("sharpness_step", self._step([_single(fine) for fine in fines], relative=True), _NO_JOIN, {}),
        )

    def _step(self, shots: Sequence[Mapping[int, tuple[float, ...]]], *, relative: bool = False) -> float | None:
        """The mean jump at joins less the usual one; None where there is no join."""
        at_joins: list[float] = []
        elsewhere: list[float] = []
        for values in shots:
            for frame, now in values.items():
                before = values.get(frame - 1)
                if before is not None:
                    jump = max(abs(a - b) for a, b in zip(now, before, strict=True))
                    (at_joins if frame in self._joins else elsewhere).append(100 * expm1(jump) if relative else jump)
        if not at_joins or not elsewhere:
            return None
        return max(0.0, sum(at_joins) / len(at_joins) - median(elsewhere))


METRIC = Drift()


def drift(values: Mapping[int, float]) -> float | None:
    """The change over a shot, by a line through its first and its last tenth; None where it is too short."""
    if len(values) < LEAST:
        return None
    frames = sorted(values)
    tenth = len(frames) // 10
    ends = [frames[:tenth], frames[-tenth:]]
    places = [sum(end) / tenth for end in ends]
    means = [sum(values[frame] for frame in end) / tenth for end in ends]
    return (means[1] - means[0]) / (places[1] - places[0]) * (frames[-1] - frames[0])


def _relative_drift(ratios: Mapping[int, float]) -> float | None:
    """Percent, of logarithms of ratios."""
    found = drift(ratios)
    return None if found is None else 100 * expm1(abs(found))


def _worst(found: Iterable[float | None]) -> float | None:
    return max((abs(value) for value in found if value is not None), default=None)


def _channel(shot: _Shot, number: int) -> dict[int, float]:
    return {frame: off[number] for frame, off in shot.colour.items()}


def _single(values: Mapping[int, float]) -> dict[int, tuple[float, ...]]:
    return {frame: (value,) for frame, value in values.items()}


def _percent(ratio: float) -> float:
    return 100 * expm1(ratio)


def _score(name: str, value: float | None, why: str, series: Mapping[int, float]) -> Score:
    return Score(name=name, value=value, why=why if value is None else "", series=series)
