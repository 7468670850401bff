"""Camera path: does the result's camera go where the source's goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from vedit.evaluation.definition import Definition, Score
from vedit.evaluation.texture import surely_followed

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.evaluation.metric import Setting, Step
    from vedit.evaluation.picture import Plane

    Matrix = npt.NDArray[np.float64]
    Points = npt.NDArray[np.float32]

BAND = 0.2
"""Of each side: the border within which the camera is looked for, because subjects stand in the middle."""
INLIERS = 0.6
"""Share of the points that have to move as one camera has them."""
_APART = 128
"""Points lie this many to a shorter side."""
_FEWEST = 40
_SURE = 0.3
"""Of `surely_followed`, for a point."""
_OFF = 1 / 256
"""Shorter sides by which a point may be off, beside a twentieth of the speed."""
_TOLD = 0.5
"""Share of a clip's steps that have to be told."""

_FIT = (
    "similarities fitted by RANSAC to the source's and the result's flow, each from a frame to the one before, at the "
    f"same textured points within a fifth of the sides from the border; a step counts where at least {INLIERS:.0%} of "
    "the points follow the fit in both and the fit is the median motion there; distance of four points halfway between "
    "the middle of the frame and its corners, in % of the shorter side"
)
_STEP = Definition(
    name="camera_path",
    title="Camera off, each step",
    unit="%",
    better="lower",
    ideal=0.0,
    variant=f"{_FIT}; mean over steps",
)
_END = Definition(
    name="camera_path_end",
    title="Camera off at the end of a shot",
    unit="%",
    better="lower",
    ideal=0.0,
    variant=(
        f"{_FIT}; of the steps of a shot one after the other, those that do not count left out of both paths; mean "
        "over shots"
    ),
    places=2,
)


class _CameraPath:
    figures = (_STEP, _END)
    quick = True
    whole_shot = False

    def start(self, setting: Setting) -> _Measure:
        return _Measure(setting)


METRIC = _CameraPath()


@dataclass
class _Way:
    """Of a shot: to where its first frame lies, by the source and by the result; and how many steps it is made of."""

    own: Matrix = field(default_factory=lambda: np.eye(3))
    of_result: Matrix = field(default_factory=lambda: np.eye(3))
    steps: int = 0
    told: int = 0


class _Measure:
    def __init__(self, setting: Setting) -> None:
        height, width = setting.size
        self._short = min(setting.size)
        self._places = _border(height, width)
        self._marks = np.array([[x * width, y * height, 1] for x in (0.25, 0.75) for y in (0.25, 0.75)]).T
        self._errors: dict[int, float] = {}
        self._ends: dict[int, float] = {}
        self._ways: dict[int, _Way] = {}
        self._lost_by_result = 0

    def push(self, step: Step) -> None:
        own, of_result = step.motion.step, step.result_motion
        if own is None or of_result is None:
            return
        way = self._ways.setdefault(step.shot.number, _Way())
        way.steps += 1
        y, x = self._places
        sure = own.seen[y, x] & (surely_followed(step.source)[y, x] > _SURE)
        y, x = y[sure], x[sure]
        points = np.stack([x, y], 1).astype(np.float32)
        by_source = self._fit(points, own.backward[y, x])
        if by_source is None:
            return
        by_result = self._fit(points, of_result.backward[y, x])
        if by_result is None:
            self._lost_by_result += 1
            return
        way.told += 1
        way.own, way.of_result = way.own @ by_source, way.of_result @ by_result
        self._errors[step.frame] = self._apart(by_source, by_result)
        self._ends[step.frame] = self._apart(way.own, way.of_result)

    def finish(self) -> tuple[Score, ...]:
        steps, told = (sum(getattr(way, name) for way in self._ways.values()) for name in ("steps", "told"))
        why = "" if told == steps else f"told by {told} of {steps} steps"
        if told < _TOLD * steps or not told:
            why = self._why(steps)
            return tuple(Score(name=one.name, value=None, why=why) for one in (_STEP, _END))
        whole = [way for way in self._ways.values() if way.told >= _TOLD * way.steps and way.told]
        end = fmean(self._apart(way.own, way.of_result) for way in whole)
        return (
            Score(name=_STEP.name, value=fmean(self._errors.values()), why=why, series=self._errors),
            Score(name=_END.name, value=end, why=why, series=self._ends),
        )

    def _why(self, steps: int) -> str:
        if not steps:
            return "no two frames of a shot follow each other"
        if self._lost_by_result > (1 - _TOLD) * steps:
            return f"in {self._lost_by_result} of {steps} steps the result's border does not move as under one camera"
        return "the border of the source is too plain, or does not move as under one camera"

    def _fit(self, points: Points, flow: Plane) -> Matrix | None:
        """(3, 3), from a frame to the one before; None where the points do not agree."""
        if len(points) < _FEWEST:
            return None
        median = np.median(flow, axis=0)
        allowed = self._short * _OFF + 0.05 * float(np.hypot(*median))
        found, inliers = cv2.estimateAffinePartial2D(
            points, points + flow, method=cv2.RANSAC, ransacReprojThreshold=allowed, maxIters=500, confidence=0.999
        )
        matrix = cast("Matrix | None", found)
        if matrix is None or np.asarray(inliers).mean() < INLIERS:
            return None
        fitted = np.median(points @ matrix[:, :2].T + matrix[:, 2] - points, axis=0)
        if float(np.hypot(*(fitted - median))) > allowed:
            return None
        return np.vstack([matrix, [0, 0, 1]])

    def _apart(self, one: Matrix, other: Matrix) -> float:
        """Mean distance of the marks under two motions, in % of the shorter side."""
        return 100 / self._short * float(np.linalg.norm(((one - other) @ self._marks)[:2], axis=0).mean())


def _border(height: int, width: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of the points in the border band."""
    every = max(1, min(height, width) // _APART)
    y, x = np.mgrid[every // 2 : height : every, every // 2 : width : every]
    inner = (np.abs(y / height - 0.5) < 0.5 - BAND) & (np.abs(x / width - 0.5) < 0.5 - BAND)
    return y[~inner], x[~inner]
