"""Flicker: brightness and detail that come and go along the scene's own tracks, fast and slow."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.evaluation.adding import LEAST_SHARE, Kept, Ratio
from vedit.evaluation.definition import Definition, Score
from vedit.evaluation.motion import LAG, at

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.evaluation.metric import Setting, Step
    from vedit.evaluation.picture import Plane

    Marks = npt.NDArray[np.bool_]

COARSE_SIGMA = 4 / 256
"""Of the Gaussian that leaves brightness alone, in shorter sides."""
_BORDER = 2
"""Sigmas of it from the border that are left out: smoothing there depends on what the border cuts off."""
_EVERY = 4
"""Pixels between the places where smoothed brightness is looked at: it has nothing finer."""
_LEAST = 0.5 / 255
"""Luma: a result with less fine detail has none that could flicker."""

_TRACKS = (
    "luma (BT.601) smoothed by a Gaussian of 4/256 of the shorter side, taken along the source's flow, over pixels "
    "seen in all the frames between and further than two sigmas from the border"
)
_FAST = Definition(
    name="flicker_luma",
    title="Brightness flickers, fast",
    unit="levels",
    better="lower",
    ideal=None,
    variant=(
        f"{_TRACKS}: root mean square of x(t) - (x(t-1) + x(t+1)) / 2, of 255; a sinusoid of amplitude a at f cycles a "
        "frame gives sqrt(2) a sin^2(pi f), +-a from frame to frame 2a"
    ),
    places=2,
)
_SLOW = Definition(
    name="flicker_low",
    title="Brightness pumps, slow",
    unit="levels",
    better="lower",
    ideal=None,
    variant=(
        f"{_TRACKS}: x smoothed over time by (1, 2, 1) / 4, then root mean square of x(t) - (x(t-3) + x(t+3)) / 2, of "
        "255; a sinusoid of amplitude a at f cycles a frame gives sqrt(2) a sin^2(3 pi f) cos^2(pi f), most at a "
        "period of six to seven frames"
    ),
    places=2,
)
_FRAME = Definition(
    name="flicker_frame",
    title="The whole frame flickers",
    unit="levels",
    better="lower",
    ideal=None,
    variant="mean luma of a frame m: root mean square of m(t) - (m(t-1) + m(t+1)) / 2 within shots, of 255",
    places=2,
)
_DETAIL = Definition(
    name="flicker_detail",
    title="Detail flickers, whatever its contrast",
    unit="",
    better="lower",
    ideal=None,
    variant=(
        "luma minus its Gaussian (sigma 3/256 of the shorter side), taken along the source's flow, bicubic: root mean "
        "square of x(t) - (x(t-1) + x(t+1)) / 2 over root mean square of the band itself, of the same pixels; frames "
        "that have nothing to do with each other give sqrt(1.5)"
    ),
)


class _Flicker:
    figures = (_DETAIL, _FAST, _SLOW, _FRAME)
    quick = False
    whole_shot = False

    def start(self, setting: Setting) -> _Measure:
        return _Measure()


METRIC = _Flicker()


class _Measure:
    def __init__(self) -> None:
        self._coarse = Kept(_coarse)
        self._fast, self._slow, self._frame, self._detail = Ratio(), Ratio(), Ratio(), Ratio()
        self._energy = Ratio()

    def push(self, step: Step) -> None:
        coarse = self._coarse.push(step)[::_EVERY, ::_EVERY]
        middle, before = step.back(1), step.back(2)
        if middle is None or before is None:
            return
        first, centre, last = (float(one.result.luma.mean()) for one in (before, middle, step))
        self._frame.add(middle.frame, (centre - (first + last) / 2) ** 2, 1)
        seen = _inside(step.motion.path(2).seen)
        if np.count_nonzero(seen) < LEAST_SHARE * seen.size:
            return
        second = self._laid(step, 1) - (self._laid(step, 2) + coarse) / 2
        _add(self._fast, middle.frame, second, seen[::_EVERY, ::_EVERY])
        shaken, fine = np.where(seen, _second_of_fine(step, middle, before), 0), np.where(seen, step.result.fine, 0)
        energy = float(np.vdot(fine, fine))
        self._detail.add(middle.frame, float(np.vdot(shaken, shaken)), energy)
        self._energy.add(middle.frame, energy, float(np.count_nonzero(seen)))
        around = step.back(LAG // 2)
        if step.back(LAG) is not None and around is not None:
            track = [coarse, *(self._laid(step, lag) for lag in range(1, LAG + 1))]
            late, now, early = ((track[n - 1] + 2 * track[n] + track[n + 1]) / 4 for n in (1, LAG // 2, LAG - 1))
            kept = _inside(step.motion.path(LAG).seen)[::_EVERY, ::_EVERY]
            _add(self._slow, around.frame, now - (early + late) / 2, kept)

    def finish(self) -> tuple[Score, ...]:
        short = "no shot has three frames"
        found = [
            _levels(_FAST, self._fast, short),
            _levels(_SLOW, self._slow, f"no shot has {LAG + 1} frames that stay in sight"),
            _levels(_FRAME, self._frame, short),
        ]
        energy, detail = self._energy.value, self._detail.value
        if energy is None or detail is None or sqrt(energy) < _LEAST:
            why = short if energy is None else "the result has no fine detail"
            return Score(name=_DETAIL.name, value=None, why=why), *found
        series = {frame: sqrt(value) for frame, value in self._detail.series.items()}
        return Score(name=_DETAIL.name, value=sqrt(detail), series=series), *found

    def heat(self, step: Step) -> Plane | None:
        """Luma by which detail differs from the mean of the frames before and after, around the frame before."""
        before, middle = step.back(2), step.back(1)
        if before is None or middle is None:
            return None
        return np.asarray(np.abs(_second_of_fine(step, middle, before)) * step.motion.path(2).seen, np.float32)

    def _laid(self, step: Step, lag: int) -> Plane:
        """Smoothed brightness `lag` frames earlier, moved along the scene, on the coarse grid."""
        return at(self._coarse.back(lag), np.ascontiguousarray(step.motion.path(lag).positions[::_EVERY, ::_EVERY]))


def _second_of_fine(step: Step, middle: Step, before: Step) -> Plane:
    """Fine luma of the frame in the middle minus the mean of both beside it, moved along the scene onto the last."""
    centre, first = (step.motion.path(lag).lay(one.result.fine, cubic=True) for lag, one in ((1, middle), (2, before)))
    return np.asarray(centre - (first + step.result.fine) / 2, np.float32)


def _inside(seen: Marks) -> Marks:
    """Those not next to the border."""
    margin = max(1, round(_BORDER * COARSE_SIGMA * min(seen.shape)))
    kept = np.zeros_like(seen)
    kept[margin:-margin, margin:-margin] = seen[margin:-margin, margin:-margin]
    return kept


def _coarse(step: Step) -> Plane:
    sigma = COARSE_SIGMA * min(step.result.size)
    return np.asarray(cv2.GaussianBlur(step.result.luma, (0, 0), sigma), np.float32)


def _add(into: Ratio, frame: int, difference: npt.NDArray[np.floating], seen: Marks) -> None:
    kept = np.where(seen, difference, 0)
    into.add(frame, float(np.vdot(kept, kept)), float(np.count_nonzero(seen)))


def _levels(definition: Definition, squares: Ratio, why: str) -> Score:
    if squares.value is None:
        return Score(name=definition.name, value=None, why=why)
    series = {frame: 255 * sqrt(square) for frame, square in squares.series.items()}
    return Score(name=definition.name, value=255 * sqrt(squares.value), series=series)
