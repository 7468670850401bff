"""Holding depth steady from frame to frame: the scale of its answers, and their shimmer."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from vedit.flow.estimate import estimate_flow, warp

_BLEND = 0.6
"""Weight of the past where it is certain: halves the shimmer (by 1 - 0.6 over the square root of 1 - 0.36)."""
_LEAK = 0.05
"""Part of the correction of scale that is given up at each frame: what lasts for some 50 frames is the shot's own."""
_SCALE = (0.8, 1.25)
"""Bounds of the correction of scale; beyond, the two frames do not show the same."""
_TOLERANCE = 0.5
"""Difference to the past, in standard deviations of the frame's depth, that counts as change and not as shimmer."""
_CELLS = 16
"""Cells along the shorter side in which scale and shift are measured: means, which noise does not widen."""
_OVERLAP = 0.2
"""Part of the frame that must be matched by flow; with less there is nothing to hold on to."""


class Steady:
    """Flow-guided smoothing of one shot's inverse depth, causal, frame by frame.

    A relative depth has a free scale and shift in each frame. Each new frame is first brought to those of the one
    before, which is laid over it by optical flow, by what fits most of the matched picture, see `_fit`. The correction
    leaks, so that it cannot drift away from the model's answers. Then the two are blended, the less the more they
    differ, and not at all where flow finds no match.

    Holds one frame. Meant for one shot: no look back over a cut.
    """

    def __init__(self) -> None:
        self._frame: torch.Tensor | None = None
        self._depth: torch.Tensor | None = None

    def forget(self) -> None:
        """Start anew at the next frame."""
        self._frame = self._depth = None

    def push(self, frame: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
        """The next frame's depth, held to the past.

        Args:
            frame: (3, h, w) in [0, 1].
            depth: (1, h, w), at least 0.

        Returns:
            (1, h, w), at least 0.
        """
        held = depth if self._frame is None or self._depth is None else _hold(self._frame, self._depth, frame, depth)
        self._frame, self._depth = frame, held
        return held


def _hold(past_frame: torch.Tensor, past: torch.Tensor, frame: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
    motion = estimate_flow(torch.stack([past_frame, frame]))
    matched = ~motion.backward_occlusion[0]
    if float(matched.float().mean()) < _OVERLAP:
        return depth
    laid = warp(past[None], motion.backward)[0]
    spread = float(depth[matched].double().std(correction=0))
    if spread <= 1e-6 * float(depth.max()):
        return depth  # flat: nothing to take a scale from
    scale, shift = _fit(*_cells(depth, laid, matched))
    scale, shift = min(max(scale, _SCALE[0]), _SCALE[1]) ** (1 - _LEAK), shift * (1 - _LEAK)
    brought = depth * scale + shift
    difference = (laid - brought) / (_TOLERANCE * spread * scale)
    weight = _BLEND * matched * torch.exp(-difference.square())
    return (brought + weight * (laid - brought)).clamp(min=0)


def _cells(depth: torch.Tensor, laid: torch.Tensor, matched: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Means of both over the matched pixels of each cell that has enough of them, float64 (N,)."""
    side = max(1, min(depth.shape[-2:]) // _CELLS)
    parts = [F.avg_pool2d(part.double()[None], side).flatten() for part in (matched, depth * matched, laid * matched)]
    share, here, there = parts
    enough = share >= min(0.5, float(share.max()))
    return here[enough] / share[enough], there[enough] / share[enough]


def _fit(here: torch.Tensor, there: torch.Tensor) -> tuple[float, float]:
    """Scale and shift that bring `here` to `there`, by most of their values: a part that moved in depth has no say.

    The scale is a ratio of standard deviations: a least-squares slope would shrink with every frame by what does not
    fit. Tried from the frames as they are and from all values, twice each on the values that fit best so far.
    """
    best, least = (1.0, 0.0), float((here - there).abs().median())
    for start in ((1.0, 0.0), _moments(here, there)):
        tried = start
        for _ in range(3):
            error = (here * tried[0] + tried[1] - there).abs()
            middle = float(error.median())
            if middle < least:
                best, least = tried, middle
            fitting = error <= 2 * middle
            tried = _moments(here[fitting], there[fitting])
    return best


def _moments(here: torch.Tensor, there: torch.Tensor) -> tuple[float, float]:
    spread = float(here.std(correction=0))
    scale = float(there.std(correction=0)) / spread if spread > 0 else 1.0
    return scale, float(there.mean()) - scale * float(here.mean())
