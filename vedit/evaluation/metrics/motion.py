"""Motion: how much of the source's motion a result has lost or made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vedit.evaluation.adding import LEAST_SHARE, Ratio
from vedit.evaluation.definition import Definition, Score
from vedit.evaluation.texture import surely_followed

if TYPE_CHECKING:
    from vedit.evaluation.metric import Setting, Step
    from vedit.evaluation.picture import Plane

MOVING = 0.5 / 256
"""Shorter sides a frame from which a pixel counts as moving."""

_ERROR = Definition(
    name="motion_error",
    title="Motion lost or made up",
    unit="",
    better="lower",
    ideal=0.0,
    variant=(
        "sum of |flow of the result - flow of the source| over sum of |flow of the source|, of all frames, each from a "
        "frame to the one before; over pixels of the source that the frame before shows too and that move by more than "
        "1/512 of the shorter side, weighted by the source's texture e / (e + (2/255)^2), e the smaller eigenvalue of "
        "its structure tensor; a frozen result has 1, motion the wrong way round 2"
    ),
    paper='relative end-point error; Baker et al., "A Database and Evaluation Methodology for Optical Flow", 2011',
)


class _Motion:
    figures = (_ERROR,)
    quick = True
    whole_shot = False

    def start(self, setting: Setting) -> _Measure:
        return _Measure(setting)


METRIC = _Motion()


class _Measure:
    def __init__(self, setting: Setting) -> None:
        self._least = MOVING * min(setting.size)
        self._error = Ratio()
        self._pairs = 0

    def push(self, step: Step) -> None:
        found = self._found(step)
        if found is None:
            return
        self._pairs += 1
        error, speed, weight = found
        if np.count_nonzero(weight) >= LEAST_SHARE * weight.size:
            self._error.add(step.frame, float(np.vdot(weight, error)), float(np.vdot(weight, speed)))

    def finish(self) -> tuple[Score, ...]:
        why = ""
        if self._error.value is None:
            why = "nothing moves in this clip" if self._pairs else "no two frames of a shot follow each other"
        return (Score(name=_ERROR.name, value=self._error.value, why=why, series=self._error.series),)

    def heat(self, step: Step) -> Plane | None:
        """How far the result's motion is off, in shorter sides, where the source's is sure."""
        found = self._found(step)
        return None if found is None else found[0] * found[2] / np.float32(min(step.source.size))

    def _found(self, step: Step) -> tuple[Plane, Plane, Plane] | None:
        """(h, w) each: error and speed in pixels, and the weight; None at the first frame of a shot."""
        own, of_result = step.motion.step, step.result_motion
        if own is None or of_result is None:
            return None
        speed = np.linalg.norm(own.backward, axis=2)
        error = np.linalg.norm(of_result.backward - own.backward, axis=2)
        counted = own.seen & (speed > self._least)
        return error, speed, surely_followed(step.source) * counted
