"""What stands outside the mask: to the last code value of full-size frames, as decoded."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.evaluation.definition import Definition, Score
from vedit.evaluation.picture import LUMA
from vedit.evaluation.tally import Tally
from vedit.ranges import full_scale

if TYPE_CHECKING:
    from vedit.evaluation.metric import Frame, Setting, Step
    from vedit.evaluation.motion import Marks
    from vedit.evaluation.picture import Plane

MOST_DECIBELS = 100.0
"""What stands for no difference at all, which has no number of decibels."""
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
_DECODED = "of the decoded file: a lossy codec alone changes pixels, by as much as the re-encoded source shows"

FIGURES = (
    Definition(
        name="outside_max",
        title="Outside the mask, largest difference",
        unit="code values",
        better="lower",
        ideal=0.0,
        variant=(
            "largest absolute difference of a channel of result and source, in code values of the result's depth, over "
            "the pixels of full-size frames at which the mask is 0 exactly (its soft edge is not outside), over all "
            "frames"
        ),
        places=0,
    ),
    Definition(
        name="outside_psnr",
        title="Outside the mask, PSNR",
        unit="dB",
        better="higher",
        ideal=MOST_DECIBELS,
        variant=(
            "10 log10(1 / mean squared difference) of the three channels as [0, 1], the mean over the pixels of all "
            "full-size frames at which the mask is 0 exactly; 100 dB stands for no difference"
        ),
        places=1,
    ),
    Definition(
        name="outside_ssim",
        title="Outside the mask, SSIM",
        unit="",
        better="higher",
        ideal=1.0,
        variant=(
            "SSIM of luma (BT.601) of full-size frames in Gaussian windows of 11x11 and 1.5 pixels, K1 = 0.01, K2 = "
            "0.03, not averaged down; mean over the pixels whose whole window lies where the mask is 0, then over "
            "frames"
        ),
        paper="Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, 2004",
        places=4,
    ),
    Definition(
        name="leak",
        title="Share of the change outside the mask",
        unit="%",
        better="lower",
        ideal=None,
        variant=(
            "squared differences of result and source summed over the pixels at which the mask is 0 exactly, over the "
            "sum over all pixels (its soft edge counts as inside), of all full-size frames; none where nothing changes"
        ),
        places=2,
    ),
)
_NAMES = tuple(one.name for one in FIGURES)


class Preservation:
    """The metric."""

    figures = FIGURES
    quick = True
    whole_shot = False

    def start(self, setting: Setting) -> PreservationMeasure:
        return PreservationMeasure()


class PreservationMeasure:
    """The metric at work."""

    def __init__(self) -> None:
        self._nothing = "no mask was given"
        self._highest, self._psnr, self._ssim, self._leak = (Tally(name, "") for name in _NAMES)
        self._outside = self._everywhere = 0.0
        self._pixels = 0

    def push(self, step: Step) -> None:
        mask, source, result = step.full_mask, step.full_source, step.full_result
        if mask is None:
            return
        if source.pixels.shape[1:] != result.pixels.shape[1:]:
            self._nothing = "the result has another size than the source, so its pixels are not the source's"
            return
        outside = mask <= 0
        count = int(outside.sum())
        if not count:
            self._nothing = "the mask leaves nothing outside"
            return
        off = difference(source, result)
        self._highest.add(step.frame, float(off.max(axis=0)[outside].max()))
        squares = np.square(off.astype(np.float32) / full_scale(result.bit_depth)).sum(axis=0)
        energy, everywhere = float(squares[outside].sum(dtype=np.float64)), float(squares.sum(dtype=np.float64))
        self._psnr.add(step.frame, decibels(energy / (3 * count)))
        if everywhere:
            self._leak.add(step.frame, 100 * energy / everywhere)
        self._outside, self._everywhere = self._outside + energy, self._everywhere + everywhere
        self._pixels += 3 * count
        within = _whole_windows(outside)
        if within.any():
            self._ssim.add(step.frame, float(ssim(_luma(source), _luma(result))[within].mean(dtype=np.float64)))

    def finish(self) -> tuple[Score, ...]:
        if not self._pixels:
            return tuple(Score(name=name, value=None, why=self._nothing) for name in _NAMES)
        self._ssim.nothing = "nowhere outside the mask is there room for a window"
        self._leak.nothing = "nothing was changed, inside or outside"
        return (
            self._highest.score_of(max(self._highest.series.values()), _DECODED),
            self._psnr.score_of(decibels(self._outside / self._pixels), _DECODED),
            self._ssim.score(_DECODED),
            self._leak.score_of(100 * self._outside / self._everywhere if self._everywhere else None, _DECODED),
        )

    def heat(self, step: Step) -> Plane | None:
        """The difference outside the mask, in [0, 1], at the measuring size."""
        if step.mask is None:
            return None
        return np.asarray(np.abs(step.result.rgb - step.source.rgb).max(axis=2) * (step.mask <= 0), np.float32)


METRIC = Preservation()


def difference(source: Frame, result: Frame) -> np.ndarray:
    """(3, H, W): absolute, in code values of the result's depth; exact where both have the same."""
    a, b = source.pixels[:3], result.pixels[:3]
    if source.bit_depth == result.bit_depth and a.dtype == b.dtype:
        return np.maximum(a, b) - np.minimum(a, b)
    scaled = a.astype(np.float32) * np.float32(full_scale(result.bit_depth) / full_scale(source.bit_depth))
    return np.abs(b.astype(np.float32) - scaled)


def decibels(square: float) -> float:
    """Of a mean squared difference of values in [0, 1]."""
    return min(MOST_DECIBELS, -10 * log10(square)) if square > 0 else MOST_DECIBELS


def ssim(first: Plane, second: Plane) -> Plane:
    """(H, W) of luma in [0, 1]."""
    mean_a, mean_b = _window(first), _window(second)
    variances = _window(first * first) + _window(second * second) - mean_a * mean_a - mean_b * mean_b
    covariance = _window(first * second) - mean_a * mean_b
    likeness = (2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)
    return np.asarray(likeness / ((mean_a * mean_a + mean_b * mean_b + _C1) * (variances + _C2)), np.float32)


def _window(plane: Plane) -> Plane:
    return np.asarray(cv2.GaussianBlur(plane, (_WINDOW, _WINDOW), _SIGMA), np.float32)


def _whole_windows(outside: Marks) -> Marks:
    """Pixels whose whole window lies outside the mask; beyond the frame there is no mask."""
    kernel = np.ones((_WINDOW, _WINDOW), np.uint8)
    return np.asarray(cv2.erode(outside.astype(np.uint8), kernel, borderValue=1)) > 0


def _luma(frame: Frame) -> Plane:
    red, green, blue = (frame.pixels[channel] * LUMA[channel] for channel in range(3))
    return np.asarray((red + green + blue) / np.float32(full_scale(frame.bit_depth)), np.float32)
