"""Warp error: how far a frame differs from the one before it once the scene's motion is taken out."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from vedit.evaluation.adding import LEAST_SHARE
from vedit.evaluation.definition import Definition, Score
from vedit.evaluation.motion import LAG, at, grid

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.evaluation.metric import Setting, Step
    from vedit.evaluation.motion import FlowPair, Path
    from vedit.evaluation.picture import Plane

    Marks = npt.NDArray[np.bool_]

_PAPER = 'Lai et al., "Learning Blind Video Temporal Consistency", 2018, equations 8 and 9'
_FOLLOWED = (
    "the earlier frame of the result moved onto the later along the source's flow, chained over the frames between, "
    "bilinear; mean squared difference of RGB in [0, 1], x 1000, over pixels seen in all frames between"
)

_SHORT = Definition(
    name="warp_error",
    title="Warp error",
    unit="x 1000",
    better="lower",
    ideal=None,
    variant=(
        "mean over pairs of the mean squared difference of RGB in [0, 1], x 1000, between a frame of the result and "
        "the next moved onto it by the source's forward flow, bilinear, over pixels of the source that are not "
        "occluded; occluded is |F + B o F|^2 > 0.01 (|F|^2 + |B o F|^2) + 0.5, |grad F|^2 > 0.01 |F|^2 + 0.002, or "
        "(beyond the paper) a way that leads out of the frame. It rewards blur: read it beside contrast"
    ),
    paper=_PAPER,
)
_LONG = Definition(
    name="warp_error_long",
    title=f"Warp error over {LAG} frames",
    unit="x 1000",
    better="lower",
    ideal=None,
    variant=f"{LAG} frames apart: {_FOLLOWED}; mean over frames",
    paper=_PAPER,
    places=2,
)
_FIRST = Definition(
    name="warp_error_first",
    title="Warp error, first frame to last",
    unit="x 1000",
    better="lower",
    ideal=None,
    variant=f"the first frame of a shot and its last: {_FOLLOWED}; mean over shots of which at least 1 % is left",
    paper=_PAPER,
    places=2,
)
_SEEN = Definition(
    name="first_seen",
    title="Of the last frame, seen since the first",
    unit="share",
    better="neither",
    ideal=None,
    variant="share of a shot's last frame that is seen in all its frames back to the first; mean over shots",
    places=2,
)


class _WarpError:
    figures = (_SHORT, _LONG, _FIRST, _SEEN)
    quick = False
    whole_shot = True

    def start(self, setting: Setting) -> _Measure:
        return _Measure()


METRIC = _WarpError()


def occluded(pair: FlowPair) -> Marks:
    """Pixels (h, w) of the earlier frame that the later does not show, by the rule of Lai et al. to the letter
    (`compute_flow_occlusion`), and those whose way leads out of the frame."""
    forward = pair.forward
    positions = grid(*forward.shape[:2]) + forward
    back = at(pair.backward, positions)
    speed = _square(forward)
    open_ends = _square(forward + back) > 0.01 * (speed + _square(back)) + 0.5
    along_x, along_y = (np.diff(forward, axis=axis, append=0) for axis in (1, 0))
    # The last column and row have no neighbour and no gradient.
    along_x[:, -1], along_y[-1] = 0, 0
    boundary = _square(along_x) + _square(along_y) > 0.01 * speed + 0.002
    height, width = forward.shape[:2]
    x, y = positions[..., 0], positions[..., 1]
    return open_ends | boundary | (x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)


class _Measure:
    def __init__(self) -> None:
        self._short: dict[int, float] = {}
        self._long: dict[int, float] = {}
        self._first: dict[int, float] = {}
        self._seen: dict[int, float] = {}
        self._last: dict[int, tuple[float | None, float]] = {}
        """Shot -> error of its last frame so far against its first, and the share that is seen."""
        self._begin: tuple[int, Plane] | None = None
        """Number of the shot and its first frame in the result."""

    def push(self, step: Step) -> None:
        pair = step.motion.step
        if pair is None:
            self._begin = step.shot.number, step.result.rgb
        before, earlier = step.back(1), step.back(LAG)
        if before is not None and pair is not None:
            moved = at(step.result.rgb, grid(*step.result.size) + pair.forward)
            error = _error(moved, before.result.rgb, ~occluded(pair))
            _note(self._short, step.frame, error)
        if earlier is not None:
            _note(self._long, step.frame, _along(step.motion.path(LAG), earlier.result.rgb, step.result.rgb))
        if pair is not None and self._begin is not None and self._begin[0] == step.shot.number:
            path = step.motion.to_first()
            error, share = _along(path, self._begin[1], step.result.rgb), float(path.seen.mean())
            _note(self._first, step.frame, error)
            self._seen[step.frame] = share
            self._last[step.shot.number] = error, share

    def finish(self) -> tuple[Score, ...]:
        alone = "no two frames of a shot follow each other"
        errors = [error for error, _ in self._last.values() if error is not None]
        shares = [share for _, share in self._last.values()]
        lost = "of the first frames of the shots hardly anything is seen in the last"
        return (
            _score(_SHORT, list(self._short.values()), self._short, alone),
            _score(_LONG, list(self._long.values()), self._long, f"no shot has {LAG + 1} frames that stay in sight"),
            _score(_FIRST, errors, self._first, lost if shares else alone),
            _score(_SEEN, shares, self._seen, alone),
        )

    def heat(self, step: Step) -> Plane | None:
        """Root of the mean squared difference from the frame before, in [0, 1], on this frame's grid."""
        before = step.back(1)
        if before is None or step.motion.step is None:
            return None
        path = step.motion.path(1)
        squares = np.square(path.lay(before.result.rgb) - step.result.rgb).mean(axis=2)
        return np.asarray(np.sqrt(squares) * path.seen, np.float32)


def _square(flow: Plane) -> Plane:
    """(h, w, 2) -> (h, w): the squared length."""
    return np.asarray(flow[..., 0] * flow[..., 0] + flow[..., 1] * flow[..., 1], np.float32)


def _along(path: Path, earlier: Plane, later: Plane) -> float | None:
    return _error(path.lay(earlier), later, path.seen)


def _error(moved: Plane, still: Plane, seen: Marks) -> float | None:
    """x 1000; None where too little is seen."""
    count = np.count_nonzero(seen)
    if count < LEAST_SHARE * seen.size:
        return None
    difference = moved - still
    difference *= seen[..., None]
    return 1000 * float(np.vdot(difference, difference)) / (3 * count)


def _note(series: dict[int, float], frame: int, error: float | None) -> None:
    if error is not None:
        series[frame] = error


def _score(definition: Definition, values: list[float], series: dict[int, float], why: str) -> Score:
    if not values:
        return Score(name=definition.name, value=None, why=why, series=series)
    return Score(name=definition.name, value=fmean(values), series=series)
