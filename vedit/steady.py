"""Temporal steadying: what optical flow says should not have changed between frames is pulled together.

Frames sampled with cross-frame attention agree in what they show; what is left is slow flicker of brightness and
colour. Each result frame is moved towards the previous result, warped along the source's own motion, by the
low-pass part of their difference (in the spirit of Bonneel et al. 2015 and Lai et al. 2018, without training):
strokes and edges stay as sharp as they were drawn, since no frame's detail is ever resampled into the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from kornia.filters import gaussian_blur2d

from vedit.flow import estimate_flow, warp

STRENGTH = 0.75
SIGMA = 3.0
"""Pixels of the working size; finer differences are texture and left alone."""


@dataclass(frozen=True, kw_only=True)
class Steadied:
    """The last frame of a shot so far: source and steadied result, (1, 3, H, W) in [0, 1]."""

    source: torch.Tensor
    result: torch.Tensor


def steady(source: torch.Tensor, result: torch.Tensor, before: Steadied | None) -> tuple[torch.Tensor, Steadied]:
    """Steady the next frames of a shot.

    Args:
        source: (T, 3, H, W) in [0, 1], at the working size.
        result: the same frames restyled.
        before: what the last call returned, None at a shot's first frame.

    Returns:
        The steadied frames, and what the next call needs.
    """
    frames = source if before is None else torch.cat([before.source, source])
    done = [] if before is None else [before.result]
    todo = list(result.split(1))
    if before is None:
        done.append(todo.pop(0))
    if todo:
        flow = estimate_flow(frames)
        for t, frame in enumerate(todo):
            seen = ~flow.backward_occlusion[t : t + 1]
            moved = warp(done[-1], flow.backward[t : t + 1])
            done.append((frame + STRENGTH * _low_pass(moved - frame, seen.to(frame))).clamp(0, 1))
    steadied = torch.cat(done[len(done) - len(result) :])
    return steadied, Steadied(source=source[-1:], result=steadied[-1:])


def _low_pass(difference: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Gaussian mean over the pixels that are seen in both frames; 0 where none is near (normalised convolution)."""
    size = 2 * round(2.5 * SIGMA) + 1
    blurred = gaussian_blur2d(torch.cat([difference * weight, weight], dim=1), (size, size), (SIGMA, SIGMA))
    return blurred[:, :3] / blurred[:, 3:].clamp_min(0.05) * weight
