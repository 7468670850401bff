"""Model size and back: an even scaling and a centred pad on the way in, their exact inverse on the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from vedit.ranges import full_scale
from vedit.types import Fit

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.types import Clip

_LONGEST_ENLARGED = 4
"""A tiny source is enlarged until its long side is this many times the minimum; a ribbon's rest is padded."""


def working_fit(source_hw: tuple[int, int], *, short_side: int, multiple_of: int, minimum: int = 1) -> Fit:
    """Where a source frame lies in the model's frame.

    The scaling is even and makes the short side `short_side`, or leaves the source's own size where that is smaller;
    only a source below the model's `minimum` is enlarged. The long side is rounded up, so that `inner` never shows
    less than the aspect asks. What is missing to `multiple_of` is padded, centred, never stretched.

    Args:
        source_hw: (height, width) of the source, pixels.
        short_side: pixels of the shorter side that the model shall work at.
        multiple_of: both sides of `Fit.outer` are multiples of it.
        minimum: both sides of `Fit.outer` are at least this.

    Raises:
        ValueError: a size below 1.
    """
    if min(*source_hw, short_side, multiple_of, minimum) < 1:
        raise ValueError(
            f"sizes are at least 1, got source {source_hw}, short_side {short_side}, "
            f"multiple_of {multiple_of}, minimum {minimum}"
        )
    short, long = min(source_hw), max(source_hw)
    numerator, denominator = min(short_side, short), short
    if numerator < minimum:
        # Integer fractions keep the scale exact: 1080 -> 256 must not become 255.9999.
        by_short, by_long = (minimum, short), (_LONGEST_ENLARGED * minimum, long)
        allowed = min(by_short, by_long, key=lambda ratio: ratio[0] / ratio[1])
        if allowed[0] * denominator > numerator * allowed[1]:
            numerator, denominator = allowed
    inner_h, inner_w = (max(1, -(-side * numerator // denominator)) for side in source_hw)
    outer_h, outer_w = (-(-max(side, minimum) // multiple_of) * multiple_of for side in (inner_h, inner_w))
    return Fit(
        source=source_hw,
        inner=(inner_h, inner_w),
        outer=(outer_h, outer_w),
        top=(outer_h - inner_h) // 2,
        left=(outer_w - inner_w) // 2,
    )


def fit(clip: Clip, fit: Fit) -> torch.Tensor:
    """Decoded frames -> the model's frames, float32 (T, 3, h, w) in [0, 1], h and w of `fit.outer`.

    Scaling down averages areas, which does not alias; scaling up is bicubic. The pad mirrors the picture (or repeats
    its edge where the pad is wider than the picture), since a black bar would be restyled too. Alpha is left out.

    Raises:
        ValueError: the clip is not of the size that `fit` was made for.
    """
    height, width = clip.frames.shape[-2:]
    if (height, width) != fit.source:
        raise ValueError(f"the fit is for frames of {fit.source}, the clip has ({height}, {width})")
    scale = np.float32(1 / full_scale(clip.bit_depth))
    small = np.empty((len(clip), 3, *fit.inner), np.float32)
    for source, target in zip(clip.frames, small, strict=True):
        frame = np.ascontiguousarray(source[:3].transpose(1, 2, 0), dtype=np.float32) * scale
        target[:] = resize(frame, fit.inner).transpose(2, 0, 1)
    return pad(torch.from_numpy(small).clamp_(0, 1), fit)


def pad(frames: torch.Tensor, fit: Fit) -> torch.Tensor:
    """(T, C, h, w) of `fit.inner` -> `fit.outer`, mirrored at the edge; `unfit` undoes it exactly."""
    (inner_h, inner_w), (outer_h, outer_w) = fit.inner, fit.outer
    below, right = outer_h - inner_h - fit.top, outer_w - inner_w - fit.left
    for sides, inner in (((fit.left, right, 0, 0), inner_w), ((0, 0, fit.top, below), inner_h)):
        if any(sides):
            frames = F.pad(frames, sides, mode="reflect" if max(sides) < inner else "replicate")
    return frames


def unfit(frames: torch.Tensor, fit: Fit) -> torch.Tensor:
    """The model's frames (T, C, h, w) of `fit.outer` -> the picture alone, of `fit.inner`: the pad's exact inverse.

    Raises:
        ValueError: the frames are not of the size that `fit` states.
    """
    height, width = frames.shape[-2:]
    if (height, width) != fit.outer:
        raise ValueError(f"the fit is for frames of {fit.outer}, got ({height}, {width})")
    return frames[..., fit.top : fit.top + fit.inner[0], fit.left : fit.left + fit.inner[1]]


def resize(frame: npt.NDArray[np.float32], size_hw: tuple[int, int]) -> npt.NDArray[np.float32]:
    """One frame (H, W, C) at another size: area averages down, bicubic up; pixel centres keep their place."""
    height, width = frame.shape[:2]
    if (height, width) == size_hw:
        return frame
    shrinks = size_hw[0] <= height and size_hw[1] <= width
    scaled = cv2.resize(frame, (size_hw[1], size_hw[0]), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.asarray(scaled, np.float32).reshape(*size_hw, frame.shape[2])
