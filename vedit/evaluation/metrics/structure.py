"""Whether the source's structure is still there: its edges, and the pattern of light and dark around each pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.evaluation.definition import Definition
from vedit.evaluation.tally import Tally, changing

if TYPE_CHECKING:
    from vedit.evaluation.definition import Score
    from vedit.evaluation.metric import Setting, Step
    from vedit.evaluation.picture import Picture, Plane

SIDE = 256
"""Frames are averaged down by a whole factor to about this shorter side, as the authors of SSIM advise: finer detail is
drawn anew by every look, and says nothing about the structure."""
_EDGE_SIGMA = 1.0
"""Pixels of the reduced frame: single strokes weigh less than the outlines they follow."""
_WINDOW, _WINDOW_SIGMA = (11, 11), 1.5
_C3 = 0.03**2 / 2
"""Of the structure term, for values in [0, 1]: it tells noise in flat parts from a pattern."""

FIGURES = (
    Definition(
        name="edge_correlation",
        title="Edges kept",
        unit="",
        better="higher",
        ideal=1.0,
        variant=(
            "Pearson's correlation over the pixels of a frame of the gradient magnitude of luma (BT.601; Gaussian of 1 "
            "pixel, then Sobel), source against result, both averaged down by a whole factor to a shorter side near "
            "256; inside the mask where there is one; mean over frames"
        ),
    ),
    Definition(
        name="structure_ssim",
        title="Structure kept (SSIM's)",
        unit="",
        better="higher",
        ideal=1.0,
        variant=(
            "the structure term of SSIM, (covariance + C3) / (product of deviations + C3), of luma in Gaussian windows "
            "of 11x11 and 1.5 pixels, C3 = 0.03^2 / 2 for values in [0, 1]; brightness and contrast apart; averaged "
            "down as edge_correlation; inside the mask where there is one; mean over pixels, then frames"
        ),
        paper="Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, 2004, eq. 10",
    ),
)


class Structure:
    """The metric."""

    figures = FIGURES
    quick = True
    whole_shot = False

    def start(self, setting: Setting) -> StructureMeasure:
        return StructureMeasure()


class StructureMeasure:
    """The metric at work."""

    def __init__(self) -> None:
        self._edges = Tally("edge_correlation", "the source or the result has no edges")
        self._ssim = Tally("structure_ssim", "the mask lets nothing change")

    def push(self, step: Step) -> None:
        source, result = reduced(step.source), reduced(step.result)
        inside = changing(step)
        if inside is None:
            chosen = np.ones(source.shape, np.bool_)
        else:
            chosen = _to_size(inside.astype(np.float32), source.shape) >= 0.5
        if chosen.any():
            self._edges.add(step.frame, correlation(_edges(source)[chosen], _edges(result)[chosen]))
            self._ssim.add(step.frame, float(structure_term(source, result)[chosen].mean(dtype=np.float64)))

    def finish(self) -> tuple[Score, ...]:
        return self._edges.score(), self._ssim.score()

    def heat(self, step: Step) -> Plane:
        """1 minus the structure term, at the size of the frame."""
        term = structure_term(reduced(step.source), reduced(step.result))
        return np.asarray(_to_size(np.clip(1 - term, 0, 2), step.source.size), np.float32)


METRIC = Structure()


def reduced(picture: Picture) -> Plane:
    """Luma at a shorter side of about `SIDE`, areas averaged by a whole factor."""
    height, width = picture.size
    factor = max(1, round(min(height, width) / SIDE))
    if factor == 1:
        return picture.luma
    cut = picture.luma[: height // factor * factor, : width // factor * factor]
    return _to_size(cut, (height // factor, width // factor))


def structure_term(first: Plane, second: Plane) -> Plane:
    """(h, w) in [-1, 1]: 1 where both show the same pattern, whatever its brightness and contrast."""
    mean_a, mean_b = _window(first), _window(second)
    variance_a = np.maximum(_window(first * first) - mean_a * mean_a, 0)
    variance_b = np.maximum(_window(second * second) - mean_b * mean_b, 0)
    covariance = _window(first * second) - mean_a * mean_b
    return np.asarray((covariance + _C3) / (np.sqrt(variance_a * variance_b) + _C3), np.float32)


def correlation(first: Plane, second: Plane) -> float:
    """Pearson's, of two lists of values; no number where one of them does not vary."""
    a, b = (values.astype(np.float64) - values.mean(dtype=np.float64) for values in (first, second))
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / scale) if scale > 1e-9 else float("nan")


def _edges(luma: Plane) -> Plane:
    smooth = cv2.GaussianBlur(luma, (0, 0), _EDGE_SIGMA)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(across, down), np.float32)


def _window(plane: Plane) -> Plane:
    return np.asarray(cv2.GaussianBlur(plane, _WINDOW, _WINDOW_SIGMA), np.float32)


def _to_size(plane: Plane, size: tuple[int, ...]) -> Plane:
    if plane.shape == size:
        return plane
    way = cv2.INTER_AREA if size[0] <= plane.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, (size[1], size[0]), interpolation=way), np.float32)
