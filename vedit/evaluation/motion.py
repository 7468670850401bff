"""The source's motion between frames, and over many of them: what all metrics that follow the scene share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, cast, get_args

import cv2
import numpy as np
import torch

from vedit.flow.estimate import estimate_flow, find_occlusion

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.evaluation.picture import Picture, Plane

    Marks = npt.NDArray[np.bool_]

Estimator = Literal["dis", "farneback", "raft"]
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)
"""`dis` is what vedit steadies along; `farneback` is another, without weights; `raft` needs weights."""
LAG = 8
"""Frames over which the long-range figures look back."""


class FlowPair:
    """Motion between two neighbouring frames.

    Flows are float32 (h, w, 2) pixels, x then y; marks are bool (h, w). Occlusion is that of Lai et al., "Learning
    Blind Video Temporal Consistency", 2018, `evaluate_WarpError`: the way there and back does not close, or a motion
    boundary; and, beyond theirs, where nothing of the other frame comes from (`vedit.flow.estimate.find_occlusion`).
    """

    def __init__(self, forward: torch.Tensor, backward: torch.Tensor) -> None:
        self._forward, self._backward = forward, backward

    @cached_property
    def forward(self) -> Plane:
        """On the grid of the earlier frame, to the later."""
        return _last_axis(self._forward)

    @cached_property
    def backward(self) -> Plane:
        """On the grid of the later frame, to the earlier."""
        return _last_axis(self._backward)

    @cached_property
    def seen_before(self) -> Marks:
        """Of the earlier frame: pixels that the later one shows too."""
        return ~find_occlusion(self._forward, self._backward, boundaries=True)[0, 0].numpy()

    @cached_property
    def seen(self) -> Marks:
        """Of the later frame: pixels that the earlier one shows too."""
        return ~find_occlusion(self._backward, self._forward, boundaries=True)[0, 0].numpy()


FlowOf = Callable[["Picture", "Picture"], FlowPair]


def estimator(name: Estimator) -> FlowOf:
    """The flow of a pair by an estimator. Raises ModelError where RAFT's weights or packages are missing."""
    return _farneback if name == "farneback" else _ours(name)


def _ours(backend: Literal["dis", "raft"]) -> FlowOf:
    def flow(first: Picture, second: Picture) -> FlowPair:
        found = estimate_flow(torch.stack([first.tensor, second.tensor]), short_side=None, backend=backend)
        return FlowPair(found.forward, found.backward)

    return flow


def _farneback(first: Picture, second: Picture) -> FlowPair:
    """Farneback, "Two-Frame Motion Estimation Based on Polynomial Expansion", 2003."""
    grey = [np.rint(one.luma * 255).astype(np.uint8) for one in (first, second)]
    method = cv2.FarnebackOpticalFlow.create(numLevels=5, pyrScale=0.5, winSize=15, numIters=3, polyN=7, polySigma=1.5)
    nothing = cast("cv2.typing.MatLike", None)
    ways = [method.calc(a, b, nothing) for a, b in (grey, grey[::-1])]
    there, back = (torch.from_numpy(np.asarray(way, np.float32)).permute(2, 0, 1)[None].contiguous() for way in ways)
    return FlowPair(there, back)


def _last_axis(flow: torch.Tensor) -> Plane:
    return np.ascontiguousarray(flow[0].permute(1, 2, 0).numpy())


@dataclass(frozen=True, kw_only=True)
class Path:
    """Where each pixel of a frame was some frames earlier."""

    positions: Plane
    """(h, w, 2): x then y in the earlier frame."""
    seen: Marks
    """(h, w): it was visible there, and in all frames between."""

    def lay(self, earlier: Plane, *, cubic: bool = False) -> Plane:
        """Something of the earlier frame, (h, w) or (h, w, C), moved along the scene onto this frame's grid."""
        return at(earlier, self.positions, cubic=cubic)


class Motion:
    """The source's motion up to the frame that was pushed last, within its shot.

    Args:
        first: follow the way back to the first frame of the shot too, which costs a warp for each frame.
    """

    def __init__(self, *, first: bool) -> None:
        self._keeps_first = first
        self._steps: deque[FlowPair] = deque(maxlen=LAG)
        self._first: Path | None = None
        self._found: dict[int, Path] = {}

    def begin(self, size: tuple[int, int]) -> None:
        """A shot begins: there is nothing before."""
        self._steps.clear()
        self._found.clear()
        self._first = Path(positions=grid(*size), seen=np.ones(size, np.bool_)) if self._keeps_first else None

    def push(self, pair: FlowPair) -> None:
        """The next frame of the shot, by the flow from the one before to it."""
        self._steps.append(pair)
        self._found.clear()
        if self._first is not None:
            here = self.path(1)
            seen = here.seen & _marked(self._first.seen, here.positions)
            self._first = Path(positions=here.lay(self._first.positions), seen=seen)

    @property
    def step(self) -> FlowPair | None:
        """From the frame before to this; None at the first of a shot."""
        return self._steps[-1] if self._steps else None

    def path(self, lag: int) -> Path:
        """The way `lag` frames back, 1 to `LAG`. Raises ValueError where the shot has not so many."""
        if not 1 <= lag <= len(self._steps):
            raise ValueError(f"{lag} frames back of {len(self._steps)}")
        if lag not in self._found:
            last = self._steps[-lag]
            if lag == 1:
                positions, seen = grid(*last.backward.shape[:2]) + last.backward, last.seen
            else:
                nearer = self.path(lag - 1)
                positions = nearer.positions + nearer.lay(last.backward)
                seen = nearer.seen & _marked(last.seen, nearer.positions)
            self._found[lag] = Path(positions=positions, seen=seen)
        return self._found[lag]

    def to_first(self) -> Path:
        """The way back to the shot's first frame. Raises ValueError where it was not asked for."""
        if self._first is None:
            raise ValueError("the way to the first frame is not followed")
        return self._first


def grid(height: int, width: int) -> Plane:
    """(height, width, 2): each pixel's own position, x then y."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.dstack([x, y])


def at(plane: Plane, positions: Plane, *, cubic: bool = False) -> Plane:
    """Something (h, w) or (h, w, C) at positions (h, w, 2); outside, its edge is repeated."""
    way = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    nothing = cast("cv2.typing.MatLike", None)
    return np.asarray(cv2.remap(plane, positions, nothing, way, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _marked(marks: Marks, positions: Plane) -> Marks:
    """Marks at positions, the nearest; false outside."""
    nothing = cast("cv2.typing.MatLike", None)
    found = cv2.remap(marks.view(np.uint8), positions, nothing, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(found).astype(np.bool_)
